"""InputStream, OutputStream, SharedInputs on a Generator, with a memory that waits."""

import itertools
import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.drp.stream import Loop, Stream, TapAt
from golden.spec.drp.fabric import fabric
from golden.spec.drp.streams import GATHER_CYCLES, PLACES, Format
from hw.drp.descriptors import descriptor_write
from hw.drp.element import vector_layout
from hw.drp.generator import Generator, places_layout
from hw.drp.input_stream import InputStream, taken_layout
from hw.drp.output_stream import OutputStream
from hw.drp.shared_inputs import SharedInputs
from hw.drp.words import TileRead, word_write_layout
from hw.stream import Queue
from tb.pysim import collect, drive, simulate
from tb.unit.drp.streams import MEMORY, descriptor_words, random_stream

FABRICS = {"tiny": fabric("tiny"), "lanes": fabric("tiny", lanes=4, word_bytes=16, fifo=5)}


class Streams(wiring.Component):
    """Stream 0 is an input, stream 1 an output."""

    def __init__(self, shape):
        self.fabric = shape
        words = MEMORY // shape.word_bytes
        self.generator = Generator(2, shape.lanes)
        self.input, self.output = InputStream(shape, 2, words), OutputStream(shape, 2, words)
        super().__init__({
            "descriptor": In(descriptor_write(2)), "go": In(2), "taken": Out(2),
            "read": Out(TileRead(shape.word_bytes)),
            "o": Out(stream.Signature(taken_layout(shape))),
            "vector": In(stream.Signature(vector_layout(shape))), "final": Out(1),
            "write": Out(stream.Signature(word_write_layout(shape.word_bytes))),
            "finished": Out(1), "bad": Out(2)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.generator, m.submodules.input, m.submodules.output = (
            self.generator, self.input, self.output)
        generator = self.generator
        m.d.comb += [generator.write.eq(self.descriptor), generator.go.eq(self.go),
                     self.taken.eq(generator.taken), self.final.eq(self.output.final),
                     self.finished.eq(self.output.finished)]
        for index, unit in enumerate((self.input, self.output)):
            m.d.comb += [unit.i.eq(generator.o), unit.asked.eq(generator.asked[index]),
                         unit.i.valid.eq(generator.o.valid & (generator.o.stream == index)),
                         generator.room[index].eq(unit.room),
                         generator.spare[index].eq(unit.spare), self.bad[index].eq(unit.bad)]
        wiring.connect(m, wiring.flipped(self.read), self.input.read)
        wiring.connect(m, wiring.flipped(self.o), self.input.o)
        wiring.connect(m, wiring.flipped(self.vector), self.output.vector)
        wiring.connect(m, wiring.flipped(self.write), self.output.write)
        return m


class Shared(wiring.Component):
    """All streams are inputs."""

    def __init__(self, shape):
        self.fabric, count = shape, shape.inputs
        self.generator = Generator(count, 1)
        self.inputs = SharedInputs(shape, count, MEMORY // shape.word_bytes)
        super().__init__({
            "descriptor": In(descriptor_write(count)), "go": In(count), "taken": Out(count),
            "read": Out(TileRead(shape.word_bytes)),
            "o": Out(stream.Signature(taken_layout(shape))).array(count), "bad": Out(count)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.generator, m.submodules.inputs = generator, inputs = (
            self.generator, self.inputs)
        m.d.comb += [generator.write.eq(self.descriptor), generator.go.eq(self.go),
                     self.taken.eq(generator.taken), generator.room.eq(inputs.room),
                     generator.spare.eq(inputs.spare),
                     inputs.i.eq(generator.o), inputs.asked.eq(generator.asked),
                     self.bad.eq(inputs.bad)]
        wiring.connect(m, wiring.flipped(self.read), inputs.read)
        for outer, inner in zip(self.o, inputs.o, strict=True):
            wiring.connect(m, wiring.flipped(outer), inner)
        return m


class Gathering(wiring.Component):
    """An indirect input, and the queue of its positions.

    With one lane its generator serves another stream, too, which has nothing to do.
    """

    def __init__(self, shape):
        self.fabric, words = shape, MEMORY // shape.word_bytes
        self.queue = Queue(shape=places_layout(shape.lanes), depth=PLACES)
        shared = shape.lanes == 1
        streams = 1 + shared
        self.generator = Generator(streams, shape.lanes, 0)
        self.input = (SharedInputs if shared else InputStream)(shape, streams, words)
        super().__init__({
            "descriptor": In(descriptor_write(streams)), "go": In(1), "taken": Out(1),
            "places": In(stream.Signature(places_layout(shape.lanes))),
            "read": Out(TileRead(shape.word_bytes)),
            "o": Out(stream.Signature(taken_layout(shape)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue, m.submodules.generator, m.submodules.input = (
            queue, generator, unit) = self.queue, self.generator, self.input
        out = unit.o[0] if self.fabric.lanes == 1 else unit.o
        m.d.comb += [generator.write.eq(self.descriptor), generator.go.eq(self.go),
                     self.taken.eq(generator.taken), generator.room.eq(unit.room),
                     generator.spare.eq(unit.spare), generator.indirect.eq(1),
                     unit.i.eq(generator.o), unit.asked.eq(generator.asked)]
        wiring.connect(m, wiring.flipped(self.places), queue.i)
        wiring.connect(m, queue.o, generator.places)
        wiring.connect(m, wiring.flipped(self.read), unit.read)
        wiring.connect(m, wiring.flipped(self.o), out)
        return m


async def write(ctx, dut, index, made):
    for place, word in enumerate(descriptor_words(made)):
        ctx.set(dut.descriptor, {"en": 1, "stream": index, "index": place, "data": word})
        await ctx.tick()
    ctx.set(dut.descriptor.en, 0)


async def describe(ctx, dut, index, made):
    await write(ctx, dut, index, made)
    ctx.set(dut.go[index], 1)
    await ctx.tick().until(dut.taken[index])
    ctx.set(dut.go[index], 0)


def reader(dut, memory, rng, stall, log, late=0):
    """The memory's end of the read port; it takes nothing in the first ``late`` cycles."""
    size = dut.fabric.word_bytes

    async def bench(ctx):
        for _ in range(late):
            await ctx.tick()
        flight = [None] * (TileRead.LATENCY - 1)
        while True:
            ready = rng.random() >= stall
            ctx.set(dut.read.addr.ready, ready)
            _, _, valid, place = await ctx.tick().sample(
                dut.read.addr.valid, dut.read.addr.payload)
            asked = None
            if valid and ready:
                log.append(place)
                asked = int.from_bytes(memory[place * size:(place + 1) * size].tobytes(), "little")
            flight.append(asked)
            found = flight.pop(0)
            ctx.set(dut.read.data, rng.getrandbits(8 * size) if found is None else found)
    return bench


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("name", FABRICS)
def test_random_streams(name, stall):
    shape = FABRICS[name]
    rng = random.Random(f"streams {name} {stall}")
    numbers = np.random.default_rng(rng.getrandbits(32))
    dut = Streams(shape)
    memory = numbers.integers(0, 256, MEMORY, np.uint8)
    reads = [random_stream(rng, shape.lanes, most=40) for _ in range(5)]
    writes = [random_stream(rng, shape.lanes, output=True, most=40) for _ in range(5)]
    values = [numbers.integers(0, 1 << 32, (made.vectors, shape.lanes), np.uint32)
              >> numbers.integers(0, 32, (made.vectors, 1), np.uint32) for made in writes]
    target, expected = np.zeros(MEMORY, np.uint8), np.zeros(MEMORY, np.uint8)

    async def take(ctx):
        for made in reads:
            want = made.read(memory, shape.lanes)
            got = await collect(ctx, dut.o, len(want), rng=rng, stall=stall)
            assert [list(item.vector) for item in got] == want.tolist(), made
            assert [item.final for item in got] == [0] * (len(want) - 1) + [1]

    async def give(ctx):
        for made, vectors in zip(writes, values, strict=True):
            made.write(expected, vectors)
            await drive(ctx, dut.vector, vectors.tolist(), rng=rng, stall=stall)
        for _ in range(40 * 10):
            await ctx.tick()

    async def write(ctx):
        port, size, finished, sent = dut.write, shape.word_bytes, 0, 0
        ends = np.cumsum([made.vectors for made in writes]).tolist()
        while True:
            ctx.set(port.ready, rng.random() >= stall)
            _, _, moves, item, done, given, final = await ctx.tick().sample(
                port.valid & port.ready, port.payload, dut.finished,
                dut.vector.valid & dut.vector.ready, dut.final)
            if given:
                sent += 1
                assert final == (sent in ends)
            if moves:
                assert item.strobe
                for byte in range(size):
                    if item.strobe >> byte & 1:
                        target[item.addr * size + byte] = item.data >> 8 * byte & 255
            if done:
                finished += 1
                check = np.zeros(MEMORY, np.uint8)
                for made, vectors in zip(writes[:finished], values, strict=False):
                    made.write(check, vectors)
                assert (target == check).all(), writes[finished - 1]

    async def ports(ctx):  # descriptors share one port
        for index in range(5):
            await describe(ctx, dut, 0, reads[index])
            await describe(ctx, dut, 1, writes[index])

    simulate(dut, ports, take, give,
             background=(reader(dut, memory, rng, stall, []), write), cycles=40_000)
    assert (target == expected).all()


def test_requests():
    """An element a cycle, each word once; errors of alignment and past memory."""
    shape = FABRICS["lanes"]
    rng = random.Random(3)
    memory = np.arange(MEMORY, dtype=np.uint32).astype(np.uint8)

    def run(made, count):
        dut, log = Streams(shape), []

        async def main(ctx):
            await describe(ctx, dut, 0, made)
            got, cycles = [], 0
            ctx.set(dut.o.ready, 1)
            while len(got) < count and not ctx.get(dut.bad[0]):
                _, _, valid, item = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                cycles += 1
                if valid:
                    got.append(list(item.vector))
            return got, cycles

        (got, cycles), = simulate(dut, main, background=(reader(dut, memory, rng, 0, log),))
        return got, cycles, log

    plain = {"base": 16, "row_step": 64, "column_step": 1, "height": 8, "width": 64,
             "format": Format.U8}
    made = Stream(**plain, lane_dx=1 << 16, loops=(Loop(16, dx=4 << 16), Loop(2, dy=1 << 16)))
    got, cycles, log = run(made, 32)
    assert got == made.read(memory, 4).tolist()
    assert log == list(range(1, 9))
    assert cycles < 32 + 20
    unaligned = Stream(**(plain | {"format": Format.I16, "base": 17}), taps=(TapAt(),))
    past = Stream(**(plain | {"base": MEMORY - 2}), lane_dx=1 << 16)
    for made in (unaligned, past):
        assert run(made, 1)[0] == []


@pytest.mark.parametrize("lanes, columns, words", [
    (1, (5,), 1), (4, (0, 1, 2, 3), 1), (4, (0, 16, 32, 48), 4), (4, (0, 16, 17, -1), 3)])
def test_cycles_of_positions(lanes, columns, words):
    """From a position's push to the vector: GATHER_CYCLES, more with a word for each lane; then
    one after the other, as many as may be under way."""
    shape, count = FABRICS["tiny" if lanes == 1 else "lanes"], 30
    rng, dut = random.Random(1), Gathering(shape)
    memory = np.random.default_rng(1).integers(0, 256, MEMORY, np.uint8)
    made = Stream(base=0, row_step=64, column_step=1, height=count, width=64, format=Format.U8,
                  indirect=True, loops=(Loop(count),))
    places = [[row << 16 | column % 65536 for column in columns] for row in range(count)]
    want = made.fetch(memory, *made.positions(lanes, np.array(places, np.uint32)))
    sent, came = [], []

    async def push(ctx):
        await describe(ctx, dut, 0, made)
        for row in places:
            ctx.set(dut.places.payload.as_value(), sum(
                word << 32 * lane for lane, word in enumerate(row)))
            ctx.set(dut.places.valid, 1)
            await ctx.tick().until(dut.places.ready)
        ctx.set(dut.places.valid, 0)
        while len(came) < count:
            await ctx.tick()

    async def watch(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in itertools.count():
            _, _, pushed, valid, item = await ctx.tick().sample(
                dut.places.valid & dut.places.ready, dut.o.valid, dut.o.payload)
            if pushed:
                sent.append(cycle)
            if valid:
                came.append((cycle, list(item.vector)))

    simulate(dut, push, background=(watch, reader(dut, memory, rng, 0, [])), cycles=2000)
    assert [vector for _, vector in came] == want.tolist()
    assert came[0][0] - sent[0] == GATHER_CYCLES + 2 * (lanes == 1) + words - 1
    assert came[-1][0] - came[0][0] == words * (count - 1)


@pytest.mark.parametrize("word_bytes, inputs", [(4, 1), (4, 2), (16, 2)])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_shared_inputs(word_bytes, inputs, stall):
    """Each stream's vectors in order, whoever waits."""
    shape = fabric("tiny", word_bytes=word_bytes, inputs=inputs)
    rng = random.Random(f"shared {word_bytes} {inputs} {stall}")
    dut, log = Shared(shape), []
    memory = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, MEMORY, np.uint8)
    reads = [[random_stream(rng, 1, most=40) for _ in range(4)] for _ in range(inputs)]

    def take(index):
        async def bench(ctx):
            for made in reads[index]:
                want = made.read(memory, 1)
                got = await collect(ctx, dut.o[index], len(want), rng=rng,
                                    stall=rng.choice((0, stall, 2 * stall)))
                assert [list(item.vector) for item in got] == want.tolist(), made
                assert [item.final for item in got] == [0] * (len(want) - 1) + [1]
        return bench

    async def ports(ctx):
        for turn in range(4):
            for index in range(inputs):
                await describe(ctx, dut, index, reads[index][turn])

    simulate(dut, ports, *map(take, range(inputs)),
             background=(reader(dut, memory, rng, stall, log),), cycles=40_000)
    # More would mean that words are read again.
    assert len(log) <= sum(made.vectors for streams in reads for made in streams)


def bytes_in_rows(count, **changes):
    """A stream of so many bytes in a row."""
    return Stream(**{"base": 0, "row_step": MEMORY, "column_step": 1, "height": 1, "width": MEMORY,
                     "format": Format.U8, "loops": (Loop(count, dx=1 << 16),)} | changes)


def ends(dut):
    """The inputs of Streams or Shared."""
    return [dut.o] if isinstance(dut, Streams) else list(dut.o)


@pytest.mark.parametrize("made", [Streams, Shared])
@pytest.mark.parametrize("late", [0, 150])
def test_room(made, late):
    """What is asked for has room, though nothing is taken, or memory gives nothing, for long."""
    dut, rng = made(fabric("tiny", inputs=2)), random.Random(late)
    memory = np.random.default_rng(late).integers(0, 256, MEMORY, np.uint8)
    streams = [bytes_in_rows(50, base=700 * index) for index in range(len(ends(dut)))]

    async def main(ctx):
        for index, item in enumerate(streams):
            await write(ctx, dut, index, item)
        ctx.set(dut.go, (1 << len(streams)) - 1)  # at once: in turn they fill what they share
        await ctx.tick()
        ctx.set(dut.go, 0)
        await ctx.tick().repeat(150)
        for port, item in zip(ends(dut), streams, strict=True):
            got = await collect(ctx, port, item.vectors)
            assert [list(vector.vector) for vector in got] == item.read(memory, 1).tolist()

    simulate(dut, main, background=(reader(dut, memory, rng, 0, [], late),))


@pytest.mark.parametrize("made", [Streams, Shared])
def test_words_of_the_kernel_before(made):
    """What a stream has read is old when it begins again, whatever others are reading."""
    dut, rng = made(fabric("tiny", inputs=2)), random.Random(1)
    memory = np.zeros(MEMORY, np.uint8)

    async def main(ctx):
        if made is Shared:  # it goes on all the while
            await describe(ctx, dut, 1, bytes_in_rows(50, base=700))
        for value in range(1, 5):
            memory[:4] = value
            await describe(ctx, dut, 0, bytes_in_rows(2))
            got = await collect(ctx, ends(dut)[0], 2)
            assert [vector.vector[0] for vector in got] == [value] * 2

    simulate(dut, main, background=(reader(dut, memory, rng, 0, []),))


@pytest.mark.parametrize("broken", [{"format": Format.I16, "base": 17}, {"base": MEMORY}])
def test_shared_inputs_refuse(broken):
    """An address that isn't aligned, or past memory: only that stream is bad."""
    shape = fabric("tiny")
    dut, rng = Shared(shape), random.Random(4)
    memory = np.arange(MEMORY, dtype=np.uint32).astype(np.uint8)

    async def main(ctx):
        await describe(ctx, dut, 0, bytes_in_rows(3))
        got = await collect(ctx, dut.o[0], 3)
        assert [item.vector[0] for item in got] == [0, 1, 2]
        await describe(ctx, dut, 1, bytes_in_rows(3, **broken))
        for _ in range(30):
            await ctx.tick()
        assert ctx.get(dut.bad) == 2

    simulate(dut, main, background=(reader(dut, memory, rng, 0, []),))
