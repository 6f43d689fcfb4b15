"""Dispatcher alone: what goes where, and the order of its own instructions."""

import random

import pytest

from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode
from hw.control.dispatcher import Dispatcher
from hw.control.sequencer import units_of
from tb.pysim import collect, drive, simulate

CONFIGS = {"tiny": preset("tiny"), "base": preset("base"),
           "wide": preset("base", lanes=32, drp="none")}


def beats_of(raw, config):
    return [int.from_bytes(raw[low:low + config.group], "little")
            for low in range(0, len(raw), config.group)]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(3))
def test_outputs(name, seed):
    """Each output gets its unit's instructions, whole and in order, whatever stalls."""
    config, rng = CONFIGS[name], random.Random(seed)
    units = units_of(config)
    dut = Dispatcher(config, units)
    program = [isa.encode(rng.choice((Opcode.LOAD, Opcode.MAC, Opcode.STORE, Opcode.LOG,
                                      *[Opcode.DRP] * bool(config.fabric))),
                          tag=rng.getrandbits(16), post=rng.getrandbits(16)) for _ in range(15)]
    want = [[beat for raw in program if isa.OPCODE_UNIT[Opcode(raw[0])] == unit
             for beat in beats_of(raw, config)] for unit in units]

    async def feed(ctx):
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        beats = [{"data": beat, "resp": 0} for raw in [*program, isa.encode(Opcode.END)]
                 for beat in beats_of(raw, config)]
        await drive(ctx, dut.i, beats, rng=rng, stall=rng.choice((0, 0.4)))
        assert ctx.get(dut.fetched) == len(program) + 1

    def take(index):
        return lambda ctx: collect(ctx, dut.o[index], len(want[index]),
                                   rng=random.Random(seed + index), stall=0.5)

    _, *got = simulate(dut, feed, *map(take, range(len(units))), cycles=5000)
    assert got == want, f"seed {seed}"


def test_sync_and_end():
    """SYNC waits for ``drained``, END also for ``settled``; each retires once."""
    config = CONFIGS["wide"]
    dut = Dispatcher(config, units_of(config))

    async def bench(ctx):
        async def feed(opcode):
            await drive(ctx, dut.i, [{"data": beat, "resp": 0}
                                     for beat in beats_of(isa.encode(opcode), config)])

        for _ in range(2):
            assert not ctx.get(dut.running)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await feed(Opcode.SYNC)
            for _ in range(5):
                assert not ctx.get(dut.retire) and ctx.get(dut.running)
                assert not ctx.get(dut.i.ready)
                await ctx.tick()
            ctx.set(dut.drained, 1)
            assert ctx.get(dut.retire) and not ctx.get(dut.done) and not ctx.get(dut.ended)
            await ctx.tick()
            assert not ctx.get(dut.retire)
            await feed(Opcode.END)
            for drained, settled in ((0, 0), (0, 1), (1, 0)):
                ctx.set(dut.drained, drained)
                ctx.set(dut.settled, settled)
                assert ctx.get(dut.ended) and not ctx.get(dut.done) and not ctx.get(dut.retire)
                await ctx.tick()
            ctx.set(dut.drained, 1)
            ctx.set(dut.settled, 1)
            for _ in range(dut.SETTLE):
                assert ctx.get(dut.ended) and not ctx.get(dut.done) and not ctx.get(dut.retire)
                await ctx.tick()
            assert ctx.get(dut.done) and ctx.get(dut.retire) and ctx.get(dut.running)
            await ctx.tick()
            ctx.set(dut.drained, 0)
            ctx.set(dut.settled, 0)

    simulate(dut, bench)


def test_halt():
    """Nothing moves while ``halt`` is high, not even a START."""
    config = CONFIGS["base"]
    dut = Dispatcher(config, units_of(config))

    async def bench(ctx):
        ctx.set(dut.halt, 1)
        ctx.set(dut.start, 1)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.running)
        ctx.set(dut.halt, 0)
        await ctx.tick()
        ctx.set(dut.start, 0)
        first, *rest = beats_of(isa.encode(Opcode.MAC, tag=1), config)
        ctx.set(dut.o[1].ready, 1)
        await drive(ctx, dut.i, [{"data": first, "resp": 0}])
        ctx.set(dut.halt, 1)
        ctx.set(dut.i.payload, {"data": rest[0], "resp": 0})
        ctx.set(dut.i.valid, 1)
        for _ in range(5):
            assert not ctx.get(dut.i.ready) and not ctx.get(dut.o[1].valid)
            assert not ctx.get(dut.error.valid)
            await ctx.tick()

    simulate(dut, bench)
