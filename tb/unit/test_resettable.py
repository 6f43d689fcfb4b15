"""Resettable: the component's registers, a cycle late, those without a reset not."""

from amaranth.hdl import Elaboratable, Module, Signal

from hw.resettable import Resettable
from tb.pysim import simulate


class Counters(Elaboratable):
    def __init__(self):
        self.reset, self.count, self.free = Signal(), Signal(8, init=3), Signal(8, reset_less=True)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.count.eq(self.count + 1), self.free.eq(self.free + 1)]
        return m


def test_reset_arrives_a_cycle_late():
    dut, trace = Counters(), []

    async def bench(ctx):
        for cycle in range(8):
            ctx.set(dut.reset, cycle in (3, 4))
            trace.append((ctx.get(dut.count), ctx.get(dut.free)))
            await ctx.tick()

    m = Module()
    m.submodules.dut = Resettable(dut, dut.reset)
    simulate(m, bench)
    # Held in the first cycle: that is what it begins with.
    assert [count for count, _ in trace] == [3, 3, 4, 5, 6, 3, 3, 4]
    assert [free for _, free in trace] == list(range(8))
