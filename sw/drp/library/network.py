"""Operators of int8 networks, in TensorFlow Lite's arithmetic."""

# mypy: disable-error-code="valid-type"

from typing import Any

import numpy as np

from golden.spec.numerics import requantize
from sw.drp.functions import (
    fold,
    largest,
    leading_zeros,
    maximum,
    minimum,
    multiply_high,
    rounding_shift,
    total,
    where,
)
from sw.drp.kernel import Kernel, kernel
from sw.drp.types import In, Out, Table, i8, i8x4, i32

__all__ = ["add_table", "argmax", "average_pool", "concat", "depth_largest", "depth_mean",
           "first_largest", "global_largest", "global_mean", "lookup", "max_pool", "quantized_add",
           "quantized_mul", "rescale_table", "softmax_inverse", "softmax_largest",
           "softmax_reciprocal", "softmax_result", "softmax_scale", "softmax_sum", "softmax_term",
           "top2", "transpose"]


def add_table(zero: int, scale: tuple[int, int, int], left_shift: int) -> np.ndarray:
    """int32(256,): every int8 less its zero point at the common scale of ``quantized_add``."""
    return np.array([requantize((x - zero) << left_shift, *scale) for x in range(-128, 128)],
                    np.int32)


@kernel
def quantized_add(a: In(i8, "x"), b: In(i8, "x"), first: Table(256), second: Table(256),
                  multiplier: int = 1 << 30, shift: int = 18, zero: int = 0,
                  least: int = -128, most: int = 127) -> Out(i8, "x", saturate=True):
    """TensorFlow Lite's ADD of two int8 tensors of different scales."""
    common = first[a + 128] + second[b + 128]
    result = rounding_shift(multiply_high(common, multiplier), shift) + zero
    if least > -128:
        result = maximum(result, least)
    if most < 127:
        result = minimum(result, most)
    return result


@kernel
def quantized_mul(a: In(i8, "x"), b: In(i8, "x"), zero_a: int = 3, zero_b: int = -5,
                  multiplier: int = 1 << 30, shift: int = 6,
                  zero: int = 0) -> Out(i8, "x", saturate=True):
    """TensorFlow Lite's MUL of two int8 tensors."""
    product = (a - zero_a) * (b - zero_b)
    return rounding_shift(multiply_high(product, multiplier), shift) + zero


def rescale_table(scale: tuple[int, int, int], zero: int, new_zero: int) -> np.ndarray:
    """int32(256,): every int8 at another scale and zero point, as TensorFlow Lite rounds it."""
    return np.array([min(max(requantize(x - zero, *scale) + new_zero, -128), 127)
                     for x in range(-128, 128)], np.int32)


@kernel
def lookup(x: In(i8, "x"), table: Table(256)) -> Out(i8, "x"):
    """Any function of an int8, by table[x + 128]; another scale, an activation."""
    return table[x + 128]


@kernel
def concat(a: In(i8, "nx"), b: In(i8, "nx"), first: Table(256), second: Table(256),
           split: int = 16) -> Out(i8, "nx"):
    """Two tensors along their last axis, each brought to the result's scale by its table; ``split``
    is the first one's width, and the grid of b begins at -split."""
    return where(a.column < split, first[a + 128], second[b + 128])


@kernel
def transpose(x: In(i8x4, "ydxc")) -> Out(i8x4, "yxdc"):
    """Exchange the middle axes. Space to depth: (Y/b, b, X/b, b C) to (Y/b, X/b, b, b C), both
    views of the tensors; depth to space the other way round."""
    return x


@kernel
def depth_largest(x: In(i8, "yxc")) -> Out(i8, "yx"):
    """Largest channel of each pixel."""
    return largest(x)


@kernel
def depth_mean(x: In(i8, "yxc"), offset: int = 0, pre: int = 0, multiplier: int = 1 << 30,
               shift: int = 0, zero: int = 0) -> Out(i8, "yx", saturate=True):
    """Mean over the channels of each pixel, requantized; ``offset`` is input zero point times
    count, negated."""
    sums = (total(x) + offset) << pre
    return rounding_shift(multiply_high(sums, multiplier), shift) + zero


@kernel
def global_largest(x: In(i8x4, "yxc")) -> Out(i8x4, "c"):
    """Largest of each channel over all pixels."""
    return fold(maximum, -128, x)


def max_pool(window: int, stride: int) -> Kernel:
    """A kernel: largest int8 of each window, channels last, padding ignored."""

    @kernel
    def pool(x: In(i8x4, "yxc", border="constant", fill=-128,
                   step=stride)) -> Out(i8x4, "yxc"):
        """Largest int8 of each window."""
        def column(dx: int) -> Any:
            found = x[0, dx]
            for dy in range(1, window):
                found = maximum(found, x[dy, dx])
            return found

        result = column(0)
        for dx in range(1, window):
            result = maximum(result, column(dx))
        return result

    pool.name = f"max_pool_{window}x{window}s{stride}"
    return pool


def average_pool(window: int, stride: int) -> Kernel:
    """A kernel: mean of int8 of each window, no padding, halves away from zero."""
    count = window * window
    # floor(n / count) = n * factor >> 20 for every n that can be: n (factor count - 2**20) < 2**20.
    factor = -(-(1 << 20) // count)
    if (128 * count + count // 2) * (factor * count - (1 << 20)) >= 1 << 20:
        raise ValueError(f"average_pool window {window}, accepted is 1 to 8")

    @kernel
    def pool(x: In(i8, "yxc", step=stride)) -> Out(i8, "yxc"):
        """Mean of int8 of each window, halves away from zero."""
        def column(dx: int) -> Any:
            found = x[0, dx]
            for dy in range(1, window):
                found = found + x[dy, dx]
            return found

        sums = column(0)
        for dx in range(1, window):
            sums = sums + column(dx)
        size = ((abs(sums) + count // 2) * factor) >> 20
        return -size if sums < 0 else size

    pool.name = f"average_pool_{window}x{window}s{stride}"
    return pool


@kernel
def global_mean(x: In(i8, "yxc"), offset: int = 0, pre: int = 0, multiplier: int = 1 << 30,
                shift: int = 0, zero: int = 0) -> Out(i8, "c", saturate=True):
    """Mean over y and x, requantized; ``offset`` is input zero point times count, negated."""
    sums = (total(x) + offset) << pre
    return rounding_shift(multiply_high(sums, multiplier), shift) + zero


def first_largest(x: Any) -> Any:
    """Place along x of the largest; of equal ones the first."""
    def better(best: tuple[Any, Any], new: tuple[Any, Any]) -> tuple[Any, Any]:
        first = new[0] > best[0]
        return where(first, new[0], best[0]), where(first, new[1], best[1])

    return fold(better, (-(1 << 31), 0), (x.value, x.column))[1]


@kernel
def argmax(x: In(i8, "nx")) -> Out(i32, "n"):
    """Place of the largest value of each row; of equal ones the first."""
    return first_largest(x)


@kernel
def top2(x: In(i8, "nx")) -> Out(i32, "n", channels=2):
    """Places of the two largest values of each row; of equal ones the first."""
    def better(best: tuple[Any, ...], new: tuple[Any, Any]) -> tuple[Any, ...]:
        value, place, second, behind = best
        first, other = new[0] > value, new[0] > second
        behind = where(first, place, where(other, new[1], behind))
        second = where(first, value, maximum(second, new[0]))
        return maximum(value, new[0]), where(first, new[1], place), second, behind

    least = -(1 << 31)
    _, place, _, behind = fold(better, (least, 0, least, 0), (x.value, x.column))
    return place, behind


@kernel
def softmax_largest(x: In(i8, "nx")) -> Out(i8, "n"):
    """Softmax, 1 of 4: the largest of each row."""
    return largest(x)


def softmax_term(power: Any, guard: int) -> Any:
    """What an exponential adds to the sum."""
    return where(power < 0, 0, rounding_shift(power, guard))


@kernel
def softmax_sum(x: In(i8, "nx"), most: In(i8, "n"), table: Table(256),
                guard: int = 12) -> Out(i32, "n"):
    """Softmax, 2 of 4: sum of the exponentials, each by 2**guard; table[difference + 255], an
    exponential of 31 fraction bits, or -1 where it doesn't count."""
    return total(softmax_term(table[x - most + 255], guard))


def _half_of(fraction: Any) -> Any:
    """(fraction + 2**31 - 1 + 1) >> 1 without leaving 32 bits: both are shifted first."""
    return (fraction >> 1) + (1 << 30)


def softmax_reciprocal(sums: Any, longest: int) -> tuple[Any, Any]:
    """(r, s) with power * r / 2**(31 + s) the result in its steps."""
    leading = leading_zeros(sums)
    # (fraction + 1) / 2 of a sum in [1, 2) with 31 fraction bits, as gemmlowp rounds it.
    half = _half_of((sums << leading) + -(1 << 31))
    x = multiply_high(half, -1010580540) + 1515870810
    for _ in range(3):
        error = (1 << 29) - multiply_high(half, x)
        x = x + (multiply_high(x, error) << 2)
    # x is 1 to 2 with 29 fraction bits; only 2 itself leaves 32 bits.
    inverse, shift = where(x >= 1 << 30, (1 << 31) - 1, x << 1), longest - leading
    # Shifters count to 31; what is shifted has 31 bits.
    return where(shift > 31, 0, inverse), shift


@kernel
def softmax_inverse(sums: In(i32, "n"), longest: int = 35) -> tuple[Out(i32, "n"), Out(i32, "n")]:
    """Softmax, 3 of 4: (r, s) with round(power * r / 2**31) / 2**s the result in its steps;
    ``longest``: s of a sum of 32 bits."""
    return softmax_reciprocal(sums, longest)


def softmax_result(power: Any, inverse: Any, shift: Any, zero: int) -> Any:
    """Exponential times inverse sum; it has to be limited."""
    scaled = rounding_shift(multiply_high(power, inverse), shift) + zero
    return where(power < 0, zero, scaled)


@kernel
def softmax_scale(x: In(i8, "nx"), most: In(i8, "n"), inverse: In(i32, "n"), shift: In(i32, "n"),
                  table: Table(256), zero: int = -128) -> Out(i8, "nx", saturate=True):
    """Softmax, 4 of 4: exponentials times the inverse sum."""
    return softmax_result(table[x - most + 255], inverse, shift, zero)
