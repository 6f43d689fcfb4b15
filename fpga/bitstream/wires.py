"""The wires of a device as a bitstream joins them: what drives each, to the outermost."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fpga.bitstream.trellis import Trellis
from fpga.decode import Arcs, Decoded, Group

__all__ = ["Wires"]

_RELATIVE = re.compile(r"(?:([NS])(\d+))?(?:([EW])(\d+))?_(.*)")
_DEVICES = ("25K_", "45K_", "85K_")
_NOWHERE = -1
# What else a site could be used for, at the same wires: its settings say that it isn't.
_OTHER_USES = re.compile(r".*_(CIBTEST|MULT9|ALU24|ALU54)|IOLDOD._S?IOLOGIC|(.*_)?J[PR]\d+")
# Wires of each column, row or quarter of the device; others of the whole device are at (0, 0).
_LOCAL_GLOBALS = ("VPTX", "HPBX", "HPRX")
_TAP_GLOBAL, _COLUMN_GLOBAL, _ROW_GLOBAL = "G_HPBX", "G_VPTX", "G_HPRX"
_BUFFERED, _UNBUFFERED = "G_CLKO_", "G_CLKI_"  # out of a clock's buffer (DCCA), and into it


class Wires:
    """Who drives whom.

    Names are those of Project Trellis: in a tile, ``N1_V02S0301`` is the wire V02S0301 of the tile
    above, and names that begin with ``G_`` are wires of the whole device. Wires beyond its edge
    are none.

    Parameters
    ----------
    decoded : Decoded
    device : Trellis

    Members
    -------
    drivers, roots : list of int
        By wire's number: what drives it, itself if nothing does; and what does in the end, -1 in a
        loop.
    """

    def __init__(self, decoded: Decoded, device: Trellis) -> None:
        self._device = device
        self._area = device.columns * device.rows
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._own = next(prefix for prefix in _DEVICES if prefix[:2] in device.name)
        self._arcs: list[tuple[Group, Arcs, np.ndarray]] = []  # with keys of their sinks
        edges = list(self._edges(decoded))
        edges.append(self._clocks(np.concatenate([key for edge in edges for key in edge])))
        sinks, sources = (np.concatenate(of) for of in zip(*edges, strict=True))
        self._keys = _distinct(np.concatenate((sinks, sources)))
        sinks, sources = (np.searchsorted(self._keys, of) for of in (sinks, sources))
        order = np.lexsort((sources, sinks))
        sinks, sources = sinks[order], sources[order]
        self._driver = np.arange(len(self._keys))
        self._driver[sinks] = sources
        doubled = (sinks[1:] == sinks[:-1]) & (sources[1:] != sources[:-1])
        self._clashing = np.zeros(len(self._keys), bool)
        self._clashing[sinks[1:][doubled]] = True
        self._used = np.zeros(len(self._keys), bool)
        self.drivers: list[int] = self._driver.tolist()
        self.roots: list[int] = self._outermost().tolist()
        self._planes: dict[str, list[int]] = {}

    def number(self, x: int, y: int, name: str) -> int:
        """A wire's number; -1 for one that nothing is joined to."""
        plane = self._planes.get(name)
        if plane is None:
            keys = self._number(name) * self._area + np.arange(self._area)
            places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            plane = self._planes[name] = np.where(self._keys[places] == keys, places,
                                                  _NOWHERE).tolist()
        return plane[y * self._device.columns + x]

    def name(self, number: int) -> str:
        """A wire for a message."""
        if number < 0:
            return "nothing"
        name, place = divmod(int(self._keys[number]), self._area)
        row, column = divmod(place, self._device.columns)
        return f"X{column}/Y{row}/{self._names[name]}"

    def is_driven(self, number: int) -> bool:
        """Whether something is joined to drive a wire."""
        return number >= 0 and self.drivers[number] != number

    def use(self, numbers: Iterable[int]) -> list[int]:
        """Count these wires, and what leads to them, as used.

        Returns
        -------
        list of int
            Those among them that two drive.
        """
        there = np.array([number for number in numbers if number >= 0], np.int64)
        clashing: list[int] = []
        while len(there):
            there = _distinct(there[~self._used[there]])
            self._used[there] = True
            clashing += there[self._clashing[there]].tolist()
            there = self._driver[there]
        return clashing

    def explain(self) -> None:
        """Count the bits of used arcs as known."""
        for group, arcs, keys in self._arcs:
            group.explain(arcs.tiles[self._used[np.searchsorted(self._keys, keys)]],
                          arcs.option.ones)

    def is_used(self, wire: int) -> bool:
        """Whether it was counted as used."""
        return wire >= 0 and bool(self._used[wire])

    def _edges(self, decoded: Decoded) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for group in decoded.groups.values():
            for arcs in group.arcs():
                sinks, sources = (self._keys_of(name, group.x[arcs.tiles], group.y[arcs.tiles])
                                  for name in (arcs.sink, arcs.source))
                there = (sinks >= 0) & (sources >= 0)
                if arcs.option.ones:
                    kept = Arcs(arcs.sink, arcs.source, arcs.tiles[there], arcs.option)
                    self._arcs.append((group, kept, sinks[there]))
                yield sinks[there], sources[there]
            for sink, source in group.kind.fixed:
                if _OTHER_USES.fullmatch(source):
                    continue
                sinks, sources = (self._keys_of(name, group.x, group.y)
                                  for name in (sink, source))
                there = (sinks >= 0) & (sources >= 0)
                yield sinks[there], sources[there]

    def _clocks(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wires of clocks, which have other names where they come in: none of them has bits."""
        found: list[tuple[int, int]] = []
        regions = self._device.globals
        of_clocks = [number for number, name in enumerate(self._names)
                     if name.startswith((_TAP_GLOBAL, _COLUMN_GLOBAL, _ROW_GLOBAL, _BUFFERED))]
        for key in _distinct(keys[np.isin(keys // self._area, of_clocks)]).tolist():
            name, place = divmod(key, self._area)
            text = self._names[name]
            y, x = divmod(place, self._device.columns)
            source = _NOWHERE
            if text.startswith(_TAP_GLOBAL):
                column, side = _tap(regions["taps"], x)
                source = self._key(column, y, f"{side}{text[1:]}")
            elif text.startswith(_COLUMN_GLOBAL):
                spine = regions["spines"].get(f"{_quarter(regions, x, y)}{x}")
                source = self._key(spine["x"], spine["y"], text) if spine else _NOWHERE
            elif text.startswith(_ROW_GLOBAL):
                number = int(text[len(_ROW_GLOBAL):]) // 100
                source = self._key(0, 0, f"G_{_quarter(regions, x, y)}PCLK{number}")
            elif text.startswith(_BUFFERED):
                source = self._key(0, 0, _UNBUFFERED + text[len(_BUFFERED):])
            if source not in (_NOWHERE, key):
                found.append((key, source))
        pairs = np.array(found, np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def _outermost(self) -> np.ndarray:
        root = self._driver
        for _ in range(len(self._keys).bit_length()):
            further = root[root]
            if np.array_equal(further, root):
                break
            root = further
        return np.where(self._driver[root] == root, root, _NOWHERE)

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def _key(self, x: int, y: int, name: str) -> int:
        return self._number(name) * self._area + y * self._device.columns + x

    def _keys_of(self, name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Keys of a wire as tiles at these places call it; -1 beyond the device's edge."""
        if name.startswith(_DEVICES):
            if not name.startswith(self._own):
                return np.full(len(x), _NOWHERE)
            name = name[len(self._own):]
        if name.startswith("G_") and not name[2:].startswith(_LOCAL_GLOBALS):
            return np.full(len(x), self._key(0, 0, name))
        match = _RELATIVE.fullmatch(name) if not name.startswith(("G_", "L_", "R_")) else None
        if match:
            y = y + (int(match[2]) * (-1 if match[1] == "N" else 1) if match[1] else 0)
            x = x + (int(match[4]) * (-1 if match[3] == "W" else 1) if match[3] else 0)
            name = match[5]
        inside = (x >= 0) & (x < self._device.columns) & (y >= 0) & (y < self._device.rows)
        return np.where(inside, self._number(name) * self._area + y * self._device.columns + x,
                        _NOWHERE)


def _distinct(keys: np.ndarray) -> np.ndarray:
    """Each once, the smallest first; much faster than numpy's own."""
    keys = np.sort(keys)
    return keys[np.append(True, keys[1:] != keys[:-1])[:len(keys)]]


def _tap(taps: dict[str, Any], x: int) -> tuple[int, str]:
    """Column that drives clocks at a column, and the side of it that this one is at."""
    for name, sides in taps.items():
        for side in "LR":
            if sides[f"{side.lower()}x0"] <= x <= sides[f"{side.lower()}x1"]:
                return int(name[1:]), side
    raise ValueError(f"no tap for column {x}")


def _quarter(regions: dict[str, Any], x: int, y: int) -> str:
    return next(name for name, area in regions["quadrants"].items()
                if area["x0"] <= x <= area["x1"] and area["y0"] <= y <= area["y1"])
