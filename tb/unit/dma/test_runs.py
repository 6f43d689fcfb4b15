"""Run issuer: runs of random instructions, region checks, timing."""

import random

import pytest

from golden.spec.config import preset
from golden.spec.registers import REGIONS
from hw.dma.runs import RunIssuer
from tb.pysim import collect, drive, simulate

CONFIG = preset("base")


def set_regions(ctx, dut, regions):
    for n, (base, size) in enumerate(regions):
        ctx.set(dut.regions[n], {"base": base, "bytes": size})


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_runs(stall):
    seed = f"{stall}"
    rng = random.Random(seed)
    regions = [(rng.randrange(1 << 28) * 16, 1 << 20) for _ in range(REGIONS)]
    items, expected = [], []
    for _ in range(40):
        item = {"region": rng.randrange(REGIONS), "address": rng.randrange(1 << 16),
                "run_bytes": rng.randint(1, 500), "runs": rng.randint(1, 5),
                "run_stride": rng.randrange(1 << 10)}
        items.append(item)
        for run in range(item["runs"]):
            at = regions[item["region"]][0] + item["address"] + run * item["run_stride"]
            beats = (at + item["run_bytes"] - 1) // 16 - at // 16 + 1
            expected.append((at % (1 << 32), beats, run == item["runs"] - 1))
    dut = RunIssuer(CONFIG)

    async def feed(ctx):
        set_regions(ctx, dut, regions)
        await drive(ctx, dut.i, items, rng=rng, stall=stall)

    async def take(ctx):
        return await collect(ctx, dut.o, len(expected), rng=rng, stall=stall)

    got = [(item.addr, item.beats, item.final) for item in simulate(dut, feed, take)[1]]
    assert got == expected, f"seed {seed}"


# A region's last byte, all the way up to the largest sizes.
@pytest.mark.parametrize("size, fields, good", [
    (100, {"address": 84, "run_bytes": 16}, 1),
    (100, {"address": 85, "run_bytes": 16}, 0),
    (100, {"address": 0, "run_bytes": 101}, 0),
    (0, {"address": 0, "run_bytes": 1}, 0),
    (0xFFFFFFFF, {"address": 0xFFFFFFFE, "run_bytes": 1}, 1),
    (0xFFFFFFFF, {"address": 0xFFFFFFFF, "run_bytes": 1}, 0),
    (0xFFFFFFFF, {"address": 0xFFFFFFFE, "run_bytes": 1, "runs": 3,
                  "run_stride": 0xFFFFFFFF}, 1),
    (100, {"address": 0, "run_bytes": 10, "runs": 65535, "run_stride": 30}, 4),
    (100, {"address": 0, "run_bytes": 10, "region": 8}, 0),
    (100, {"address": 0, "run_bytes": 10, "region": 15}, 0),
])
def test_region(size, fields, good):
    fields = {"region": 0, "runs": 1, "run_stride": 0, **fields}
    base = 0x2000
    dut = RunIssuer(CONFIG)

    async def bench(ctx):
        set_regions(ctx, dut, [(base, size)] * REGIONS)
        ctx.set(dut.i.p, fields)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        taken = 0
        for _ in range(12):
            _, _, valid, ready = await ctx.tick().sample(dut.o.valid, dut.i.ready)
            taken += valid
            if ready:
                ctx.set(dut.i.valid, 0)
        assert taken == good
        assert ctx.get(dut.bad) == (good < fields["runs"])
        if good < fields["runs"]:
            origin = base if fields["region"] < REGIONS else 0
            assert ctx.get(dut.address) == (
                origin + fields["address"] + good * fields["run_stride"]) % (1 << 32)

    simulate(dut, bench)


def test_timing():
    dut = RunIssuer(CONFIG)

    async def bench(ctx):
        set_regions(ctx, dut, [(0, 1 << 20)] * REGIONS)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.p, {"run_bytes": 16, "runs": 5, "run_stride": 16})
        ctx.set(dut.i.valid, 1)
        offers, taken = [], []
        for _ in range(14):
            _, _, valid, ready = await ctx.tick().sample(dut.o.valid, dut.i.ready)
            offers.append(valid)
            taken.append(ready)
            if ready:
                ctx.set(dut.i.valid, 0)
        assert offers == [0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
        assert taken == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]

    simulate(dut, bench)
