"""Executor: instructions and beats of images in; what is posted, when, and errors by cause."""

import random

import pytest

from golden.spec import isa
from golden.spec.config import preset
from golden.spec.drp.controller import end_state
from golden.spec.drp.image import SECTION
from golden.spec.isa import Opcode
from golden.spec.registers import Cause
from hw.drp.executor import Executor
from hw.drp.words import TileRead
from tb.pysim import drive, simulate
from tb.unit.drp.images import image, streams_image
from tb.unit.drp.test_unit import COUNT, TINY, copier, linear

CONFIG = preset("tiny_drp")
WORDS = CONFIG.words


def beats(words):
    """Words of images as the bus brings them."""
    return [word >> 8 * CONFIG.group * part & 0xFFFFFFFF for word in words
            for part in range(16 // CONFIG.group)]


class Bench:
    """An Executor with a memory; ``log`` has (cycle, event, what was posted)."""

    def __init__(self, seed, stall):
        self.rng, self.stall = random.Random(seed), stall
        self.dut = Executor(CONFIG)
        self.memory = {word: word for word in range(WORDS)}
        self.log = []

    def run(self, bench, cycles=4000):
        simulate(self.dut, bench, background=[self._watch, self._read, self._write],
                 cycles=cycles)

    async def load(self, ctx, words):
        await drive(ctx, self.dut.image, beats(words), rng=self.rng, stall=self.stall)
        while not ctx.get(self.dut.loaded):
            await ctx.tick()

    async def give(self, ctx, **fields):
        raw = isa.encode(Opcode.DRP, **fields)
        await drive(ctx, self.dut.i, [int.from_bytes(raw, "little")])
        ctx.set(self.dut.i.payload, self.rng.getrandbits(8 * isa.INSTRUCTION_BYTES))

    async def idle(self, ctx):
        while ctx.get(self.dut.busy) and not ctx.get(self.dut.error.valid):
            await ctx.tick()
        await ctx.tick().repeat(3)

    async def _watch(self, ctx):
        cycle = 0
        while True:
            _, _, retire, release = await ctx.tick().sample(self.dut.retire, self.dut.release)
            for name, port in (("retire", retire), ("release", release)):
                if port.valid:
                    self.log.append((cycle, name, port.post))
            cycle += 1

    async def _read(self, ctx):
        port, flight = self.dut.read, [0] * (TileRead.LATENCY - 1)
        while True:
            ready = self.rng.random() >= self.stall
            ctx.set(port.addr.ready, ready)
            _, _, valid, place = await ctx.tick().sample(port.addr.valid, port.addr.payload)
            flight.append(self.memory.get(place, 0) if valid and ready else 0x55)
            ctx.set(port.data, flight.pop(0))

    async def _write(self, ctx):
        while True:
            ready = self.rng.random() >= self.stall
            ctx.set(self.dut.write.ready, ready)
            _, _, valid, item = await ctx.tick().sample(self.dut.write.valid,
                                                        self.dut.write.payload)
            if valid and ready:
                assert item.strobe == 15
                self.memory[item.addr] = item.data


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_kernels_in_order(stall):
    """Three kernels: each released before it retires, in order, with its own semaphores."""
    bench = Bench(f"executor {stall}", stall)

    async def main(ctx):
        await bench.load(ctx, image(copier()))
        for turn in range(3):
            await bench.load(ctx, streams_image(TINY, [linear(COUNT, 0), None],
                                                [linear(COUNT, 4 * (32 + 16 * turn))]))
            await bench.give(ctx, tag=turn, limit=1000, post=1 << turn, release=1 << 8 + turn)
        await bench.idle(ctx)
        assert not ctx.get(bench.dut.error.valid)

    bench.run(main)
    for name, first in (("release", 8), ("retire", 0)):
        assert [post for _, event, post in bench.log if event == name] == [
            1 << first + turn for turn in range(3)]
    for turn in range(3):
        when = [cycle for cycle, _, post in bench.log if post in (1 << turn, 1 << 8 + turn)]
        assert when[0] < when[1]
        assert [bench.memory[32 + 16 * turn + place] for place in range(COUNT)] == [
            *range(COUNT)]


# By cause: (changes of the kernel, values of the input, its first byte, limit, address).
ERRORS = {
    Cause.KERNEL_ILLEGAL: ({"op": 63}, COUNT, 0, 1000, 0),
    Cause.KERNEL_STATE: ({"next": end_state(TINY) + 1}, COUNT, 0, 1000, 0),
    Cause.KERNEL_STREAM: ({}, COUNT - 1, 0, 1000, 0),
    Cause.KERNEL_ADDRESS: ({}, COUNT, 4 * WORDS - 8, 1000, 0),
    Cause.KERNEL_WATCHDOG: ({}, COUNT, 0, 3, 0),
}


@pytest.mark.parametrize("cause", ERRORS, ids=lambda cause: cause.name)
def test_errors(cause):
    """Named by cause, with the tag of the kernel; nothing retires any more."""
    changes, count, base, limit, address = ERRORS[cause]
    bench = Bench(cause.name, 0.0)

    async def main(ctx):
        await bench.load(ctx, image(copier(**changes)) + streams_image(
            TINY, [linear(count, base), None], [linear(COUNT, 512)]))
        await bench.give(ctx, tag=77, limit=limit, post=1)
        await bench.idle(ctx)
        error = ctx.get(bench.dut.error)
        assert (error.valid, error.cause, error.tag, error.address) == (1, cause, 77, address)

    bench.run(main)
    assert "retire" not in [event for _, event, _ in bench.log]


def test_half_a_word_is_not_loaded():
    bench = Bench("half", 0.0)

    async def main(ctx):
        first, *others = beats(streams_image(TINY, [None, None], [None]))
        await drive(ctx, bench.dut.image, [first])
        for _ in range(9):
            await ctx.tick()
            assert not ctx.get(bench.dut.loaded)
        await drive(ctx, bench.dut.image, others)
        assert not ctx.get(bench.dut.loaded)
        for _ in range(9):
            await ctx.tick()
        assert ctx.get(bench.dut.loaded)

    bench.run(main)


def test_refused_image():
    bench = Bench("refused", 0.0)

    async def main(ctx):
        ctx.set(bench.dut.image.valid, 1)
        for beat in beats([SECTION.encode({"space": 99, "count": 1})]):
            ctx.set(bench.dut.image.payload, beat)
            await ctx.tick()
        ctx.set(bench.dut.image.valid, 0)
        await ctx.tick()
        assert ctx.get(bench.dut.refused)

    bench.run(main)
