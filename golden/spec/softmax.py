"""Softmax of int8 at any scales, on Python integers: within 1 of the real one, rounded.

Of a row, with d the difference of a value from the largest one, s the scale it comes in, and
1 / (scale of the result) = m * 2**e, m above 1/2 and at most 1:

1. Tables have exp(s * d) and m * exp(s * d) with 31 fraction bits, rounded, at most 2**31 - 1.
2. The sum is that of the first table's values, each divided by 2**g and rounded; g, the bits of
   one less than the row's length, lets it have 32 bits.
3. With its leading zeros shifted out it is at least 1; the reciprocal has 31 fraction bits.
   Newton's method gives it as in TensorFlow Lite (gemmlowp).
4. The result is the second table's value times the reciprocal, rounded, then divided by
   2**(31 + g - leading zeros - e) and rounded, plus the zero point, limited to int8.

All are rounded to the nearest, ties up. A row of `LONGEST` values errs by at most 1/4 before the
last rounding, shorter ones by less: the dropped bits of the sum are 2**(2 g - 32) of the result,
which counts up to 255.
"""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

from golden.spec.numerics import (
    clamp,
    rounding_divide_by_pot,
    rounding_doubling_high_multiply,
)

__all__ = ["LEAST_SCALE", "LONGEST", "Softmax8", "reciprocal"]

LONGEST = 2048  # values of a row
LEAST_SCALE = 2.0 ** -24  # of results: the last division is one to the right
_MOST = (1 << 31) - 1
_CONTEXT = Context(prec=40)


class Softmax8:
    """Tables and factors of one softmax.

    Parameters
    ----------
    length : int
        Of rows, 1 to `LONGEST`.
    scale, output_scale : float
        Taken exactly; above 0, `LEAST_SCALE` or more.
    output_zero : int

    Members
    -------
    exponentials, scaled : tuple of int
        The two tables, of differences -255 to 0.
    guard : int
        g.
    shift : int
        31 + g - e.
    """

    def __init__(self, length: int, scale: float, output_scale: float, output_zero: int) -> None:
        factor, exponent = 1 / Fraction(output_scale), 0
        while factor > 1:
            factor, exponent = factor / 2, exponent + 1
        while factor <= Fraction(1, 2):
            factor, exponent = factor * 2, exponent - 1
        self.exponentials = _table(scale, Fraction(1))
        self.scaled = _table(scale, factor)
        self.guard = (length - 1).bit_length()
        self.shift = 31 + self.guard - exponent
        self.output_zero = output_zero

    def row(self, values: Sequence[int]) -> list[int]:
        """Results of a row of int8."""
        places = [value - max(values) + 255 for value in values]
        total = sum(rounding_divide_by_pot(self.exponentials[place], self.guard)
                    for place in places)
        leading = 32 - total.bit_length()
        inverse, by = reciprocal(total << leading), self.shift - leading
        return [clamp((_divided(rounding_doubling_high_multiply(self.scaled[place], inverse), by))
                      + self.output_zero, -128, 127) for place in places]


def _divided(value: int, by: int) -> int:
    """value / 2**by, rounded; value has 31 bits."""
    return 0 if by > 31 else rounding_divide_by_pot(value, by)


@lru_cache
def _table(scale: float, factor: Fraction) -> tuple[int, ...]:
    ones = Decimal(factor.numerator) / Decimal(factor.denominator) * (1 << 31)
    found = (_CONTEXT.exp(Decimal(scale) * d) * ones for d in range(-255, 1))
    return tuple(min(int(value + Decimal("0.5")), _MOST) for value in found)


def reciprocal(total: int) -> int:
    """2**62 / total for a total of 32 bits, the first one set; at most 2**31 - 1."""
    half = total >> 1  # in [1/2, 1) with 31 fraction bits
    x = 1515870810 + rounding_doubling_high_multiply(half, -1010580540)  # 48/17 - 32/17 half
    for _ in range(3):
        error = (1 << 29) - rounding_doubling_high_multiply(half, x)
        x += rounding_doubling_high_multiply(x, error) << 2
    return min(x << 1, _MOST)
