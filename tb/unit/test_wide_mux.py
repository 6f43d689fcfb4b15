"""WideMux: the item of the number, 0 beyond the last."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hw.wide_mux import WideMux, wide_mux

WIDTH = 8


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13, 16])
def test_item(count):
    m, rng = Module(), random.Random(count)
    items = [Signal(WIDTH, name=f"item_{place}") for place in range(count)]
    index = Signal(range(max(count, 2)))
    o = Signal(WIDTH)
    m.d.comb += o.eq(wide_mux(m, "it", items, index))

    async def bench(ctx):
        for place in range(1 << len(index) if count > 1 else 1):
            values = [rng.getrandbits(WIDTH) for _ in items]
            for item, value in zip(items, values, strict=True):
                ctx.set(item, value)
            ctx.set(index, place)
            assert ctx.get(o) == (values[place] if place < count else 0)

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("count, width", [(1, 8), (4, 3), (4, 0)])
def test_refused(count, width):
    with pytest.raises(ValueError, match=f"{count} items of {width} bits; accepted"):
        WideMux(count=count, width=width)
