"""LiteRT's reference kernels: what ``--check`` compares with."""

from pathlib import Path
from typing import Any

import numpy as np

from sw.errors import ModelError, ReferenceError_
from sw.frontend.flatbuffer import read, unique_names

__all__ = ["run_litert", "trace_litert"]


# The reference kernels lack the one, and add bytes of the other whatever they mean.
_NOT_AMONG_THEM = ("ELU", "SUM")


def _interpreter(path: Path, keep_all: bool) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ReferenceError_(f"LiteRT is not installed ({error}); pip install ai-edge-litert, or "
                              "run without --check") from None
    # The default kernels round differently from the definition on many inputs.
    kernels = OpResolverType.BUILTIN_REF
    operators = _operators(path)
    if any(name in _NOT_AMONG_THEM for name in operators):
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    if any(name.startswith("CUSTOM ") for name in operators):
        kernels = OpResolverType.AUTO  # XNNPACK knows some
    try:
        interpreter = Interpreter(
            str(path), experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=keep_all)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        # LiteRT strings all its complaints together.
        raise ReferenceError_(f"{path}: LiteRT refuses the file: {str(error)[:200]}") from None
    return interpreter


def _operators(path: Path) -> set[str]:
    """Names of a file's operators."""
    try:
        return {operator.name for operator in read(path).operators}
    except ModelError:  # LiteRT says what is wrong with it
        return set()


def run_litert(path: Path | str, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Run a network sample by sample on LiteRT's reference kernels.

    Parameters
    ----------
    path : Path or str
        TensorFlow Lite file.
    inputs : list of ndarray
        One array per input of the network, in its order; the leading axis holds samples, each as
        many rows as the network's input has.

    Returns
    -------
    list of ndarray
        Outputs in the network's order, samples along the leading axis.

    Raises
    ------
    ReferenceError_
        If LiteRT is not installed or refuses the file or the inputs.
    """
    interpreter = _interpreter(Path(path), False)
    try:
        wanted = [detail["index"] for detail in interpreter.get_output_details()]
    except UnicodeDecodeError as error:
        raise ReferenceError_(f"{path}: LiteRT can't read the names of its tensors: "
                              f"{error}") from None
    found = _run(Path(path), interpreter, inputs, wanted)
    return [found[index] for index in wanted]


def trace_litert(path: Path | str, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """As ``run_litert``, but every tensor, by its name in the graph the front end makes."""
    interpreter = _interpreter(Path(path), True)
    details = interpreter.get_tensor_details()
    found = _run(Path(path), interpreter, inputs, [detail["index"] for detail in details])
    names = unique_names([detail["name"] for detail in details])
    return {name: found[detail["index"]] for name, detail in zip(names, details, strict=True)
            if detail["index"] in found}


def _run(path: Path, interpreter: Any, inputs: list[np.ndarray],
         wanted: list[int]) -> dict[int, np.ndarray]:
    """The wanted tensors that can be read, by index."""
    details = interpreter.get_input_details()
    if len(inputs) != len(details):
        raise ReferenceError_(f"{path}: {len(inputs)} inputs, LiteRT takes {len(details)}")
    rows = [int(detail["shape"][0]) if len(detail["shape"]) else 1 for detail in details]
    collected: dict[int, list[np.ndarray]] = {}
    for sample in range(inputs[0].shape[0] // rows[0]):
        try:
            for detail, array, count in zip(details, inputs, rows, strict=True):
                interpreter.set_tensor(detail["index"], array[sample * count:(sample + 1) * count])
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ReferenceError_(f"{path}: LiteRT fails: {error}") from None
        for index in wanted:
            try:
                value = interpreter.get_tensor(index)
            except ValueError:
                continue  # scratch tensors can't be read
            collected.setdefault(index, []).append(np.atleast_1d(value))
    return {index: np.concatenate(values) for index, values in collected.items()}
