"""InstructionQueue: order, contents, grants, the fields it shows, busy."""

import random

import pytest

from golden.spec import isa
from golden.spec.config import preset
from hw.control.queue import InstructionQueue
from tb.pysim import collect, drive, simulate

CONFIGS = {"tiny": preset("tiny"), "base": preset("base"),
           "wide": preset("base", lanes=32, drp="none", queue_depth=2)}


def split(raw, config):
    return [int.from_bytes(raw[low:low + config.group], "little")
            for low in range(0, len(raw), config.group)]


def random_instruction(rng, tag):
    return isa.encode(isa.Opcode.LOAD, tag=tag, wait=rng.getrandbits(16), post=rng.getrandbits(16),
                      address=rng.getrandbits(32), dst_run_step=rng.getrandbits(16))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(3))
def test_random(name, seed):
    config, rng = CONFIGS[name], random.Random(seed)
    dut = InstructionQueue(config)
    program = [random_instruction(rng, tag) for tag in range(12)]
    stalls = rng.choice((0, 0.5)), rng.choice((0, 0.8))
    granted = []

    async def feed(ctx):
        beats = [beat for raw in program for beat in split(raw, config)]
        await drive(ctx, dut.i, beats, rng=random.Random(seed), stall=stalls[0])

    async def grant(ctx):
        """Grants at random, only what is wanted, checking what the head shows."""
        chance = random.Random(seed + 1)
        while len(granted) < len(program):
            want = ctx.get(dut.want)
            give = want and chance.random() < 0.3
            if want:
                _, fields = isa.decode(program[len(granted)])
                assert ctx.get(dut.wait) == fields["wait"], f"seed {seed}"
                assert ctx.get(dut.tag) == fields["tag"], f"seed {seed}"
                assert ctx.get(dut.busy) and not ctx.get(dut.o.valid)
            ctx.set(dut.grant, give)
            if give:
                granted.append(fields["tag"])
            await ctx.tick()
        ctx.set(dut.grant, 0)

    async def take(ctx):
        got = []
        for count in range(1, len(program) + 1):
            got += await collect(ctx, dut.o, 1, rng=random.Random(seed + count), stall=stalls[1])
            assert len(granted) >= count, f"seed {seed}: {count} left without a grant"
        await ctx.tick()
        assert not ctx.get(dut.busy)
        return got

    *_, got = simulate(dut, feed, grant, take, cycles=5000)
    assert [raw.to_bytes(64, "little") for raw in got] == program, f"seed {seed}, stalls {stalls}"


@pytest.mark.parametrize("name", CONFIGS)
def test_timing(name):
    """Beats + 2 cycles to want, valid the cycle after grant, beats + 1 cycles to the next want."""
    config = CONFIGS[name]
    dut = InstructionQueue(config)
    beats = isa.INSTRUCTION_BYTES // config.group

    async def feed(ctx):
        raw = isa.encode(isa.Opcode.MAC)
        await drive(ctx, dut.i, split(raw, config) * 2)

    async def unit(ctx):
        cycle = 0
        while not ctx.get(dut.want):
            await ctx.tick()
            cycle += 1
        assert cycle == beats + 2
        await ctx.tick().repeat(2 * beats)  # the second one waits behind
        ctx.set(dut.grant, 1)
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        ctx.set(dut.grant, 0)
        assert ctx.get(dut.o.valid) and not ctx.get(dut.want)
        await ctx.tick()
        assert not ctx.get(dut.o.valid)
        cycle = 0
        while not ctx.get(dut.want):
            await ctx.tick()
            cycle += 1
        assert cycle == beats + 1

    simulate(dut, feed, unit, cycles=200)


@pytest.mark.parametrize("name", CONFIGS)
def test_capacity(name):
    """queue_depth instructions and the one at the output."""
    config = CONFIGS[name]
    dut = InstructionQueue(config)
    beats = isa.INSTRUCTION_BYTES // config.group

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        taken = 0
        for _ in range(beats * (config.queue_depth + 3)):
            taken += ctx.get(dut.i.ready)
            await ctx.tick()
        assert taken == beats * (config.queue_depth + 1)

    simulate(dut, bench, cycles=1000)
