"""Fused activations as nodes."""

from typing import Any

import numpy as np
import tflite

from sw.frontend.floats.network import Step

__all__ = ["finish", "limits"]

_KIND = tflite.ActivationFunctionType
_LIMITS: dict[int, tuple[float | None, float | None]] = {
    _KIND.RELU: (0.0, None), _KIND.RELU6: (0.0, 6.0), _KIND.RELU_N1_TO_1: (-1.0, 1.0)}


def limits(step: Step, source: str, kind: int, moved: bool) -> None:
    """The operator's output: a value within the limits of an activation."""
    low, high = _LIMITS[kind]
    if high is None:
        step.emit("Relu", [source], moved)
        return
    step.emit("Clip", [source, step.constant(np.array(low, np.float32), "least"),
                       step.constant(np.array(high, np.float32), "most")], moved)


def finish(step: Step, op: str, inputs: list[str], kind: int, moved: bool = False,
           **attributes: Any) -> None:
    """The operator's node, and its fused activation behind it."""
    if kind == _KIND.NONE:
        step.emit(op, inputs, moved, **attributes)
    elif kind == _KIND.TANH:
        step.emit("Tanh", [step.inner(op, inputs, "plain", **attributes)], moved)
    elif kind in _LIMITS:
        limits(step, step.inner(op, inputs, "plain", **attributes), kind, moved)
    else:
        raise step.fail(f"fused activation {kind}; accepted are NONE, RELU, RELU6, RELU_N1_TO_1 "
                        "and TANH")
