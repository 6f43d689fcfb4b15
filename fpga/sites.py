"""Places for multipliers, memories and wide multiplexers, chosen before the rest is placed.

The chip takes nine of ten multipliers of a large device, and most of its block RAM. A placer that
has to find places for them scatters what belongs together, and the logic around them with it. Where
the array picks bytes, 128 bits go to as many multiplexers: side by side they need few wires.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Sites", "fix_memories", "fix_multiplexers", "fix_multipliers"]

_MULTIPLIER, _MEMORY = "MULT18X18D", "DP16KD"
# LUTs that `fpga.wide_muxes` begins a multiplexer of 16 with: bit and number.
_WIDE = re.compile(r"(\w+\.wide16x\d+_\w+)\.(?:.*\.)?c(\d+)_0_([0-7])$")
_SLICES = "DCBA"  # in which nextpnr builds a multiplexer of 16, each two LUTs
_INSTANCE = re.compile(r"\$\d+")  # what Amaranth appends to names that occur twice


@dataclass(frozen=True)
class Sites:
    """What a preset's multipliers, memories and wide multiplexers get on one device.

    Parameters
    ----------
    multipliers : mapping
        Sites for `fix_multipliers`.
    memories : mapping
        Sites for `fix_memories`.
    multiplexers : mapping
        Tiles for `fix_multiplexers`.
    """

    multipliers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    memories: Mapping[str, str] = field(default_factory=dict)
    multiplexers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def fix(self, module: dict[str, Any]) -> None:
        """Give all of them in a netlist their places."""
        fix_multipliers(module, self.multipliers)
        fix_memories(module, self.memories)
        fix_multiplexers(module, self.multiplexers)


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


def fix_multiplexers(module: dict[str, Any], tiles: Mapping[str, Sequence[str]]) -> int:
    """Give multiplexers of 16 their tiles, in place: one fills the eight LUTs of one.

    Parameters
    ----------
    module : dict
        As for `fix_multipliers`.
    tiles : mapping
        By the end of a `hw.wide_mux.WideMux`' name, from the module it is in: for each of its bits
        nextpnr's name of a tile.

    Returns
    -------
    int
        LUTs that have a place.
    """
    fixed = 0
    for name, cell in module["cells"].items():
        match = _WIDE.search(_INSTANCE.sub("", name)) if cell["type"] == "LUT4" else None
        if match and match[1] in tiles:
            tile, (pair, half) = tiles[match[1]][int(match[2])], divmod(int(match[3]), 2)
            _fix(cell, f"{tile}/SLICE{_SLICES[pair]}.K{half}")
            fixed += 1
    return fixed


def _fix(cell: dict[str, Any], site: str) -> None:
    cell.setdefault("attributes", {})["BEL"] = site


def _natural(name: str) -> list[tuple[int, str]]:
    """``column_10`` comes after ``column_9``."""
    return [(int(part or -1), "") if part.isdigit() else (-1, part)
            for part in re.split(r"(\d+)", name)]
