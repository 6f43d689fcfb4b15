"""What a tile of an ECP5 can hold, said once more, for what `fpga` places and checks."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["broken", "place_of", "torn"]

_PLACE = re.compile(r"X(\d+)/Y(\d+)/SLICE([ABCD])\.(K|FF|RAMW)([01]?)")
# Where the driver of a pin is, from the slot of the pin: along a row, eight slots to a tile.
_FROM = {"FCI": {slot: -1 for slot in range(8)}, "F1": {0: 1, 2: 1, 4: 1, 6: 1},
         "FXB": {1: -1, 5: -1, 3: -2}, "FXA": {1: 1, 5: 1, 3: 2}}


def place_of(cell: Mapping[str, Any]) -> tuple[int, int, str, int] | None:
    """Column, row, kind of place and slot of a cell of logic."""
    attributes = cell["attributes"]
    match = _PLACE.fullmatch(attributes.get("NEXTPNR_BEL") or attributes.get("BEL", ""))
    return match and (int(match[1]), int(match[2]), match[4],
                      2 * "ABCD".index(match[3]) + int(match[5] or 0))


def broken(cells: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong in tiles, for each thing that two cells can't share."""
    tiles: dict[tuple[int, int], dict[tuple[str, int], Mapping[str, Any]]] = defaultdict(dict)
    for name, cell in cells.items():
        place = place_of(cell)
        if place is not None:
            if place[2:] in tiles[place[:2]]:
                yield f"{name}: taken"
            tiles[place[:2]][place[2:]] = cell
    for at, there in tiles.items():
        yield from (f"{at}: {what}" for what in _tile(there))


def torn(cells: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Pins whose nets have no wires, away from where the device drives them."""
    drivers = {}
    for name, cell in cells.items():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] == "output":
                drivers.update(dict.fromkeys(bits, (name, pin)))
    for name, cell in cells.items():
        place = place_of(cell)
        if place is None:
            continue
        for pin, bits in cell["connections"].items():
            driver, output = drivers.get(bits[0], ("", "")) if bits else ("", "")
            there = place_of(cells[driver]) if driver else None
            if pin in _FROM and there is not None:
                step = 8 * (there[0] - place[0]) + there[3] - place[3]
                if there[1] != place[1] or step != _FROM[pin].get(place[3]):
                    yield f"{name}: {pin}"
            elif pin in ("WD", "WAD0", "WAD1", "WAD2", "WAD3") and there is not None:
                if there != (*place[:2], "RAMW", 4) or place[3] > 3:
                    yield f"{name}: {pin}"
                if pin == "WD" and output != f"WDO{place[3]}":
                    yield f"{name}: {output}"


def _tile(there: Mapping[tuple[str, int], Mapping[str, Any]]) -> Iterator[str]:
    luts = {slot: cell for (kind, slot), cell in there.items() if kind == "K"}
    flipflops = {slot: cell for (kind, slot), cell in there.items() if kind == "FF"}
    clocks, resets = set(), set()
    for slot, cell in flipflops.items():
        clocks.add(_net(cell, "CLK") and (_net(cell, "CLK"), _mode(cell, "CLKMUX", "CLK")))
        resets.add(_net(cell, "LSR") and (_net(cell, "LSR"), _mode(cell, "LSRMUX", "LSR"),
                                          _mode(cell, "SRMODE", "LSR_OVER_CE")))
        lut = luts.get(slot)
        fed = _net(cell, "DI")
        if fed is not None and (lut is None or fed not in (_net(lut, "F"), _net(lut, "OFX"))):
            yield f"slot {slot}: DI from elsewhere"
        if lut is not None and None not in (_net(cell, "M"), _net(lut, "M")):
            yield f"slot {slot}: M for two"
        other = flipflops.get(slot ^ 1, cell)
        if any(_net(cell, pin) != _net(other, pin) for pin in ("CLK", "LSR", "CE")) or any(
                _mode(cell, mode, usual) != _mode(other, mode, usual) for mode, usual in (
                    ("CLKMUX", "CLK"), ("LSRMUX", "LSR"), ("SRMODE", "LSR_OVER_CE"),
                    ("CEMUX", "CE"), ("GSR", "ENABLED"))
                if mode not in ("LSRMUX", "SRMODE") or _net(cell, "LSR") is not None):
            yield f"slice {slot // 2}: controls"
    if len(clocks) > 1:
        yield "two clocks"
    if len(resets) > 1:
        yield "two resets"
    if ("RAMW", 4) in there:
        if any(_mode(luts[slot], "MODE", "LOGIC") != "RAMW_BLOCK" for slot in (4, 5)
               if slot in luts):
            yield "a LUT in the write port"
        for cell in luts.values():
            if _mode(cell, "MODE", "LOGIC") == "DPRAM":
                clocks.add((_net(cell, "WCK"), "INV" if _mode(cell, "WCKMUX", "WCK") == "INV"
                            else "CLK"))
                resets.add((_net(cell, "WRE"), "INV" if _mode(cell, "WREMUX", "WRE") == "INV"
                            else "LSR", "LSR_OVER_CE"))
    for what, signals in (("clocks", clocks), ("resets", resets)):
        nets = [signal[0] for signal in signals if signal is not None]
        if len(set(nets)) < len(nets):
            yield f"one of the {what} in two modes"


def _net(cell: Mapping[str, Any], pin: str) -> int | None:
    bits = cell["connections"].get(pin)
    return bits[0] if bits and isinstance(bits[0], int) else None


def _mode(cell: Mapping[str, Any], name: str, usual: str) -> str:
    return str(cell["parameters"].get(name, usual)).strip()
