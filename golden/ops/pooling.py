"""Pooling and means."""

import numpy as np

from golden.attributes import AveragePool, MaxPool, Mean, Window
from golden.ops.requantize import finish, requantize

__all__ = ["average_pool", "max_pool", "mean"]


def _windows(x: np.ndarray, attrs: Window) -> np.ndarray:
    """View [N, y, x, C, window y, window x] of an array padded already."""
    (step_y, step_x), extent = attrs.dilation, [(size - 1) * step + 1 for size, step in zip(
        attrs.window, attrs.dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(x, extent, axis=(1, 2))
    return view[:, ::attrs.stride[0], ::attrs.stride[1], :, ::step_y, ::step_x]


def _padded(x: np.ndarray, attrs: Window, value: int) -> np.ndarray:
    top, bottom, left, right = attrs.pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def max_pool(x: np.ndarray, attrs: MaxPool) -> np.ndarray:
    """Largest value of each window of int8 [N, y, x, C]."""
    # The least int8 is never larger than a value that exists, and every window has one.
    largest = _windows(_padded(x, attrs, -128), attrs).max(axis=(4, 5))
    return np.clip(largest, attrs.least, attrs.most)


def average_pool(x: np.ndarray, attrs: AveragePool) -> np.ndarray:
    """Mean of each window of int8 [N, y, x, C], halves away from the origin."""
    x = x.astype(np.int32) - attrs.origin
    sums = _windows(_padded(x, attrs, 0), attrs).sum(axis=(4, 5), dtype=np.int32)
    ones = np.ones((1, *x.shape[1:3], 1), np.int8)
    counts = _windows(_padded(ones, attrs, 0), attrs).sum(axis=(4, 5), dtype=np.int32)
    counts = np.maximum(counts, 1)  # spread windows may miss everything
    means = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
    return np.clip(means + attrs.origin, attrs.least, attrs.most).astype(np.int8)


def mean(x: np.ndarray, attrs: Mean) -> np.ndarray:
    """Mean over axes, requantized."""
    count = np.prod([x.shape[axis] for axis in attrs.axes], dtype=np.int64)
    sums = x.sum(axis=attrs.axes, dtype=np.int64, keepdims=attrs.keep_dims)
    sums -= attrs.input_zero * count
    return finish(requantize(sums.astype(np.int32), *attrs.scale), attrs.output_zero, -128, 127)
