"""Unit and Loader: images in, kernels run on memory as golden.drp says; errors by cause."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from golden.drp.errors import TileError
from golden.drp.tile import Tile
from golden.drp.timing import timing
from golden.spec.drp.contexts import LAST
from golden.spec.drp.controller import Cause
from golden.spec.drp.image import ITEM_ALIGN, SECTION
from hw.drp.loader import Loader
from hw.drp.unit import Unit
from hw.drp.words import TileRead
from tb.pysim import PERIOD, drive, simulate
from tb.unit.drp.images import image, streams_image
from tb.unit.drp.kernels import (
    COUNT,
    ERRORS,
    GATHER_ERRORS,
    MOST,
    TINY,
    WORDS,
    copier,
    gatherer,
    linear,
    merged,
    mixed,
    picture,
    placed,
    positions,
)
from tb.unit.drp.programs import program


class Bench:
    """One Unit and its memory, run again and again: building the simulation takes longest."""

    def __init__(self):
        self.dut = dut = Unit(TINY, WORDS)
        self.sim = Simulator(dut)
        self.sim.add_clock(PERIOD)
        self.sim.add_testbench(self._main)
        for bench in (self._watch, self._read, self._write, self._hurry):
            self.sim.add_testbench(bench, background=True)
        self.fresh = True

    def run(self, images, memory, rng, *, stall=0.0, limit=MOST, cycles=2000):
        """Load images, each followed by a run, as fast as the unit takes them. With an image its
        first state may be given, else that is 0.

        Returns the log: cycles of ``step`` and ``done``, and (cause, suspect).
        """
        self.images, self.memory, self.rng = images, memory, rng
        self.stall, self.limit, self.cycles = stall, limit, cycles
        self.log = {"step": [], "done": [], "cause": (Cause.NONE, 0)}
        if not self.fresh:
            self.sim.reset()
        self.fresh = False
        self.sim.run()
        return self.log

    async def _main(self, ctx):
        dut, log = self.dut, self.log
        for words in self.images:
            words, first = words if isinstance(words, tuple) else (words, 0)
            await drive(ctx, dut.image, words)
            while not ctx.get(dut.loaded):
                await ctx.tick()
            await drive(ctx, dut.run, [{"first": first, "limit": self.limit}])
        while len(log["done"]) < len(self.images) and not log["cause"][0]:
            await ctx.tick()
        await ctx.tick()

    async def _hurry(self, ctx):
        await ctx.delay(self.cycles * PERIOD)
        raise TimeoutError(f"not done after {self.cycles} cycles")

    async def _watch(self, ctx):
        dut, log, cycle = self.dut, self.log, 0
        while True:
            _, _, step, done, cause, suspect = await ctx.tick().sample(
                dut.step, dut.done, dut.cause, dut.suspect)
            log["step"] += [cycle] * step
            log["done"] += [cycle] * done
            log["cause"] = (Cause(cause), suspect)
            cycle += 1

    async def _read(self, ctx):
        port, rng = self.dut.read, self.rng
        flight = [0] * (TileRead.LATENCY - 1)
        while True:
            ready = rng.random() >= self.stall
            ctx.set(port.addr.ready, ready)
            _, _, valid, place = await ctx.tick().sample(port.addr.valid, port.addr.payload)
            flight.append(self.memory.get(place, 0) if valid and ready else rng.getrandbits(32))
            ctx.set(port.data, flight.pop(0))

    async def _write(self, ctx):
        port = self.dut.write
        while True:
            ready = self.rng.random() >= self.stall
            ctx.set(port.ready, ready)
            _, _, valid, item = await ctx.tick().sample(port.valid, port.payload)
            if valid and ready:
                assert item.strobe == 15
                self.memory[item.addr] = item.data


@pytest.fixture(scope="module")
def bench():
    return Bench()


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_kernels(bench, stall):
    """A random kernel, and again while it still runs: that follows within 4 cycles."""
    rng = random.Random(f"unit {stall}")
    made = program(TINY, rng)
    streams, memory, expected = placed([made, made])
    images = [image(made.kernel) + streams_image(TINY, *streams[0]),
              streams_image(TINY, *streams[1])]
    log = bench.run(images, memory, rng, stall=stall, cycles=6000)
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


@pytest.mark.parametrize("name", ERRORS)
def test_errors(bench, name):
    cause, suspect, changes, counts, base = ERRORS[name]
    memory = dict.fromkeys(range(WORDS), 7)
    memory |= {word: word for word in range(counts[0])}
    streams = streams_image(TINY, [linear(counts[0], base), None], [linear(counts[1], 1024)])
    log = bench.run([image(copier(**changes)) + streams], memory, random.Random(5), limit=60)
    assert log["cause"] == (cause, suspect)
    if cause is Cause.NONE:
        assert [memory[256 + place] for place in range(COUNT)] == list(range(COUNT))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_gathers(bench, seed, stall):
    """Kernels with positions and without follow each other; descriptors are used again, too."""
    rng = random.Random(f"gathers {seed} {stall}")
    whole, jobs, words = mixed(rng)
    memory, expected, steps = dict(enumerate(words.tolist())), words.view(np.uint8), 0
    for number, (inputs, outputs) in enumerate(jobs):
        steps += Tile(replace(whole, first=number)).run(expected, inputs, outputs).steps
    images = [(image(whole) * (not number) + streams_image(TINY, *job), number)
              for number, job in enumerate(jobs)]
    log = bench.run(images, memory, rng, stall=stall, cycles=9000)
    assert (log["cause"], len(log["step"])) == ((Cause.NONE, 0), steps)
    assert [memory[word] for word in range(WORDS)] == expected.view("<u4").tolist()


def test_positions_left_are_not_for_the_next_kernel(bench):
    """What is pushed too much is an error of its kernel, with another one of its kind waiting."""
    kernels = merged([gatherer(when=LAST), gatherer()])
    images = [(image(kernels) * (not number) + streams_image(
        TINY, [linear(COUNT, 0), picture(count, 4096)], [linear(count, 8192)]), number)
              for number, count in enumerate((1, COUNT))]
    # So slow that the other one is there before the first one ends.
    log = bench.run(images, dict.fromkeys(range(WORDS), 0), random.Random(1), stall=0.97,
                    limit=1000, cycles=5000)
    assert len(log["step"]) == COUNT + 7
    assert (log["cause"], log["done"]) == ((Cause.STREAM, 1), [])


@pytest.mark.parametrize("later", [1, 5, 9])
def test_cycles_of_gathers(bench, later):
    """Steps wait for positions as long as the model says, its start left aside."""
    rng, took, said = random.Random(later), [], []
    for count in (20, 60):
        kernel, streams = gatherer(count, later), ([linear(count, 0), picture(count, 4096)],
                                                   [linear(count, 8192)])
        memory = dict(enumerate(positions(rng, count)))
        before = np.array([memory.get(word, 0) for word in range(WORDS)], "<u4").view(np.uint8)
        found = timing(TINY, Tile(kernel).run(before, *streams), *streams)
        log = bench.run([image(kernel) + streams_image(TINY, *streams)], memory, rng)
        took.append(log["step"][-1] - log["step"][0])
        said.append(found.steps + found.waits_in + found.waits_out)
    assert abs(took[1] - took[0] - said[1] + said[0]) <= 0.02 * took[1], (took, said)


@pytest.mark.parametrize("name", GATHER_ERRORS)
def test_errors_of_gathers(bench, name):
    """As the simulator says."""
    cause, suspect, changes, vectors, stream, base = GATHER_ERRORS[name]
    kernel, count = gatherer(**changes), changes.get("count", COUNT)
    inputs = [linear(count, 1024), picture(vectors, base) if vectors else None]
    outputs = [linear(count, 2048), linear(count, 4096) if stream else None]
    memory = dict.fromkeys(range(WORDS), 0) | {word: word for word in range(32)}
    places = positions(random.Random(name), count)
    memory |= dict(enumerate(places, 256))
    flat = np.array([memory[word] for word in range(WORDS)], "<u4").view(np.uint8)
    try:
        Tile(kernel).run(flat, inputs, outputs, 60)
        assert cause is Cause.NONE
    except TileError as error:
        assert (error.cause, error.stream) == (cause, suspect)
    log = bench.run([image(kernel) + streams_image(TINY, inputs, outputs)], memory,
                    random.Random(5), limit=60)
    assert log["cause"] == (cause, suspect)
    if cause is Cause.NONE:
        assert [memory[512 + place] for place in range(count)] == (
            flat.view("<u4")[512:512 + count].tolist())


def test_changes_of_kernel(bench):
    """Kernels that were loaded follow each other: cycles between their steps."""
    memory = dict.fromkeys(range(WORDS), 7)
    descriptors = [streams_image(TINY, [linear(4 * COUNT, 0), None],
                                 [linear(4 * COUNT, 1024 * turn)]) for turn in (1, 2)]
    log = bench.run([image(copier(count1=4)) + descriptors[0], descriptors[1]], memory,
                    random.Random(5))
    assert log["cause"][0] is Cause.NONE
    assert len(log["step"]) == 2 * (4 * COUNT + 2)
    assert [memory[word] for word in range(512, 512 + 4 * COUNT)] == [7] * 4 * COUNT


def test_loader_refuses():
    dut = Loader(TINY)

    async def bench(ctx):
        await drive(ctx, dut.i, [SECTION.encode({"space": 9, "count": 1})])
        await ctx.tick()
        assert ctx.get(dut.bad)
        assert not ctx.get(dut.i.ready)

    simulate(dut, bench)
    assert ITEM_ALIGN == 16
