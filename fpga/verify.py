"""Proof that a bitstream is a netlist, as it was before nextpnr and the placer had it.

The bits are read from the file itself (`fpga.decode`), and what they mean, and how the device's
wires are joined, from Project Trellis' database. From nextpnr only comes where each cell is said to
lie. That is a hint: each thing it says is either true of the bits or a difference.

What is proven, if there is no difference:

- Every input of every cell of the netlist comes, through switches that are set and wires that the
  device has, from one source, and this is the output of the cell that drives the net, at its own
  place, or the constant that the netlist has there. LUTs that the netlist doesn't know are looked
  through: each must be a buffer, a constant, a way into or out of a carry chain, or the same
  function of the same nets as one of the netlist.
- Every LUT is the same function of the same nets, whatever inputs were exchanged or tied; halves of
  carry cells too, whose first two inputs count twice. LUT RAM has its data where they belong;
  address lines may be exchanged, or stand twice, if reading and writing do so alike. Wide
  multiplexers have their sides and selects.
- Flip-flops have their data, clock, enable and reset with polarities, reset values and modes; so
  have those beside pads. Block RAM has its modes, widths, inverters and contents; multipliers have
  their registers; PLLs their dividers, phases and filters; pads their pins (by the constraints),
  directions, standards and banks' voltages.
- Every other bit of the configuration is 0, or does nothing (`fpga.bitstream.idle` has the list,
  and its counts are in the result). A cell of a type that no rule knows is a difference.

What is taken for granted: that the netlist is the design (Yosys made it; addresses of block RAM
that are constant were then repeated, `fpga.constants`, and registers moved into multipliers,
`fpga.dsp_registers`: tb/gate simulates what comes out), that its cells do what Lattice's do, and
that Trellis' database tells the truth about the device. Nothing here is about time. A reset
that nothing drives counts as 0. Not looked at are what isn't configuration bits: the header, the
control register (frequency of the memory that it is loaded from) and the user's code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.bitstream.blocks import BlockRules
from fpga.bitstream.comparison import Comparison
from fpga.bitstream.idle import Idle
from fpga.bitstream.logic import LogicRules
from fpga.bitstream.pads import PadRules
from fpga.bitstream.trellis import Trellis
from fpga.decode import Decoded
from fpga.placement import place_of, read_netlist
from sw.errors import ToolError

__all__ = ["Different", "Verified", "device_of", "verify"]

_DEVICES = {"--25k": "LFE5U-25F", "--45k": "LFE5U-45F", "--85k": "LFE5U-85F"}
_SHOWN = 5  # differences in a message
_PAD = "TRELLIS_IO"


class Different(ToolError):
    """A bitstream that isn't its netlist.

    Parameters
    ----------
    what : str
        What was compared.
    differences : list of str
    """

    def __init__(self, what: str, differences: list[str]) -> None:
        count = len(differences)
        more = [f"and {count - _SHOWN:,} more"] if count > _SHOWN else []
        super().__init__("\n".join([f"{what}: {count:,} difference{'s' * (count > 1)}",
                                    *differences[:_SHOWN], *more]))
        self.differences = differences


@dataclass(frozen=True)
class Verified:
    """What of a bitstream was found to be the netlist's.

    Parameters
    ----------
    cells : int
        Of the netlist.
    pins, settings : int
        Inputs of cells and settings of tiles that were compared.
    idle : dict of str to int
        What else there is, and does nothing, by kind.
    """

    cells: int
    pins: int
    settings: int
    idle: dict[str, int]

    def __str__(self) -> str:
        return f"bitstream decoded: {self.cells:,} cells, {self.pins:,} pins agree"


def verify(netlist: Path, routed: Path, constraints: Path, bitstream: Path,
           options: Sequence[str]) -> Verified:
    """Compare.

    Parameters
    ----------
    netlist : Path
        As nextpnr is given it, in JSON.
    routed : Path
        As nextpnr wrote it: for the places of cells.
    constraints : Path
        LPF: for pins, and standards of pads.
    bitstream : Path
    options : sequence of str
        Of nextpnr: device and package.

    Raises
    ------
    Different
        If they differ.
    ToolError
        If something can't be read.
    """
    device = device_of(options)
    package = options[list(options).index("--package") + 1] if "--package" in options else ""
    try:
        modules = json.loads(netlist.read_text())["modules"].values()
        module = next(item for item in modules if int(item["attributes"].get("top", "0"), 2))
        text = constraints.read_text()
    except (OSError, ValueError, KeyError, StopIteration, AttributeError) as error:
        raise ToolError(f"{netlist}, {constraints.name}: can't be read: {error}") from None
    cells = read_netlist(routed)[1]["cells"]
    places = {name: place_of(cell) for name, cell in cells.items()}
    del cells
    comparison = Comparison(_with_pads(module), places, Decoded(bitstream, device), device)
    if package not in device.pads["packages"]:
        raise ToolError(f"no pins of package {package!r} for {device.name}")
    idle = _compare(comparison, PadRules(comparison, text, package))
    if comparison.differences:
        raise Different(f"{bitstream} isn't {netlist.name}", comparison.differences)
    return Verified(len(module["cells"]), comparison.pins, comparison.settings, idle)


def device_of(options: Sequence[str]) -> Trellis:
    """The device that nextpnr's options name.

    Raises
    ------
    ToolError
        If they name none, or its database isn't there.
    """
    for option in options:
        if option in _DEVICES:
            return Trellis(_DEVICES[option])
    raise ToolError(f"which device? of {' '.join(options)} none is {', '.join(_DEVICES)}")


def _compare(comparison: Comparison, pads: PadRules) -> dict[str, int]:
    """All cells, then what is left; counts of what of that is idle."""
    logic, blocks = LogicRules(comparison), BlockRules(comparison)
    cells = {name: cell["type"] for name, cell in comparison.cells_by_name.items()}
    rules: dict[str, LogicRules | BlockRules | PadRules] = {
        kind: rule for rule in (logic, blocks, pads) for kind in rule.kinds}
    for of_pads in (True, False):  # which flip-flops lie beside pads is known after these
        for name, kind in cells.items():
            if (kind in rules and (kind in pads.kinds) == of_pads
                    and name not in pads.registers):
                rules[kind].claim(name, kind)
    logic.claim_multiplexers()
    for name, kind in cells.items():
        if kind not in rules:
            comparison.differ(name, f"is {kind}, for which there is no rule")
        elif name not in pads.registers:
            rules[kind].check(name, kind)
    wires = comparison.wires
    for wire in wires.use(comparison.slices.asked):
        comparison.differ(wires.name(wire), "is driven twice")
    wires.explain()
    idle, others = Idle(comparison).run()
    for text in others:
        comparison.differ("not of the netlist", text)
    for number in comparison.decoded.memories.keys() - comparison.memories:
        comparison.differ("not of the netlist", f"contents of block RAM {number}")
    return idle


def _with_pads(module: Mapping[str, Any]) -> dict[str, Any]:
    """A module whose ports all have pads: where it has none, nextpnr makes plain ones."""
    padded = {bit for cell in module["cells"].values() if cell["type"] == _PAD
              for bit in cell["connections"].get("B", ())}
    cells, ports = dict(module["cells"]), {}
    for name, port in module["ports"].items():
        bits: list[Any] = []
        for number, net in enumerate(port["bits"]):
            bit = net
            if net not in padded:
                bit = f"{name}[{number}]"
                out = port["direction"] == "output"
                pins = {"I": [net], "T": ["0"]} if out else {"O": [net]}
                cells[f"{bit}$pad"] = {
                    "type": _PAD, "attributes": {}, "connections": {"B": [bit], **pins},
                    "parameters": {"DIR": "OUTPUT" if out else "INPUT"},
                    "port_directions": {"B": "inout", "I": "input", "T": "input", "O": "output"}}
            bits.append(bit)
        ports[name] = {**port, "bits": bits}
    return {**module, "cells": cells, "ports": ports}
