"""Weights beyond int8 as pairs: a channel may be listed more than once in a lane's rows.

A pair holds 8 bits, while a uint8 weight less its zero point needs 9: it is the sum of two int8
values, or of three for 255.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["int8_parts", "most_pairs", "pair_counts"]

_LEAST, _MOST = -128, 127


def int8_parts(weights: NDArray) -> NDArray:
    """int8 arrays [parts, ...] whose sum the weights are, the first as near to them as can be."""
    parts: list[NDArray] = []
    rest = weights.astype(np.int16)
    while not parts or rest.any():
        parts.append(np.clip(rest, _LEAST, _MOST).astype(np.int8))
        rest = rest - parts[-1]
    return np.stack(parts)


def most_pairs(counts: NDArray) -> NDArray:
    """Of each entry, the most pairs of any lane; pairs or masks are (E, channels, L)."""
    most: NDArray = counts.sum(axis=1, dtype=np.int64).max(axis=-1, initial=0)
    return most


def pair_counts(weights: NDArray) -> NDArray:
    """How many pairs each weight takes, uint8; none where it is zero."""
    if weights.dtype == np.int8:
        return (weights != 0).astype(np.uint8)
    counts: NDArray = np.count_nonzero(int8_parts(weights), axis=0).astype(np.uint8)
    return counts
