"""Requantizer against golden.spec.numerics: edges, small domains, random values, DSP count."""

import itertools
import random

import pytest

from golden.spec.numerics import (
    IDENTITY,
    ROUND_ONCE,
    clamp,
    quantize_multiplier,
    requantize,
    wrap32,
)
from hw.post.requantizer import Requantizer
from tb.pysim import simulate
from tb.yosys import cells

FULL = (0, -128, 127)  # zero, least, most
LEAST, MOST = -(1 << 31), (1 << 31) - 1


def expected(x, y, multiplier, pre, post, zero, least, most):
    return clamp(requantize(wrap32(x + y), multiplier, pre, post) + zero, least, most)


def check(cases):
    """Feed one case a cycle; compare LATENCY cycles later."""
    dut = Requantizer()

    async def bench(ctx):
        for cycle in range(len(cases) + dut.LATENCY):
            if cycle < len(cases):
                for name, value in zip(("x", "y", "multiplier", "pre", "post"), cases[cycle],
                                       strict=False):
                    ctx.set(getattr(dut, name), value)
            if 0 <= cycle - dut.SCALARS_STAGE < len(cases):
                for name, value in zip(("zero", "least", "most"),
                                       cases[cycle - dut.SCALARS_STAGE][5:], strict=True):
                    ctx.set(getattr(dut, name), value)
            if cycle >= dut.LATENCY:
                case = cases[cycle - dut.LATENCY]
                assert ctx.get(dut.q) == expected(*case), case
            await ctx.tick()

    simulate(dut, bench, cycles=len(cases) + 20)


@pytest.mark.parametrize("scale", [1 << 23, 1 << 24])
def test_every_byte_seen(scale):
    """The value is right for a span of results around zero: x in units of 1/8 and 1/4 of it."""
    check([(x, 0, scale, 5, 0, 0, -256, 255) for x in range(-2200, 2200)])


def test_rounding_shift():
    """All small values and shifts: ties away from zero, or up with ROUND_ONCE."""
    multiplier, pre, _ = IDENTITY
    posts = [*range(10), *range(ROUND_ONCE + 1, ROUND_ONCE + 10)]
    check([(x, 0, multiplier, pre, post, *FULL) for post in posts for x in range(-140, 140)])


def test_round_once():
    """All small values: with ROUND_ONCE the product's fraction is dropped."""
    check([(x, 0, m << 24, 3, ROUND_ONCE + post, *FULL)
           for post in (1, 2) for m in range(17) for x in range(-70, 70)])


def test_high_multiply():
    """All small values: the first rounding has its ties up."""
    check([(x, 0, m << 24, 3, 0, *FULL) for m in range(17) for x in range(-70, 70)])


def test_edges():
    values = (LEAST, LEAST + 1, -(1 << 30), -(1 << 17) - 1, -(1 << 17), -1, 0, 1, (1 << 17) - 1,
              1 << 17, (1 << 30) - 1, 1 << 30, MOST - 1, MOST)
    multipliers = (0, 1, (1 << 17) - 1, 1 << 17, 1 << 30, (1 << 30) + 1, MOST)
    check([(x, y, multiplier, pre, post, *FULL)
           for x, y, multiplier, (pre, post) in itertools.product(
               values, (0, LEAST, MOST), multipliers,
               ((0, 0), (0, 23), (0, 24 | ROUND_ONCE), (1, 31), (31, 31 | ROUND_ONCE), (31, 0)))])


def test_carry_between_the_products():
    """A multiplier of nearly 1 and low halves of ones: the inner products add up to 2**31."""
    check([(sign * ((3 << bits) - less), 0, multiplier, 0, bits - 5, *FULL)
           for bits in range(14, 20) for sign in (1, -1) for less in (0, 1, 40)
           for multiplier in (MOST, MOST - 1, MOST - (1 << 16))])


def test_clamp():
    """All zero points, and limits in any order."""
    limits = ((-128, 127), (0, 6), (-5, -5), (20, -20), (127, 127), (-128, -128), (-256, 255),
              (255, 255), (-256, -256), (255, -256))
    check([(x, 0, *IDENTITY, zero, *limit) for x, zero, limit in itertools.product(
        (LEAST, -1025, -1024, -600, -513, -512, -511, -256, -255, -1, 0, 100, 383, 511, 512, 767,
         1023, 1024, MOST),
        (-256, -255, -128, -127, -1, 0, 1, 126, 127, 254, 255), limits)])


@pytest.mark.parametrize("seed", range(3))
def test_random(seed):
    rng = random.Random(seed)
    cases = []
    for _ in range(2000):
        size = rng.randint(1, 32)
        x, y = (rng.getrandbits(size) - (1 << size - 1) for _ in range(2))
        if rng.random() < 0.5:
            # A factor of such a size that the result is a byte.
            factors = quantize_multiplier(rng.uniform(0.5, 2) * 2.0 ** (7 - size))
        else:
            factors = rng.getrandbits(31), rng.randrange(32), rng.randrange(32)
        if factors[2] and rng.random() < 0.5:
            factors = *factors[:2], factors[2] | ROUND_ONCE
        low, high = rng.choice(((-128, 127), (-256, 255)))
        least, most = sorted(rng.randint(low, high) for _ in range(2))
        cases.append((x, y, *factors, rng.randint(low, high), least, most))
    check(cases)


def test_multipliers():
    """32 x 31 bits are four MULT18X18D."""
    assert cells(Requantizer())["MULT18X18D"] == 4
