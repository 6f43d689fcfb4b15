"""SplitAdder: every mode on every sub-word, byte by byte; ECP5's cells do the same."""

import random

from amaranth.sim import Simulator

from hw.drp.split_adder import SplitAdder
from tb.unit.drp.cells import prove_cells
from tb.unit.drp.words import words

ENDS = (0b000, 0b010, 0b111)  # 1 x 32, 2 x 16, 4 x 8
COUNT = 1500


def expected(a, b, invert, adds, ends, first):
    """(32 bits, carries out of bytes that end a sub-word), a byte after the other."""
    o, over, carry = 0, [], first
    for byte in range(4):
        x, y = a >> 8 * byte & 255, b >> 8 * byte & 255
        if adds:
            total = (255 - x if invert else x) + y + carry
        else:
            total = x | y if invert else y
        o |= (total & 255) << 8 * byte
        carry = total >> 8
        last = byte == 3 or ends >> byte & 1
        over.append(carry if last else None)
        if last:
            carry = first
    return o, over


def test_modes():
    rng = random.Random("split adder")
    dut = SplitAdder()
    a, b = (words(rng, COUNT).tolist() for _ in range(2))

    async def bench(ctx):
        for x, y in zip(a, b, strict=True):
            invert, adds = rng.getrandbits(1), rng.getrandbits(1)
            carry, ends = adds & rng.getrandbits(1), rng.choice(ENDS)
            for name, value in (("a", x), ("b", y), ("invert", invert), ("adds", adds),
                                ("ends", ends), ("carry", carry)):
                ctx.set(getattr(dut, name), value)
            o, over = expected(x, y, invert, adds, ends, carry)
            about = x, y, invert, adds, ends, carry
            assert ctx.get(dut.o) == o, about
            assert all(found is None or ctx.get(dut.over[byte]) == found
                       for byte, found in enumerate(over)), about

    sim = Simulator(dut)
    sim.add_testbench(bench)
    sim.run()


def test_cells(tmp_path):
    assert prove_cells(SplitAdder, tmp_path, ["common_sim.vh", "ccu2c_sim.vh"]).count(
        "CCU2C #(") == 19
