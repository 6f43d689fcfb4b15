"""Layer normalization of int8 at any scales, on Python integers: within 1 of the real one, rounded.

Of a row of n values of x, in steps of the input's scale, with L the bits of n - 1:

1. S = sum of x, Q = sum of x * x. c = n * x - S is n times the difference from the mean, and
   D = n * Q - S * S is n * n times the variance, both exact.
2. V = D * 2**k + E, with E the n * n * 2**k * epsilon / scale**2, rounded, k even and such that
   what follows has 32 bits. As D may have more, V is made of its low 32 bits or of its upper bits:
   H = round(n * Q * 2**(k - 10)) - round(S * S * 2**(k - 10)). If that is above 2**18, V is
   H + floor(E / 2**10), in units of 2**10.
3. m = 1 / root(V * 2**e) with 29 fraction bits, e even so that V * 2**e is 1/4 to 1 of 2**30: a
   table of 9 bits and one step of Newton's method.
4. N = round(c * 2**t * m / 2**31), the normalized value, has 22 fraction bits with t that undoes e,
   k and H's unit.
5. The result is round((round(N * gain / 2**31) + bias) / 2**shift) plus the zero point, limited to
   int8.

All are rounded to the nearest, ties up. Together the roundings before the last come to less than
1/4 of the result's steps for what `LayerNorm8` takes.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import isqrt

from golden.spec.numerics import clamp, rounding_doubling_high_multiply, wrap32

__all__ = ["LONGEST", "LayerNorm8", "inverse_roots"]

LONGEST = 4096  # values of a row
MOST_GAIN = 1 << 14  # of the result's steps
MOST_BIAS = 1 << 10
UPPER = 10  # bits that H leaves out
ENOUGH = 1 << 18  # of H
_MOST = (1 << 28) - 1  # of E


class LayerNorm8:
    """Factors of one layer.

    Parameters
    ----------
    scale, epsilon : float
    gain, bias : sequence of float
        One for each value of a row.
    output_scale : float
    output_zero : int

    Raises
    ------
    ValueError
        For rows, gains or biases beyond what the arithmetic is for.

    Members
    -------
    count, bits : int
        n and L.
    spread : int
        k.
    epsilon : int
        E.
    gain, bias : list of int
    shift : int
    """

    def __init__(self, scale: float, epsilon: float, gain: Sequence[float], bias: Sequence[float],
                 output_scale: float, output_zero: int) -> None:
        self.count = len(gain)
        if not 1 <= self.count <= LONGEST:
            raise ValueError(f"rows of {self.count} values; accepted are 1 to {LONGEST}")
        self.bits = (self.count - 1).bit_length()
        self.spread = min(25 - 2 * self.bits, 12) & -2
        step = 1 / Fraction(output_scale)
        gains, biases = ([Fraction(value) * step for value in values] for values in (gain, bias))
        largest, offset = (max(map(abs, values)) for values in (gains, biases))
        if largest >= MOST_GAIN or offset >= MOST_BIAS:
            raise ValueError(f"a gain of {float(largest):.3g} and a bias of {float(offset):.3g} "
                             f"steps of the result; accepted are below {MOST_GAIN} and "
                             f"{MOST_BIAS}")
        self.epsilon = round(Fraction(epsilon) * (self.count ** 2 << self.spread)
                             / Fraction(scale) ** 2)
        if self.epsilon > _MOST:
            raise ValueError(f"an epsilon of {epsilon} for steps of {scale}; accepted are up to "
                             f"{float(Fraction(epsilon) * _MOST / self.epsilon):.3g}")
        self.shift = min(16, 21 - int(largest).bit_length())
        self.gain = [round(value * (1 << self.shift + 9)) for value in gains]
        self.bias = [round(value * (1 << self.shift)) for value in biases]
        self.output_zero = output_zero

    @property
    def raised(self) -> tuple[int, int, int, int]:
        """Left shifts of n, Q, S and S again, for the upper bits of D."""
        half = self.spread // 2 + 10
        return self.spread + 5 + self.bits, 16 - self.bits, half + 1, half

    def row(self, values: Sequence[int]) -> list[int]:
        """Results of a row of int8."""
        total, squares = sum(values), sum(value * value for value in values)
        n, q, s, again = self.raised
        upper = (rounding_doubling_high_multiply(squares << q, self.count << n)
                 - rounding_doubling_high_multiply(total << s, total << again))
        lower = wrap32((squares * self.count - total * total) << self.spread)
        large = upper > ENOUGH
        power = max(upper + (self.epsilon >> UPPER) if large else lower + self.epsilon, 1)
        even = (32 - power.bit_length() - 2) & -2
        inverse = _inverse_root(power << even)
        turn = even // 2 + self.spread // 2 + (4 if large else 9)
        found = []
        for value, gain, bias in zip(values, self.gain, self.bias, strict=True):
            normal = rounding_doubling_high_multiply(
                wrap32((value * self.count - total) << turn), inverse)
            product = rounding_doubling_high_multiply(normal, gain) + bias
            rounded = (product + (1 << self.shift >> 1)) >> self.shift
            found.append(clamp(rounded + self.output_zero, -128, 127))
        return found


@cache
def inverse_roots() -> list[int]:
    """1 / root((place + 1/2) / 512) with 29 fraction bits; below 1/4 that of 1/4."""
    # 2**68 / (2 * place + 1) is its square.
    return [(isqrt((1 << 70) // (2 * max(place, 128) + 1)) + 1) >> 1 for place in range(512)]


def _inverse_root(value: int) -> int:
    """1 / root(value / 2**30) with 29 fraction bits, of 1/4 to 1."""
    root = inverse_roots()[value >> 21]
    square = rounding_doubling_high_multiply(root, root)  # 27 fraction bits
    error = (3 << 28) - (rounding_doubling_high_multiply(square, value) << 2)
    return rounding_doubling_high_multiply(root, error) << 2
