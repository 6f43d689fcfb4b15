"""golden.ops.requantize against golden.spec.numerics."""

import numpy as np
import pytest

from golden.ops.requantize import finish, requantize
from golden.spec import numerics
from golden.spec.numerics import IDENTITY, ROUND_ONCE

EDGES = np.array([-(1 << 31), -(1 << 31) + 1, -(1 << 30) - 1, -(1 << 30), -65536, -3, -2, -1, 0, 1,
                  2, 3, 65535, (1 << 30) - 1, 1 << 30, (1 << 31) - 2, (1 << 31) - 1], np.int64)


def expected(values, *scale):
    return [numerics.requantize(int(value), *scale) for value in values]


@pytest.mark.parametrize("multiplier", [0, 1, 1 << 29, 1 << 30, (1 << 30) + 1, 0x6DB6DB6D,
                                        (1 << 31) - 1])
def test_every_shift_at_the_edges(multiplier):
    for pre in range(32):
        for post in range(64):
            if post == ROUND_ONCE:
                continue
            got = requantize(EDGES.astype(np.int32), multiplier, pre, post)
            assert got.tolist() == expected(EDGES, multiplier, pre, post), (pre, post)


@pytest.mark.parametrize("post", [0, 1, 2, 5, ROUND_ONCE + 1, ROUND_ONCE + 2, ROUND_ONCE + 5])
def test_small_domain(post):
    """All values and all multipliers of few bits: every tie there is."""
    values = np.arange(-70, 71, dtype=np.int32)
    for multiplier in range(0, 1 << 31, 1 << 26):
        for pre in (0, 1, 3):
            assert requantize(values, multiplier, pre, post).tolist() \
                == expected(values, multiplier, pre, post), (multiplier, pre, post)


def test_round_once_is_one_rounding():
    """ROUND_ONCE is the exact product rounded, ties up."""
    rng = np.random.default_rng(5)
    for _ in range(300):
        multiplier, shift = int(rng.integers(1 << 30, 1 << 31)), int(rng.integers(1, 20))
        value = int(rng.integers(-(1 << 31), 1 << 31))
        exact = (value * multiplier + (1 << (30 + shift))) >> (31 + shift)
        assert numerics.requantize(value, multiplier, 0, ROUND_ONCE + shift) == exact


def test_scales_per_channel():
    rng = np.random.default_rng(7)
    values = rng.integers(-(1 << 31), 1 << 31, (50, 64)).astype(np.int32)
    multiplier = rng.integers(0, 1 << 31, 64).astype(np.int32)
    pre = rng.integers(0, 4, 64).astype(np.int32)
    post = rng.integers(0, 32, 64).astype(np.int32)
    post += np.where((post > 0) & (rng.random(64) < 0.5), ROUND_ONCE, 0).astype(np.int32)
    got = requantize(values, multiplier, pre, post)
    for channel in range(64):
        scale = int(multiplier[channel]), int(pre[channel]), int(post[channel])
        assert got[:, channel].tolist() == expected(values[:, channel], *scale), scale


def test_identity():
    values = np.arange(-40000, 40000, 7, dtype=np.int32)
    assert np.array_equal(requantize(values, *IDENTITY), values)


def test_finish_clamps_after_the_zero_point():
    got = finish(np.array([-200, -129, -3, 0, 90, 200], np.int64), 40, -100, 120)
    assert got.dtype == np.int8
    assert got.tolist() == [-100, -89, 37, 40, 120, 120]


@pytest.mark.parametrize("real", [0.0, 2.0 ** -40, 0.25, 0.3, 0.9999999999, 1.0, 1.5, 1e6])
def test_quantize_multiplier_is_close(real):
    multiplier, pre, post = numerics.quantize_multiplier(real)
    assert multiplier * 2.0 ** (pre - post - 31) == pytest.approx(real, rel=2 ** -30, abs=2 ** -31)


@pytest.mark.parametrize("real", [-0.5, float("nan"), float("inf"), 2.0 ** 32])
def test_quantize_multiplier_refuses(real):
    with pytest.raises(ValueError, match="requantization factor"):
        numerics.quantize_multiplier(real)
