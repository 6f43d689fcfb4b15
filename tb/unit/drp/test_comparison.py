"""Comparison: every case of one byte after the other; ECP5's cells do the same."""

import random

from amaranth.sim import Simulator

from hw.drp.comparison import Comparison
from tb.unit.drp.cells import prove_cells

ENDS = {(0, 0): (3, 3, 3, 3), (0, 1): (1, 1, 3, 3), (1, 1): (0, 1, 2, 3)}  # by (single, parts)


def test_bytes():
    rng = random.Random("comparison")
    dut = Comparison()

    async def bench(ctx):
        for _ in range(600):
            carries = rng.getrandbits(4), rng.getrandbits(4)
            asks, invert = rng.getrandbits(2), rng.getrandbits(4)
            (single, parts), ends = rng.choice(list(ENDS.items()))
            for name, value in (("first", carries[0]), ("second", carries[1]), ("asks", asks),
                                ("invert", invert), ("single", single), ("parts", parts)):
                ctx.set(getattr(dut, name), value)
            for byte, end in enumerate(ends):
                agrees = all(carry >> end & 1 for number, carry in enumerate(carries)
                             if asks >> number & 1)
                assert ctx.get(dut.found[byte]) == agrees ^ (invert >> byte & 1)

    sim = Simulator(dut)
    sim.add_testbench(bench)
    sim.run()


def test_cells(tmp_path):
    assert prove_cells(Comparison, tmp_path, ["common_sim.vh"]).count("LUT4 #(") == 18
