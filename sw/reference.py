"""LiteRT's reference kernels: what ``--check`` compares with."""

from pathlib import Path
from typing import Any

import numpy as np

from sw.errors import ReferenceError_

__all__ = ["run_litert"]


def _interpreter(path: Path, keep_all: bool) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ReferenceError_(f"LiteRT is not installed ({error}); pip install ai-edge-litert, or "
                              "run without --check") from None
    try:
        # The default kernels round differently from the definition on many inputs.
        interpreter = Interpreter(
            str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=keep_all)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ReferenceError_(f"{path}: LiteRT refuses the file: {error}") from None
    return interpreter


def run_litert(path: Path | str, inputs: list[np.ndarray] | np.ndarray,
               keep_all: bool = False) -> list[np.ndarray] | dict[int, np.ndarray]:
    """Run a network sample by sample on LiteRT's reference kernels.

    Parameters
    ----------
    path : Path or str
        TensorFlow Lite file.
    inputs : ndarray or list of ndarray
        One array per input of the network, in its order; the leading axis holds samples, each as
        many rows as the network's input has.
    keep_all : bool
        Return all tensors instead of the outputs.

    Returns
    -------
    list of ndarray, or dict of int to ndarray
        Outputs in the network's order, or all readable tensors by index in the file; samples
        along the leading axis.

    Raises
    ------
    ReferenceError_
        If LiteRT is not installed or refuses the file or the inputs.
    """
    interpreter = _interpreter(Path(path), keep_all)
    details = interpreter.get_input_details()
    arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
    if len(arrays) != len(details):
        raise ReferenceError_(f"{path}: {len(arrays)} inputs, LiteRT takes {len(details)}")
    rows = [int(detail["shape"][0]) if len(detail["shape"]) else 1 for detail in details]
    samples = arrays[0].shape[0] // rows[0]
    collected: dict[int, list[np.ndarray]] = {}
    wanted = interpreter.get_tensor_details() if keep_all else interpreter.get_output_details()
    for sample in range(samples):
        try:
            for detail, array, count in zip(details, arrays, rows, strict=True):
                interpreter.set_tensor(detail["index"], array[sample * count:(sample + 1) * count])
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ReferenceError_(f"{path}: LiteRT fails: {error}") from None
        for detail in wanted:
            try:
                value = interpreter.get_tensor(detail["index"])
            except ValueError:
                continue  # scratch tensors can't be read
            collected.setdefault(detail["index"], []).append(np.atleast_1d(value))
    joined = {index: np.concatenate(values) for index, values in collected.items()}
    return joined if keep_all else [joined[detail["index"]] for detail in wanted]
