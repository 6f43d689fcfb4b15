"""Sequencer: every error it can meet, what it reports, and recovery by soft reset."""

import pytest

from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode, Unit
from golden.spec.registers import Cause
from hw.bus.axi import Response
from hw.control.sequencer import units_of
from tb.lib.quick import quick
from tb.unit.control.bench import CONFIGS, SIZE, Bench, random_program

UNITS = units_of(CONFIGS["base"])
DRP = preset("tiny_drp")  # all units, and narrow: simulated sooner


def three_loads():
    return [isa.encode(Opcode.LOAD, tag=10 + n) for n in range(3)]


@pytest.mark.parametrize("name", CONFIGS)
def test_illegal_opcode(name):
    """Cause, tag and address of the instruction; those before it go on, those behind do not."""
    bench = Bench(CONFIGS[name], 1)

    async def main(ctx):
        absent = () if CONFIGS[name].fabric else (Opcode.DRP,)
        for code in (0, 8, 255, 128 + Opcode.LOAD, *absent):
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
            await bench.succeed(ctx, random_program(bench.config, bench.rng, 10))

    bench.run(main)


@pytest.mark.parametrize("name, resp", quick(
    3, ("tiny", Response.SLVERR), ("base", Response.DECERR), ("wide", Response.SLVERR),
    ("tiny", Response.DECERR), ("base", Response.SLVERR), ("wide", Response.DECERR)))
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
            await bench.succeed(ctx, random_program(bench.config, bench.rng, 10))

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
        await bench.succeed(ctx, random_program(bench.config, bench.rng, 10))

    bench.run(main)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("first, second", quick(
    1, (Cause.ADDRESS, Cause.WRITE_SLAVE_ERROR), (Cause.REGION, Cause.WEIGHT_STREAM)))
def test_unit_error(unit, first, second):
    """Passed on as it is; nothing is decoded any more, and only what was granted still goes."""
    bench = Bench(DRP, int(unit), longest=60)
    name = unit.name.lower()
    opcodes = (Opcode.LOAD, Opcode.MAC, Opcode.STORE)
    others = [code for code in opcodes if isa.OPCODE_UNIT[code] != unit]
    program = [isa.encode(Opcode[unit.name], tag=3),
               *(isa.encode(others[n % 2], tag=n) for n in range(60))]

    async def main(ctx):
        for cause in (first, second):
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
            await bench.succeed(ctx, random_program(bench.config, bench.rng, 10))

    bench.run(main)


@pytest.mark.parametrize("name", [unit.name.lower() for unit in UNITS])
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
        await bench.soft_reset(ctx)  # END at once: not done, though nothing else is left to do
        got = await bench.fail(ctx, b"".join([*program, isa.encode(Opcode.END)]))
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
@pytest.mark.parametrize("limit", quick(1, 80, 200))
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
        assert cycles == limit + 3
        ctx.set(bench.dut.watchdog, 0)
        for name in stuck:
            bench.units[name].stuck = False
        await bench.soft_reset(ctx)
        await bench.succeed(ctx, random_program(bench.config, bench.rng, 10))

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
