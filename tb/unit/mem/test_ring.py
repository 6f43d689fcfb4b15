"""Ring: replay, freeing, keep, streaming through, and no gaps."""

import random

import pytest
from amaranth.hdl import unsigned

from hw.mem.ring import Ring
from tb.pysim import collect, drive, simulate
from tb.yosys import cells

DEPTHS = (1, 2, 5, 8)


def random_plans(rng, depth, count):
    """Commands (lists of plans) that ``depth`` can serve, and how many items they free."""
    commands = []
    for _ in range(count):
        keep = rng.random() < 0.4
        plans, room = [], depth
        for _ in range(rng.randint(1, 4)):
            passes = rng.choice((1, 1, 2, 3))
            # What is kept or read again must fit; the rest may stream through.
            most = room if keep else depth if passes > 1 else 2 * depth + 1
            length = rng.randint(0, most)
            room -= length
            plans.append(dict(length=length, passes=passes, keep=keep, final=0))
        plans[-1]["final"] = 1
        commands.append(plans)
    return commands


def replay(commands):
    """(item, last) in order, items being numbered as written; and how many are needed."""
    out, position, most = [], 0, 0
    for plans in commands:
        begin = position
        for plan in plans:
            for _ in range(plan["passes"]):
                out += [(position + i, i == plan["length"] - 1) for i in range(plan["length"])]
            position += plan["length"]
        most = max(most, position)
        if plans[0]["keep"]:
            position = begin
    return out, most


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("seed", range(4))
def test_random_plans(depth, seed):
    rng = random.Random(seed)
    commands = random_plans(rng, depth, 25)
    want, items = replay(commands)
    dut = Ring(shape=unsigned(16), depth=depth, length_bits=6, passes_bits=3)
    stalls = [rng.choice((0, 0.3, 0.7)) for _ in range(3)]
    plans = [plan for command in commands for plan in command]

    def writer(ctx):
        return drive(ctx, dut.write, range(items), rng=random.Random(seed), stall=stalls[0])

    def planner(ctx):
        return drive(ctx, dut.plan, plans, rng=random.Random(seed + 1), stall=stalls[1])

    def reader(ctx):
        return collect(ctx, dut.o, len(want), rng=random.Random(seed + 2), stall=stalls[2])

    _, _, got = simulate(dut, writer, planner, reader, cycles=20000)
    assert [(o.item, o.last) for o in got] == want, f"depth {depth} seed {seed} stalls {stalls}"


@pytest.mark.parametrize("plans", [
    [dict(length=1, passes=1)] * 8,
    [dict(length=1, passes=5)] * 3,
    [dict(length=3, passes=4), dict(length=1, passes=2), dict(length=4, passes=1)],
    [dict(length=2, passes=3, keep=1), dict(length=1, passes=1, keep=1, final=1),
     dict(length=3, passes=2)],
], ids=["single", "single_replayed", "mixed", "rewind"])
def test_no_gaps(plans):
    """Items are there: from the first on one comes out every cycle, LATENCY after the plan."""
    plans = [dict(keep=0, final=not plan.get("keep")) | plan for plan in plans]
    commands, plan_at, seen = [[]], [], []
    for plan in plans:
        commands[-1].append(plan)
        if plan["final"]:
            commands.append([])
    want, items = replay([command for command in commands if command])
    dut = Ring(shape=unsigned(16), depth=8, length_bits=6, passes_bits=3)

    async def bench(ctx):
        await drive(ctx, dut.write, range(items))
        await drive(ctx, dut.plan, plans)

    async def watch(ctx):
        ports = dut.plan.valid, dut.o.valid, dut.o.payload
        async for _, _, plan, valid, o in ctx.tick().sample(*ports):
            if plan and not plan_at:
                plan_at.append(len(seen))  # taken at once
            seen.append((o.item, o.last) if valid else None)

    async def reader(ctx):
        ctx.set(dut.o.ready, 1)
        while len([o for o in seen if o is not None]) < len(want):
            await ctx.tick()

    simulate(dut, bench, reader, background=[watch], cycles=200)
    begin = plan_at[0] + dut.LATENCY
    assert seen[begin:begin + len(want)] == want
    assert not any(seen[:begin])


def test_first_reading_follows_writing():
    """An item comes out LATENCY cycles after it was written, before its segment is complete."""
    dut = Ring(shape=unsigned(8), depth=4, length_bits=3, passes_bits=1)

    async def bench(ctx):
        await drive(ctx, dut.plan, [dict(length=3, passes=1, keep=0, final=1)])
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        await drive(ctx, dut.write, [42])
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.p.item) == 42

    simulate(dut, bench, cycles=50)


@pytest.mark.parametrize("keep", [0, 1])
def test_freeing(keep):
    """In a last pass places are free at once; with ``keep`` they stay taken."""
    dut = Ring(shape=unsigned(8), depth=4, length_bits=3, passes_bits=2)

    async def bench(ctx):
        await drive(ctx, dut.write, range(4))
        assert not ctx.get(dut.write.ready)
        await drive(ctx, dut.plan, [dict(length=4, passes=2, keep=keep, final=1)])
        ctx.set(dut.o.ready, 1)
        free = []
        for cycle in range(12):
            await ctx.tick()
            if ctx.get(dut.write.ready):
                free.append(cycle)
        assert free == ([] if keep else list(range(4, 12)))

    simulate(dut, bench, cycles=50)


def test_block_ram():
    """12 bits: a DP16KD of 36 or three of 4, nothing is emulated or decoded."""
    shallow, deep = (cells(Ring(shape=unsigned(12), depth=depth, length_bits=8, passes_bits=8))
                     for depth in (512, 4096))
    assert shallow["DP16KD"] == 1
    assert deep["DP16KD"] == 3
    for found in (shallow, deep):
        assert found["TRELLIS_FF"] < 2 * 12 + 200
    gates, more_gates = (sum(count for kind, count in found.items() if kind.startswith("$_"))
                         for found in (shallow, deep))
    assert more_gates < gates + 12 * 7, "addresses are longer, words take none"
