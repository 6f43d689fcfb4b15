"""Nested loops: addresses and ends."""

import random

from hw.dma.nest import WordNest
from tb.pysim import simulate


def test_addresses():
    rng = random.Random(1)
    dut = WordNest()

    async def bench(ctx):
        for trial in range(30):
            counts = [rng.choice((1, rng.randint(1, 4))) for _ in range(4)]
            steps, base = [rng.getrandbits(16) for _ in range(4)], rng.getrandbits(16)
            for (name, _), count in zip(dut.counts.shape(), counts, strict=True):
                ctx.set(dut.counts[name], count)
            ctx.set(dut.steps, steps)
            ctx.set(dut.base, base)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.base, 0)
            for run in range(counts[3]):
                for i2 in range(counts[2]):
                    for i1 in range(counts[1]):
                        for i0 in range(counts[0]):
                            while rng.random() < 0.3:
                                await ctx.tick()
                            index = (i0, i1, i2, run)
                            lasts = [i == count - 1
                                     for i, count in zip(index, counts, strict=True)]
                            ends = sum(all(lasts[:j + 1]) << j for j in range(4))
                            address = base + sum(
                                i * step for i, step in zip(index, steps, strict=True))
                            assert ctx.get(dut.addr) == address % (1 << 16), (trial, index)
                            assert ctx.get(dut.ends) == ends, (trial, index)
                            ctx.set(dut.step, 1)
                            await ctx.tick()
                            ctx.set(dut.step, 0)

    simulate(dut, bench, cycles=100_000)
