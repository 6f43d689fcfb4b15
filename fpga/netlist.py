"""Verilog to a flat netlist of ECP5 cells, by Yosys."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fpga.constants import repeat_addresses
from fpga.dsp_registers import pack_registers
from fpga.toolchain import Tool
from fpga.wide_muxes import wide_muxes

__all__ = ["block_names", "mapped", "netlist", "synthesize"]

_STEP = re.compile(r"^(\d+(?:\.\d+)?)\. (Executing .*)\.$")


def synthesize(folder: Path, top: str, blocks: Iterable[str], yosys: Tool,
               tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """``TOP.v`` in a folder to a flat netlist, ``TOP.json``.

    Blocks stay apart until they are mapped: each cell then bears its block's name, and Yosys needs
    a third of the time.

    Parameters
    ----------
    folder : Path
        Holds the design; gets the files of Yosys.
    top : str
        Top module.
    blocks : iterable of str
        Modules that stay apart.
    yosys : Tool
    tell : callable
        Told the step of the synthesis.

    Returns
    -------
    dict
        The netlist.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    verilog = (folder / f"{top}.v").read_text()
    names = " ".join(sorted(blocks))
    commands, modules = wide_muxes(verilog)
    (folder / "wide_muxes.v").write_text(modules)
    (folder / "synth.ys").write_text("\n".join([
        f"read_verilog {top}.v",
        f"hierarchy -top {top}",
        commands,
        "rename -hide w:*[*]*",  # names with brackets crash memory mapping in Yosys 0.70
        *([f"setattr -mod -set keep_hierarchy 1 {names}"] if names else []),
        f"synth_ecp5 -abc9 -top {top}",
        "setattr -mod -unset keep_hierarchy *",
        "flatten -noscopeinfo",
        "delete t:$scopeinfo",  # older nextpnr stumbles over them
        "opt_clean",
        f"write_json {top}.json", ""]))
    yosys.run(["-Q", "synth.ys"], folder, "yosys.log", _teller(tell))
    found: dict[str, Any] = json.loads((folder / f"{top}.json").read_text())
    repeat_addresses(found["modules"][top])
    return found


def block_names(verilog: str, top: str) -> set[str]:
    """Modules directly below the top, ``TOP.name``, but for wide multiplexers."""
    name = rf"^module (\\{re.escape(top)}\.(?!wide\d+x)\w+(?:\$\d+)?) ?\("
    return set(re.findall(name, verilog, re.MULTILINE))


def mapped(verilog: str, top: str, yosys: Tool, folder: Path,
           tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """The same design of ECP5's cells, those that a board is placed and routed from.

    Parameters
    ----------
    verilog, top : str
        Text and its top module.
    yosys : Tool
    folder : Path
        For the files of Yosys; ``netlist.json`` is what it makes.
    tell : callable
        Told the step of the synthesis.

    Returns
    -------
    dict
        The one flat module that is left, as Yosys writes it in JSON.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    (folder / f"{top}.v").write_text(verilog)
    found = synthesize(folder, top, block_names(verilog, top), yosys, tell)
    pack_registers(found["modules"][top])
    (folder / "netlist.json").write_text(json.dumps(found))
    module: dict[str, Any] = found["modules"][top]
    return module


def netlist(verilog: str, top: str, yosys: Tool, folder: Path) -> str:
    """What `mapped` makes, in Verilog."""
    mapped(verilog, top, yosys, folder)
    (folder / "write.ys").write_text("\n".join([
        "read_json netlist.json", f"hierarchy -top {top}",
        "splitnets",  # bits of a word may depend on each other, words then seem to run in circles
        "write_verilog -noattr netlist.v", ""]))
    yosys.run(["-Q", "write.ys"], folder, "write.log")
    return (folder / "netlist.v").read_text()


def _teller(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Of lines that Yosys prints, those that begin a step, for someone who waits."""
    def line(text: str) -> None:
        match = _STEP.match(text)
        if match:
            tell(f"synthesis: {match[1]} {match[2]}")
    return line
