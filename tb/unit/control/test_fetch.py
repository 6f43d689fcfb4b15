"""InstructionFetch: the whole program in order, never past its end, dropped on stop."""

import random

import pytest
from amaranth.hdl import Signal

from golden.spec import isa
from golden.spec.config import preset
from hw.control.fetch import InstructionFetch
from tb.pysim import collect, simulate
from tb.unit.control.fakes import FakeMemory

CONFIGS = {"tiny": preset("tiny"), "base": preset("base"),
           "wide": preset("base", lanes=32, drp="none")}
SIZE = isa.INSTRUCTION_BYTES


async def start(ctx, dut, memory, address, image, responses=()):
    memory.place(address, image, responses)
    ctx.set(dut.address, address // SIZE)
    ctx.set(dut.count, len(image) // SIZE)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(3))
def test_order(name, seed):
    config, rng = CONFIGS[name], random.Random(seed)
    dut = InstructionFetch(config)
    memory = FakeMemory(config, rng, Signal(), latency=rng.choice((0, 40)),
                        stall=rng.choice((0, 0.5)))
    beats = SIZE // config.group

    async def bench(ctx):
        for length in (1, 4, rng.randint(5, 14), 0):
            place = f"seed {seed}, {length} instructions"
            image, address = rng.randbytes(length * SIZE), SIZE * rng.randrange(1 << 20)
            bad = {address + config.group * rng.randrange(beats * max(length, 1)): 2 + seed % 2}
            memory.runs.clear()
            await start(ctx, dut, memory, address, image, bad)
            got = await collect(ctx, dut.o, length * beats, rng=rng, stall=rng.choice((0, 0.6)))
            assert b"".join(item.data.to_bytes(config.group, "little") for item in got) == image, \
                place
            assert [item.resp for item in got] == [
                bad.get(address + n * config.group, 0) for n in range(len(got))], place
            await ctx.tick()  # an empty program shows a cycle later
            assert ctx.get(dut.exhausted) and ctx.get(dut.idle), place
            assert sum(count for _, count in memory.runs) == length * beats, place
            assert all(count <= dut.RUN_INSTRUCTIONS * beats for _, count in memory.runs), place

    simulate(dut, bench, background=[lambda ctx: memory.serve(ctx, dut.read)], cycles=8000)


@pytest.mark.parametrize("seed", range(6))
def test_stop(seed):
    """Stopped anywhere, it comes to rest, and the next program comes whole."""
    config, rng = CONFIGS["base"], random.Random(seed)
    dut = InstructionFetch(config)
    memory = FakeMemory(config, rng, Signal())
    beats = SIZE // config.group

    async def bench(ctx):
        for _ in range(12):
            image, address = rng.randbytes(20 * SIZE), SIZE * rng.randrange(1 << 20)
            await start(ctx, dut, memory, address, image)
            got = await collect(ctx, dut.o, rng.randrange(rng.choice((1, 3 * beats))))
            assert b"".join(item.data.to_bytes(config.group, "little") for item in got) \
                == image[:config.group * len(got)], f"seed {seed}"
            for _ in range(rng.randrange(rng.choice((3, 40)))):
                await ctx.tick()
            asked = len(memory.runs)
            ctx.set(dut.stop, 1)
            while not ctx.get(dut.idle):
                assert not ctx.get(dut.o.valid), f"seed {seed}"
                await ctx.tick()
            assert len(memory.runs) <= asked + 1, f"seed {seed}: asked for more after stop"
            assert not memory.pending
            await ctx.tick()
            ctx.set(dut.stop, 0)

    simulate(dut, bench, background=[lambda ctx: memory.serve(ctx, dut.read)], cycles=8000)


def test_not_ahead_of_room():
    """With nobody taking beats, no more is asked for than is held."""
    config = CONFIGS["base"]
    dut = InstructionFetch(config)
    memory = FakeMemory(config, random.Random(0), Signal())

    async def bench(ctx):
        await start(ctx, dut, memory, 0, bytes(40 * SIZE))
        await ctx.tick().repeat(300)
        assert sum(count for _, count in memory.runs) * config.group \
            == dut.HELD_INSTRUCTIONS * SIZE

    simulate(dut, bench, background=[lambda ctx: memory.serve(ctx, dut.read)], cycles=8000)
