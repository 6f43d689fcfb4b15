"""Average pooling on a multiplier: exact reciprocals, and regions of equal window size."""

import functools
from itertools import groupby

import numpy as np

from golden.attributes import AveragePool
from golden.ops.requantize import requantize
from golden.spec.numerics import quantize_multiplier

__all__ = ["average_scale", "pool_regions"]


@functools.cache
def average_scale(count: int, origin: int = 0) -> tuple[int, int, int] | None:
    """(multiplier, pre, post) that divides every sum of ``count`` (int8 - origin) by it, or None.

    A 31-bit reciprocal alone is not exact: shifting left first and right afterwards moves the
    ties (8 bits suffice for 3x3). Every possible sum is tried, so what is returned is exact.
    """
    sums = np.arange((-128 - origin) * count, (127 - origin) * count + 1)
    # Halves round away from zero.
    exact = np.sign(sums) * ((np.abs(sums) * 2 + count) // (2 * count))
    multiplier, pre, post = quantize_multiplier(1 / count)
    for shift in range(min(20, 31 - post), -1, -1):
        if int(np.abs(sums).max()) << (shift + pre) >= 1 << 31:
            continue
        scale = (multiplier, pre + shift, post + shift)
        if np.array_equal(requantize(sums.astype(np.int32), *scale), exact):
            return scale
    return None


def pool_regions(attrs: AveragePool, height: int, width: int, out_height: int,
                 out_width: int) -> list[tuple[int, int, int, int, int]]:
    """Rectangles of the output (y, x, height, width) with one number of valid inputs each."""
    rows, columns = (_spans(out, size, attrs.window[axis], attrs.stride[axis],
                            attrs.dilation[axis], attrs.pads[2 * axis])
                     for axis, (out, size) in enumerate(((out_height, height),
                                                         (out_width, width))))
    return [(y, x, tall, wide, max(high * broad, 1))
            for y, tall, high in rows for x, wide, broad in columns]


def _spans(out: int, size: int, window: int, stride: int, dilation: int,
           pad: int) -> list[tuple[int, int, int]]:
    """(first, length, valid inputs) of runs of outputs along one axis."""
    taps = np.arange(out)[:, np.newaxis] * stride - pad + np.arange(window) * dilation
    valid = ((taps >= 0) & (taps < size)).sum(axis=1)
    spans, first = [], 0
    for count, run in groupby(valid.tolist()):
        length = len(list(run))
        spans.append((first, length, int(count)))
        first += length
    return spans
