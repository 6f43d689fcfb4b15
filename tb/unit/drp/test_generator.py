"""Generator, Walk and Descriptors: every vector's addresses, of several streams at once."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden.drp.stream import ONE, Stream
from golden.spec.drp.streams import Border, Tap
from hw.drp.descriptors import Descriptors
from hw.drp.generator import ADDRESS_BITS, Generator
from hw.drp.walk import Walk
from tb.pysim import simulate
from tb.unit.drp.streams import descriptor_words, random_stream


def expected(stream, lanes, places=None):
    """(at, outside, value) by lane of every vector; ``places``: positions that it has."""
    y, x, offset = stream.positions(lanes, places)
    address, outside = stream.addresses(y, x, offset)
    found = []
    for index in range(len(y)):
        tap = stream.taps[index % len(stream.taps)].what
        vector = []
        for lane in range(lanes):
            out = bool(outside[index, lane])
            at = tap is Tap.DATA and not (out and stream.border is Border.CONSTANT)
            value = {Tap.FRACTION_Y: y[index, lane] % ONE, Tap.FRACTION_X: x[index, lane] % ONE,
                     Tap.ROW: y[index, lane] >> 16, Tap.COLUMN: x[index, lane] >> 16,
                     Tap.DATA: address[index, lane] % (1 << ADDRESS_BITS) if at
                     else stream.fill}[tap]
            vector.append((at, out, int(value) % (1 << 32)))
        found.append(vector)
    return found


@pytest.mark.parametrize("streams, lanes, gather", [
    (1, 1, None), (3, 2, None), (1, 2, 0), (3, 1, 1)])
def test_addresses(streams, lanes, gather):
    """Three descriptors after the other for each, indirect ones as well; no vector without room
    or position; LATENCY."""
    rng = random.Random(f"generator {streams} {lanes} {gather}")
    made = [[random_stream(rng, lanes) for _ in range(3)] for _ in range(streams)]
    dut = Generator(streams, lanes, gather)
    asked, got = [], [[] for _ in range(streams)]
    places = [None] * 3  # of descriptors of the stream that may be indirect
    for number in range(3) if gather is not None else ():
        made[gather][number] = part = replace(made[gather][number], indirect=number != 1)
        if part.indirect:
            places[number] = np.array(
                [[rng.randint(-3, 9) % 65536 << 16 | rng.randint(-3, 30) % 65536
                  for _ in range(lanes)] for _ in range(part.vectors)], np.uint32)

    async def place(ctx):
        for rows in places:
            for row in rows if rows is not None else ():
                while rng.random() < 0.5:
                    await ctx.tick()
                ctx.set(dut.places.payload.as_value(), sum(
                    int(word) << 32 * lane for lane, word in enumerate(row)))
                ctx.set(dut.places.valid, 1)
                await ctx.tick().until(dut.places.ready)
                ctx.set(dut.places.valid, 0)

    async def watch(ctx):
        cycle = 0
        while True:
            _, _, now, request = await ctx.tick().sample(dut.asked, dut.o)
            if now:
                asked.append(cycle)
            if request.valid:
                assert cycle == asked[sum(map(len, got))] + Generator.LATENCY
                stream = made[request.stream]
                number = len(got[request.stream])
                ends = np.cumsum([part.vectors for part in stream]).tolist()
                assert request.final == (number + 1 in ends)
                part = stream[sum(number >= end for end in ends)]
                assert request.format == part.format
                got[request.stream].append([(lane.at, lane.outside, lane.value)
                                            for lane in request.lanes])
            cycle += 1

    async def room(ctx):
        now = allowed = spare = 0
        while True:
            # With several streams there was to be room when one was chosen, and for another one
            # if it was asked for in that cycle, too.
            may = allowed & (spare | ~now)
            allowed = rng.getrandbits(streams)
            spare = allowed & rng.getrandbits(streams)
            ctx.set(dut.room, allowed)
            ctx.set(dut.spare, spare)
            _, _, now = await ctx.tick().sample(dut.asked)
            assert not now & ~(allowed if streams == 1 else may)

    async def write(ctx):
        for turn in range(3):
            for index in range(streams):
                for place, word in enumerate(descriptor_words(made[index][turn])):
                    ctx.set(dut.write, {"en": 1, "stream": index, "index": place, "data": word})
                    await ctx.tick()
                ctx.set(dut.write.en, 0)
            going = (1 << streams) - 1
            if gather is not None:
                ctx.set(dut.indirect, made[gather][turn].indirect)
            while going:
                ctx.set(dut.go, going)
                _, _, taken = await ctx.tick().sample(dut.taken)
                going &= ~taken
            ctx.set(dut.go, 0)
        while ctx.get(dut.busy):
            await ctx.tick()
        for _ in range(Generator.LATENCY + 1):
            await ctx.tick()

    simulate(dut, write, *[place] * (gather is not None), background=(watch, room))
    for index, parts in enumerate(made):
        assert got[index] == [
            vector for number, part in enumerate(parts)
            for vector in expected(part, lanes, places[number] if index == gather else None)]


def test_descriptor_of_an_image():
    """What is encoded is decoded again."""
    rng = random.Random(7)
    for _ in range(50):
        stream = random_stream(rng, 2)
        again = Stream.decode(stream.encode())
        assert [a.tolist() for a in again.positions(2)] == [
            a.tolist() for a in stream.positions(2)]
    assert (Descriptors.LATENCY, Walk.__name__) == (2, "Walk")
