"""Queue and SkidBuffer: order, capacity, level, rate, stream rules under random stalls."""

import random
from operator import attrgetter

import pytest
from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data

from hw.stream import HeadQueue, Queue, SkidBuffer
from tb.pysim import collect, drive, simulate

BLOCKS = {
    "queue1": lambda shape: Queue(shape=shape, depth=1),
    "queue3": lambda shape: Queue(shape=shape, depth=3),
    "queue4": lambda shape: Queue(shape=shape, depth=4),
    "registered1": lambda shape: Queue(shape=shape, depth=1, registered=True),
    "registered3": lambda shape: Queue(shape=shape, depth=3, registered=True),
    "registered8": lambda shape: Queue(shape=shape, depth=8, registered=True),
    "head2": lambda shape: HeadQueue(shape=shape, depth=2),
    "head5": lambda shape: HeadQueue(shape=shape, depth=5),
    "skid": SkidBuffer,
}


def both_ends(seed, dut, items, stall_in, stall_out):
    """Drive and collect ``items`` with stalls of these probabilities."""
    def driver(ctx):
        return drive(ctx, dut.i, items, rng=random.Random(seed), stall=stall_in)

    def collector(ctx):
        return collect(ctx, dut.o, len(items), rng=random.Random(seed + 1), stall=stall_out)

    return driver, collector


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("seed", range(3))
def test_order(name, seed):
    rng = random.Random(seed)
    items = [rng.randrange(-128, 128) for _ in range(120)]
    dut = BLOCKS[name](signed(8))
    stalls = rng.choice((0, 0.3, 0.7)), rng.choice((0, 0.3, 0.7))
    _, got = simulate(dut, *both_ends(seed, dut, items, *stalls), cycles=3000)
    assert got == items, f"seed {seed}, stalls {stalls}"


@pytest.mark.parametrize("name", BLOCKS)
def test_struct(name):
    shape = data.StructLayout({"a": signed(5), "b": unsigned(3)})
    items = [{"a": n - 9, "b": n % 8} for n in range(20)]
    dut = BLOCKS[name](shape)
    _, got = simulate(dut, *both_ends(7, dut, items, 0.4, 0.4), cycles=1000)
    assert [{"a": item.a, "b": item.b} for item in got] == items


@pytest.mark.parametrize("fields", [("a",), ("b",), ("a", "b")])
def test_fields(fields):
    shape = data.StructLayout({"a": signed(5), "b": unsigned(3)})
    items = [{"a": n % 16 - 9, "b": n % 8} for n in range(40)]
    dut = HeadQueue(shape=shape, depth=3, fields=fields)
    _, got = simulate(dut, *both_ends(8, dut, items, 0.4, 0.4), cycles=1000)
    assert [{"a": item.a, "b": item.b} for item in got] == items


@pytest.mark.parametrize("name", BLOCKS)
def test_rate(name):
    """Without stalls: the stated latency, then one item a cycle (at depth 1 one in latency + 1)."""
    dut = BLOCKS[name](unsigned(8))
    count = 40
    seen = []

    async def watch(ctx):
        cycle = 0
        async for _, _, valid in ctx.tick().sample(dut.o.valid):
            if valid:
                seen.append(cycle)
            cycle += 1

    simulate(dut, *both_ends(0, dut, list(range(count)), 0, 0), background=[watch], cycles=400)
    latency = 2 if getattr(dut, "registered", False) else 1
    period = latency + 1 if getattr(dut, "depth", 2) == 1 else 1
    assert seen == [latency + period * n for n in range(count)]


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 7])
def test_level(depth, registered):
    """Fills to exactly ``depth``, ``level`` follows, and it empties again."""
    dut = Queue(shape=unsigned(8), depth=depth, registered=registered)

    async def bench(ctx):
        for round_ in range(3):
            for n in range(depth):
                assert ctx.get(dut.level) == n and ctx.get(dut.i.ready) == 1
                ctx.set(dut.i.payload, n + round_)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            assert ctx.get(dut.i.ready) == 0  # a further item is refused
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick()
            assert ctx.get(dut.level) == depth
            ctx.set(dut.o.ready, 1)
            for n in range(depth):
                assert ctx.get(dut.o.valid) == 1
                assert ctx.get(dut.o.payload) == n + round_
                await ctx.tick()
                assert ctx.get(dut.level) == depth - n - 1
            assert ctx.get(dut.o.valid) == 0
            ctx.set(dut.o.ready, 0)

    simulate(dut, bench, cycles=300)


@pytest.mark.parametrize("depth", [2, 3, 8])
def test_head(depth):
    """To the cycle as a queue without registers."""
    rng = random.Random(depth)
    head, plain = HeadQueue(shape=unsigned(8), depth=depth), Queue(shape=unsigned(8), depth=depth)
    m = Module()
    m.submodules.head, m.submodules.plain = head, plain

    async def bench(ctx):
        for _ in range(400):
            valid, ready, payload = rng.random() < 0.6, rng.random() < 0.6, rng.getrandbits(8)
            for dut in (head, plain):
                ctx.set(dut.i.valid, valid)
                ctx.set(dut.o.ready, ready)
                ctx.set(dut.i.payload, payload)
            for name in ("i.ready", "o.valid", *(["o.payload"] if ctx.get(plain.o.valid) else [])):
                one, other = (ctx.get(attrgetter(name)(dut)) for dut in (head, plain))
                assert one == other, name
            await ctx.tick()

    simulate(m, bench, cycles=500)


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_late(depth):
    """What is taken shows from the cycle after that, until the next is taken; valid as ever."""
    rng = random.Random(depth)
    late, now = (Queue(shape=unsigned(8), depth=depth, late=late) for late in (True, False))
    m = Module()
    m.submodules.late, m.submodules.now = late, now

    async def bench(ctx):
        taken = None
        for _ in range(400):
            for dut, (valid, ready, payload) in ((dut, offer) for offer in [
                    (rng.random() < 0.6, rng.random() < 0.6, rng.getrandbits(8))]
                    for dut in (late, now)):
                ctx.set(dut.i.valid, valid)
                ctx.set(dut.o.ready, ready)
                ctx.set(dut.i.payload, payload)
            for name in ("i.ready", "o.valid", "level"):
                one, other = (ctx.get(attrgetter(name)(dut)) for dut in (late, now))
                assert one == other, name
            if taken is not None:
                assert ctx.get(late.o.payload) == taken
            if ctx.get(now.o.valid) and ctx.get(now.o.ready):
                taken = ctx.get(now.o.payload)
            await ctx.tick()
        assert taken is not None

    simulate(m, bench, cycles=500)


def test_late_or_registered():
    with pytest.raises(ValueError, match="registered or late"):
        Queue(shape=unsigned(8), depth=4, registered=True, late=True)


@pytest.mark.parametrize("depth", [0, -1, 2.0])
def test_refusal(depth):
    with pytest.raises(ValueError, match="depth is"):
        Queue(shape=unsigned(8), depth=depth)
