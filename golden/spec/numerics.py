"""The one definition of rounding, on Python integers.

TensorFlow Lite's fixed-point arithmetic (gemmlowp): a saturating rounding doubling high multiply,
then a rounding division by a power of two, each rounding on its own. Its fully connected layers
round once instead (``ROUND_ONCE``). The golden operators state the same on numpy arrays and the
hardware states it in gates; tests hold both to this.
"""

import math

__all__ = [
    "IDENTITY", "ROUND_ONCE", "clamp", "quantize_multiplier", "requantize",
    "rounding_divide_by_pot", "rounding_doubling_high_multiply", "wrap32",
]

# (multiplier, pre, post) for which requantize(x, ...) == x.
IDENTITY = (1 << 30, 1, 0)
# Added to a ``post`` of 1 to 31: the multiplication drops its fraction, so that only the shift
# rounds, ties up. Together that is round(value * multiplier * 2**(pre - post - 31)).
ROUND_ONCE = 32


def wrap32(value: int) -> int:
    """Two's complement wrap to int32."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def clamp(value: int, least: int, most: int) -> int:
    """Limit to [least, most]."""
    return max(least, min(most, value))


def rounding_doubling_high_multiply(a: int, b: int) -> int:
    """round(a * b / 2**31), ties up; a is int32, 0 <= b < 2**31 (so it never saturates)."""
    return (a * b + (1 << 30)) >> 31


def rounding_divide_by_pot(value: int, exponent: int) -> int:
    """round(value / 2**exponent), ties away from zero; 0 <= exponent <= 31."""
    if exponent == 0:
        return value
    return (value + (1 << (exponent - 1)) - (value < 0)) >> exponent


def requantize(value: int, multiplier: int, pre: int, post: int) -> int:
    """Scale an int32 by multiplier * 2**(pre - post - 31), with TensorFlow Lite's rounding.

    Parameters
    ----------
    value : int
        int32.
    multiplier : int
        0 to 2**31 - 1.
    pre : int
        Left shift before multiplying, 0 to 31; the shifted value wraps to int32.
    post : int
        Rounding right shift after multiplying, 0 to 31, or ``ROUND_ONCE`` + 1 to 31.
    """
    shifted = wrap32(value << pre)
    if post > ROUND_ONCE:
        shift = post - ROUND_ONCE
        return ((shifted * multiplier >> 31) + (1 << (shift - 1))) >> shift
    return rounding_divide_by_pot(rounding_doubling_high_multiply(shifted, multiplier), post)


def quantize_multiplier(real: float) -> tuple[int, int, int]:
    """(multiplier, pre, post) of a real factor, as TensorFlow Lite's QuantizeMultiplier.

    Raises
    ------
    ValueError
        If the factor is negative, not finite or 2**31 or more.
    """
    if not math.isfinite(real) or real < 0:
        raise ValueError(f"requantization factor {real} must be finite and not negative")
    if real == 0:
        return 0, 0, 0
    mantissa, exponent = math.frexp(real)
    # C's round(): halves away from zero.
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        exponent += 1
    if exponent < -31:
        return 0, 0, 0
    if exponent > 31:
        raise ValueError(f"requantization factor {real} is too large")
    return multiplier, max(exponent, 0), max(-exponent, 0)
