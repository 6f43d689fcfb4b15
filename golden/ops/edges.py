"""Between real numbers and int8, and between orders of axes."""

import numpy as np

from golden.edges import DequantizeLinear, FloatSoftmax, QuantizeLinear, Transpose

__all__ = ["dequantize_linear", "float_softmax", "quantize_linear", "transpose"]


def quantize_linear(x: np.ndarray, attrs: QuantizeLinear) -> np.ndarray:
    """float32 to int8; NaN is 0's value."""
    steps = x / np.float32(attrs.scale)
    if attrs.away:
        whole = np.trunc(steps)
        steps = whole + np.copysign(np.abs(steps - whole) >= np.float32(0.5), steps)
    else:
        steps = np.rint(steps)
    steps = np.nan_to_num(steps, copy=False)
    return np.clip(steps + np.float32(attrs.zero), attrs.least, attrs.most).astype(np.int8)


def dequantize_linear(x: np.ndarray, attrs: DequantizeLinear) -> np.ndarray:
    """int8 to float32."""
    return (x.astype(np.int32) - attrs.zero).astype(np.float32) * np.float32(attrs.scale)


def float_softmax(x: np.ndarray, attrs: FloatSoftmax) -> np.ndarray:
    """Softmax over one axis of a float32 array."""
    exponentials = np.exp(x - x.max(axis=attrs.axis, keepdims=True))
    return exponentials / exponentials.sum(axis=attrs.axis, keepdims=True)


def transpose(x: np.ndarray, attrs: Transpose) -> np.ndarray:
    """Axes in another order."""
    return np.ascontiguousarray(x.transpose(attrs.perm))
