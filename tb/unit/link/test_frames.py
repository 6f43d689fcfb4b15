"""Frames: CRC, buffer, and both directions of framing, with everything a line can do to them."""

import random
import zlib

import pytest

from golden.spec import link
from golden.spec.link import CRC_RESIDUE, ESCAPE, FLAG, Request, frame
from hw.link.crc import Crc32
from hw.link.deframer import BUFFER_BYTES, Deframer
from hw.link.frame_buffer import FrameBuffer
from hw.link.framer import Framer
from tb.pysim import collect, drive, simulate

GAP = 10  # cycles from a byte to the next


def test_crc():
    dut = Crc32()
    rng = random.Random(1)

    async def take(ctx, data, drain=0):
        for value in data:
            ctx.set(dut.byte, value)
            ctx.set(dut.drain, drain)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for _ in range(8):
                assert ctx.get(dut.busy)
                await ctx.tick()
            assert not ctx.get(dut.busy)

    async def bench(ctx):
        for _ in range(5):
            data = rng.randbytes(rng.randrange(12))
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            await take(ctx, data)
            want = zlib.crc32(data)
            assert ctx.get(dut.value) ^ 0xFFFFFFFF == want
            await take(ctx, want.to_bytes(4, "little"))
            assert ctx.get(dut.value) == CRC_RESIDUE
            await take(ctx, b"x", drain=1)
            assert ctx.get(dut.value) == CRC_RESIDUE >> 8
    simulate(dut, bench)


def test_frame_buffer():
    """Frames, some given up, some while the buffer is full, against a queue."""
    dut = FrameBuffer(depth=16)
    rng = random.Random(2)
    want, count, refused = [], [0], []

    async def write(ctx):
        for _ in range(200):
            size = rng.randrange(1, 16)
            kept = rng.random() < 0.7
            late = rng.random() < 0.5  # the commit comes after the last byte, not with it
            data = [(rng.randrange(256), rng.randrange(2)) for _ in range(size)]
            for place, (value, last) in enumerate(data):
                while not ctx.get(dut.room):
                    refused.append(place)
                    await ctx.tick()
                now = kept and not late and place == size - 1
                ctx.set(dut.byte, {"data": value, "last": last})
                ctx.set(dut.write, 1)
                ctx.set(dut.commit, now)
                if now:
                    want.extend(data)
                await ctx.tick()
                ctx.set(dut.write, 0)
                ctx.set(dut.commit, 0)
            if kept and late:
                want.extend(data)
            ctx.set(dut.commit, kept and late)
            ctx.set(dut.rewind, not kept)
            await ctx.tick()
            ctx.set(dut.commit, 0)
            ctx.set(dut.rewind, 0)

    async def read(ctx):
        while True:
            item, = await collect(ctx, dut.o, 1, rng=rng, stall=0.7)
            assert (item.data, item.last) == want[count[0]], f"byte {count[0]}"
            count[0] += 1

    async def end(ctx):
        await write(ctx)
        for _ in range(2000):
            await ctx.tick()
        assert count[0] == len(want) > 300 and refused

    simulate(dut, end, background=[read], cycles=30_000)
    with pytest.raises(ValueError, match="depth is 12"):
        FrameBuffer(depth=12)


def deframed(script, *, take=True):
    """Bodies the deframer gives for bytes (or None for a framing error), and its ``good``s."""
    dut = Deframer()
    out, good = bytearray(), []

    async def line(ctx):
        for value in script:
            ctx.set(dut.valid, value is not None)
            ctx.set(dut.error, value is None)
            ctx.set(dut.data, value or 0)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            ctx.set(dut.error, 0)
            for _ in range(GAP - 1):
                await ctx.tick()
        ctx.set(dut.o.ready, 1)
        for _ in range(3 * BUFFER_BYTES):
            await ctx.tick()

    async def watch(ctx):
        ctx.set(dut.o.ready, take)
        async for _, _, valid, ready, byte, pulse in ctx.tick().sample(
                dut.o.valid, dut.o.ready, dut.o.p.data, dut.good):
            if valid and ready:
                out.append(byte)
            if pulse:
                good.append(len(out))
    simulate(dut, line, background=[watch], cycles=60_000)
    return bytes(out), len(good)


def body(rng, size=None):
    size = rng.randrange(1, 12) if size is None else size
    data = bytes(rng.choice((FLAG, ESCAPE, rng.randrange(256))) for _ in range(size))
    if rng.random() < 0.5:
        return Request(4, rng.randrange(256), rng.getrandbits(32), rng.randrange(99)).encode()
    return Request(7, rng.randrange(256), rng.getrandbits(32), size, data).encode()


def spoil(rng, raw):
    """A frame as a bad line gives it: bits turned, bytes lost, doubled or strange, ends missing."""
    raw = list(raw)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(raw))
        kind = rng.randrange(5)
        if kind == 0:
            raw[place] = (raw[place] or 0) ^ 1 << rng.randrange(8)
        elif kind == 1:
            del raw[place]
        elif kind == 2:
            raw.insert(place, raw[place])
        elif kind == 3:
            raw[place] = None
        else:
            raw = raw[:place]
        raw = raw or [FLAG]
    return raw


@pytest.mark.parametrize("seed", range(2))
def test_deframer_keeps_the_good_and_nothing_else(seed):
    """What the deframer of golden.spec takes of the same bytes, where no byte was bad."""
    rng = random.Random(seed)
    script, want, spoiled = [], [], 0
    script += rng.randbytes(5)  # noise before the first frame
    for _ in range(60):
        one = body(rng)
        raw = list(frame(one))
        if rng.random() < 0.4:
            raw, spoiled = spoil(rng, raw), spoiled + 1
        script += raw
    reference = link.Deframer()
    for part in _parts(script):
        want += [one for one in reference.feed(part) if Request.decode(one) is not None]
    got, good = deframed(script)
    assert got == b"".join(want), f"seed {seed}"
    assert good == len(want) and spoiled > 10 and len(want) > 25


def _parts(script):
    """Bytes from FLAG to FLAG; of those with a bad byte only the FLAG."""
    part = []
    for value in script:
        part.append(value)
        if value == FLAG:
            yield bytes([FLAG]) if None in part else bytes(part)
            part = []


def test_deframer_checks_the_length_against_the_header():
    data = Request(7, 1, 2, 3, b"abc").encode()
    odd, even = bytearray(data), bytearray(data)
    odd[2] = 4
    even[0] = 6
    high = bytearray(data)
    high[3] = 1
    script = b"".join(frame(bytes(one)) for one in (data, odd, even, high, data[:7], b"", data))
    assert deframed(script) == (data + data, 2)


def test_deframer_drops_what_a_bad_byte_or_an_open_escape_spoils():
    """Though all bytes of the frame are there."""
    data = Request(7, 1, 2, 3, b"abc").encode()
    raw = list(frame(data))
    script = [*raw[:5], None, *raw[5:], *raw[:-1], ESCAPE, FLAG, *raw]
    assert deframed(script) == (data, 1)


def test_deframer_drops_what_has_no_room_and_goes_on():
    rng = random.Random(3)
    first, second, third, small = (Request(7, 0, 0, size, rng.randbytes(size)).encode()
                                   for size in (900, 900, 600, 2))
    script = b"".join(map(frame, (first, second, third, small)))
    assert deframed(script, take=False) == (first + second + small, 3)
    assert deframed(bytes([FLAG]) + rng.randbytes(2300).replace(b"\x7e", b"") + frame(small)) == (
        small, 1)


@pytest.mark.parametrize("stall", [0.0, 0.9])
def test_framer(stall):
    """Every byte as `frame` makes it."""
    dut = Framer()
    rng = random.Random(4)
    bodies = [bytes([FLAG]), bytes([ESCAPE, FLAG]), *(body(rng) for _ in range(12))]
    want = b"".join(map(frame, bodies))

    async def send(ctx):
        items = [{"data": value, "last": place == len(one) - 1}
                 for one in bodies for place, value in enumerate(one)]
        await drive(ctx, dut.i, items, rng=rng, stall=stall / 2)

    async def take(ctx):
        return bytes(await collect(ctx, dut.o, len(want), rng=rng, stall=stall))

    assert simulate(dut, send, take, cycles=40_000)[1] == want
