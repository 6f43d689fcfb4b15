"""TileCounter: the ends of tiles, lane blocks and commands, whatever the steps' gaps."""

import random

import pytest

from hw.post.counts import TileCounter
from tb.pysim import simulate


@pytest.mark.parametrize("columns", [1, 2, 3, 8])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_ends(columns, stall):
    """Commands follow each other at once, or after a while."""
    rng = random.Random(columns)
    counts = [(tiles, blocks) for tiles in (1, 2, 3, 5) for blocks in (1, 2, 3)]
    rng.shuffle(counts)
    dut = TileCounter(columns=columns)

    async def bench(ctx):
        ctx.set(dut.counts, dict(zip(("tiles", "blocks"), counts[0], strict=True)))
        ctx.set(dut.load, 1)
        await ctx.tick()
        for number, (tiles, blocks) in enumerate(counts):
            for step in range(tiles * blocks * columns):
                ctx.set(dut.load, 0)
                ctx.set(dut.step, 0)
                while rng.random() < stall:
                    await ctx.tick()
                tile, column = divmod(step, columns)
                ends = column == columns - 1, (tile + 1) % tiles == 0, tile + 1 == tiles * blocks
                want = tuple(all(ends[:n]) for n in (1, 2, 3))
                got = tuple(bool(ctx.get(end)) for end in (dut.tile_end, dut.block_end, dut.last))
                assert got == want, f"command {number}, step {step}"
                ctx.set(dut.step, 1)
                if want[2] and number + 1 < len(counts):
                    following = dict(zip(("tiles", "blocks"), counts[number + 1], strict=True))
                    ctx.set(dut.counts, following)
                    ctx.set(dut.load, 1)
                await ctx.tick()

    simulate(dut, bench, cycles=2000)
