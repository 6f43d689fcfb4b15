"""AddressWalker: raster order, unused columns, ends, rate."""

import random

import pytest

from hw.post.addresses import AddressWalker
from tb.pysim import collect, drive, simulate
from tb.unit.post.walks import expected, random_walk


@pytest.mark.parametrize("columns", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_walks(columns, stall):
    rng = random.Random(columns)
    walks = [random_walk(rng, columns) for _ in range(12)]
    want = [item for walk in walks for item in expected(walk, columns)]
    dut = AddressWalker(columns=columns)

    def driver(ctx):
        return drive(ctx, dut.i, walks)

    def collector(ctx):
        return collect(ctx, dut.o, len(want), rng=random.Random(1), stall=stall)

    # Without stalls one address a cycle, from the cycle after the first walk.
    cycles = 4 * len(want) if stall else len(want) + 3
    _, got = simulate(dut, driver, collector, cycles=cycles)
    assert [(o.addr, o.used, o.last, o.tag, o.post) for o in got] == want, f"columns {columns}"
