"""Readers of network files: each gives a ``golden.graph.Graph`` or a ``ModelError``."""

from collections.abc import Mapping
from pathlib import Path

from golden.graph import Graph
from sw.errors import UsageError

__all__ = ["is_onnx", "load"]


def is_onnx(path: Path) -> bool:
    """Whether a file is read as ONNX: by its name, protocol buffers have no mark of their own."""
    return path.suffix.lower() == ".onnx"


def load(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Graph:
    """Read a network file.

    Parameters
    ----------
    path : Path
        ``.onnx``, else TensorFlow Lite.
    shapes : mapping of str to tuple of int, optional
        Sizes of inputs that an ONNX file leaves open.

    Raises
    ------
    ModelError
        If the file can't be read or uses what is not supported.
    UsageError
        If ``shapes`` doesn't fit the file.
    """
    # Each reader brings a library of its own.
    if is_onnx(path):
        from sw.frontend import onnx

        return onnx.load(path, shapes)
    from sw.frontend import tflite

    if shapes:
        raise UsageError(f"--shape: {path} is no .onnx file; the shapes of others are fixed")
    return tflite.load(path)
