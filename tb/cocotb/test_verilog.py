"""The rewrite for Icarus: what depends on values that never change must not read X."""

import subprocess

import pytest
from amaranth.back import verilog
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tb.lib.verilog import for_icarus, ports

BENCH = """
module bench;
  reg clk = 0, rst = 1, i = 0;
  wire [7:0] constant, count;
  dut dut (.clk(clk), .rst(rst), .i(i), .constant(constant), .count(count));
  initial begin
    repeat (4) #5 clk = ~clk;
    rst = 0;
    repeat (4) #5 clk = ~clk;
    #1 $display("%b %b", constant, count);
  end
endmodule
"""


class Dut(wiring.Component):
    """A combinational output of a register that never changes from its initial value."""

    i: In(1)
    constant: Out(8)
    count: Out(8)

    def elaborate(self, platform):
        m = Module()
        state = Signal(2)
        with m.If(self.i):
            m.d.sync += state.eq(state + 1)
        with m.Switch(state):
            with m.Case(0):
                m.d.comb += self.constant.eq(0xA5)
            with m.Case(1):
                m.d.comb += self.constant.eq(1)
        m.d.sync += self.count.eq(self.count + 1)
        return m


def outputs(text, folder):
    """What the bench shows, compiled in the dialect that cocotb asks for."""
    (folder / "all.v").write_text(text + BENCH)
    command = ["iverilog", "-g2012", "-s", "bench", "-o", folder / "all.vvp", folder / "all.v"]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run(["vvp", folder / "all.vvp"], check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_constants_are_not_x(tmp_path):
    text = verilog.convert(Dut(), name="dut", strip_internal_attrs=True)
    changed = for_icarus(text)
    assert changed != text, "Yosys writes no triggers any more"
    assert outputs(changed, tmp_path) == ["10100101", "00000010"]


def test_unknown_triggers_are_refused():
    text = verilog.convert(Dut(), name="dut", strip_internal_attrs=True)
    odd = text.replace("  = 0;", "  = 1'b0;")
    assert odd != text
    with pytest.raises(ValueError, match="without the known declaration"):
        for_icarus(odd)


def test_ports():
    text = verilog.convert(Dut(), name="dut", strip_internal_attrs=True)
    assert set(ports(text, "dut")) == {"clk", "rst", "i", "constant", "count"}
