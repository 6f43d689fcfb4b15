"""Flip-flops without a LUT get one that is free beside them, as a buffer.

A flip-flop's own pin M can be reached from nine wires, each of a LUT's four inputs from 24: where
wires are scarce, the router finds a way to one of those.
"""

from typing import Any

from fpga.placement import FLIPFLOP, LUT, WRITE_PORT, Placement, bel

__all__ = ["add_buffers"]

_PASS_A = "1010101010101010"


def add_buffers(placement: Placement) -> int:
    """Feed flip-flops through the LUT of their slot where it is free, in place.

    Returns
    -------
    int
        Buffers added.
    """
    module = placement.module
    cells, names = module["cells"], module["netnames"]
    taken = {(item.x, item.y, item.z) for item in placement.cells if item.kind == LUT}
    # A write port takes slice C.
    taken |= {(item.x, item.y, slot) for item in placement.cells if item.kind == WRITE_PORT
              for slot in (4, 5)}
    bit = 1 + max(bit for bits in _bits(module) for bit in bits if isinstance(bit, int))
    added = 0
    for item in placement.cells:
        if item.kind != FLIPFLOP or item.net("M") is None or (item.x, item.y, item.z) in taken:
            continue
        name = f"{item.name}$buffer"
        cell = item.cell
        cells[name] = {
            "hide_name": 0, "type": "TRELLIS_COMB", "parameters": {"INITVAL": _PASS_A},
            "attributes": {"BEL_STRENGTH": f"{1:032b}",
                           "NEXTPNR_BEL": bel(LUT, item.x, item.y, item.z)},
            "port_directions": {"F": "output", "D": "input", "C": "input", "B": "input",
                                "A": "input"},
            "connections": {"F": [bit], "D": [], "C": [], "B": [],
                            "A": cell["connections"].pop("M")}}
        names[name] = {"hide_name": 0, "bits": [bit], "attributes": {"ROUTING": " "}}
        del cell["port_directions"]["M"]
        cell["port_directions"]["DI"] = "input"
        cell["connections"]["DI"] = [bit]
        cell["parameters"]["SD"] = "1 "  # D from the LUT
        bit += 1
        added += 1
    return added


def _bits(module: dict[str, Any]) -> list[list[Any]]:
    return [*(bits for cell in module["cells"].values() for bits in cell["connections"].values()),
            *(net["bits"] for net in module["netnames"].values())]
