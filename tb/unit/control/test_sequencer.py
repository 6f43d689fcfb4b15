"""Sequencer with a fake program memory and fake units of random latency."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal

from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode, Unit
from golden.spec.registers import Cause
from hw.bus.axi import Response
from hw.control.sequencer import NAMES, UNITS, Sequencer
from tb.pysim import simulate
from tb.unit.control.fakes import FakeMemory, FakeUnit

CONFIGS = {"tiny": preset("tiny"), "base": preset("base"),
           "wide": preset("base", lanes=32, queue_depth=2)}
SIZE = isa.INSTRUCTION_BYTES
UNIT_OPCODES = (Opcode.LOAD, Opcode.MAC, Opcode.STORE, Opcode.LOG)


def random_program(rng, length, *, syncs=True):
    """A program that ends: every wait has its post before it, and one unit waits on each
    semaphore. The tag is the instruction's index."""
    program, tokens = [], [0] * isa.SEMAPHORES
    for tag in range(length):
        if syncs and rng.random() < 0.1:
            program.append(isa.encode(Opcode.SYNC, tag=tag))
            continue
        opcode = rng.choice(UNIT_OPCODES)
        unit = UNITS.index(isa.OPCODE_UNIT[opcode])
        wait = post = 0
        for index in range(isa.SEMAPHORES):
            if index % 3 == unit and tokens[index] and rng.random() < 0.6:
                wait |= 1 << index
                tokens[index] -= 1
        for index in range(isa.SEMAPHORES):
            if tokens[index] < 200 and rng.random() < 0.15:
                post |= 1 << index
                tokens[index] += 1
        program.append(isa.encode(opcode, tag=tag, wait=wait, post=post,
                                  address=rng.getrandbits(32)) if opcode != Opcode.MAC else
                       isa.encode(opcode, tag=tag, wait=wait, post=post,
                                  pad_value=rng.randrange(-128, 128), tiles=rng.getrandbits(24)))
    return [*program, isa.encode(Opcode.END, tag=length)]


def check(program, events, place):
    """The order of ``events`` is one that ``program`` allows, and nothing is missing."""
    decoded = [isa.decode(raw) for raw in program]
    for name, unit in zip(NAMES, UNITS, strict=True):
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
            counts[index] -= (event == "take") * (fields["wait"] >> index & 1)
            assert counts[index] >= 0, f"{place}: {name} {fields['tag']} did not wait for {index}"
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
                                     depth=2 if name == "mac" else 1, **unit) for name in NAMES}
        self.retired = self.done = 0

    def run(self, bench, cycles=20_000):
        def unit(name):
            return lambda ctx: self.units[name].serve(ctx, getattr(self.dut, name))

        async def count(ctx):
            async for _, _, number, running, done in ctx.tick().sample(
                    self.dut.instructions, self.dut.running, self.dut.done):
                self.retired += number if running else 0
                self.done += done
                assert running or not done

        background = [lambda ctx: self.memory.serve(ctx, self.dut.read), count,
                      *(unit(name) for name in NAMES)]
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
        check(program[:ends], self.events, self.place)
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


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(4))
def test_programs(name, seed):
    """Several random programs in a row, with bytes behind END that must not matter."""
    bench = Bench(CONFIGS[name], seed, longest=seed * 15)

    async def main(ctx):
        for length in (0, 1, 12, 40):
            rng = bench.rng
            program = random_program(rng, length)
            junk = [rng.choice((bytes(SIZE), rng.randbytes(SIZE), isa.encode(Opcode.MAC)))
                    for _ in range(rng.choice((0, 3, 12)))]
            bad = {SIZE * len(program) + n * bench.config.group: Response.DECERR
                   for n in range(len(junk) * SIZE // bench.config.group)}
            await bench.succeed(ctx, program + junk, responses=bad)
            await ctx.tick().repeat(rng.randrange(3) + 1)
        # semaphores begin at zero: what the last program left behind does not count
        await bench.start(ctx, isa.encode(Opcode.STORE, wait=0xFFFF)
                          + isa.encode(Opcode.END))
        await ctx.tick().repeat(200)
        assert not bench.events and ctx.get(bench.dut.waited) == 0xFFFF

    bench.run(main)


@pytest.mark.parametrize("name", CONFIGS)
def test_dispatch_rate(name):
    """beats + 1 cycles an instruction, as stated."""
    config = CONFIGS[name]
    bench = Bench(config, 0, longest=0)
    bench.memory.latency = bench.memory.stall = 0
    beats = SIZE // config.group
    cycles = {}

    async def main(ctx):
        for length in (48, 24):
            program = [isa.encode(UNIT_OPCODES[n % 3], tag=n) for n in range(length)]
            await bench.start(ctx, b"".join([*program, isa.encode(Opcode.END)]))
            cycles[length], done = await bench.finish(ctx)
            assert done

    bench.run(main)
    assert cycles[48] - cycles[24] <= 24 * (beats + 1) + 4, cycles


@pytest.mark.parametrize("seed", range(3))
def test_waiting_flags(seed):
    """``waited``, ``waiting`` and ``queued`` show who is stuck on what."""
    bench = Bench(CONFIGS["tiny"], seed, longest=3)
    dut = bench.dut
    program = [isa.encode(Opcode.LOAD, post=1), isa.encode(Opcode.MAC, wait=0b101),
               isa.encode(Opcode.STORE, wait=0b1001), isa.encode(Opcode.END)]

    async def main(ctx):
        await bench.start(ctx, b"".join(program))
        await ctx.tick().repeat(400)
        assert [(event, name) for event, name, _ in bench.events] == [
            ("take", "load"), ("retire", "load")]
        assert ctx.get(dut.waited) == 0b1100
        assert ctx.get(dut.waiting) == dut.waiting.shape().const({"mac": 1, "store": 1})
        assert ctx.get(dut.queued) == dut.queued.shape().const({"mac": 1, "store": 1})
        assert ctx.get(dut.fetched) == 4 and ctx.get(dut.running)

    bench.run(main)


def three_loads():
    return [isa.encode(Opcode.LOAD, tag=10 + n) for n in range(3)]


@pytest.mark.parametrize("name", CONFIGS)
def test_illegal_opcode(name):
    """Cause, tag and address of the instruction; those before it go on, those behind do not."""
    bench = Bench(CONFIGS[name], 1)

    async def main(ctx):
        for code in (0, 7, 255, 128 + Opcode.LOAD):
            bad = bytearray(isa.encode(Opcode.LOAD, tag=0x1234))
            bad[0] = code
            image = b"".join([*three_loads(), bad, *three_loads()])
            assert await bench.fail(ctx, image) == (
                Cause.ILLEGAL_OPCODE, Unit.SEQUENCER, 0x1234, 3 * SIZE)
            before = ctx.get(bench.dut.fault.as_value())
            await ctx.tick().repeat(300)
            assert len(bench.events) <= 6
            assert ctx.get(bench.dut.fault.as_value()) == before
            assert ctx.get(bench.dut.fetched) == 4
            await bench.soft_reset(ctx)
            await bench.succeed(ctx, random_program(bench.rng, 10))

    bench.run(main)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("resp", [Response.SLVERR, Response.DECERR])
def test_read_error(name, resp):
    """At the first beat the tag is not known; later it is."""
    config = CONFIGS[name]
    bench = Bench(config, 2)
    cause = {Response.SLVERR: Cause.READ_SLAVE_ERROR, Response.DECERR: Cause.READ_DECODE_ERROR}
    image = b"".join([*three_loads(), isa.encode(Opcode.END)])

    async def main(ctx):
        for index, tag in ((0, 0), (1, 11), (SIZE // config.group - 1, 11)):
            got = await bench.fail(ctx, image, responses={SIZE + index * config.group: resp})
            assert got == (cause[resp], Unit.SEQUENCER, tag, SIZE)
            await ctx.tick().repeat(200)
            assert {fields["tag"] for _, _, fields in bench.events} <= {10}
            await bench.soft_reset(ctx)
            await bench.succeed(ctx, random_program(bench.rng, 10))

    bench.run(main)


@pytest.mark.parametrize("length", [0, 1, 4, 9])
def test_program_end(length):
    bench = Bench(CONFIGS["base"], length)
    image = b"".join(isa.encode(Opcode.STORE, tag=n) for n in range(length))

    async def main(ctx):
        assert await bench.fail(ctx, image + isa.encode(Opcode.END), size=len(image)) == (
            Cause.PROGRAM_END, Unit.SEQUENCER, 0, len(image))
        assert ctx.get(bench.dut.fetched) == length
        await bench.soft_reset(ctx)
        await bench.succeed(ctx, random_program(bench.rng, 10))

    bench.run(main)


@pytest.mark.parametrize("unit", UNITS)
def test_unit_error(unit):
    """Passed on as it is; nothing is decoded any more, and only what was granted still goes."""
    bench = Bench(CONFIGS["tiny"], int(unit), longest=60)
    name = NAMES[UNITS.index(unit)]
    opcodes = (Opcode.LOAD, Opcode.MAC, Opcode.STORE)
    others = [code for code in opcodes if isa.OPCODE_UNIT[code] != unit]
    program = [isa.encode(Opcode[unit.name], tag=3),
               *(isa.encode(others[n % 2], tag=n) for n in range(60))]

    async def main(ctx):
        for cause in (Cause.REGION, Cause.ADDRESS, Cause.WEIGHT_STREAM, Cause.WRITE_SLAVE_ERROR):
            bench.units[name].stuck = True
            await bench.start(ctx, b"".join(program))
            await ctx.tick().repeat(400)  # the others' queues are full
            error = {"cause": cause, "tag": 3, "address": 0xCAFE_F00D}
            bench.units[name].error = error
            _, done = await bench.finish(ctx)
            fetched, events = ctx.get(bench.dut.fetched), len(bench.events)
            await ctx.tick().repeat(300)
            fault = ctx.get(bench.dut.fault)
            assert not done and fault.valid and fault.unit == unit
            assert {key: getattr(fault, key) for key in error} == error
            assert ctx.get(bench.dut.fetched) == fetched < len(program)
            assert sum(event == "take" for event, _, _ in bench.events[events:]) <= 2
            bench.units[name].stuck = False
            await bench.soft_reset(ctx)
            await bench.succeed(ctx, random_program(bench.rng, 10))

    bench.run(main)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("waiting", [Opcode.SYNC, Opcode.END])
def test_error_is_not_idle(name, waiting):
    """A unit that stops in error does not let SYNC or END pass."""
    bench = Bench(CONFIGS["base"], 0)
    image = b"".join([isa.encode(Opcode[name.upper()]), isa.encode(waiting),
                      isa.encode(Opcode.END)])

    async def main(ctx):
        bench.units[name].stuck = True
        await bench.start(ctx, image)
        await ctx.tick().repeat(200)
        bench.units[name].error = {"cause": Cause.ADDRESS, "tag": 0, "address": 1}
        _, done = await bench.finish(ctx)
        assert not done and ctx.get(bench.dut.fault.cause) == Cause.ADDRESS
        assert ctx.get(bench.dut.fetched) == 2 and bench.retired == 0

    bench.run(main)


def test_overflow():
    """256 posts to one semaphore that nobody takes; the unit that posted is named."""
    bench = Bench(CONFIGS["base"], 5, longest=0)
    posts = 1 << isa.SEMAPHORE_BITS
    program = [isa.encode(Opcode.STORE, tag=n, post=1 << 9) for n in range(posts)]

    async def main(ctx):
        await bench.succeed(ctx, [*program[1:], isa.encode(Opcode.END)])
        got = await bench.fail(ctx, b"".join([*program, isa.encode(Opcode.SYNC),
                                              *three_loads()]))
        assert got[:3] == (Cause.SEMAPHORE_OVERFLOW, Unit.STORE, posts - 1)

    bench.run(main)


WATCHDOG_CASES = {
    # name: (program, units stuck, unit blamed, tag)
    "semaphore": ([isa.encode(Opcode.MAC, tag=4, wait=1)], (), Unit.MAC, 4),
    "stuck": ([isa.encode(Opcode.LOAD, tag=1), isa.encode(Opcode.STORE, tag=7),
               isa.encode(Opcode.STORE, tag=8)], ("store",), Unit.STORE, 7),
    "both": ([isa.encode(Opcode.MAC, tag=5), isa.encode(Opcode.LOAD, tag=6, wait=2)],
             ("mac",), Unit.LOAD, 6),
    "sync": ([isa.encode(Opcode.LOAD, tag=9), isa.encode(Opcode.SYNC)], ("load",), Unit.LOAD, 9),
}


@pytest.mark.parametrize("case", WATCHDOG_CASES)
@pytest.mark.parametrize("limit", [80, 200])
def test_watchdog(case, limit):
    program, stuck, unit, tag = WATCHDOG_CASES[case]
    bench = Bench(CONFIGS["tiny"], limit, longest=10)
    bench.memory.latency = 5

    async def main(ctx):
        for name in stuck:
            bench.units[name].stuck = True
        ctx.set(bench.dut.watchdog, limit)
        await bench.start(ctx, b"".join([*program, isa.encode(Opcode.END)]))
        ctx.set(bench.dut.progress, 1)
        await ctx.tick().repeat(3 * limit)
        assert ctx.get(bench.dut.running)  # progress keeps it alive
        ctx.set(bench.dut.progress, 0)
        cycles, done = await bench.finish(ctx)
        fault = ctx.get(bench.dut.fault)
        assert not done and (fault.cause, fault.unit, fault.tag) == (Cause.WATCHDOG, unit, tag)
        assert cycles == limit + 1
        ctx.set(bench.dut.watchdog, 0)
        for name in stuck:
            bench.units[name].stuck = False
        await bench.soft_reset(ctx)
        await bench.succeed(ctx, random_program(bench.rng, 10))

    bench.run(main)


def test_watchdog_fetch():
    """Memory that does not answer: nobody but the sequencer is to blame."""
    bench = Bench(CONFIGS["base"], 0)
    bench.memory.latency = 10 ** 6

    async def main(ctx):
        bench.rng.seed(3)
        ctx.set(bench.dut.watchdog, 50)
        got = await bench.fail(ctx, isa.encode(Opcode.END, tag=2))
        assert got[:3] == (Cause.WATCHDOG, Unit.SEQUENCER, 0)

    bench.run(main)


@pytest.mark.parametrize("seed", range(4))
def test_reset_anywhere(seed):
    """Soft reset in the middle of programs; the next one runs whole."""
    bench = Bench(CONFIGS["tiny"], seed)

    async def main(ctx):
        for _ in range(4):
            await bench.start(ctx, b"".join(random_program(bench.rng, 30)))
            await ctx.tick().repeat(bench.rng.randrange(1, 400))
            await bench.soft_reset(ctx)
            await bench.succeed(ctx, random_program(bench.rng, 8))

    bench.run(main)
