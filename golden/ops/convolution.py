"""Convolution, depthwise convolution and matrix products.

Matrix products run in float32, exact while sums stay within 2**24: deep ones are cut into slices
that can't exceed it and are added up in int32. The input's zero point is folded into the bias,
so that padding is the zero point and products are of int8 values as they are.
"""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from golden.attributes import Conv2D, DepthwiseConv2D, FullyConnected, Weighted, Window
from golden.ops.requantize import finish, requantize
from golden.transposed import TransposedConv2D

__all__ = ["conv2d", "depthwise_conv2d", "fully_connected", "tap_views", "transposed_conv2d"]

EXACT = 1 << 24  # every integer up to here is exact in float32
LARGEST_INPUT = 128  # magnitude of an int8


class _Weights(NamedTuple):
    """A kernel made ready: ``groups[g]`` holds (depth slice, float32 matrix) pairs."""

    groups: list[list[tuple[slice, np.ndarray]]]
    offset: np.ndarray  # bias less input zero point times the sum of weights


_ready: WeakKeyDictionary[Weighted, _Weights] = WeakKeyDictionary()
_turned: WeakKeyDictionary[TransposedConv2D, Conv2D] = WeakKeyDictionary()


def _weights(attrs: Weighted, groups: int) -> _Weights:
    """The operator's kernel, whose first axis is its outputs, made ready once."""
    ready = _ready.get(attrs)
    if ready is None:
        kernel = attrs.kernel
        matrices = kernel.reshape(groups, kernel.shape[0] // groups, -1)
        largest = max(int(np.abs(kernel.astype(np.int32)).max()), 1)
        depth = EXACT // (LARGEST_INPUT * largest)
        cuts = [slice(at, at + depth) for at in range(0, matrices.shape[2], depth)]
        ready = _Weights(
            [[(cut, np.ascontiguousarray(matrix[:, cut].T, dtype=np.float32)) for cut in cuts]
             for matrix in matrices],
            _offset(attrs, matrices.sum(axis=2, dtype=np.int64).ravel()))
        _ready[attrs] = ready
    return ready


def _offset(attrs: Weighted, sums: np.ndarray) -> np.ndarray:
    """Bias less what the input's zero point adds to the sums of products, as int32."""
    return (attrs.bias - attrs.input_zero * sums).astype(np.int32)


def _product(rows: np.ndarray, cuts: list[tuple[slice, np.ndarray]]) -> np.ndarray:
    """Rows of float32 integers times a matrix, as int32."""
    total = (rows[:, cuts[0][0]] @ cuts[0][1]).astype(np.int32)
    for cut, matrix in cuts[1:]:
        total += (rows[:, cut] @ matrix).astype(np.int32)
    return total


def _output(sums: np.ndarray, offset: np.ndarray, attrs: Weighted) -> np.ndarray:
    """Sums of products, overwritten, to the output's type."""
    sums += offset
    scaled = requantize(sums, attrs.multiplier, attrs.pre, attrs.post)
    return finish(scaled, attrs.output_zero, attrs.least, attrs.most, attrs.output_type)


def tap_views(x: np.ndarray, attrs: Window, value: int) -> list[np.ndarray]:
    """Views of the padded input: for every kernel position what all windows read there."""
    _, height, width = attrs.positions((1, *x.shape[1:]))
    top, bottom, left, right = attrs.pads
    if any(attrs.pads):
        x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)
    step_y, step_x = attrs.stride
    views = []
    for row in range(attrs.window[0]):
        y = row * attrs.dilation[0]
        for column in range(attrs.window[1]):
            at = column * attrs.dilation[1]
            views.append(x[:, y:y + (height - 1) * step_y + 1:step_y,
                           at:at + (width - 1) * step_x + 1:step_x])
    return views


def conv2d(x: np.ndarray, attrs: Conv2D) -> np.ndarray:
    """Convolution of int8 [N, y, x, I], groups and all."""
    weights = _weights(attrs, attrs.groups)
    taps = tap_views(x, attrs, attrs.input_zero)
    size = x.shape[3] // attrs.groups
    sums = []
    for group, cuts in enumerate(weights.groups):
        columns = np.empty((*taps[0].shape[:3], len(taps), size), np.float32)
        for index, tap in enumerate(taps):
            columns[..., index, :] = tap[..., group * size:(group + 1) * size]
        sums.append(_product(columns.reshape(-1, len(taps) * size), cuts))
    joined = sums[0] if len(sums) == 1 else np.concatenate(sums, axis=1)
    return _output(joined, weights.offset, attrs).reshape(*taps[0].shape[:3], -1)


def fully_connected(x: np.ndarray, attrs: FullyConnected) -> np.ndarray:
    """Rows of x times the kernel: int8 [rows, O], or [..., O]."""
    outputs, depth = attrs.kernel.shape
    weights = _weights(attrs, 1)
    sums = _product(x.reshape(-1, depth).astype(np.float32), weights.groups[0])
    y = _output(sums, weights.offset, attrs)
    return y.reshape(*x.shape[:-1], outputs) if attrs.keep_dims else y


def depthwise_conv2d(x: np.ndarray, attrs: DepthwiseConv2D) -> np.ndarray:
    """Convolution of each channel of int8 [N, y, x, C] on its own."""
    kernel = attrs.kernel.reshape(-1, attrs.kernel.shape[3]).astype(np.int32)
    wide = np.repeat(x, attrs.channel_multiplier, axis=3).astype(np.int32)
    taps = tap_views(wide, attrs, attrs.input_zero)
    sums = taps[0] * kernel[0]
    product = np.empty_like(sums)
    for tap, row in zip(taps[1:], kernel[1:], strict=True):
        sums += np.multiply(tap, row, out=product)
    return _output(sums, _offset(attrs, kernel.sum(axis=0, dtype=np.int64)), attrs)


def transposed_conv2d(x: np.ndarray, attrs: TransposedConv2D) -> np.ndarray:
    """Convolution of int8 [N, y, x, I], spread out by the stride, with the kernel turned round."""
    samples, height, width, channels = x.shape
    (step_y, step_x), (tall, wide) = attrs.stride, attrs.kernel.shape[1:3]
    _, rows, columns, _ = attrs.shape((1, height, width, channels))
    top, left = attrs.pads[0], attrs.pads[2]
    # Of the whole result the rows from ``top`` on are asked for, also beyond its end.
    spread = np.full((samples, max(rows + top, (height - 1) * step_y + 1) + tall - 1,
                      max(columns + left, (width - 1) * step_x + 1) + wide - 1, channels),
                     attrs.input_zero, np.int8)
    spread[:, tall - 1:tall + (height - 1) * step_y:step_y,
           wide - 1:wide + (width - 1) * step_x:step_x] = x
    spread = spread[:, top:top + rows + tall - 1, left:left + columns + wide - 1]
    if attrs not in _turned:
        _turned[attrs] = Conv2D(
            kernel=np.ascontiguousarray(attrs.kernel[:, ::-1, ::-1]), groups=attrs.groups,
            window=(tall, wide), **{name: getattr(attrs, name) for name in (
                "bias", "multiplier", "pre", "post", "input_zero", "output_zero", "least",
                "most", "output_type")})
    return conv2d(spread, _turned[attrs])
