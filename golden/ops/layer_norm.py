"""``golden.spec.layer_norm`` restated on arrays."""

import numpy as np

from golden.layer_norm import QuantizedLayerNorm
from golden.ops.requantize import finish, rounding_divide_by_pot, rounding_doubling_high_multiply
from golden.spec.layer_norm import ENOUGH, UPPER, inverse_roots

__all__ = ["quantized_layer_norm"]

_multiply = rounding_doubling_high_multiply


def _wrapped(value: np.ndarray) -> np.ndarray:
    return value.astype(np.int32).astype(np.int64)


def quantized_layer_norm(x: np.ndarray, attrs: QuantizedLayerNorm) -> np.ndarray:
    """Layer normalization of int8 over the last axes."""
    made = attrs.factors
    rows = x.reshape(-1, made.count).astype(np.int64)
    total = rows.sum(axis=1, keepdims=True)
    squares = (rows * rows).sum(axis=1, keepdims=True)
    n, q, s, again = made.raised
    upper = _multiply(squares << q, made.count << n) - _multiply(total << s, total << again)
    lower = _wrapped((squares * made.count - total * total) << made.spread)
    large = upper > ENOUGH
    power = np.maximum(np.where(large, upper + (made.epsilon >> UPPER), lower + made.epsilon), 1)
    even = (30 - np.frexp(power.astype(np.float64))[1]) & -2
    value = power << even
    root = np.array(inverse_roots())[value >> 21]
    error = (3 << 28) - (_multiply(_multiply(root, root), value) << 2)
    inverse = _multiply(root, error) << 2
    turn = (even >> 1) + (made.spread >> 1) + np.where(large, 4, 9)
    normal = _multiply(_wrapped((rows * made.count - total) << turn), inverse)
    sums = _multiply(normal, np.array(made.gain)) + np.array(made.bias)
    found = rounding_divide_by_pot(sums, made.shift, ties_up=True)
    return finish(found, attrs.output_zero, -128, 127).reshape(x.shape)
