"""Layer normalization of int8 rows, as three kernels that hand rows' statistics on: the arithmetic
of ``golden.spec.layer_norm``."""

# mypy: disable-error-code="valid-type"

from golden.spec.layer_norm import ENOUGH, UPPER, LayerNorm8
from sw.drp.functions import (
    leading_zeros,
    maximum,
    multiply_high,
    rounding_shift_up,
    total,
    where,
)
from sw.drp.kernel import kernel
from sw.drp.types import In, Out, Table, i8, i32

__all__ = ["layer_norm_inverse", "layer_norm_scalars", "layer_norm_scale", "layer_norm_sums"]


@kernel
def layer_norm_sums(x: In(i8, "nx")) -> tuple[Out(i32, "n"), Out(i32, "n")]:
    """Layer norm, 1 of 3: sum and sum of squares of each row."""
    return total(x), total(x * x)


@kernel
def layer_norm_inverse(sums: In(i32, "n"), squares: In(i32, "n"), roots: Table(512),
                       count: int = 192, raised_count: int = 192 << 21, raised_squares: int = 8,
                       raised: int = 15, again: int = 14, spread: int = 8,
                       epsilon: int = 1) -> Out(i32, "n", channels=2):
    """Layer norm, 2 of 3: sum, and in its 5 lowest bits how far differences from the mean are to
    be moved; inverse of the deviation, 29 fraction bits."""
    upper = (multiply_high(squares << raised_squares, raised_count)
             - multiply_high(sums << raised, sums << again))
    lower = (squares * count - sums * sums) << spread
    large = upper > ENOUGH
    power = maximum(where(large, upper + (epsilon >> UPPER), lower + epsilon), 1)
    even = (leading_zeros(power) - 2) & -2
    value = power << even
    root = roots[value >> 21]
    error = (3 << 28) - (multiply_high(multiply_high(root, root), value) << 2)
    inverse = multiply_high(root, error) << 2
    turn = (even >> 1) + where(large, 4 + (spread >> 1), 9 + (spread >> 1))
    return (sums << 5) + turn, inverse


@kernel
def layer_norm_scale(x: In(i8, "nx"), row: In(i32, "n", channels=2), gain: In(i32, "x"),
                     bias: In(i32, "x"), count: int = 192, shift: int = 16,
                     zero: int = 0) -> Out(i8, "nx", saturate=True):
    """Layer norm, 3 of 3: (x - mean) / deviation * gain + bias."""
    sums, inverse = row
    normal = multiply_high((x * count - (sums >> 5)) << (sums & 31), inverse)  # 22 fraction bits
    return rounding_shift_up(multiply_high(normal, gain) + bias, shift) + zero


def layer_norm_scalars(factors: LayerNorm8) -> tuple[dict[str, int], dict[str, int]]:
    """Scalars of ``layer_norm_inverse`` and ``layer_norm_scale``."""
    count, squares, once, again = factors.raised
    return ({"count": factors.count, "raised_count": factors.count << count,
             "raised_squares": squares, "raised": once, "again": again, "spread": factors.spread,
             "epsilon": factors.epsilon},
            {"count": factors.count, "shift": factors.shift, "zero": factors.output_zero})
