"""Places for the multipliers, chosen before the rest is placed.

The chip takes nine of ten multipliers of a large device. A placer that has to find places for them
scatters what belongs together, and the logic around them with it. In the order of their names, a
column's lie side by side, and so do neighbouring columns.
"""

import re
from collections.abc import Sequence
from typing import Any

__all__ = ["fix_multipliers"]

_TYPE = "MULT18X18D"


def fix_multipliers(module: dict[str, Any], sites: Sequence[str]) -> int:
    """Give each multiplier a place, in place, by nextpnr's attribute BEL.

    Parameters
    ----------
    module : dict
        Flat netlist of ECP5's cells, as Yosys writes it in JSON.
    sites : sequence of str
        nextpnr's names, so that neighbours in the list are neighbours on the device. If they are
        too few (none, for a device where the placer does well), nothing is fixed.

    Returns
    -------
    int
        Multipliers that have a place.
    """
    cells = module["cells"]
    given = {name: name for name, cell in cells.items() if cell["type"] == _TYPE}
    drivers = {bit: name for name in given for pin, bits in cells[name]["connections"].items()
               for bit in bits if cells[name]["port_directions"].get(pin) == "output"}
    # A cell's name is one that Yosys made up; the shortest of what it drives is the design's.
    for net in sorted((net for net in module["netnames"] if "$" not in net), key=len, reverse=True):
        for bit in module["netnames"][net]["bits"]:
            if bit in drivers:
                given[drivers[bit]] = net
    names = sorted(given, key=lambda name: _natural(given[name]))
    if len(names) > len(sites):
        return 0
    for name, site in zip(names, sites, strict=False):
        module["cells"][name].setdefault("attributes", {})["BEL"] = site
    return len(names)


def _natural(name: str) -> list[tuple[int, str]]:
    """``column_10`` comes after ``column_9``."""
    return [(int(part or -1), "") if part.isdigit() else (-1, part)
            for part in re.split(r"(\d+)", name)]
