"""Register file, soft reset, sequencer and counters together, as the top joins them."""

import random

import pytest
from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal

from golden.spec import isa, registers
from golden.spec.config import preset
from golden.spec.isa import Opcode, Unit
from golden.spec.registers import Cause, Control, Status, offset
from hw.control.counters import Counters
from hw.control.registers import RegisterFile
from hw.control.reset import SoftReset
from hw.control.sequencer import Sequencer
from tb.pysim import collect, drive, simulate
from tb.unit.control.fakes import FakeMemory, FakeUnit

CONFIG = preset("tiny")
ADDRESS = 0x8000_0040


class Chip(Elaboratable):
    """The control blocks wired up, with fake units and memory; host accesses by name."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.registers = RegisterFile(CONFIG)
        self.sequencer = Sequencer(CONFIG)
        self.counters = Counters(CONFIG)
        self.reset = SoftReset()
        self.unit_reset, self.quiet = Signal(), Signal(init=1)
        self.events = []
        self.memory = FakeMemory(CONFIG, self.rng, self.unit_reset)
        self.units = [FakeUnit(self.rng, self.unit_reset, self.events, name)
                      for name in self.sequencer.names]

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = host = self.registers
        m.submodules.counters = counters = self.counters
        m.submodules.reset = reset = self.reset
        m.submodules.sequencer = ResetInserter(self.unit_reset)(self.sequencer)
        sequencer = self.sequencer
        m.d.comb += [
            sequencer.start.eq(host.start),
            sequencer.program_address.eq(host.program_address),
            sequencer.program_bytes.eq(host.program_bytes),
            sequencer.watchdog.eq(host.watchdog),
            counters.start.eq(host.start),
            counters.running.eq(sequencer.running),
            counters.event.instructions.eq(sequencer.instructions),
            counters.event.load_wait_semaphore.eq(
                sequencer.waiting.load & ~sequencer.load.busy),
            host.running.eq(sequencer.running),
            host.done.eq(sequencer.done),
            host.fault.eq(sequencer.fault),
            host.fetched.eq(sequencer.fetched),
            host.waited.eq(sequencer.waited),
            host.counters.eq(counters.value),
            host.resetting.eq(reset.busy),
            reset.request.eq(host.soft_reset),
            reset.quiet.eq(self.quiet),
            self.unit_reset.eq(reset.unit_reset),
        ]
        return m

    def run(self, bench):
        def unit(fake):
            return lambda ctx: fake.serve(ctx, getattr(self.sequencer, fake.name))

        simulate(self, bench, cycles=20_000, background=[
            lambda ctx: self.memory.serve(ctx, self.sequencer.read),
            *(unit(fake) for fake in self.units)])

    async def read(self, ctx, name):
        bus = self.registers.bus
        await drive(ctx, bus.ar, [{"addr": offset(name)}])
        answer, = await collect(ctx, bus.r, 1)
        return answer.data

    async def write(self, ctx, name, word):
        bus = self.registers.bus
        ctx.set(bus.w.payload, {"data": word, "strb": 15})
        ctx.set(bus.w.valid, 1)
        await drive(ctx, bus.aw, [{"addr": offset(name)}])
        ctx.set(bus.w.valid, 0)
        await collect(ctx, bus.b, 1)

    async def start(self, ctx, program):
        image = b"".join(program)
        self.memory.place(ADDRESS, image)
        await self.write(ctx, "PROGRAM_ADDRESS", ADDRESS)
        await self.write(ctx, "PROGRAM_BYTES", len(image))
        await self.write(ctx, "CONTROL", Control.START)

    async def status(self, ctx):
        """STATUS once it is no longer RUNNING."""
        while (status := await self.read(ctx, "STATUS")) & Status.RUNNING:
            pass
        return Status(status)


GOOD = [isa.encode(Opcode.LOAD, tag=1, post=2), isa.encode(Opcode.MAC, tag=2, wait=2, post=4),
        isa.encode(Opcode.SYNC), isa.encode(Opcode.STORE, tag=3, wait=4), isa.encode(Opcode.END)]
STUCK = [isa.encode(Opcode.LOAD, tag=5), isa.encode(Opcode.LOAD, tag=6, wait=0x8001),
         isa.encode(Opcode.END)]


async def good(chip, ctx):
    chip.events.clear()
    await chip.start(ctx, GOOD)
    assert await chip.status(ctx) == Status.DONE
    assert await chip.read(ctx, "COUNT_INSTRUCTIONS") == len(GOOD)
    assert await chip.read(ctx, "FETCHED") == len(GOOD)
    assert [fields["tag"] for event, _, fields in chip.events if event == "take"] == [1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_life(seed):
    """Run, run again, deadlock, watchdog, soft reset, run; then reset of a running program."""
    chip = Chip(seed)

    async def bench(ctx):
        cycles = 0

        async def watch_cycles():
            return await chip.read(ctx, "COUNT_CYCLES")

        await chip.write(ctx, "IRQ_ENABLE", 1)
        for _ in range(2):
            await good(chip, ctx)
            cycles = await watch_cycles()
            assert cycles > 5 * (1 + isa.INSTRUCTION_BYTES // CONFIG.group)
            assert ctx.get(chip.registers.irq)
            await chip.write(ctx, "IRQ_PENDING", 1)
            assert not ctx.get(chip.registers.irq)

        await chip.write(ctx, "WATCHDOG", 150)
        await chip.start(ctx, STUCK)
        assert await chip.status(ctx) == Status.ERROR
        assert ctx.get(chip.registers.irq)
        assert [await chip.read(ctx, f"ERROR_{name}") for name in ("CAUSE", "UNIT", "TAG")] == [
            Cause.WATCHDOG, Unit.LOAD, 6]
        assert await chip.read(ctx, "SEMAPHORES_WAITED") == 0x8001
        assert await chip.read(ctx, "COUNT_LOAD_WAIT_SEMAPHORE") in range(100, 154)
        stopped = await watch_cycles()
        await ctx.tick().repeat(20)
        assert await watch_cycles() == stopped  # counters rest with the chip
        await chip.start(ctx, GOOD)
        assert await chip.status(ctx) == Status.ERROR  # START does nothing

        await chip.write(ctx, "CONTROL", Control.SOFT_RESET)
        assert await chip.status(ctx) == Status(0)
        assert await chip.read(ctx, "ERROR_CAUSE") == Cause.NONE
        assert await chip.read(ctx, "WATCHDOG") == 150
        await good(chip, ctx)

        await chip.write(ctx, "WATCHDOG", 0)
        await chip.start(ctx, STUCK)
        await ctx.tick().repeat(chip.rng.randrange(300))
        ctx.set(chip.quiet, 0)
        await chip.write(ctx, "CONTROL", Control.SOFT_RESET)
        for _ in range(10):
            assert await chip.read(ctx, "STATUS") == Status.RUNNING
            assert ctx.get(chip.reset.flush) and not ctx.get(chip.unit_reset)
        ctx.set(chip.quiet, 1)
        assert await chip.status(ctx) == Status(0)
        await good(chip, ctx)

    chip.run(bench)


def test_cycles():
    """COUNT_CYCLES is the number of cycles in which the sequencer runs."""
    chip = Chip(0)
    running = [0]

    async def bench(ctx):
        async def count():
            while True:
                *_, level = await ctx.tick().sample(chip.sequencer.running)
                if running[0] and not level:
                    return
                running[0] += level

        await chip.start(ctx, GOOD)
        while not ctx.get(chip.sequencer.running):
            await ctx.tick()
        await count()
        await ctx.tick().repeat(3)
        assert await chip.read(ctx, "COUNT_CYCLES") == running[0]
        for counter in registers.COUNTERS:
            if counter.name not in ("cycles", "instructions"):
                assert await chip.read(ctx, f"COUNT_{counter.name.upper()}") == 0

    chip.run(bench)
