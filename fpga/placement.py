"""A placed netlist: which cell lies where, and which may only move together."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.cells import (
    FIXED,
    FLIPFLOP,
    LUT,
    MEMORY,
    MULTIPLIER,
    WRITE_PORT,
    Controls,
    flipflop_controls,
    global_nets,
    kind_of,
    net_at,
    parameter,
    ram_controls,
)
from fpga.geometry import Geometry, geometry
from sw.errors import ToolError

__all__ = ["Placed", "Placement", "bel", "nets_of", "place_of", "read_netlist"]

_SLICES = "ABCD"
_BEL = re.compile(r"X(\d+)/Y(\d+)/(.+)")
# By kind: what a BEL is called, and the number that an object has there.
_SLOT = {LUT: re.compile(r"SLICE([ABCD])\.K([01])"),
         FLIPFLOP: re.compile(r"SLICE([ABCD])\.FF([01])"),
         WRITE_PORT: re.compile(r"SLICE(C)\.RAMW()"), MEMORY: re.compile(r"()EBR(\d)"),
         MULTIPLIER: re.compile(r"()MULT18_(\d)")}
# Pins whose nets have no wires outside of slices, or only from a tile to the next one.
_DIRECT = ("FCI", "FCO", "FXA", "FXB", "F1")
# Nets with more pins have wires of their own, or lie everywhere whatever is done.
_MOST_PINS = 3000


@dataclass(frozen=True)
class Placed:
    """A cell and its place.

    Parameters
    ----------
    name : str
    cell : dict
        Of the netlist.
    kind, x, y : int
        LUT to FIXED; column and row.
    z : int
        Slot of a tile (slice A has 0 and 1), or a site's number.
    """

    name: str
    cell: dict[str, Any]
    kind: int
    x: int
    y: int
    z: int

    @property
    def bel(self) -> str:
        """Its place as nextpnr calls it."""
        return place_of(self.cell)

    def net(self, pin: str) -> int | None:
        """Net at a pin; none for a constant or nothing."""
        return net_at(self.cell, pin)

    def parameter(self, name: str, default: str) -> str:
        """A parameter as nextpnr reads it."""
        return parameter(self.cell, name, default)


def bel(kind: int, x: int, y: int, z: int) -> str:
    """nextpnr's name of a place: LUT to MULTIPLIER, then as in `Placed`."""
    if kind in (LUT, FLIPFLOP):
        return f"X{x}/Y{y}/SLICE{_SLICES[z // 2]}.{'K' if kind == LUT else 'FF'}{z % 2}"
    names = {WRITE_PORT: "SLICEC.RAMW", MEMORY: f"EBR{z}", MULTIPLIER: f"MULT18_{z}"}
    return f"X{x}/Y{y}/{names[kind]}"


def place_of(cell: Mapping[str, Any]) -> str:
    """nextpnr's name of a cell's place, empty if it has none."""
    attributes = cell["attributes"]
    return str(attributes.get("NEXTPNR_BEL", attributes.get("BEL", "")))


def read_netlist(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A file of nextpnr's for an ECP5, and its one module.

    Raises
    ------
    ToolError
        If it can't be read or isn't one.
    """
    try:
        netlist = json.loads(path.read_text())
        module = next(iter(netlist["modules"].values()))
        if not module["settings"]["arch.type"] or not {"cells", "netnames"} <= set(module):
            raise KeyError
    except (OSError, ValueError) as error:
        raise ToolError(f"{path}: can't be read as a netlist: {error}") from None
    except (KeyError, StopIteration, TypeError, AttributeError):
        raise ToolError(f"{path}: is no netlist that nextpnr packed for an ECP5 "
                        "(--pack-only --write)") from None
    return netlist, module


def nets_of(module: dict[str, Any], groups: Sequence[Iterable[str]]) -> dict[int, list[int]]:
    """Nets that take ordinary wires, and the numbers of the groups of cells that each joins.

    Parameters
    ----------
    module : dict
    groups : sequence of iterable of str
        Names of cells; others are left out.
    """
    own = global_nets(module)
    pins: dict[int, int] = defaultdict(int)
    found: dict[int, dict[int, None]] = defaultdict(dict)
    for number, names in enumerate(groups):
        for name in names:
            for bits in module["cells"][name]["connections"].values():
                for bit in bits:
                    if isinstance(bit, int):
                        pins[bit] += 1
                        found[bit][number] = None
    return {bit: list(items) for bit, items in found.items()
            if len(items) > 1 and pins[bit] <= _MOST_PINS and bit not in own}


class Placement:
    """All cells that have a place.

    Parameters
    ----------
    netlist : dict
        As nextpnr writes it in JSON after placement.
    source : str
        What messages call it.

    Members
    -------
    module : dict
        Its one module.
    geometry : Geometry
        Of its device.
    cells : list of Placed
    links : set of (int, int)
        Tiles that can't part from the one right of them.
    levels : dict of str to int
        By LUT's name: 0 if it may move alone, 1 with its slice, 2 with its half of the tile, 3
        with the tile, those that it is linked with included.

    Raises
    ------
    ToolError
        If it isn't a placed netlist of a device that is known.
    """

    def __init__(self, netlist: Any, source: str) -> None:
        self.source = source
        try:
            modules = list(netlist["modules"].values())
            self.module: dict[str, Any] = modules[0]
            device = self.module["settings"]["arch.type"]
            self.geometry: Geometry = geometry(device)
            self.cells = list(self._placed())
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            raise self.error("is no netlist that nextpnr placed for an ECP5 (--no-route --write)"
                             ) from None
        if not any(cell.kind != FIXED for cell in self.cells):
            raise self.error("has no cell that could move")
        self.links, self.levels = self._ties()

    def error(self, text: str) -> ToolError:
        """A refusal that names the file."""
        return ToolError(f"{self.source}: {text}")

    def nets(self) -> tuple[dict[str, list[int]], list[int]]:
        """By cell's name: nets that take ordinary wires, counted from 0; and what each is here."""
        found: dict[str, list[int]] = {item.name: [] for item in self.cells}
        nets = nets_of(self.module, [(name,) for name in found])
        for number, items in enumerate(nets.values()):
            for item in items:
                found[self.cells[item].name].append(number)
        return found, list(nets)

    def controls(self) -> dict[str, Controls]:
        """By name of a flip-flop or a write port."""
        found: dict[str, Controls] = {}
        rams: dict[tuple[int, int], Controls] = {}
        for item in self.cells:
            if item.kind == FLIPFLOP:
                found[item.name] = flipflop_controls(item.cell)
            elif item.kind == LUT and item.parameter("MODE", "LOGIC") == "DPRAM":
                rams[item.x, item.y] = ram_controls(item.cell)
        for item in self.cells:
            if item.kind == WRITE_PORT:
                found[item.name] = rams.get((item.x, item.y), (None, None, None))
        return found

    def direct(self) -> Iterator[list[tuple[Placed, str]]]:
        """For each net without ordinary wires: LUTs at it with their pins, the driver first."""
        nets: dict[int, list[tuple[Placed, str]]] = defaultdict(list)
        drivers: dict[int, tuple[Placed, str]] = {}
        for item in self.cells:
            if item.kind == LUT:
                for pin, bits in item.cell["connections"].items():
                    for bit in bits:
                        if item.cell["port_directions"].get(pin) == "output":
                            drivers[bit] = item, pin
                        elif pin in _DIRECT:
                            nets[bit].append((item, pin))
        for bit, users in nets.items():
            if bit in drivers:
                yield [drivers[bit], *users]

    def _placed(self) -> Iterator[Placed]:
        for name, cell in self.module["cells"].items():
            kind = kind_of(cell)
            bel = place_of(cell)
            match = _BEL.fullmatch(bel)
            if not match:
                if kind != FIXED:
                    raise self.error(f"{cell['type']} {name} has no place")
                continue
            z = 0
            if kind != FIXED:
                slot = _SLOT[kind].fullmatch(match[3])
                if not slot:
                    raise self.error(f"{name} lies at {bel}, which is no place for {cell['type']}")
                z = (_SLICES.index(slot[1]) * 2 if slot[1] else 0) + int(slot[2] or 0)
            yield Placed(name, cell, kind, int(match[1]), int(match[2]), z)

    def _ties(self) -> tuple[set[tuple[int, int]], dict[str, int]]:
        """Slices that direct nets join move as one; modes other than LOGIC take a whole tile."""
        links: set[tuple[int, int]] = set()
        parents: dict[tuple[int, int, int], tuple[int, int, int]] = {}
        whole = {_slice(item) for item in self.cells
                 if item.kind == LUT and item.parameter("MODE", "LOGIC") != "LOGIC"}

        def root(key: tuple[int, int, int]) -> tuple[int, int, int]:
            while parents.setdefault(key, key) != key:
                parents[key] = key = parents[parents[key]]
            return key

        for users in self.direct():
            slices = [_slice(item) for item, _ in users]
            columns = [x for x, _, _ in slices]
            if len({y for _, y, _ in slices}) > 1:
                raise self.error(f"{users[0][0].name} drives pin {users[1][1]} of another row")
            links |= {(x, slices[0][1]) for x in range(min(columns), max(columns))}
            if min(columns) < max(columns):
                whole |= set(slices)
            for key in slices:
                parents[root(key)] = root(slices[0])
        joined = defaultdict(set)
        for key in {*parents, *whole}:
            joined[root(key)].add(key)
        levels: dict[tuple[int, int, int], int] = {}
        for slices_ in joined.values():
            places = {place for _, _, place in slices_}
            level = (3 if slices_ & whole else 1 if len(places) == 1 else
                     2 if places in ({0, 1}, {2, 3}) else 3)
            levels |= dict.fromkeys(slices_, level)
        return links, {item.name: levels.get(_slice(item), 0)
                       for item in self.cells if item.kind == LUT}


def _slice(item: Placed) -> tuple[int, int, int]:
    return item.x, item.y, item.z // 2
