"""AddressWalker: raster order, unused columns, ends, rate."""

import random

import pytest

from hw.post.addresses import AddressWalker
from tb.pysim import collect, drive, simulate


def expected(walk, columns):
    """(addr, used, last, tag, post) column by column."""
    found = []
    for block in range(walk["blocks"]):
        address = walk["base"] + block * walk["block_step"]
        places = []
        for _ in range(walk["out_height"]):
            places += [(address + x) & 0xFFFF for x in range(walk["out_width"])]
            address = places[-1] + walk["row_step"]
        unused = walk["tiles"] * columns - len(places)
        found += [(place, 1, 0) for place in places] + [(places[-1], 0, 0)] * unused
    found[-1] = (*found[-1][:2], 1)
    return [(*item, walk["tag"], walk["post"]) for item in found]


def random_walk(rng, columns):
    width, height = rng.randint(1, 6), rng.randint(1, 4)
    return dict(base=rng.getrandbits(16), row_step=rng.getrandbits(16),
                block_step=rng.getrandbits(16), out_width=width, out_height=height,
                tiles=-(-width * height // columns), blocks=rng.randint(1, 3),
                tag=rng.getrandbits(16), post=rng.getrandbits(16))


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
