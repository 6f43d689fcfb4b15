"""Flip-flops without a LUT get one that is free beside them, as a buffer.

A flip-flop's own pin M can be reached from nine wires, each of a LUT's four inputs from 24: where
wires are scarce, the router finds a way to one of those.
"""

from fpga.cells import FLIPFLOP, LUT, PORT_SLOTS, WRITE_PORT, add_luts, feed_beside
from fpga.placement import Placement, bel

__all__ = ["add_buffers"]

_PASS_A = "1010101010101010"


def add_buffers(placement: Placement) -> int:
    """Feed flip-flops through the LUT of their slot where it is free, in place.

    Returns
    -------
    int
        Buffers added.
    """
    taken = {(item.x, item.y, item.z) for item in placement.cells if item.kind == LUT}
    taken |= {(item.x, item.y, slot) for item in placement.cells if item.kind == WRITE_PORT
              for slot in PORT_SLOTS}
    fed = {f"{item.name}$buffer": item for item in placement.cells
           if item.kind == FLIPFLOP and item.net("M") is not None
           and (item.x, item.y, item.z) not in taken}
    nets = add_luts(placement.module,
                    ((name, _PASS_A, item.net("M")) for name, item in fed.items()))
    for (name, item), net in zip(fed.items(), nets, strict=True):
        attributes = placement.module["cells"][name]["attributes"]
        attributes["NEXTPNR_BEL"] = bel(LUT, item.x, item.y, item.z)
        feed_beside(item.cell, net)
    return len(fed)
