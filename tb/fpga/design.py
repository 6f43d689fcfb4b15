"""A small design with everything that is tied together, for an LFE5U-25F in its CABGA256."""

from pathlib import Path

from fpga.netlist import mapped
from fpga.toolchain import Toolchain

__all__ = ["PINS", "PORTS", "map_design"]

# Carry chains, wide multiplexers, a LUT RAM, a block RAM, multipliers, controls of many kinds,
# registers behind multiplexers that drive others, too.
_VERILOG = """
module \\top.wide16x1_0 (input [15:0] data, input [3:0] at, output out);
  wire [15:0] shifted = data >> at;
  assign out = shifted[0];
endmodule
module top(input clk, input rst, input [3:0] sel, input [15:0] in, output reg [15:0] out);
  reg [15:0] a, b, c, d, word, kept, memory [0:511];
  reg [31:0] sum, product, second;
  reg [8:0] at;
  reg [3:0] nibble, small [0:15];
  reg picked;
  reg [1:0] chosen;
  wire [1:0] choice;
  \\top.wide16x1_0 first(.data(word), .at(sel), .out(choice[0]));
  \\top.wide16x1_0 other(.data(b), .at(sel), .out(choice[1]));
  always @(posedge clk) begin
    a <= in; b <= a; d <= b;
    if (sel[0]) c <= d;
    at <= at + 1;
    product <= a * c; second <= b * c;
    sum <= rst ? 0 : sum + product + second;
    memory[at] <= sum[15:0]; word <= memory[in[8:0]];
    small[sel] <= in[3:0]; nibble <= small[in[7:4]];
    picked <= ^choice ^ sum[in[12:8]]; chosen <= choice;
    if (rst) kept <= 0; else if (sel[1]) kept <= word + c;
    out <= {kept[15:7] ^ sum[31:23], chosen, nibble, picked};
  end
endmodule
"""
PORTS = ("clk", "rst", *(f"{name}[{bit}]" for name, width in (("sel", 4), ("in", 16), ("out", 16))
                         for bit in range(width)))
PINS = [f"{row}{column}" for row, columns in (
    ("A", range(2, 9)), ("B", range(1, 9)), ("C", range(1, 14)), ("D", range(3, 14)))
    for column in columns]


def map_design(folder: Path, tools: Toolchain) -> None:
    """Write ``netlist.json``, mapped by Yosys, and ``top.lpf``."""
    mapped(_VERILOG, "top", tools.yosys, folder)
    (folder / "top.lpf").write_text("".join(
        f'LOCATE COMP "{port}" SITE "{pin}";\n'
        for port, pin in zip(PORTS, PINS, strict=False)))
