"""Softmax between any scales: the definition, and how far it is from real numbers."""

import numpy as np
import pytest

from golden.attributes import GraphError
from golden.ops.softmax import quantized_softmax
from golden.softmax import QuantizedSoftmax
from golden.spec.softmax import LEAST_SCALE, LONGEST, Softmax8


def rows(rng, count):
    """Random ones, equal ones, and a large value among small ones."""
    x = rng.integers(-128, 128, (4, count)).astype(np.int8)
    x[1] = 3
    x[2] >>= 4
    x[3] = -100
    x[3, count // 2] = 120
    return x


def real(x, scale, output_scale, zero):
    powers = np.exp((x.astype(float) - x.max(axis=-1, keepdims=True)) * scale)
    found = powers / powers.sum(axis=-1, keepdims=True) / output_scale + zero
    return np.clip(found, -128, 127)


@pytest.mark.parametrize("count", [1, 2, 10, 257, LONGEST])
@pytest.mark.parametrize(("output_scale", "zero"), [
    (1 / 256, -128), (0.02, -7), (2.0 ** -12, 0), (3.7, 5), (LEAST_SCALE, -128)])
def test_definition(count, output_scale, zero):
    """On arrays as on Python's integers, with less than 3/4 to the real result."""
    rng = np.random.default_rng(count)
    for scale in (0.0001, 0.04, 0.06, 1.5):
        x = rows(rng, count)
        found = quantized_softmax(x, QuantizedSoftmax(
            axis=1, scale=scale, output_scale=output_scale, output_zero=zero))
        made = Softmax8(count, scale, output_scale, zero)
        assert [made.row(row) for row in x.tolist()] == found.tolist()
        assert np.abs(found - real(x, scale, output_scale, zero)).max() < 0.75


def test_worst_sum():
    """One large value, and as many as can be of which the sum loses almost half a unit each."""
    worst = 0.0
    for scale in np.linspace(0.0555, 0.0615, 40):
        x = np.full((1, LONGEST), -128, np.int8)
        x[0, 0] = 127
        found = quantized_softmax(x, QuantizedSoftmax(
            axis=1, scale=float(scale), output_scale=1 / 256, output_zero=-128))
        worst = max(worst, np.abs(found - real(x, scale, 1 / 256, -128)).max())
    assert worst < 0.75


@pytest.mark.parametrize("axis", [1, 2])
def test_axes(axis):
    x = np.random.default_rng(axis).integers(-128, 128, (1, 5, 7, 3)).astype(np.int8)
    options = {"scale": 0.03, "output_scale": 0.01, "output_zero": -90}
    last = quantized_softmax(np.moveaxis(x, axis, 3), QuantizedSoftmax(axis=3, **options))
    found = quantized_softmax(x, QuantizedSoftmax(axis=axis, **options))
    assert np.array_equal(found, np.moveaxis(last, 3, axis))


@pytest.mark.parametrize(("changes", "words"), [
    ({"axis": 0}, "axis 0"), ({"axis": 2}, "axis 2"), ({"scale": 0.0}, "scales 0.0"),
    ({"output_scale": 2.0 ** -25}, "at least"), ({"output_zero": 128}, "zero 128")])
def test_refusals(changes, words):
    options = {"axis": 1, "scale": 0.1, "output_scale": 0.1, "output_zero": 0}
    with pytest.raises(GraphError, match=words):
        QuantizedSoftmax(**options | changes).shape((1, 9))
    with pytest.raises(GraphError, match="at most 2048"):
        QuantizedSoftmax(**options).shape((1, LONGEST + 1))
