"""Softmax in gemmlowp's fixed point, and between any scales.

Numbers are raw int32 with 31 fraction bits unless a comment says otherwise. An int8 difference has
256 values, so exponentials come from a table; only the reciprocal is computed per row.
"""

from weakref import WeakKeyDictionary

import numpy as np

from golden.attributes import Softmax
from golden.ops.requantize import (
    finish,
    rounding_divide_by_pot,
    rounding_doubling_high_multiply,
)
from golden.softmax import QuantizedSoftmax
from golden.spec.softmax import Softmax8

__all__ = ["exponentials", "quantized_softmax", "softmax"]

INPUT_FRACTION_BITS = 26  # of scaled differences
SUM_INTEGER_BITS = 12  # of sums of exponentials
LIMITS = np.iinfo(np.int32)
EXP_MINUS_EIGHTH = 1895147668
ONE_THIRD = 715827883
# exp(-2**k) for k = -2, -1, ... 4
EXP_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
# For the reciprocal's first guess 48/17 - 32/17 d, with 29 fraction bits.
GUESS_BASE, GUESS_SLOPE = 1515870810, -1010580540
ONE_29 = 1 << 29
LEFT_OUT = -1  # in the table: too small a difference to count

_tables: WeakKeyDictionary[Softmax, np.ndarray] = WeakKeyDictionary()


def _multiply(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """Rounding product; b may be negative, though neither is ever the least int32."""
    return rounding_doubling_high_multiply(a, b)


def _shift_left(value: np.ndarray, by: int) -> np.ndarray:
    """Saturating shift."""
    return np.clip(value << by, LIMITS.min, LIMITS.max)


def _exp_quarter(a: np.ndarray) -> np.ndarray:
    """exp of a in [-1/4, 0): a Taylor series about -1/8."""
    x = a + (1 << 28)
    x2 = _multiply(x, x)
    x3 = _multiply(x2, x)
    x4_over_4 = rounding_divide_by_pot(_multiply(x2, x2), 2)
    series = rounding_divide_by_pot(_multiply(x4_over_4 + x3, ONE_THIRD) + x2, 1)
    return _multiply(x + series, EXP_MINUS_EIGHTH) + EXP_MINUS_EIGHTH


def _exp(a: np.ndarray) -> np.ndarray:
    """exp of a <= 0 with 26 fraction bits: what lies beyond a quarter by powers of two."""
    quarter = 1 << (INPUT_FRACTION_BITS - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_quarter(_shift_left(rest, 31 - INPUT_FRACTION_BITS))
    whole = rest - a
    for power, factor in enumerate(EXP_POWERS, start=INPUT_FRACTION_BITS - 2):
        result = np.where(whole >> power & 1, _multiply(result, factor), result)
    return np.where(a == 0, LIMITS.max, result)


def exponentials(attrs: Softmax) -> np.ndarray:
    """Exponential of every difference -255 to 0, at index difference + 255, or LEFT_OUT."""
    table = _tables.get(attrs)
    if table is None:
        differences = np.arange(-255, 1, dtype=np.int64)
        seen = differences >= attrs.least_difference
        scaled = rounding_doubling_high_multiply(
            np.where(seen, differences, 0) << attrs.pre, attrs.multiplier)
        table = _tables[attrs] = np.where(seen, _exp(scaled), LEFT_OUT)
    return table


def _reciprocal(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(raw, leading zeros): raw / 2**(62 - leading zeros) is 1 / total of 32 bits."""
    leading = 32 - np.frexp(total.astype(np.float64))[1]
    fraction = (total << leading) - (1 << 31)
    half = (fraction + LIMITS.max + 1) >> 1  # (fraction + 1) / 2, in [1/2, 1)
    x = GUESS_BASE + _multiply(half, GUESS_SLOPE)
    for _ in range(3):
        x = x + _shift_left(_multiply(x, ONE_29 - _multiply(half, x)), 2)
    return _shift_left(x, 1), leading


def softmax(x: np.ndarray, attrs: Softmax) -> np.ndarray:
    """Softmax over the last axis of an int8 array; output scale 1/256, zero point -128."""
    wide = x.astype(np.int64)
    powers = exponentials(attrs)[wide - wide.max(axis=-1, keepdims=True) + 255]
    seen = powers != LEFT_OUT
    terms = np.where(seen, rounding_divide_by_pot(powers.copy(), SUM_INTEGER_BITS), 0)
    inverse, leading = _reciprocal(terms.sum(axis=-1, keepdims=True))
    scaled = rounding_divide_by_pot(_multiply(powers, inverse), SUM_INTEGER_BITS - leading + 31 - 8)
    return np.where(seen, finish(scaled, -128, -128, 127), -128).astype(np.int8)


def quantized_softmax(x: np.ndarray, attrs: QuantizedSoftmax) -> np.ndarray:
    """Softmax over one axis of an int8 array."""
    made = Softmax8(x.shape[attrs.axis], attrs.scale, attrs.output_scale, attrs.output_zero)
    wide = x.astype(np.int64)
    places = wide - wide.max(axis=attrs.axis, keepdims=True) + 255
    terms = rounding_divide_by_pot(np.array(made.exponentials)[places], made.guard)
    inverse, leading = _reciprocal(terms.sum(axis=attrs.axis, keepdims=True))
    # What is divided has 31 bits: more than 32 of them leave nothing, either.
    by = np.minimum(made.shift - leading, 32)
    scaled = rounding_divide_by_pot(_multiply(np.array(made.scaled)[places], inverse), by)
    return finish(scaled, attrs.output_zero, -128, 127)
