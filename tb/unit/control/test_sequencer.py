"""Sequencer with a fake program memory and fake units of random latency: programs that end."""

import pytest

from golden.spec import isa
from golden.spec.isa import Opcode
from hw.bus.axi import Response
from tb.lib.quick import quick
from tb.unit.control.bench import CONFIGS, SIZE, UNIT_OPCODES, Bench, random_program


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", quick(2, 0, 3, 1, 2))
def test_programs(name, seed):
    """Several random programs in a row, with bytes behind END that must not matter."""
    bench = Bench(CONFIGS[name], seed, longest=seed * 15)

    async def main(ctx):
        for length in (0, 1, 12, 40):
            rng = bench.rng
            program = random_program(CONFIGS[name], rng, length)
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
    assert cycles[48] - cycles[24] <= 24 * (beats + 1) + 8, cycles


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


@pytest.mark.parametrize("seed", quick(2, *range(4)))
def test_reset_anywhere(seed):
    """Soft reset in the middle of programs; the next one runs whole."""
    bench = Bench(CONFIGS["tiny"], seed)

    async def main(ctx):
        for _ in range(4):
            await bench.start(ctx, b"".join(random_program(bench.config, bench.rng, 30)))
            await ctx.tick().repeat(bench.rng.randrange(1, 400))
            await bench.soft_reset(ctx)
            await bench.succeed(ctx, random_program(bench.config, bench.rng, 8))

    bench.run(main)
