"""gather: the item whose bit is set, 0 without one, the OR of several."""

import random
from functools import reduce
from operator import or_

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hw.mac.select import gather


@pytest.mark.parametrize("count", [1, 3, 8])
def test_gather(count):
    m, rng = Module(), random.Random(count)
    items = [Signal(7, name=f"item_{place}") for place in range(count)]
    hot, o = Signal(count), Signal(7)
    m.d.comb += o.eq(gather(items, hot))

    async def bench(ctx):
        for bits in range(1 << count):
            values = [rng.getrandbits(7) for _ in items]
            for item, value in zip(items, values, strict=True):
                ctx.set(item, value)
            ctx.set(hot, bits)
            want = reduce(or_, (v for place, v in enumerate(values) if bits >> place & 1), 0)
            assert ctx.get(o) == want, (bits, values)

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()
