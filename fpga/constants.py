"""Constants at pins where nextpnr would route them, across the device, from one cell a value.

A multiplier's modes are pins, and so are the address bits that a LUT RAM of less than 16 rows has
no use for: five at each of its LUTs and its write port together.
"""

import re
from typing import Any

__all__ = ["repeat_addresses", "spread_constants"]

_TYPE, _VALUES = "MULT18X18D", ("0", "1")
_RAM, _READ, _WRITE = "TRELLIS_DPR16X4", "RAD", "WAD"
# Operands need no route: a bit of the switch box at their pins makes them constant.
_MODES = re.compile(r"(SIGNED|SOURCE)[AB]|(CE|RST)[0-3]")
_SITE = re.compile(r"X(\d+)/Y(\d+)/MULT18_(\d)")


def spread_constants(module: dict[str, Any]) -> int:
    """Give those multipliers that share a group of sites two LUTs, for 0 and for 1, in place.

    Parameters
    ----------
    module : dict
        Flat netlist of ECP5's cells, as Yosys writes it in JSON. Multipliers without a site
        (attribute BEL) stay as they are.

    Returns
    -------
    int
        LUTs added.
    """
    cells = module["cells"]
    bits = (bit for net in module["netnames"].values() for bit in net["bits"])
    free = max((bit for bit in bits if isinstance(bit, int)), default=1) + 1
    drivers: dict[str, int] = {}
    for cell in [cell for cell in cells.values() if cell["type"] == _TYPE]:
        site = _SITE.fullmatch(cell.get("attributes", {}).get("BEL", ""))
        if site is None:
            continue
        group = f"X{int(site[1]) - int(site[3])}_Y{site[2]}"
        for pin, nets in cell["connections"].items():
            if _MODES.fullmatch(pin) and nets[0] in _VALUES:
                name = f"constant_{nets[0]}_{group}"
                if name not in drivers:
                    drivers[name] = free + len(drivers)
                    cells[name] = {"hide_name": 0, "type": "LUT4", "attributes": {},
                                   "parameters": {"INIT": nets[0] * 16},
                                   "port_directions": {"Z": "output"},
                                   "connections": {"Z": [drivers[name]]}}
                    module["netnames"][name] = {"hide_name": 0, "bits": [drivers[name]],
                                                "attributes": {}}
                nets[0] = drivers[name]
    return len(drivers)


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
