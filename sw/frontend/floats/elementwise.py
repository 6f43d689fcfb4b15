"""Operators that take values one by one."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tflite

from sw.frontend.floats.activations import finish, limits
from sw.frontend.floats.network import Step

__all__ = ["TRANSLATORS"]

_KIND = tflite.ActivationFunctionType


def _unary(op: str, **attributes: Any) -> Callable[[Step], None]:
    def translate(step: Step) -> None:
        moved = step.moved()
        step.emit(op, [step.value(0, moved)], moved, **attributes)

    return translate


def _limited(kind: int) -> Callable[[Step], None]:
    def translate(step: Step) -> None:
        moved = step.moved()
        limits(step, step.value(0, moved), kind, moved)

    return translate


def _operands(step: Step) -> tuple[list[str], bool]:
    """Two operands that broadcast, both in one order of axes."""
    computed = [at for at in (0, 1) if step.net.constant(step.index(at)) is None]
    moved = any(step.moved(at) for at in computed) and len(step.result) == 4 and all(
        len(step.shape(at)) == 4 for at in computed)
    names = []
    for at in (0, 1):
        if moved and at not in computed:
            array = step.real(at, "operand")
            wide = array.reshape((1,) * (4 - array.ndim) + array.shape)
            names.append(step.constant(wide.transpose(0, 3, 1, 2), f"operand{at}"))
        else:
            names.append(step.value(at, moved))
    return names, moved


def _binary(op: str, table: type | None = None) -> Callable[[Step], None]:
    def translate(step: Step) -> None:
        names, moved = _operands(step)
        kind = step.options(table).FusedActivationFunction if table else _KIND.NONE
        finish(step, op, names, kind, moved)

    return translate


def _squared_difference(step: Step) -> None:
    names, moved = _operands(step)
    off = step.inner("Sub", names, "difference")
    step.emit("Mul", [off, off], moved)


def _rsqrt(step: Step) -> None:
    moved = step.moved()
    step.emit("Reciprocal", [step.inner("Sqrt", [step.value(0, moved)], "root")], moved)


def _square(step: Step) -> None:
    moved = step.moved()
    step.emit("Mul", [step.value(0, moved)] * 2, moved)


def _leaky_relu(step: Step) -> None:
    moved = step.moved()
    step.emit("LeakyRelu", [step.value(0, moved)], moved,
              alpha=step.options(tflite.LeakyReluOptions).Alpha)


def _prelu(step: Step) -> None:
    names, moved = _operands(step)
    step.emit("PRelu", names, moved)


def _gelu(step: Step) -> None:
    moved = step.moved()
    x = step.value(0, moved)

    def number(value: float, what: str) -> str:
        return step.constant(np.array(value, np.float32), what)

    if step.options(tflite.GeluOptions).Approximate:
        cube = step.inner("Mul", [step.inner("Mul", [x, x], "square"), x], "cube")
        bent = step.inner("Add", [x, step.inner("Mul", [cube, number(0.044715, "bend")],
                                                "bent")], "sum")
        inside = step.inner("Tanh", [step.inner(
            "Mul", [bent, number(math.sqrt(2 / math.pi), "slope")], "scaled")], "curve")
    else:
        inside = step.inner("Erf", [step.inner(
            "Mul", [x, number(math.sqrt(0.5), "slope")], "scaled")], "curve")
    share = step.inner("Add", [inside, number(1.0, "one")], "share")
    half = step.inner("Mul", [x, number(0.5, "half")], "halved")
    step.emit("Mul", [half, share], moved)


def _softmax(step: Step) -> None:
    beta = step.options(tflite.SoftmaxOptions).Beta
    source = step.value()
    if beta != 1.0:
        source = step.inner("Mul", [source, step.constant(np.array(beta, np.float32), "beta")],
                            "scaled")
    step.emit("Softmax", [source], axis=-1)


def _dequantize(step: Step) -> None:
    """float16 constants and the like: float32 constants from here on."""
    step.net.constants[step.operator.outputs[0]] = step.real(0, "input")


def _densify(step: Step) -> None:
    array = step.net.constant(step.index(0))
    if array is None:
        raise step.fail("input is computed, must be constant")
    step.net.constants[step.operator.outputs[0]] = array


TRANSLATORS: dict[str, Callable[[Step], None]] = {
    "ABS": _unary("Abs"),
    "ADD": _binary("Add", tflite.AddOptions),
    "DENSIFY": _densify,
    "DEQUANTIZE": _dequantize,
    "DIV": _binary("Div", tflite.DivOptions),
    "ELU": _unary("Elu", alpha=1.0),
    "EXP": _unary("Exp"),
    "GELU": _gelu,
    "HARD_SWISH": _unary("HardSwish"),
    "LEAKY_RELU": _leaky_relu,
    "LOG": _unary("Log"),
    "LOGISTIC": _unary("Sigmoid"),
    "MAXIMUM": _binary("Max"),
    "MINIMUM": _binary("Min"),
    "MUL": _binary("Mul", tflite.MulOptions),
    "NEG": _unary("Neg"),
    "POW": _binary("Pow"),
    "PRELU": _prelu,
    "RELU": _limited(_KIND.RELU),
    "RELU6": _limited(_KIND.RELU6),
    "RELU_N1_TO_1": _limited(_KIND.RELU_N1_TO_1),
    "RSQRT": _rsqrt,
    "SOFTMAX": _softmax,
    "SQRT": _unary("Sqrt"),
    "SQUARE": _square,
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": _binary("Sub", tflite.SubOptions),
    "TANH": _unary("Tanh"),
}
