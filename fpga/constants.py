"""Constants at pins where nextpnr would route them, across the device, from one cell a value.

A multiplier's modes are pins, and so are the address bits that a LUT RAM of less than 16 rows has
no use for: five at each of its LUTs and its write port together.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fpga.cells import LUT, MULTIPLIER, add_luts, kind_of
from fpga.geometry import Site

__all__ = ["repeat_addresses", "spread_constants"]

_RAM, _READ, _WRITE = "TRELLIS_DPR16X4", "RAD", "WAD"
# Operands need no route: a bit of the switch box at their pins makes them constant.
_MODES = re.compile(r"(SIGNED|SOURCE)[AB]|(CE|RST)[0-3]")


def spread_constants(module: dict[str, Any], sites: Mapping[str, Site]) -> dict[str, str]:
    """Give the multipliers of a group of sites two LUTs, for 0 and for 1, in place.

    Parameters
    ----------
    module : dict
        Netlist that nextpnr packed.
    sites : mapping
        Site by multiplier; other names are left alone.

    Returns
    -------
    dict
        By name of a LUT that was added, a multiplier of its group.
    """
    cells = module["cells"]
    values = {cell["connections"]["F"][0]: cell["parameters"]["INITVAL"]
              for cell in cells.values() if kind_of(cell) == LUT and cell["connections"].get("F")
              and cell["parameters"].get("INITVAL") in ("0" * 16, "1" * 16)}
    wanted: dict[str, list[tuple[str, str]]] = defaultdict(list)
    contents = {}
    for name, (column, row, number) in sites.items():
        for pin, bits in cells[name]["connections"].items():
            if kind_of(cells[name]) == MULTIPLIER and _MODES.fullmatch(pin) and bits:
                content = values.get(bits[0])
                if content is not None:
                    constant = f"constant_{content[0]}_X{column - number}_Y{row}"
                    wanted[constant].append((name, pin))
                    contents[constant] = content
    nets = add_luts(module, ((name, content, None) for name, content in contents.items()))
    for constant, net in zip(contents, nets, strict=True):
        for name, pin in wanted[constant]:
            cells[name]["connections"][pin] = [net]
    return {constant: pins[0][0] for constant, pins in wanted.items()}


def repeat_addresses(module: dict[str, Any]) -> int:
    """Address bits of LUT RAMs that are 0 for reading and writing follow another bit, in place.

    The rows in use are then others, as many, and each is read where it was written. A RAM that
    starts with something in it stays as it is.

    Parameters
    ----------
    module : dict
        As for `spread_constants`.

    Returns
    -------
    int
        Bits that were constant, of reading or writing.
    """
    repeated = 0
    for cell in module["cells"].values():
        if cell["type"] != _RAM or "1" in cell["parameters"].get("INITVAL", ""):
            continue
        read, write = cell["connections"][_READ], cell["connections"][_WRITE]
        idle = [bit for bit in range(len(read)) if read[bit] == write[bit] == "0"]
        used = next((bit for bit in range(len(read))
                     if isinstance(read[bit], int) and isinstance(write[bit], int)), None)
        if used is not None:
            for bit in idle:
                read[bit], write[bit] = read[used], write[used]
            repeated += 2 * len(idle)
    return repeated
