"""``golden.spec.numerics`` restated on arrays."""

import numpy as np

from golden.spec.numerics import ROUND_ONCE

__all__ = ["finish", "requantize", "rounding_divide_by_pot", "rounding_doubling_high_multiply"]

Factor = np.ndarray | np.integer | int


def rounding_doubling_high_multiply(a: np.ndarray, b: Factor) -> np.ndarray:
    """round(a * b / 2**31), ties up; a holds int32 values, 0 <= b < 2**31; int64 result."""
    product = np.multiply(a, b, dtype=np.int64)
    product += 1 << 30
    product >>= 31
    return product


def rounding_divide_by_pot(value: np.ndarray, exponent: Factor,
                           ties_up: np.ndarray | bool = False) -> np.ndarray:
    """round(value / 2**exponent), ties away from zero or up; value is int64 and is overwritten."""
    half = np.left_shift(1, exponent, dtype=np.int64) >> 1
    value += half
    # An exponent of 0 has no half to take one from.
    value -= (value < half) & ((half > 0) & ~np.asarray(ties_up))
    value >>= exponent
    return value


def requantize(value: np.ndarray, multiplier: Factor, pre: Factor, post: Factor) -> np.ndarray:
    """Scale int32 values by multiplier * 2**(pre - post - 31).

    Parameters
    ----------
    value : ndarray of int32
        What to scale.
    multiplier, pre, post : int or ndarray
        As ``golden.spec.numerics.requantize``, ``ROUND_ONCE`` included; arrays apply to the last
        axis.

    Returns
    -------
    ndarray of int64
        int32 values.
    """
    shifted = np.left_shift(value, pre, dtype=np.int32, casting="unsafe")
    once = np.asarray(post) > ROUND_ONCE
    if not once.any():
        return rounding_divide_by_pot(rounding_doubling_high_multiply(shifted, multiplier), post)
    product = np.multiply(shifted, multiplier, dtype=np.int64)
    product += np.where(once, 0, 1 << 30)
    product >>= 31
    return rounding_divide_by_pot(product, np.where(once, post - ROUND_ONCE, post), once)


def finish(value: np.ndarray, zero: int, least: int, most: int,
           dtype: str = "int8") -> np.ndarray:
    """value + zero, clamped, of a type that holds the limits; value is overwritten."""
    value += zero
    return np.clip(value, least, most, out=value).astype(dtype)
