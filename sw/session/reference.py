"""What ``--check`` holds results against."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from golden import executor
from sw.errors import MismatchError, UsageError
from sw.frontend import is_onnx
from sw.onnx_runtime import run_external
from sw.session.model import Model

__all__ = ["LiteRtReference", "OnnxNodesReference", "Reference", "open_reference"]


class Reference(Protocol):
    """Gives the outputs expected.

    Members
    -------
    title : str
        For people.
    """

    @property
    def title(self) -> str:
        """What it is, for people, with what it has found so far."""
        ...

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """One sample's outputs in the model's order."""
        ...


class LiteRtReference:
    """LiteRT's reference kernels.

    Parameters
    ----------
    model : Model
        Of a TensorFlow Lite file.
    """

    title = "LiteRT's reference kernels"

    def __init__(self, model: Model) -> None:
        self._path, self._inputs = model.path, [spec.name for spec in model.inputs]

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """One sample's outputs."""
        from sw.reference import run_litert  # needed by few runs

        return run_litert(self._path, [inputs[name] for name in self._inputs])


class OnnxNodesReference:
    """The golden model, once every node of it is within 1 of ONNX Runtime's.

    Parameters
    ----------
    path : Path
    shapes : mapping of str to tuple of int
    """

    def __init__(self, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
        from sw.frontend.onnx import import_model
        from sw.reference_onnx import OnnxReference

        self._path = path
        self._imported = import_model(path, shapes)
        self._runtime = OnnxReference(path, shapes, keep_all=True)
        self._different = self._compared = 0
        self._last: tuple[object, list[np.ndarray]] | None = None

    @property
    def title(self) -> str:
        """With the share of values that differ by 1."""
        return (f"the golden model ({self._different:,} of {self._compared:,} values of its nodes "
                "are 1 off ONNX Runtime's, none more)")

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """One sample's outputs.

        Raises
        ------
        MismatchError
            If a node differs from ONNX Runtime's by more than 1.
        """
        if self._last is not None and self._last[0] is inputs:
            return self._last[1]  # asked for before the run, to see refusals early
        from sw.reference_onnx import node_differences, summed

        differences = node_differences(self._imported, inputs, self._runtime.run(inputs))
        for item in differences:
            if item.exact and item.largest > 1:
                raise MismatchError(
                    f"{self._path}: node {item.node} ({item.tensor!r}) differs from ONNX "
                    f"Runtime's by {item.largest} in {item.different} of {item.compared} values; "
                    "accepted is 1")
        _, different, compared = summed(differences)
        self._different += different
        self._compared += compared
        found = executor.run(self._imported.graph, dict(inputs), external=run_external)
        self._last = inputs, [found[name] for name in self._imported.graph.outputs]
        return self._last[1]


def open_reference(model: Model) -> Reference:
    """The reference of a model.

    Raises
    ------
    UsageError
        If it is compiled already.
    ReferenceError_
        If the reference is not installed or refuses the model.
    """
    if model.graph is None:
        raise UsageError(f"{model.path}: --check needs the model itself, not a compiled program")
    if is_onnx(model.path):
        return OnnxNodesReference(model.path, model.shapes)
    return LiteRtReference(model)
