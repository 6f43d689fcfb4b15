"""Bilinear interpolation."""

import numpy as np

from golden.resize import ResizeBilinear

__all__ = ["resize_bilinear"]

_BITS = 10  # fraction bits of positions
_ONE = 1 << _BITS


def _positions(size: int, wanted: int, attrs: ResizeBilinear) -> tuple[np.ndarray, ...]:
    """Of each pixel out: the pixel before, the one after, and the way between them."""
    step = (_ONE * size + wanted // 2) // wanted
    if attrs.corners and wanted > 1:
        step = (_ONE * (size - 1) + (wanted - 1) // 2) // (wanted - 1)
    place = np.arange(wanted, dtype=np.int64) * step
    if attrs.centers:
        place += step // 2 - _ONE // 2
    # A place before the first pixel has it as both, and a way below 0 that then has no effect.
    before = np.maximum(place, 0) >> _BITS
    after = np.minimum(np.maximum(place + _ONE - 1, 0) >> _BITS, size - 1)
    return before, after, place - before * _ONE


def resize_bilinear(x: np.ndarray, attrs: ResizeBilinear) -> np.ndarray:
    """Bilinear interpolation of int8 [N, y, x, C], halves away from zero."""
    wide = x.astype(np.int64)
    (top, bottom, down), (left, right, across) = (
        _positions(size, wanted, attrs)
        for size, wanted in zip(x.shape[1:3], attrs.size, strict=True))
    down, across = down[:, np.newaxis, np.newaxis], across[:, np.newaxis]
    upper = wide[:, top][:, :, left] * (_ONE - across) + wide[:, top][:, :, right] * across
    lower = wide[:, bottom][:, :, left] * (_ONE - across) + wide[:, bottom][:, :, right] * across
    total = upper * (_ONE - down) + lower * down
    half = 1 << (2 * _BITS - 1)
    return (np.sign(total) * ((np.abs(total) + half) >> (2 * _BITS))).astype(np.int8)
