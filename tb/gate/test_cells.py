"""Our models of cells: netlists of samples against their RTL, in Icarus."""

import itertools
import random
import re
import subprocess

import pytest
from amaranth.back import verilog

from fpga.netlist import netlist
from fpga.toolchain import Toolchain
from tb.gate.cell_samples import WIDTH, CellSamples
from tb.gate.models import block_models, cautious_models, logic_models
from tb.lib.verilog import for_icarus

CYCLES = 400
# What a reader has not read yet is X in the RTL, and then anything in the netlist.
_BENCH = """\
module bench;
    reg clk = 0, rst = 1;
    reg [{width} - 1:0] stimuli [0:{cycles} - 1];
    reg [{width} - 1:0] given = 0;
    wire [{results} - 1:0] rtl, gate;
    rtl first (.clk(clk), .rst(rst), .given(given){rtl});
    gate second (.clk(clk), .rst(rst), .given(given){gate});
    integer cycle, wrong = 0, unknown = 0;
    initial begin
        $readmemh("stimuli.hex", stimuli);
        for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
            #5 if (!rst && (gate ==? rtl) !== 1'b1) begin
                wrong = wrong + 1;
                if (wrong == 1) $display("cycle %0d: %h", cycle, rtl ^ gate);
            end
            if (!rst && ^gate === 1'bx) unknown = unknown + 1;
            clk = 1;
            #5 clk = 0;
            rst = cycle < 3;
            given = stimuli[cycle];
        end
        $display("%0d wrong, %0d unknown, %0d never read", wrong, unknown, $countbits(rtl, 1'bx));
        $finish;
    end
endmodule
"""


def bench(samples):
    """Verilog that runs both side by side."""
    ends, pins = 0, {"rtl": "", "gate": ""}
    for name, width in samples.results.items():
        for side in pins:
            pins[side] += f",\n        .{name}({side}[{ends} +: {width}])"
        ends += width
    return _BENCH.format(cycles=CYCLES, width=WIDTH, results=ends, **pins)


def run(folder, seed, **samples):
    """(wrong cycles, cycles with X, netlist)."""
    def text(name):
        return verilog.convert(dut, name=name, emit_src=False, strip_internal_attrs=True)

    dut = CellSamples(seed, **samples)
    gates = netlist(text("gate"), "gate", Toolchain(native=False).yosys, folder)
    rng, cautious = random.Random(seed), cautious_models()
    (folder / "stimuli.hex").write_text("".join(
        f"{rng.getrandbits(WIDTH):x}\n" for _ in range(CYCLES)))
    (folder / "all.v").write_text("\n".join((
        for_icarus(text("rtl")), gates, logic_models(unknown_start=False, without=cautious),
        *cautious.values(), block_models(unknown_start=False),
        bench(dut))))
    for command in (["iverilog", "-g2012", "-s", "bench", "-o", "bench", "all.v"],
                    ["vvp", "-n", "bench"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr[-2000:]
    found = re.search(r"(\d+) wrong, (\d+) unknown, (\d+) never read", done.stdout)
    assert found, done.stdout
    return int(found[1]), int(found[2]), gates


def test_models_match_the_rtl(tmp_path):
    seed = 1
    wrong, _, gates = run(tmp_path, seed)
    assert not wrong, f"seed {seed}: {wrong} cycles of {CYCLES} differ"
    for width in (1, 2, 4, 9, 18, 36):
        assert f".DATA_WIDTH_B(32'd{width})" in gates, width
    for mode in ("NORMAL", "WRITETHROUGH", "READBEFOREWRITE"):
        assert f'.WRITEMODE_A("{mode}")' in gates, mode
    for text in ("TRELLIS_DPR16X4 ", '.CEMUX("CE")', '.REGSET("SET")'):
        assert text in gates, text
    blocks = re.findall(r"MULT18X18D (?:#\((.*?)\) )?\S+ +\(", gates, re.DOTALL)
    registers = {("REG_INPUTA_CLK" in block, "REG_OUTPUT_CLK" in block) for block in blocks}
    assert registers == set(itertools.product((False, True), repeat=2))


def test_a_word_read_while_it_is_written_is_unknown(tmp_path):
    memories = (512, 36, 36, "apart"), (513, 18, 9, "two turns")
    _, unknown, _ = run(tmp_path, 2, memories=memories, factors=(), collide=True)
    assert unknown > CYCLES // 20


@pytest.mark.slow
def test_yosys_does_not_hold_what_was_read_in_a_block_that_is_not_written(tmp_path):
    """A defect of Yosys 0.70 that the hardware must keep clear of.

    Where a write port and a reader that is never enabled with it become one port, and the word is
    split into two blocks, a write to one half enables both. The other one then reads at its place,
    though the reader was not enabled: what it read before is lost. The only memory of ours with
    such ports, of hw.mem.scratchpad, is safe twice: words are written as a whole, and what was read
    is only looked at in the next cycle.
    """
    memories = (128, 32, 16, "two turns"),
    wrong, unknown, gates = run(tmp_path, 3, memories=memories, factors=())
    assert gates.count("DP16KD #(") == 2
    assert wrong > unknown
