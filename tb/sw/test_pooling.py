"""Average pooling on a multiplier: exact, and every output pixel once."""

import numpy as np
import pytest

from golden.attributes import AveragePool
from golden.graph import GraphError
from golden.spec.numerics import requantize
from sw.compiler.pooling import average_scale, pool_regions

WINDOWS = sorted({rows * columns for rows in range(1, 17) for columns in range(1, 17)})


def mean(total: int, count: int) -> int:
    """Halves away from zero, in integers."""
    magnitude, rest = divmod(abs(total), count)
    magnitude += 2 * rest >= count
    return magnitude if total >= 0 else -magnitude


@pytest.mark.parametrize("count", WINDOWS)
def test_exact_up_to_16x16(count):
    """At all ties, next to them, at the ends, and anywhere."""
    scale = average_scale(count)
    assert scale is not None
    least, most = -128 * count, 127 * count
    ties = np.arange(-128, 128) * count + count // 2
    rng = np.random.default_rng(count)
    sums = np.concatenate([ties - 1, ties, ties + 1, -ties, rng.integers(least, most + 1, 200),
                           [least, least + 1, -1, 0, 1, most - 1, most]])
    for total in np.unique(np.clip(sums, least, most)).tolist():
        assert requantize(total, *scale) == mean(total, count), (total, scale)


def test_needs_the_extra_shift():
    """A plain reciprocal of 9 would be wrong: the shift search is not for nothing."""
    multiplier, pre, post = average_scale(9)
    assert pre > 0
    plain = (multiplier, 0, post - pre)
    assert any(requantize(total, *plain) != mean(total, 9) for total in range(-1152, 1144))


def test_too_large_for_a_shift(monkeypatch):
    """What no shift makes exact is None, never nearly right."""
    monkeypatch.setattr("sw.compiler.pooling.quantize_multiplier", lambda _: (1 << 30, 0, 5))
    assert average_scale.__wrapped__(9) is None


@pytest.mark.parametrize("seed", range(200))
def test_regions_cover_once(seed):
    rng = np.random.default_rng(seed)
    while True:
        height, width = rng.integers(1, 20, 2).tolist()
        window = tuple(rng.integers(1, 6, 2).tolist())
        attrs = AveragePool(window=window, stride=tuple(rng.integers(1, 4, 2).tolist()),
                            pads=tuple(int(rng.integers(0, window[i // 2])) for i in range(4)))
        try:
            _, out_height, out_width, _ = attrs.shape((1, height, width, 1))
            break
        except GraphError:
            continue
    covered = np.zeros((out_height, out_width), int)
    valid = np.pad(np.ones((height, width), int), (attrs.pads[:2], attrs.pads[2:]))
    for y, x, tall, wide, count in pool_regions(attrs, height, width, out_height, out_width):
        covered[y:y + tall, x:x + wide] += 1
        for row in range(y, y + tall):
            for column in range(x, x + wide):
                top, left = row * attrs.stride[0], column * attrs.stride[1]
                inside = valid[top:top + window[0], left:left + window[1]]
                assert inside.sum() == count, f"seed {seed}: {attrs} at {row}, {column}"
    assert (covered == 1).all(), f"seed {seed}: {attrs}"
