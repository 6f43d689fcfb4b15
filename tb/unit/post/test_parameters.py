"""Parameters: sets in order, each lane's own, the next one there as soon as it is whole."""

import random
import struct

import pytest

from golden.spec.config import preset
from golden.spec.layout import PARAMETER_BEATS
from golden.spec.numerics import ROUND_ONCE
from hw.post.parameters import Parameters
from tb.pysim import drive, simulate

CONFIGS = {
    "tiny": preset("tiny"),
    "odd": preset("tiny").replace(lanes=8, drain=1, weight_rows=64),
    "one part": preset("tiny").replace(drain=4),
}


def random_set(config, rng):
    """One (bias, multiplier, pre, post) per lane."""
    return [(rng.randint(-2**31, 2**31 - 1), rng.getrandbits(31), rng.randrange(32),
             rng.randrange(32) + rng.choice([0, ROUND_ONCE])) for _ in range(config.lanes)]


def beats(config, lanes):
    """The set as in the weight stream, beat by beat."""
    raw = b"".join(struct.pack("<iI", *lane[:2]) for lane in lanes)
    raw += b"".join(bytes(lane[2:]) for lane in lanes)
    assert len(raw) == PARAMETER_BEATS * config.group
    return [int.from_bytes(raw[at:at + config.group], "little")
            for at in range(0, len(raw), config.group)]


async def asked(ctx, dut, part):
    ctx.set(dut.part, part)
    await ctx.tick()
    return [(lane.bias, lane.multiplier, lane.pre, lane.post) for lane in ctx.get(dut.lanes)]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("stall", [0, 0.3])
def test_sets(name, stall):
    """Held as long as wanted while the next one comes, then replaced at once or not at all."""
    config, rng = CONFIGS[name], random.Random(name)
    dut, sets = Parameters(config), [random_set(config, rng) for _ in range(12)]
    parts, followed = config.lanes // config.drain, set()

    def source(ctx):
        return drive(ctx, dut.beats, [beat for item in sets for beat in beats(config, item)],
                     rng=random.Random(1), stall=stall)

    async def sink(ctx):
        for number, item in enumerate(sets):
            while not ctx.get(dut.valid):
                await ctx.tick()
            for _ in range(rng.choice([1, 3, 40])):
                for part in range(parts):
                    want = item[part * config.drain:(part + 1) * config.drain]
                    assert await asked(ctx, dut, part) == want, f"{name}, set {number}"
                await ctx.tick()
                assert ctx.get(dut.valid), f"set {number} was lost"
            whole = not ctx.get(dut.beats.ready)
            ctx.set(dut.drop, 1)
            await ctx.tick()
            ctx.set(dut.drop, 0)
            assert ctx.get(dut.valid) == whole, f"{name}, after set {number}"
            followed.add(whole)

    simulate(dut, source, sink)
    assert followed == {False, True}


def test_rate():
    """One set every PARAMETER_BEATS + 1 cycles if each is dropped at once."""
    config, rng = CONFIGS["tiny"], random.Random(0)
    dut, count = Parameters(config), 8

    def source(ctx):
        return drive(ctx, dut.beats, [beat for _ in range(count)
                                      for beat in beats(config, random_set(config, rng))])

    async def sink(ctx):
        ctx.set(dut.drop, 1)
        for _ in range(count):
            await ctx.tick().until(dut.valid)

    simulate(dut, source, sink, cycles=count * (PARAMETER_BEATS + 1) + 2)
