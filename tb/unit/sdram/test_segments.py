"""Segments: bursts cut where they must, offered when they can run, in turns."""

import itertools
import random

import pytest

from hw.sdram.interface import Geometry
from hw.sdram.segments import Segments
from hw.sdram.timing import PARTS
from tb.pysim import simulate

PART = PARTS["IS42S16160B-7"]


def make(beat_bytes=16, **changes):
    return Segments(Geometry(PART, beat_bytes), **{"room": 32, "answers": 2, **changes})


async def ask(ctx, port, address, beats):
    ctx.set(port.payload, {"addr": address, "len": beats - 1})
    ctx.set(port.valid, 1)
    ready = False
    while not ready:
        _, _, ready = await ctx.tick().sample(port.ready)
    ctx.set(port.valid, 0)


async def take(ctx, dut, count, seen):
    """Take segments as fast as they come; their answers are taken, too."""
    while len(seen) < count:
        ctx.set(dut.o.ready, 1)
        _, _, valid, segment = await ctx.tick().sample(dut.o.valid, dut.o.payload)
        ctx.set(dut.gave_answer, valid and segment.write and segment.last)
        if valid:
            seen.append(segment)
    ctx.set(dut.o.ready, 0)


@pytest.mark.parametrize("beat_bytes", [4, 8, 16, 32])
def test_cut(beat_bytes):
    """Together they are the burst, none crosses a row, the last one says so."""
    rng = random.Random(beat_bytes)
    dut = make(beat_bytes, room=4096)
    page = 4096 // beat_bytes
    bursts = [(0, 256), (page - 1, 1), (5, 1), (7, 2), (63, 9)]
    bursts += [(first, rng.randint(1, min(256, page - first)))
               for first in (rng.randrange(page) for _ in range(20))]
    bursts = [(first, min(beats, page - first)) for first, beats in bursts]
    pages = [rng.randrange(PART.size // 4096) for _ in bursts]

    async def feed(ctx):
        for (first, beats), n in zip(bursts, pages, strict=True):
            await ask(ctx, dut.ar, n * 4096 + first * beat_bytes, beats)

    async def bench(ctx):
        for (first, beats), n in zip(bursts, pages, strict=True):
            place, last = n * page + first, False
            while not last:
                seen = []
                await take(ctx, dut, 1, seen)
                segment, last = seen[0], seen[0].last
                row_beats = PART.columns * 2 // beat_bytes
                start = (segment.row * PART.banks + segment.bank) * row_beats + segment.start
                assert start == place and not segment.write and not segment.error
                assert segment.start + segment.len < row_beats
                place += segment.len + 1
            assert place == n * page + first + beats

    simulate(dut, feed, bench)


def test_beyond_the_part():
    dut = make()

    async def bench(ctx):
        seen = []
        for address, error in ((PART.size - 16, 0), (PART.size, 1), (0xFFFF_F000, 1)):
            await ask(ctx, dut.ar, address, 1)
            await take(ctx, dut, 1, seen)
            assert seen.pop().error == error

    simulate(dut, bench)


def test_a_write_waits_for_its_data_and_a_read_for_room():
    dut = make(room=16)

    async def offered(ctx):
        for _ in range(5):
            await ctx.tick()
        return ctx.get(dut.o.valid)

    async def pulse(ctx, signal, times):
        ctx.set(signal, 1)
        for _ in range(times):
            await ctx.tick()
        ctx.set(signal, 0)

    async def bench(ctx):
        seen = []
        await ask(ctx, dut.aw, 0, 12)
        await pulse(ctx, dut.got_write, 7)
        assert not await offered(ctx)
        await pulse(ctx, dut.got_write, 1)
        assert await offered(ctx)
        await take(ctx, dut, 1, seen)
        await pulse(ctx, dut.got_write, 3)
        assert not await offered(ctx)
        await pulse(ctx, dut.got_write, 1)
        await take(ctx, dut, 2, seen)
        assert [(item.write, item.start, item.len, item.last) for item in seen] == [
            (1, 0, 7, 0), (1, 8, 3, 1)]
        await ask(ctx, dut.ar, 0, 64)
        await take(ctx, dut, 4, seen)
        assert not await offered(ctx)
        await pulse(ctx, dut.gave_read, 7)
        assert not await offered(ctx)
        await pulse(ctx, dut.gave_read, 1)
        assert await offered(ctx)
        ctx.set(dut.hold, 1)
        assert not await offered(ctx)

    simulate(dut, bench)


def test_unanswered_writes_are_limited():
    dut = make(answers=1)

    async def bench(ctx):
        ctx.set(dut.got_write, 1)
        ctx.set(dut.o.ready, 1)
        await ask(ctx, dut.aw, 0, 1)
        ctx.set(dut.aw.valid, 1)
        for _ in range(8):
            await ctx.tick()
            assert not ctx.get(dut.aw.ready)
            ctx.set(dut.got_write, 0)
        ctx.set(dut.gave_answer, 1)
        await ctx.tick()
        ctx.set(dut.gave_answer, 0)
        assert ctx.get(dut.aw.ready)

    simulate(dut, bench)


def test_turns():
    """TURN segments one way, then the other one, while both have work."""
    dut = make(room=4096)

    async def bench(ctx):
        ctx.set(dut.got_write, 1)
        for _ in range(4000):
            await ctx.tick()
        ctx.set(dut.got_write, 0)

    async def ways(ctx):
        seen = []
        await ask(ctx, dut.ar, 0, 256)
        await ask(ctx, dut.aw, 4096, 256)
        for _ in range(70):
            await ctx.tick()
        while len(seen) < 40:
            await take(ctx, dut, len(seen) + 1, seen)
            for _ in range(3):  # a write's next segment comes a cycle later
                await ctx.tick()
        return [item.write for item in seen]

    _, seen = simulate(dut, bench, ways)
    turn = dut.TURN
    changes = [n for n in range(1, 40) if seen[n] != seen[n - 1]]
    assert all(b - a == turn for a, b in itertools.pairwise(changes))
    assert len(changes) >= 7 and changes[0] <= turn


@pytest.mark.parametrize("change, text", [({"room": 15}, "room is 15"),
                                          ({"answers": 0}, "answers is 0")])
def test_refused(change, text):
    with pytest.raises(ValueError, match=text):
        make(**change)
