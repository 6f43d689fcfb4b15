"""Layer normalization between any scales: the definition, and how far it is from real numbers."""

import numpy as np
import pytest

from golden.attributes import GraphError
from golden.layer_norm import QuantizedLayerNorm
from golden.ops.layer_norm import quantized_layer_norm
from golden.spec.layer_norm import LONGEST

SCALES = [(1e-5, 0.05), (1e-12, 0.02), (1e-3, 0.1), (0.0, 0.01), (1e-5, 0.001)]


def rows(rng, count):
    """Random and constant ones, with one value that differs by 1 or by all there is, of small
    variance, of the largest."""
    x = rng.integers(-128, 128, (8, count)).astype(np.int8)
    x[0], x[1], x[2] = 3, 100, -128
    x[1, 0], x[2, count // 2] = 99, 127
    x[3] >>= 6
    x[4] = np.where(np.arange(count) % 2, 127, -128)
    x[5], x[6] = -128, 127
    x[5, :3], x[6, :count // 3] = -127, 126
    return x


def layer(rng, count, epsilon, scale, output_scale=0.03, zero=0, gain=1.0):
    return QuantizedLayerNorm(
        gain=tuple(gain * rng.normal(1, 0.5, count)), bias=tuple(rng.normal(0, 0.5, count)),
        scale=scale, epsilon=epsilon, output_scale=output_scale, output_zero=zero)


def real(x, attrs):
    away = x - x.mean(axis=1, keepdims=True, dtype=float)
    deviation = np.sqrt((away * away).mean(axis=1, keepdims=True)
                        + attrs.epsilon / attrs.scale ** 2)
    normal = away / np.where(deviation == 0, 1, deviation)
    found = (normal * attrs.gain + np.array(attrs.bias)) / attrs.output_scale + attrs.output_zero
    return np.clip(found, -128, 127)


@pytest.mark.parametrize("count", [1, 2, 3, 16, 65, 192, 513, 768, LONGEST])
def test_definition(count):
    """On arrays as on Python's integers, with less than 3/4 to the real result."""
    rng = np.random.default_rng(count)
    for epsilon, scale in SCALES:
        for output_scale, zero, gain in ((0.03, -7, 1.0), (0.5, 0, 1.0), (0.01, -128, 20.0)):
            x = rows(rng, count)
            attrs = layer(rng, count, epsilon, scale, output_scale, zero, gain)
            found = quantized_layer_norm(x, attrs)
            some = slice(None) if count < 100 else slice(1, 3)
            assert [attrs.factors.row(row) for row in x[some].tolist()] == found[some].tolist()
            assert np.abs(found - real(x, attrs)).max() < 0.75


def test_refusals():
    rng = np.random.default_rng(0)
    for attrs, shape, words in (
            (layer(rng, 5, 1e-5, 0.1), (1, 4, 6), "5 gains"),
            (layer(rng, 5, 1e-5, 0.0), (1, 5), "scales 0.0"),
            (layer(rng, LONGEST + 1, 1e-5, 0.1), (1, LONGEST + 1), "rows of 4097 values"),
            (layer(rng, 5, 1e-5, 0.1, 1e-5), (1, 5), "accepted are below 16384 and 1024"),
            (layer(rng, 4096, 1e-1, 0.001), (1, 4096), "an epsilon of 0.1 for steps of 0.001")):
        with pytest.raises(GraphError, match=words):
            attrs.shape(shape)
