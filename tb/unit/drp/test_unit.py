"""Unit and Loader: images in, kernels run on memory as golden.drp says; errors by cause."""

import random

import pytest
from amaranth.sim import Simulator

from golden.spec.drp.controller import Cause
from golden.spec.drp.image import ITEM_ALIGN, SECTION
from hw.drp.loader import Loader
from hw.drp.unit import Unit
from hw.drp.words import TileRead
from tb.pysim import PERIOD, drive, simulate
from tb.unit.drp.images import image, streams_image
from tb.unit.drp.kernels import COUNT, ERRORS, MOST, TINY, WORDS, copier, linear, placed
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
        """Load images, each followed by a run, as fast as the unit takes them.

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
            await drive(ctx, dut.image, words)
            while not ctx.get(dut.loaded):
                await ctx.tick()
            await drive(ctx, dut.run, [{"first": 0, "limit": self.limit}])
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
