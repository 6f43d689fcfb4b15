"""TensorFlow Lite's own formulas from scales to integers, in its own precisions.

Scales are float32 in the file. Where TensorFlow Lite multiplies or divides them as floats this does
too: the last bit of a multiplier decides halves.
"""

import math

import numpy as np
import tflite

from golden.graph import Quant, Scale
from golden.spec.numerics import ROUND_ONCE, quantize_multiplier

__all__ = [
    "LEAST", "activation_range", "add_scales", "channel_scales", "mean_scale", "same_pads",
    "softmax_parameters",
]

LEAST, MOST = -128, 127
ADD_LEFT_SHIFT = 20
SOFTMAX_INTEGER_BITS = 5  # of scaled differences

# Limits of the fused activations this project knows, as reals; None is no limit.
ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {
    tflite.ActivationFunctionType.NONE: (None, None),
    tflite.ActivationFunctionType.RELU: (0.0, None),
    tflite.ActivationFunctionType.RELU6: (0.0, 6.0),
    tflite.ActivationFunctionType.RELU_N1_TO_1: (-1.0, 1.0),
}


def _round(value: float) -> int:
    """C's round(): halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def activation_range(kind: int, quant: Quant) -> tuple[int, int]:
    """(least, most) of a fused activation on the output's scale."""
    def quantized(real: float | None, default: int) -> int:
        if real is None:
            return default
        return quant.zero_point + _round(float(np.float32(real) / np.float32(quant.scale)))

    low, high = ACTIVATIONS[kind]
    return max(LEAST, quantized(low, LEAST)), min(MOST, quantized(high, MOST))


def channel_scales(input_scale: float, kernel_scales: np.ndarray, output_scale: float,
                   channels: int, once: bool = False) -> tuple[np.ndarray, ...]:
    """(multiplier, pre, post) per output channel, int32.

    Parameters
    ----------
    kernel_scales : ndarray of float32
        One, or one per channel.
    once : bool
        Round once, as LiteRT's fully connected layers do.
    """
    factors = [quantize_multiplier(input_scale * float(scale) / output_scale)
               for scale in kernel_scales]
    table = np.array(factors, np.int32).reshape(-1, 3)
    multiplier, pre, post = np.broadcast_to(table, (channels, 3)).T.copy()
    # Without a shift there is only one rounding anyway.
    return multiplier, pre, np.where(post > 0, post + ROUND_ONCE, 0).astype(np.int32) if once \
        else post


def add_scales(first: float, second: float, output: float) -> tuple[tuple[Scale, Scale], Scale]:
    """((factors of the inputs to the common scale), factor from there to the output)."""
    twice = 2 * max(first, second)
    return ((quantize_multiplier(first / twice), quantize_multiplier(second / twice)),
            quantize_multiplier(twice / ((1 << ADD_LEFT_SHIFT) * output)))


def mean_scale(input_scale: float, output_scale: float, count: int) -> Scale:
    """Factor of a sum of ``count`` values: the ratio's multiplier divided by the count."""
    multiplier, pre, post = quantize_multiplier(input_scale / output_scale)
    exponent = pre - post
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    exponent -= shift
    return (multiplier << shift) // count, max(exponent, 0), max(-exponent, 0)


def softmax_parameters(scale: float, beta: float) -> tuple[int, int, int]:
    """(multiplier, pre, least difference) for inputs of ``scale``."""
    fraction = 31 - SOFTMAX_INTEGER_BITS
    multiplier, pre, post = quantize_multiplier(min(beta * scale * (1 << fraction),
                                                    float((1 << 31) - 1)))
    if post or not multiplier:
        raise ValueError(f"softmax of scale {scale} and beta {beta} has too fine a step")
    radius = ((1 << SOFTMAX_INTEGER_BITS) - 1) * (1 << fraction) / (1 << pre)
    return multiplier, pre, -math.floor(radius)


def same_pads(size: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pads (before, after) of padding SAME along one axis."""
    extent = (window - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2
