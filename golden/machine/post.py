"""Post-processing arithmetic, on arrays of accumulators."""

import numpy as np
from numpy.typing import NDArray

from golden.spec.isa import PostMode
from golden.spec.layout import TABLE_ENTRIES
from golden.spec.numerics import ROUND_ONCE

__all__ = ["post_process", "requantize", "table_entries"]

_BYTE = TABLE_ENTRIES // 2
_POST = 2 * ROUND_ONCE - 1  # what the chip looks at of a lane's post


def _wrap32(value: NDArray) -> NDArray:
    return value.astype(np.int64).astype(np.int32).astype(np.int64)


def requantize(value: NDArray, multiplier: NDArray | int, pre: NDArray | int,
               post: NDArray | int) -> NDArray:
    """golden.spec.numerics.requantize on arrays that broadcast; int64 in and out."""
    once = np.asarray(post) > ROUND_ONCE
    shift = np.asarray(post, np.int64) - np.where(once, ROUND_ONCE, 0)
    product = _wrap32(value << pre) * multiplier
    high = np.where(once, product, product + (1 << 30)) >> 31
    away = ~once & (high < 0) & (shift > 0)
    return (high + ((np.int64(1) << shift) >> 1) - away) >> shift


def table_entries(fields: dict[str, int]) -> NDArray:
    """Entries that a MAC instruction in PostMode.TABLE may look up, each once."""
    least, most = fields["least"], max(fields["least"], fields["most"])
    return np.arange(least, most + 1) % TABLE_ENTRIES


def post_process(fields: dict[str, int], parameters: tuple[NDArray, ...], accumulator: NDArray,
                 residual: NDArray | None, table: NDArray) -> NDArray:
    """Output words of one lane block.

    Parameters
    ----------
    fields : dict
        Of the MAC instruction.
    parameters : tuple of ndarray [L] int
        bias, multiplier, pre, post.
    accumulator : ndarray [P, L] int
        Sums of products; wrapped to int32 here.
    residual : ndarray [P, L] int8 or None
        For PostMode.ADD.
    table : ndarray [TABLE_ENTRIES] int32

    Returns
    -------
    ndarray [P, L] int8
    """
    bias, multiplier, pre, post = (item.astype(np.int64) for item in parameters)
    value = _wrap32(_wrap32(accumulator) + bias)
    value = requantize(value, multiplier, pre & 31, post & _POST) + fields["zero"]
    q = np.maximum(fields["least"], np.minimum(fields["most"], value))
    if fields["post_mode"] == PostMode.PLAIN:
        return q.astype(np.int8)
    if fields["post_mode"] == PostMode.TABLE:
        return table[q % TABLE_ENTRIES].astype(np.int8)
    assert residual is not None
    first, second = (table[half + byte.astype(np.int64) % _BYTE].astype(np.int64)
                     for half, byte in ((0, q), (_BYTE, residual)))
    value = requantize(_wrap32(first + second), fields["add_multiplier"], fields["add_pre"],
                       fields["add_post"])
    value = np.maximum(fields["add_least"],
                       np.minimum(fields["add_most"], value + fields["add_zero"]))
    return value.astype(np.int8)
