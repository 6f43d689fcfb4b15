"""LUTs twice where they lie far from a late path for the sake of others that they drive.

What is shared costs a slot only, a detour nanoseconds: where a late signal goes out of its way to
a LUT, and other users hold that there, a copy of it on the way drives those that are late.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from fpga.cells import LUT, free_net, kind_of, name_net, parameter

__all__ = ["copy_luts"]

_DETOUR = 8.0  # tiles, from which on a copy is worth its slot
# Pins that can be given another net: flip-flops that share controls lie together.
_PINS = ("A", "B", "C", "D", "M")


def copy_luts(module: dict[str, Any], late: np.ndarray, x: np.ndarray,
              y: np.ndarray) -> dict[str, tuple[float, float]]:
    """Copy such LUTs, in place.

    Parameters
    ----------
    module : dict
        Netlist that nextpnr packed.
    late : numpy.ndarray
        Connections, as `Timing.late` gives them.
    x, y : numpy.ndarray
        Of the netlist's cells, in tiles.

    Returns
    -------
    dict
        By name of a LUT that was added, where it should lie; cells at the netlist's end.
    """
    names, cells = list(module["cells"]), module["cells"]
    at = np.column_stack((x, y))
    latest: dict[int, tuple[float, int]] = {}
    ways: dict[int, list[int]] = defaultdict(list)
    for driver, end, cost in late.tolist():
        latest[int(end)] = max(latest.get(int(end), (0.0, -1)), (cost, int(driver)))
        ways[int(driver)].append(int(end))
    users, free = _users(module), free_net(module)
    found: dict[str, tuple[float, float]] = {}
    for lut, ends in ways.items():
        cell = cells[names[lut]]
        if lut not in latest or not _plain(cell):
            continue
        before, net = latest[lut][1], cell["connections"]["F"][0]
        far = [end for end in dict.fromkeys(ends) if _detour(at, before, lut, end) >= _DETOUR]
        pins = [(names[end], pin) for end in far for pin in _PINS
                if cells[names[end]]["connections"].get(pin) == [net]]
        if not pins or len(pins) == users[net]:
            continue
        bit = free + len(found)
        copy = f"{names[lut]}$copy{bit}"
        cells[copy] = {**cell, "attributes": {}, "parameters": {**cell["parameters"]},
                       "connections": {**cell["connections"], "F": [bit]}}
        name_net(module, copy, bit)
        for name, pin in pins:
            cells[name]["connections"][pin] = [bit]
        middle = (at[before] + at[far].mean(0)) / 2
        found[copy] = float(middle[0]), float(middle[1])
    return found


def _plain(cell: Mapping[str, Any]) -> bool:
    """Whether it is a LUT with nothing but its own output."""
    return (kind_of(cell) == LUT and parameter(cell, "MODE", "LOGIC") == "LOGIC"
            and [pin for pin, bits in cell["connections"].items()
                 if bits and cell["port_directions"].get(pin) == "output"] == ["F"])


def _users(module: Mapping[str, Any]) -> dict[int, int]:
    """Inputs at each net."""
    found: dict[int, int] = defaultdict(int)
    for cell in module["cells"].values():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"].get(pin) != "output":
                for bit in bits:
                    found[bit] += 1
    return found


def _detour(at: np.ndarray, before: int, lut: int, end: int) -> float:
    """Tiles that the way from one cell over a LUT to another one is longer than it could be."""
    return float(np.abs(at[before] - at[lut]).sum() + np.abs(at[lut] - at[end]).sum()
                 - np.abs(at[before] - at[end]).sum())
