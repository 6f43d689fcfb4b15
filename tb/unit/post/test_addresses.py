"""AddressWalker: raster order, unused columns, ends, rate."""

import random

import pytest

from hw.post.addresses import AddressWalker
from tb.pysim import collect, drive, simulate
from tb.unit.post.walks import ends_of, expected, random_walk, steps_of


@pytest.mark.parametrize("columns", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_walks(columns, stall):
    rng = random.Random(columns)
    walks = [random_walk(rng, columns) for _ in range(12)]
    want = [item for walk in walks for item in expected(walk, columns)]
    ends = [end for walk in walks for end in ends_of(walk, columns)]
    dut = AddressWalker()

    def driver(ctx):
        return drive(ctx, dut.i, [steps_of(walk) for walk in walks])

    async def collector(ctx):
        got, sink_rng = [], random.Random(1)
        for block_end, last in ends:
            ctx.set(dut.block_end, block_end)
            ctx.set(dut.last, last)
            got += await collect(ctx, dut.o, 1, rng=sink_rng, stall=stall)
        return got

    # Without stalls one address a cycle, from the cycle after the first walk.
    cycles = 4 * len(want) if stall else len(want) + 3
    _, got = simulate(dut, driver, collector, cycles=cycles)
    assert [(o.addr, o.used, o.tag, o.post) for o in got] == [
        (addr, used, tag, post) for addr, used, _, tag, post in want], f"columns {columns}"
