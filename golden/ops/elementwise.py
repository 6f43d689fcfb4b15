"""Operators that take values one by one, and those that only move them."""

import numpy as np

from golden.attributes import Add, Clamp, Concat, Pad, Quantize
from golden.broadcast import Maximum, Minimum, Multiply
from golden.lookup import Lookup
from golden.ops.requantize import finish, requantize
from golden.slopes import PRelu

__all__ = ["add", "clamp", "clamp_table", "concat", "lookup", "maximum", "minimum",
           "multiply", "pad", "prelu", "quantize"]


def add(first: np.ndarray, second: np.ndarray, attrs: Add) -> np.ndarray:
    """Sum or difference of two int8 arrays of different scales."""
    total = np.zeros(1, np.int64)
    for x, zero, scale, sign in zip((first, second), attrs.input_zeros, attrs.input_scales,
                                    (1, -1 if attrs.minus else 1), strict=True):
        shifted = np.left_shift(x.astype(np.int32) - np.int32(zero), attrs.left_shift)
        total = total + sign * requantize(shifted, *scale)
    return finish(requantize(total.astype(np.int32), *attrs.output_scale),
                  attrs.output_zero, attrs.least, attrs.most)


def clamp(x: np.ndarray, attrs: Clamp) -> np.ndarray:
    """Requantize an int8 array and limit it."""
    # All 256 results, then a look-up: cheaper than computing each.
    return clamp_table(attrs)[x.astype(np.int16) + 128]


def clamp_table(attrs: Clamp) -> np.ndarray:
    """Results for -128 to 127, int8."""
    values = np.arange(-128, 128, dtype=np.int32) - np.int32(attrs.input_zero)
    return finish(requantize(values, *attrs.scale), attrs.output_zero, attrs.least, attrs.most)


def lookup(x: np.ndarray, attrs: Lookup) -> np.ndarray:
    """Values of a table."""
    return attrs.table[x.astype(np.int16) + len(attrs.table) // 2]


def quantize(x: np.ndarray, attrs: Quantize) -> np.ndarray:
    """Requantize an array of one 8-bit type to another."""
    given, wanted = np.iinfo(attrs.input_type), np.iinfo(attrs.output_type)
    values = np.arange(given.min, given.max + 1, dtype=np.int32) - np.int32(attrs.input_zero)
    table = np.clip(requantize(values, *attrs.scale) + attrs.output_zero, wanted.min, wanted.max)
    return table.astype(attrs.output_type)[x.astype(np.int16) - given.min]


def maximum(first: np.ndarray, second: np.ndarray, attrs: Maximum) -> np.ndarray:
    """Larger values of two arrays."""
    del attrs
    return np.maximum(first, second)


def minimum(first: np.ndarray, second: np.ndarray, attrs: Minimum) -> np.ndarray:
    """Smaller values of two arrays."""
    del attrs
    return np.minimum(first, second)


def multiply(first: np.ndarray, second: np.ndarray, attrs: Multiply) -> np.ndarray:
    """Product of two int8 arrays."""
    x, y = (array.astype(np.int32) - zero
            for array, zero in zip((first, second), attrs.input_zeros, strict=True))
    return finish(requantize(x * y, *attrs.scale), attrs.output_zero, attrs.least, attrs.most)


def prelu(x: np.ndarray, attrs: PRelu) -> np.ndarray:
    """Values of an int8 array, those below 0 times a slope."""
    value = x.astype(np.int32) - np.int32(attrs.input_zero)
    found = np.where(value >= 0, requantize(value, *attrs.above),
                     requantize(value * attrs.slopes.astype(np.int32), *attrs.below))
    return finish(found, attrs.output_zero, -128, 127)


def pad(x: np.ndarray, attrs: Pad) -> np.ndarray:
    """Add a border."""
    return np.pad(x, attrs.pads, constant_values=attrs.value)


def concat(*inputs: np.ndarray, attrs: Concat) -> np.ndarray:
    """Arrays one after the other."""
    return np.concatenate(inputs, axis=attrs.axis)
