"""Unit and Loader: images in, kernels run on memory as golden.drp says; errors by cause."""

import dataclasses
import random

import pytest

from golden.drp.stream import Loop, Stream
from golden.spec.drp.contexts import element_context
from golden.spec.drp.controller import Cause, end_state, state_record
from golden.spec.drp.fabric import fabric
from golden.spec.drp.image import ITEM_ALIGN, SECTION
from golden.spec.drp.operations import Op
from golden.spec.drp.streams import Format
from hw.drp.loader import Loader
from hw.drp.unit import Unit
from hw.drp.words import TileRead
from tb.pysim import drive, simulate
from tb.unit.drp.images import image, streams_image
from tb.unit.drp.programs import program

TINY = fabric("tiny")
WORDS = 4096
MOST = 1 << 20


def linear(words, base):
    """A stream of so many values in a row, or none."""
    if not words:
        return None
    return Stream(base=base, row_step=0, column_step=4, height=1, width=words, format=Format.W32,
                  loops=(Loop(words, dx=1 << 16),))


def placed(kernels, rng, more=0):
    """Streams of each kernel, memory as (word: value) and what must be in it afterwards."""
    memory, expected, streams, at = {}, {}, [], 0
    for kernel in kernels:
        ends = []
        for vectors, count in zip(kernel.vectors, kernel.taken, strict=True):
            ends.append(linear(count + more, 4 * at))
            for (value,) in vectors[:count + more]:
                memory[at] = value
                at += 1
        outs = []
        for vectors in kernel.outputs:
            outs.append(linear(len(vectors), 4 * at))
            for (value,) in vectors:
                expected[at] = value
                at += 1
        streams.append((ends, outs))
    assert at <= WORDS
    del rng
    return streams, memory, expected


def execute(images, runs, memory, rng, *, stall=0.0, until=None, limit=MOST, cycles=30_000):
    """Load images, each followed by a run, as fast as the unit takes them.

    Returns the log: cycles of ``step`` and ``done``, and (cause, suspect).
    """
    dut = Unit(TINY, WORDS)
    log = {"step": [], "done": [], "cause": (Cause.NONE, 0), "writes": 0}

    async def main(ctx):
        for words in images:
            await drive(ctx, dut.image, words)
            while not ctx.get(dut.loaded):
                await ctx.tick()
            await drive(ctx, dut.run, [{"first": 0, "limit": limit}])
        while len(log["done"]) < runs and not log["cause"][0]:
            await ctx.tick()
        await ctx.tick()

    async def watch(ctx):
        cycle = 0
        while True:
            _, _, step, done, cause, suspect = await ctx.tick().sample(
                dut.step, dut.done, dut.cause, dut.suspect)
            if step:
                log["step"].append(cycle)
            if done:
                log["done"].append(cycle)
            log["cause"] = (Cause(cause), suspect)
            cycle += 1

    async def read(ctx):
        flight = [0] * (TileRead.LATENCY - 1)
        while True:
            ready = rng.random() >= stall
            ctx.set(dut.read.addr.ready, ready)
            _, _, valid, place = await ctx.tick().sample(
                dut.read.addr.valid, dut.read.addr.payload)
            flight.append(memory[place] if valid and ready else rng.getrandbits(32))
            ctx.set(dut.read.data, flight.pop(0))

    async def write(ctx):
        while True:
            ready = rng.random() >= stall
            ctx.set(dut.write.ready, ready)
            _, _, valid, item = await ctx.tick().sample(dut.write.valid, dut.write.payload)
            if valid and ready:
                assert item.strobe == 15
                memory[item.addr] = item.data

    simulate(dut, main, background=(watch, read, write), cycles=cycles)
    return log


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_kernels(stall):
    """A random kernel, and again while it still runs: that follows within 4 cycles."""
    rng = random.Random(f"unit {stall}")
    made = program(TINY, rng)
    streams, memory, expected = placed([made, made], rng)
    images = [image(made.kernel) + streams_image(TINY, *streams[0]),
              streams_image(TINY, *streams[1])]
    log = execute(images, 2, memory, rng, stall=stall)
    assert log["cause"] == (Cause.NONE, 0)
    assert len(log["step"]) == 2 * made.steps
    assert len(log["done"]) == 2
    tables = made.kernel.tables  # the second run finds what the first one left there
    for word, value in expected.items():
        if word < min(stream.base // 4 for stream in streams[1][0] if stream) or not tables:
            assert value is None or memory[word] == value, word
    if not stall:
        gap = log["step"][made.steps] - log["step"][made.steps - 1]
        assert gap <= 4


def changed(kernel, state=None, op=None):
    """A kernel with fields of its first state, or its first element's operation, replaced."""
    states, elements = list(kernel.states), [list(words) for words in kernel.elements]
    record = state_record(TINY)
    if state:
        states[0] = record.encode({**record.decode(states[0]), **state})
    if op is not None:
        record = element_context(TINY)
        elements[0][0] = record.encode({**record.decode(elements[0][0]), "op": op})
    return dataclasses.replace(kernel, states=tuple(states),
                               elements=tuple(map(tuple, elements)))


@pytest.mark.parametrize("name, cause", [
    ("short", Cause.STREAM), ("long", Cause.STREAM), ("past", Cause.ADDRESS),
    ("illegal", Cause.ILLEGAL), ("kind", Cause.ILLEGAL), ("state", Cause.STATE),
    ("context", Cause.STATE), ("watchdog", Cause.WATCHDOG), ("starved", Cause.STREAM)])
def test_errors(name, cause):
    rng = random.Random(5)
    made = program(TINY, rng, branches=0)
    kernel, limit = made.kernel, MOST
    streams, memory, _ = placed([made], rng, more={"short": -1, "long": 1}.get(name, 0))
    inputs, outputs = streams[0]
    if name == "past":
        inputs[0] = dataclasses.replace(inputs[0], base=4 * WORDS - 8)
    elif name == "starved":
        inputs[1] = None
    elif name == "watchdog":
        limit = made.steps // 2
    elif name == "illegal":
        kernel = changed(kernel, op=63)
    elif name == "kind":
        kernel = changed(kernel, op=Op.LOOKUP)
    elif name == "state":
        kernel = changed(kernel, state={"next": end_state(TINY) + 1, "branch": 0, "repeats": 0})
    elif name == "context":
        kernel = changed(kernel, state={"base": TINY.contexts - 4})
    memory = {word: memory.get(word, 0) for word in range(WORDS)}
    log = execute([image(kernel) + streams_image(TINY, inputs, outputs)], 1, memory, rng,
                  limit=limit, cycles=8000)
    assert log["cause"][0] is cause
    if name == "starved":
        assert log["cause"][1] == 1


def test_loader_refuses():
    dut = Loader(TINY)

    async def bench(ctx):
        await drive(ctx, dut.i, [SECTION.encode({"space": 9, "count": 1})])
        await ctx.tick()
        assert ctx.get(dut.bad)
        assert not ctx.get(dut.i.ready)

    simulate(dut, bench)
    assert ITEM_ALIGN == 16
