"""Haul: order, full rate, latency, and no more under way than there is room for."""

import random

import pytest
from amaranth.hdl import unsigned

from hw.haul import Haul
from tb.pysim import collect, drive, simulate


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3), (0, 0.9)])
def test_order(stalls):
    dut, items = Haul(unsigned(9)), list(range(300))
    _, got = simulate(
        dut, lambda ctx: drive(ctx, dut.i, items, rng=random.Random(1), stall=stalls[0]),
        lambda ctx: collect(ctx, dut.o, len(items), rng=random.Random(2), stall=stalls[1]),
        cycles=6000)
    assert list(got) == items, f"stalls {stalls}"


def test_timing():
    """LATENCY cycles, then one a cycle; held up, DEPTH set out, one more AGAIN after one left."""
    dut, cycle = Haul(unsigned(9)), [0]
    sent, taken = [], []

    async def watch(ctx):
        ports = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        async for _, _, i, o in ctx.tick().sample(*ports):
            sent.extend([cycle[0]] * i)
            taken.extend([cycle[0]] * o)
            cycle[0] += 1

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(40):
            await ctx.tick()
        ctx.set(dut.o.ready, 0)
        for _ in range(20):
            await ctx.tick()
        ctx.set(dut.o.ready, 1)
        for _ in range(10):
            await ctx.tick()

    simulate(dut, bench, background=[watch], cycles=200)
    assert sent[:38] == list(range(38)) and taken[0] == dut.LATENCY
    assert taken[:37] == list(range(dut.LATENCY, 40))
    assert sum(cycle < 60 for cycle in sent) - 37 == dut.DEPTH
    assert next(cycle for cycle in sent if cycle >= 60) == 60 + dut.AGAIN
