"""LUT4, FF, DSP and EBR of a mapped ECP5 netlist, in total and by block."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from golden.spec.config import Config

__all__ = ["area", "blocks", "multipliers"]

# ECP5 cells by what they use. A CCU2C is two LUT4. A DPR16X4 is four, and the two of a third
# half-slice that hand it its write address and data.
_LUT4 = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
_KINDS = {"ff": ("TRELLIS_FF",), "dsp": ("MULT18X18D",), "ebr": ("DP16KD", "PDPW16KD")}


def area(types: Iterable[str]) -> dict[str, int]:
    """What cells of these types use."""
    total = {"lut4": 0, "ff": 0, "dsp": 0, "ebr": 0}
    for name in types:
        total["lut4"] += _LUT4.get(name, 0)
        for kind, names in _KINDS.items():
            total[kind] += name in names
    return total


def blocks(cells: Mapping[str, str], prefixes: Iterable[str]) -> dict[str, dict[str, int]]:
    """The same by block.

    Parameters
    ----------
    cells : mapping of str to str
        Types by name; names are hierarchical, with dots.
    prefixes : iterable of str
        Blocks; those in others come on their own too. A cell counts for the longest that fits.

    Returns
    -------
    dict of str to dict
        Largest first; what is in none of them as "".
    """
    found = defaultdict(list)
    known = set(prefixes)
    for name, kind in cells.items():
        parts = name.split(".")
        while parts and ".".join(parts) not in known:
            parts.pop()
        found[".".join(parts)].append(kind)
    rows = {name: area(kinds) for name, kinds in found.items()}
    return dict(sorted(rows.items(), key=lambda item: -item[1]["lut4"]))


def multipliers(config: Config) -> int:
    """DSP blocks of the array: one a multiplier that is not of LUTs, four a requantizer."""
    return config.lanes * (config.columns - config.lut_columns) + 4 * config.drain
