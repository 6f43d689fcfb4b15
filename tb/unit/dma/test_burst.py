"""Burst splitter: coverage of runs, boundaries, marks, rate."""

import random

import pytest

from hw.dma.burst import PAGE_BYTES, BurstSplitter
from tb.pysim import collect, drive, simulate


@pytest.mark.parametrize("beat_bytes, limit", [(4, 1), (4, 4), (16, 16), (16, 256), (32, 256)])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_runs(beat_bytes, limit, stall):
    seed = f"{beat_bytes} {limit} {stall}"
    rng = random.Random(seed)
    runs = [{"addr": rng.choice((rng.randrange(1 << 20), 4096 * rng.randint(1, 9) - 7)),
             "beats": rng.choice((1, 2, rng.randint(1, 3 * limit))), "final": rng.randrange(2)}
            for _ in range(40)]
    expected = []
    for run in runs:
        beat, left = run["addr"] // beat_bytes, run["beats"]
        most = min(limit, PAGE_BYTES // beat_bytes)
        while left:
            beats = min(left, most - beat % most)
            left -= beats
            expected.append((beat * beat_bytes, beats, run["addr"], left == 0,
                             left == 0 and run["final"]))
            beat += beats
    dut = BurstSplitter(beat_bytes=beat_bytes, limit=limit)

    async def feed(ctx):
        await drive(ctx, dut.i, runs, rng=rng, stall=stall)

    async def take(ctx):
        return await collect(ctx, dut.o, len(expected), rng=rng, stall=stall)

    got = [(item.addr, item.len + 1, item.run, item.last, item.final)
           for item in simulate(dut, feed, take)[1]]
    assert got == expected, f"seed {seed}"
    assert all(at // PAGE_BYTES == (at + beats * beat_bytes - 1) // PAGE_BYTES
               for at, beats, *_ in got)


def test_a_burst_a_cycle():
    dut = BurstSplitter(beat_bytes=16, limit=16)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.p, {"addr": 0, "beats": 160})
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        offers = []
        for _ in range(13):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            offers.append(valid)
        assert offers == [0, *[1] * 10, 0, 0]  # 2 cycles after the run

    simulate(dut, bench)
