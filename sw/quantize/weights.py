"""Weights by channel in symmetric int8, biases in int32."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sw.quantize.network import Network

__all__ = ["LARGEST_BIAS", "Codes", "bias_codes", "quantized_weights"]

LARGEST_BIAS = 1 << 30  # leaves the sums of products as much of int32
_MOST = 127
_DEAD_STEPS = 1 << 20  # of the bias of a channel without weights


@dataclass(frozen=True, eq=False)
class Codes:
    """Quantized weights of a node.

    Parameters
    ----------
    kernel : ndarray of int8
        Of the weights' shape.
    scales : ndarray of float32
        By index of ``axis``.
    axis : int
    bias : ndarray of int32, or None
    bias_scales : ndarray of float32
        By channel: input scale times weight scale.
    coarser : float
        By how much the steps of a channel's weights had to grow at most for its bias to fit.
    """

    kernel: NDArray
    scales: NDArray
    axis: int
    bias: NDArray | None
    bias_scales: NDArray
    coarser: float


def quantized_weights(network: Network, at: int, input_scale: float,
                      bias: NDArray | None) -> Codes:
    """Quantize the weights of a node.

    Parameters
    ----------
    network : Network
    at : int
        The node.
    input_scale : float
        Of its input.
    bias : ndarray of float, or None
        Of each channel, in place of the network's own.
    """
    found = network.weights(at)
    assert found is not None
    kernel = network.constants[found.name].astype(np.float64)
    own = network.bias(at) if bias is None else bias
    rows = np.moveaxis(kernel, found.axis, 0).reshape(kernel.shape[found.axis], -1)
    scales = np.abs(rows).max(axis=1) / _MOST
    # A transposed convolution's groups share their scales.
    largest = np.abs(own).reshape(-1, len(scales)).max(axis=0)
    dead = scales == 0
    scales = np.where(dead, np.maximum(largest, 1e-6) / input_scale / _DEAD_STEPS, scales)
    least = largest / input_scale / LARGEST_BIAS
    coarser = float(np.max(least / scales, initial=1.0))
    scales = np.maximum(scales, least).astype(np.float32)
    shape = [1] * kernel.ndim
    shape[found.axis] = -1
    codes = np.clip(np.rint(kernel / scales.astype(np.float64).reshape(shape)), -_MOST, _MOST)
    bias_scales = np.tile(np.float32(input_scale) * scales, len(own) // len(scales))
    given = found.bias != "" or (bias is not None and found.takes_bias)
    return Codes(codes.astype(np.int8), scales, found.axis,
                 bias_codes(own, bias_scales) if given else None, bias_scales, coarser)


def bias_codes(bias: NDArray, scales: NDArray) -> NDArray:
    """Biases in int32."""
    limits = np.iinfo(np.int32)
    return np.clip(np.rint(bias / scales.astype(np.float64)), limits.min,
                   limits.max).astype(np.int32)
