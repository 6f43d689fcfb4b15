"""Drain: every accumulator of every tile, in order, though the columns reuse theirs at once."""

import random

import pytest

from golden.spec.config import preset
from hw.mac.column import Column
from hw.mac.drain import Drain
from hw.mac.issue import Issuer
from tb.pysim import collect, simulate

TINY = preset("tiny")
CONFIGS = {
    "tiny": TINY,
    "odd": TINY.replace(columns=5, lanes=8, drain=1, weight_rows=64),
    "one": TINY.replace(columns=1, drain=4, lut_columns=0),
    "two": TINY.replace(columns=2, drain=4),
    "long": TINY.replace(columns=16, lanes=8, drain=2, weight_rows=64),
}
FLIGHT = Issuer.LATENCY + Column.LATENCY + 1


def random_tile(config, rng):
    """(max, [column][lane] of accumulators); with max only low bytes count."""
    return rng.randint(0, 1), [[rng.randint(-2**31, 2**31 - 1) for _ in range(config.lanes)]
                               for _ in range(config.columns)]


def vectors(config, tile):
    """Column by column D lanes at a time; greatest bytes with their top bit inverted back."""
    is_max, columns = tile
    flat = [((acc & 255) ^ 0x80) - 256 * (((acc & 255) ^ 0x80) >> 7) if is_max else acc
            for column in columns for acc in column]
    return [flat[at:at + config.drain] for at in range(0, len(flat), config.drain)]


def array(dut, config, tiles, rng, stall):
    """Bench of the issuer and the columns: issues each tile when it may, then changes sums."""
    async def run(ctx):
        due = []  # (cycle, column, tile)
        issued, cycle, first, last = 0, 0, None, None
        while issued < len(tiles) or due:
            ctx.set(dut.loaded, 0)
            for _, q, (is_max, columns) in [item for item in due if item[0] == cycle]:
                ctx.set(dut.sums[q], {"max": is_max, "acc": columns[q]})
                if q == 0:
                    ctx.set(dut.loaded, 1)
            due = [item for item in due if item[0] > cycle]
            go = issued < len(tiles) and ctx.get(dut.clear) and rng.random() >= stall
            ctx.set(dut.issue, go)
            if go:
                due += [(cycle + FLIGHT + q, q, tiles[issued]) for q in range(config.columns)]
                first, last = cycle if first is None else first, cycle
                issued += 1
            await ctx.tick()
            cycle += 1
            assert ctx.get(dut.busy) or not due, "not busy with a tile under way"
        ctx.set(dut.loaded, 0)
        return last - first
    return run


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("issue_stall, take_stall", [(0, 0), (0, 0.5), (0, 0.95), (0.7, 0.2)])
def test_tiles(name, issue_stall, take_stall):
    config, rng = CONFIGS[name], random.Random(name)
    tiles = [random_tile(config, rng) for _ in range(12)]
    want = [vector for tile in tiles for vector in vectors(config, tile)]
    dut = Drain(config)

    async def sink(ctx):
        got = await collect(ctx, dut.tile, len(want), rng=random.Random(1), stall=take_stall)
        await ctx.tick()
        assert not ctx.get(dut.busy), "busy after the last vector"
        return [list(vector) for vector in got]

    took, got = simulate(dut, array(dut, config, tiles, random.Random(2), issue_stall), sink,
                         cycles=60 * len(want) + 400)
    assert got == want, f"{name}, stalls {issue_stall}, {take_stall}"
    if not issue_stall and not take_stall:
        # Tiles follow each other at the pace at which vectors are taken; ``clear`` may cost a
        # cycle more where draining is shorter than a tile's flight, two where it takes only one.
        pace = config.drain_cycles + (config.drain_cycles < FLIGHT) + (config.drain_cycles == 1)
        assert took <= (len(tiles) - 1) * pace, name


def test_latency():
    """4 cycles from loaded to the first vector."""
    config = CONFIGS["tiny"]
    dut = Drain(config)

    async def bench(ctx):
        ctx.set(dut.issue, 1)
        await ctx.tick()
        ctx.set(dut.issue, 0)
        await ctx.tick().repeat(FLIGHT - 1)
        ctx.set(dut.loaded, 1)
        await ctx.tick()
        ctx.set(dut.loaded, 0)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.tile.valid)
        await ctx.tick()
        assert ctx.get(dut.tile.valid)

    simulate(dut, bench)
