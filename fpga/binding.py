"""How nextpnr is told places: in one of two ways, by what a LUT is used for.

And which inputs of blocks are to be tied: a pin that is at nothing isn't one for nextpnr once it
has read it back, and is left floating.

The router may exchange a LUT's inputs, but for those of carry chains and LUT RAMs. What a LUT is
nextpnr only knows after it has read the netlist, and it asks when a cell is bound to its place: a
cell that has its place when it is read (attribute NEXTPNR_BEL) counts as an ordinary LUT. So
others than these are bound later, as a user would have it (BEL), when nextpnr places.
"""

from typing import Any

from fpga.cells import LUT, kind_of, parameter

__all__ = ["bind"]

_BOUND = f"{5:032b}"  # STRENGTH_LOCKED: the placer leaves it there
# What nextpnr ties inputs of, and can't place if controls are neither connected nor said not to be.
_BLOCKS = ("DP16KD", "MULT18X18D", "ALU54B")


def bind(module: dict[str, Any]) -> None:
    """Make a placed netlist one that nextpnr routes with ``--no-pack``, in place.

    Parameters
    ----------
    module : dict
        All cells have their place in NEXTPNR_BEL.
    """
    for cell in module["cells"].values():
        attributes = cell["attributes"]
        if kind_of(cell) == LUT and parameter(cell, "MODE", "LOGIC") != "LOGIC":
            attributes["BEL"] = attributes.pop("NEXTPNR_BEL")
            attributes.pop("BEL_STRENGTH", None)
        else:
            attributes.pop("BEL", None)
            attributes["BEL_STRENGTH"] = _BOUND
        if cell["type"] in _BLOCKS:
            for pin, bits in cell["connections"].items():
                if cell["port_directions"][pin] == "input" and not bits:
                    cell["connections"][pin] = ["x"]
