"""Choice: every case of a byte; ECP5's cells do the same."""

import random

from amaranth.sim import Simulator

from hw.drp.choice import Choice
from tb.unit.drp.cells import prove_cells


def test_bytes():
    rng = random.Random("choice")
    dut = Choice()

    async def bench(ctx):
        for _ in range(300):
            above, below = rng.getrandbits(32), rng.getrandbits(32)
            found, flag = rng.getrandbits(4), rng.getrandbits(1)
            for name, value in (("above", above), ("below", below), ("found", found),
                                ("flag", flag)):
                ctx.set(getattr(dut, name), value)
            expected = [
                (0xFF if flag else above >> 8 * byte & 255) if found >> byte & 1
                else below >> 8 * byte & 255 for byte in range(4)]
            assert list(ctx.get(dut.o).to_bytes(4, "little")) == expected

    sim = Simulator(dut)
    sim.add_testbench(bench)
    sim.run()


def test_cells(tmp_path):
    assert prove_cells(Choice, tmp_path, ["common_sim.vh"]).count("LUT4 #(") == 32
