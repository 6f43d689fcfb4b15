"""A sequencer among fakes: random programs, and what is true of every run of one."""

import random

from amaranth.hdl import ResetInserter, Signal

from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode, Unit
from golden.spec.registers import Cause
from hw.control.sequencer import Sequencer, units_of
from tb.pysim import simulate
from tb.unit.control.fakes import FakeMemory, FakeUnit

__all__ = ["CONFIGS", "SIZE", "UNIT_OPCODES", "Bench", "check", "random_program"]

CONFIGS = {"tiny": preset("tiny"), "base": preset("base"),
           "wide": preset("base", lanes=32, drp="none", queue_depth=2)}
SIZE = isa.INSTRUCTION_BYTES
UNIT_OPCODES = (Opcode.LOAD, Opcode.MAC, Opcode.STORE, Opcode.LOG, Opcode.DRP)


def random_program(config, rng, length, *, syncs=True):
    """A program that ends: every wait has its post before it, and one unit waits on each
    semaphore. The tag is the instruction's index."""
    program, tokens = [], [0] * isa.SEMAPHORES
    for tag in range(length):
        if syncs and rng.random() < 0.1:
            program.append(isa.encode(Opcode.SYNC, tag=tag))
            continue
        units = units_of(config)
        opcode = rng.choice(UNIT_OPCODES if config.fabric else UNIT_OPCODES[:-1])
        unit = units.index(isa.OPCODE_UNIT[opcode])
        wait = post = release = 0
        for index in range(isa.SEMAPHORES):
            if index % len(units) == unit and tokens[index] and rng.random() < 0.6:
                wait |= 1 << index
                tokens[index] -= 1
        for index in range(isa.SEMAPHORES):
            if tokens[index] < 200 and rng.random() < 0.15:
                post |= 1 << index
                tokens[index] += 1
            elif opcode == Opcode.DRP and tokens[index] < 200 and rng.random() < 0.15:
                release |= 1 << index
                tokens[index] += 1
        rest = {Opcode.MAC: {"pad_value": rng.randrange(-128, 128), "tiles": rng.getrandbits(24)},
                Opcode.DRP: {"limit": rng.getrandbits(32), "release": release}}
        program.append(isa.encode(opcode, tag=tag, wait=wait, post=post, **rest.get(
            opcode, {"address": rng.getrandbits(32)})))
    return [*program, isa.encode(Opcode.END, tag=length)]


def check(config, program, events, place):
    """The order of ``events`` is one that ``program`` allows, and nothing is missing."""
    decoded = [isa.decode(raw) for raw in program]
    for unit in units_of(config):
        name = unit.name.lower()
        want = [int.from_bytes(raw, "little") for raw, (opcode, _) in
                zip(program, decoded, strict=True) if isa.OPCODE_UNIT[opcode] == unit]
        for kind in ("take", "retire"):
            got = [fields["raw"] for event, who, fields in events if (event, who) == (kind, name)]
            assert got == want, f"{place}: {name} {kind}"
    counts = [0] * isa.SEMAPHORES
    retired, taken = set(), set()
    for event, name, fields in events:
        for index in range(isa.SEMAPHORES):
            counts[index] += (event == "retire") * (fields["post"] >> index & 1)
            counts[index] += (event == "release") * (fields.get("release", 0) >> index & 1)
            counts[index] -= (event == "take") * (fields["wait"] >> index & 1)
            assert counts[index] >= 0, f"{place}: {name} {fields['tag']} did not wait for {index}"
        if event != "release":
            (retired if event == "retire" else taken).add(fields["tag"])
        for tag, (opcode, _) in enumerate(decoded):
            if opcode == Opcode.SYNC and event == "take" and fields["tag"] > tag:
                before = {n for n in range(tag) if decoded[n][0] in UNIT_OPCODES}
                assert before <= retired, f"{place}: {fields['tag']} passed SYNC {tag}"


class Bench:
    """A sequencer with its surroundings, behind a reset."""

    def __init__(self, config, seed, **unit):
        self.rng = random.Random(seed)
        self.place = f"seed {seed}"
        self.config = config
        self.dut = Sequencer(config)
        self.reset = Signal()
        self.events = []
        self.memory = FakeMemory(config, self.rng, self.reset, latency=self.rng.choice((0, 30)),
                                 stall=self.rng.choice((0, 0.3)))
        self.units = {name: FakeUnit(self.rng, self.reset, self.events, name,
                                     depth=2 if name in ("mac", "drp") else 1, **unit)
                      for name in self.dut.names}
        self.retired = self.done = 0

    def run(self, bench, cycles=20_000):
        def unit(name):
            release = self.dut.release if name == "drp" else None
            return lambda ctx: self.units[name].serve(ctx, getattr(self.dut, name), release)

        async def count(ctx):
            async for _, _, number, running, done in ctx.tick().sample(
                    self.dut.instructions, self.dut.running, self.dut.done):
                self.retired += number if running else 0
                self.done += done
                assert running or not done

        background = [lambda ctx: self.memory.serve(ctx, self.dut.read), count,
                      *(unit(name) for name in self.dut.names)]
        simulate(ResetInserter(self.reset)(self.dut), bench, background=background, cycles=cycles)

    async def start(self, ctx, image, *, address=None, size=None, responses=None):
        """START; ``responses`` maps byte offsets in the program to AXI errors."""
        self.events.clear()
        self.retired = self.done = 0
        self.address = SIZE * self.rng.randrange(1 << 24) if address is None else address
        size = len(image) if size is None else size
        self.memory.place(self.address, image[:size], {
            self.address + low: resp for low, resp in (responses or {}).items()})
        ctx.set(self.dut.program_address, self.address)
        ctx.set(self.dut.program_bytes, size)
        ctx.set(self.dut.start, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)
        assert ctx.get(self.dut.running), self.place

    async def finish(self, ctx):
        """Cycles until ``running`` falls; whether END did it."""
        cycles = 0
        while ctx.get(self.dut.running):
            await ctx.tick()
            cycles += 1
        await ctx.tick()  # the monitor runs behind this bench
        assert self.done <= 1
        return cycles, self.done == 1

    async def soft_reset(self, ctx):
        """As the top does it: the memory drops what is under way, then one cycle of reset."""
        ctx.set(self.reset, 1)
        await ctx.tick()
        ctx.set(self.reset, 0)
        await ctx.tick()
        assert not ctx.get(self.dut.fault.valid) and not ctx.get(self.dut.running)

    async def succeed(self, ctx, program, **where):
        """One program, all of it checked."""
        await self.start(ctx, b"".join(program), **where)
        _, done = await self.finish(ctx)
        assert done and not ctx.get(self.dut.fault.valid), self.place
        ends = next(n for n, raw in enumerate(program) if raw[0] == Opcode.END) + 1
        check(self.config, program[:ends], self.events, self.place)
        assert ctx.get(self.dut.fetched) == ends, self.place
        assert self.retired == ends, self.place
        assert not ctx.get(self.dut.queued.as_value()), self.place

    async def fail(self, ctx, image, **where):
        """One program that must end in error; returns (cause, unit, tag, offset of address)."""
        await self.start(ctx, image, **where)
        _, done = await self.finish(ctx)
        fault = ctx.get(self.dut.fault)
        assert fault.valid and not done, self.place
        return Cause(fault.cause), Unit(fault.unit), fault.tag, fault.address - self.address
