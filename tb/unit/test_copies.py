"""copies: every one follows the value a cycle later; no two begin alike."""

import random

import pytest
from amaranth.hdl import Elaboratable, Module, Shape, Signal

from hw.copies import copies
from tb.pysim import simulate


class Copied(Elaboratable):
    def __init__(self, shape, count):
        self.value = Signal(shape)
        self.outputs = [Signal(shape, name=f"o_{index}") for index in range(count)]

    def elaborate(self, platform):
        m = Module()
        found = copies(m, self.value, "copy", count=len(self.outputs))
        m.d.comb += [output.eq(copy) for output, copy in zip(self.outputs, found, strict=True)]
        return m


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("count", [2, 4])
def test_all_follow(count, signed):
    dut = Copied(Shape(6, signed), count)
    rng = random.Random(count)

    def bits(value):
        return value & 63

    async def bench(ctx):
        # The third and fourth are inverse: what they hold begins as the first and second.
        assert [bits(ctx.get(output)) for output in dut.outputs] == [0, 63, 63, 0][:count]
        for _ in range(50):
            value = rng.randrange(-32, 32) if signed else rng.randrange(64)
            ctx.set(dut.value, value)
            await ctx.tick()
            assert [ctx.get(output) for output in dut.outputs] == [value] * count

    simulate(dut, bench)
