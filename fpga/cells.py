"""Cells of a netlist that nextpnr packed for an ECP5, and controls that share wires in a tile."""

from collections.abc import Hashable, Iterable, Mapping
from itertools import chain
from typing import Any

__all__ = ["FIXED", "FLIPFLOP", "LUT", "MEMORY", "MULTIPLIER", "PORT_SLOTS", "SLOTS", "WRITE_PORT",
           "Controls", "add_luts", "compatible", "feed_beside", "flipflop_controls", "free_net",
           "global_nets", "kind_of", "name_net", "net_at", "parameter", "ram_controls"]

LUT, FLIPFLOP, WRITE_PORT, MEMORY, MULTIPLIER, FIXED = range(6)
SLOTS = 8  # of a tile: a LUT and a flip-flop each; two are a slice
PORT_SLOTS = (4, 5)  # those that a LUT RAM's write port takes: slice C
_KINDS = {"TRELLIS_COMB": LUT, "TRELLIS_FF": FLIPFLOP, "TRELLIS_RAMW": WRITE_PORT,
          "DP16KD": MEMORY, "MULT18X18D": MULTIPLIER}

Signal = tuple[int, str] | tuple[int, str, str] | None  # a net with its modes
Controls = tuple[Signal, Signal, Hashable]
"""Clock and reset, each net and modes or None, and enable."""


def kind_of(cell: Mapping[str, Any]) -> int:
    """LUT to MULTIPLIER, or FIXED: a cell that has its place when nextpnr has packed."""
    return _KINDS.get(cell["type"], FIXED)


def net_at(cell: Mapping[str, Any], pin: str) -> int | None:
    """Net at a pin; none for a constant or nothing."""
    bits = cell["connections"].get(pin)
    return bits[0] if bits and isinstance(bits[0], int) else None


def parameter(cell: Mapping[str, Any], name: str, default: str) -> str:
    """A parameter as nextpnr reads it."""
    return str(cell["parameters"].get(name, default)).strip()


def global_nets(module: Mapping[str, Any]) -> set[int]:
    """Nets that have wires of their own, over all of the device."""
    return {bit for net in module["netnames"].values()
            if net["attributes"].get("ECP5_IS_GLOBAL") for bit in net["bits"]}


def feed_beside(flipflop: dict[str, Any], net: int) -> None:
    """Let a flip-flop fed at M take what its slot's LUT drives instead, in place."""
    for of in (flipflop["connections"], flipflop["port_directions"]):
        of["DI"] = of.pop("M")
    flipflop["connections"]["DI"] = [net]
    flipflop["parameters"]["SD"] = "1 "


def flipflop_controls(cell: Mapping[str, Any]) -> Controls:
    """Those of a flip-flop; the two of a slice share them all."""
    return (_signal(net_at(cell, "CLK"), parameter(cell, "CLKMUX", "CLK")),
            _signal(net_at(cell, "LSR"), parameter(cell, "LSRMUX", "LSR"),
                    parameter(cell, "SRMODE", "LSR_OVER_CE")),
            (net_at(cell, "CE"), parameter(cell, "CEMUX", "CE"), parameter(cell, "GSR", "ENABLED")))


def ram_controls(cell: Mapping[str, Any]) -> Controls:
    """Those of a LUT RAM's write port, which come by the wires of clock and reset."""
    return (_signal(net_at(cell, "WCK"), parameter(cell, "WCKMUX", "WCK").replace("WCK", "CLK")),
            _signal(net_at(cell, "WRE"), parameter(cell, "WREMUX", "WRE").replace("WRE", "LSR"),
                    "LSR_OVER_CE"), None)


def compatible(flipflops: Iterable[Controls], ports: Iterable[Controls] = ()) -> bool:
    """Whether a tile can hold them: flip-flops with one clock and one reset, and a write port.

    The device has wires for two of each, nextpnr gives flip-flops one; a net comes in one mode.
    """
    pairs = {controls[:2] for controls in flipflops}
    if len(pairs) > 1:
        return False
    both = [*pairs, *(port[:2] for port in ports)]
    for kind in range(2):
        found = {pair[kind] for pair in both} - {None}
        if len({signal[0] for signal in found if signal is not None}) < len(found):
            return False
    return True


def _signal(net: int | None, *modes: str) -> Any:
    return None if net is None else (net, *modes)


def add_luts(module: dict[str, Any], luts: Iterable[tuple[str, str, Any]]) -> list[int]:
    """Add LUTs without a place, in place.

    Parameters
    ----------
    module : dict
    luts : iterable of (name, content, net at A)
        Content as nextpnr writes it, 16 bits; the net, or None where no input counts.

    Returns
    -------
    list of int
        Their output nets.
    """
    free = free_net(module)
    found = []
    for name, content, net in luts:
        found.append(free)
        module["cells"][name] = {
            "hide_name": 0, "type": "TRELLIS_COMB", "parameters": {"INITVAL": content},
            "attributes": {},
            "port_directions": {"F": "output", "D": "input", "C": "input", "B": "input",
                                "A": "input"},
            "connections": {"F": [free], "D": [], "C": [], "B": [],
                            "A": [] if net is None else [net]}}
        name_net(module, name, free)
        free += 1
    return found


def free_net(module: Mapping[str, Any]) -> int:
    """The first number that no net has, nor any after it."""
    bits = chain(*(bits for cell in module["cells"].values()
                   for bits in cell["connections"].values()),
                 *(net["bits"] for net in module["netnames"].values()))
    return 1 + max(bit for bit in bits if isinstance(bit, int))


def name_net(module: dict[str, Any], name: str, net: int) -> None:
    """Enter a net that a cell of that name drives."""
    module["netnames"][name] = {"hide_name": 0, "bits": [net], "attributes": {"ROUTING": " "}}
