"""Places for multipliers and memories, chosen before the rest is placed.

The chip takes nine of ten multipliers of a large device, and most of its block RAM. A placer that
has to find places for them scatters what belongs together, and the logic around them with it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Sites", "fix_memories", "fix_multipliers"]

_MULTIPLIER, _MEMORY = "MULT18X18D", "DP16KD"
_INSTANCE = re.compile(r"\$\d+")  # what Amaranth appends to names that occur twice


@dataclass(frozen=True)
class Sites:
    """What a preset's multipliers and memories get on one device.

    Parameters
    ----------
    multipliers : mapping
        Sites for `fix_multipliers`.
    memories : mapping
        Sites for `fix_memories`.
    """

    multipliers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    memories: Mapping[str, str] = field(default_factory=dict)


def fix_multipliers(module: dict[str, Any], sites: Mapping[str, Sequence[str]]) -> int:
    """Give each multiplier a site, in place, by nextpnr's attribute BEL, in the order of names.

    Parameters
    ----------
    module : dict
        Flat netlist of ECP5's cells, as Yosys writes it in JSON.
    sites : mapping
        By a part of the multipliers' names, nextpnr's names of sites, so that neighbours in the
        list are neighbours on the device. If they are too few, none of that part is fixed.

    Returns
    -------
    int
        Multipliers that have a place.
    """
    cells = module["cells"]
    given = {name: name for name, cell in cells.items() if cell["type"] == _MULTIPLIER}
    drivers = {bit: name for name in given for pin, bits in cells[name]["connections"].items()
               for bit in bits if cells[name]["port_directions"].get(pin) == "output"}
    # A cell's name is one that Yosys made up; the shortest of what it drives is the design's.
    for net in sorted((net for net in module["netnames"] if "$" not in net), key=len, reverse=True):
        for bit in module["netnames"][net]["bits"]:
            if bit in drivers:
                given[drivers[bit]] = net
    fixed = 0
    for part, places in sites.items():
        names = sorted((name for name in given if part in given[name]),
                       key=lambda name: _natural(given[name]))
        if len(names) <= len(places):
            for name, site in zip(names, places, strict=False):
                _fix(cells[name], site)
            fixed += len(names)
    return fixed


def fix_memories(module: dict[str, Any], sites: Mapping[str, str]) -> int:
    """Give block RAMs sites, in place.

    Parameters
    ----------
    module : dict
        As for `fix_multipliers`.
    sites : mapping
        Site by the end of a memory's name, from the start of one of its parts: Yosys numbers the
        blocks that a memory takes, lowest bits first.

    Returns
    -------
    int
        Blocks that have a site.
    """
    fixed = 0
    for name, cell in module["cells"].items():
        if cell["type"] == _MEMORY:
            parts = _INSTANCE.sub("", name).split(".")
            ends = (".".join(parts[first:]) for first in range(len(parts)))
            site = next((sites[end] for end in ends if end in sites), None)
            if site:
                _fix(cell, site)
                fixed += 1
    return fixed


def _fix(cell: dict[str, Any], site: str) -> None:
    cell.setdefault("attributes", {})["BEL"] = site


def _natural(name: str) -> list[tuple[int, str]]:
    """``column_10`` comes after ``column_9``."""
    return [(int(part or -1), "") if part.isdigit() else (-1, part)
            for part in re.split(r"(\d+)", name)]
