"""TensorFlow Lite's activations of int8 as tables, each by its kernel's own arithmetic."""

import math
from collections.abc import Callable

import numpy as np
import tflite
from numpy.typing import NDArray

from golden.graph import Quant
from golden.lookup import Lookup
from golden.ops.requantize import requantize
from golden.spec.numerics import quantize_multiplier
from sw.frontend.operands import Operands

__all__ = ["CONVERTERS"]

Function = Callable[[NDArray], NDArray]
_INT16 = np.iinfo(np.int16)


def _steps(zero: int) -> NDArray:
    """All inputs less their zero point, int64."""
    return np.arange(-128, 128, dtype=np.int64) - zero


def _limited(values: NDArray) -> NDArray:
    return np.clip(values, -128, 127).astype(np.int8)


def _away(values: NDArray) -> NDArray:
    """C's round()."""
    return np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values)


def _real_table(function: Function, given: Quant, wanted: Quant) -> NDArray:
    """A function of real numbers, in float32 up to the result."""
    real = np.float32(given.scale) * _steps(given.zero_point).astype(np.float32)
    found = function(real.astype(np.float64)).astype(np.float32)
    steps = _away(found * (np.float32(1) / np.float32(wanted.scale)))
    return _limited(steps + np.float32(wanted.zero_point))


def _sigmoid(x: NDArray) -> NDArray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _gelu(x: NDArray) -> NDArray:
    return np.array([0.5 * value * math.erfc(-value * math.sqrt(0.5)) for value in x.tolist()])


def _gelu_about(x: NDArray) -> NDArray:
    inside = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    return np.asarray(0.5 * x * (1 + np.tanh(inside)))


def _real(function: Function) -> Callable[[Operands], tuple[Lookup, int]]:
    def convert(view: Operands) -> tuple[Lookup, int]:
        return Lookup(table=_real_table(function, view.input().quant, view.output().quant)), 1

    return convert


def _gelus(view: Operands) -> tuple[Lookup, int]:
    function = _gelu_about if view.options(tflite.GeluOptions).Approximate else _gelu
    return _real(function)(view)


def _leaky_relu(view: Operands) -> tuple[Lookup, int]:
    """Two factors, for inputs above and below the zero point."""
    given, wanted = view.input().quant, view.output().quant
    scale, alpha = np.float32(given.scale), view.options(tflite.LeakyReluOptions).Alpha
    steps = _steps(given.zero_point).astype(np.int32)
    if not alpha >= 0:
        raise view.fail(f"alpha is {alpha}, must be at least 0")
    above, below = (
        requantize(steps, *quantize_multiplier(float(factor / np.float32(wanted.scale))))
        for factor in (scale, scale * np.float32(alpha)))
    return Lookup(table=_limited(np.where(steps >= 0, above, below) + wanted.zero_point)), 1


def _saturated(values: NDArray) -> NDArray:
    return np.clip(values, _INT16.min, _INT16.max)


def _toward_zero(values: NDArray, bits: int) -> NDArray:
    return np.sign(values) * (np.abs(values) >> bits)


def _high(a: NDArray, b: int) -> NDArray:
    """Rounded high half of twice a product of int16 values, as gemmlowp's."""
    product = a * b
    return _saturated(_toward_zero(product + np.where(product >= 0, 1 << 14, 1 - (1 << 14)), 15))


def _divided(values: NDArray, bits: int) -> NDArray:
    """By a power of two, halves away from zero."""
    half = (1 << bits) >> 1
    return np.sign(values) * ((np.abs(values) + half) >> bits)


def _half_width(real: float) -> tuple[int, int]:
    """(16-bit multiplier, exponent) of a factor."""
    multiplier, pre, post = quantize_multiplier(real)
    limit = (1 << 31) - 1 - (1 << 15)
    return (_INT16.max if multiplier >= limit else (multiplier + (1 << 15)) >> 16), pre - post


def _hard_swish(view: Operands) -> tuple[Lookup, int]:
    """x * relu6(x + 3) / 6 in 16-bit fixed point."""
    given, wanted = view.input().quant, view.output().quant
    fine = np.float32(1 / 128) * np.float32(given.scale)
    output, output_exponent = _half_width(float(fine / np.float32(wanted.scale)))
    bent, bent_exponent = _half_width(float(fine / np.float32(3 / 32768)))
    if output_exponent > 0:
        raise view.fail(f"output scale {wanted.scale} is too fine for an input of {given.scale}")
    x = _steps(given.zero_point) << 7
    share = x
    if bent_exponent > 0:
        share = _saturated(share << (bent_exponent - 1))
    share = _high(share, bent)
    if bent_exponent > 0:
        share = _saturated(share << 1)
    elif bent_exponent < 0:
        share = _divided(share, -bent_exponent)
    share = (share + (1 << 15)) >> 1
    product = _toward_zero(share * _high(x, output), 15)
    return Lookup(table=_limited(_divided(product, -output_exponent) + wanted.zero_point)), 1


def _elu(x: NDArray) -> NDArray:
    return np.where(x < 0, np.exp(np.minimum(x, 0)) - 1, x)


CONVERTERS: dict[str, Callable[[Operands], tuple[Lookup, int]]] = {
    "ELU": _real(_elu),
    "GELU": _gelus,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _real(_sigmoid),
    "TANH": _real(np.tanh),
}
