"""Tiles of a device's logic, and clusters put into the nearest that have room for them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from fpga.cells import FLIPFLOP, LUT, PORT_SLOTS, SLOTS, WRITE_PORT, Controls, compatible, net_at
from fpga.clusters import Cluster
from sw.errors import ToolError

__all__ = ["Tiles"]

_NEARBY = 5  # tiles


class Tiles:
    """What lies where.

    Parameters
    ----------
    cells : mapping
        Of the netlist, by name.
    controls : mapping
        By name of flip-flop or write port.
    columns, rows : int
        Of tiles of logic.
    """

    def __init__(self, cells: Mapping[str, Any], controls: Mapping[str, Controls], columns: int,
                 rows: int) -> None:
        self._controls = controls
        self._columns, self._rows = columns, rows
        self._needs_m = {name for name, cell in cells.items() if net_at(cell, "M") is not None}
        self._luts: list[list[str | None]] = [[None] * SLOTS for _ in range(columns * rows)]
        self._flipflops: list[list[str | None]] = [[None] * SLOTS for _ in range(columns * rows)]
        self._ports: dict[int, str] = {}
        self._taken = [0] * (columns * rows)  # by LUTs and write ports, of SLOTS
        self._offsets = sorted(
            ((x, y) for x in range(1 - columns, columns) for y in range(1 - rows, rows)),
            key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, offset))

    def put(self, cluster: Cluster, column: int, row: int) -> None:
        """Put a cluster as near to a tile as there is room.

        Raises
        ------
        ToolError
            If there is none.
        """
        # A flip-flop alone leaves others' LUTs free if there is a slot without one nearby.
        alone = not cluster.luts
        for beside in (False, True) if alone else (False,):
            for x, y in self._offsets[:_NEARBY] if alone and not beside else self._offsets:
                left, top = column + x, row + y
                if 0 <= left <= self._columns - cluster.tiles and 0 <= top < self._rows:
                    first = self._slot(cluster, top * self._columns + left, beside)
                    if first is not None:
                        self._take(cluster, top * self._columns + left, first)
                        return
        raise ToolError(f"no tile has room for {next(cluster.names)}: the device is too full")

    def places(self) -> Iterator[tuple[str, int, int, int, int]]:
        """Of every cell: name, kind, column, row and slot."""
        for tile, slots in enumerate(zip(self._luts, self._flipflops, strict=True)):
            row, column = divmod(tile, self._columns)
            for kind, names in zip((LUT, FLIPFLOP), slots, strict=True):
                for slot, name in enumerate(names):
                    if name is not None:
                        yield name, kind, column, row, slot
            if tile in self._ports:
                yield self._ports[tile], WRITE_PORT, column, row, PORT_SLOTS[0]

    def _slot(self, cluster: Cluster, tile: int, beside: bool) -> int | None:
        """Where in a tile it can begin."""
        if cluster.tiles == 1 and self._taken[tile] + len(cluster.luts) > SLOTS:
            return None
        return next((first for first in range(0, SLOTS, cluster.width)
                     if self._free(cluster, tile, first, beside)
                     and self._shareable(cluster, tile, first)), None)

    def _free(self, cluster: Cluster, tile: int, first: int, beside: bool) -> bool:
        for slot in cluster.luts:
            at, place = tile + (first + slot) // SLOTS, (first + slot) % SLOTS
            if self._luts[at][place] is not None or (at in self._ports and place in PORT_SLOTS):
                return False
            if (slot not in cluster.flipflops and self._flipflops[at][place] is not None
                    and cluster.luts[slot] in self._needs_m):
                return False
        for slot in cluster.flipflops:
            at, place = tile + (first + slot) // SLOTS, (first + slot) % SLOTS
            if self._flipflops[at][place] is not None:
                return False
            if at in self._ports and place in PORT_SLOTS:
                return False
            lut = self._luts[at][place]
            if lut is not None and (not beside or lut in self._needs_m):
                return False
        return cluster.port is None or not any(
            at[place] is not None for at in (self._luts[tile], self._flipflops[tile])
            for place in PORT_SLOTS)

    def _shareable(self, cluster: Cluster, tile: int, first: int) -> bool:
        """Whether flip-flops and write ports agree on the wires of controls."""
        found: dict[int, list[Controls]] = defaultdict(list)
        for slot, name in cluster.flipflops.items():
            at, place = tile + (first + slot) // SLOTS, (first + slot) % SLOTS
            other = self._flipflops[at][place ^ 1]
            if other is not None and self._controls[other] != self._controls[name]:
                return False
            found[at].append(self._controls[name])
        ports = [cluster.port] if cluster.port is not None else []
        for at in {*found, *([tile] if ports else [])}:
            there = [self._controls[name] for name in self._flipflops[at] if name is not None]
            own = [*ports, *([self._ports[at]] if at in self._ports else [])]
            if not compatible((*found[at], *there), (self._controls[port] for port in own)):
                return False
        return True

    def _take(self, cluster: Cluster, tile: int, first: int) -> None:
        for names, of in ((cluster.luts, self._luts), (cluster.flipflops, self._flipflops)):
            for slot, name in names.items():
                of[tile + (first + slot) // SLOTS][(first + slot) % SLOTS] = name
        for slot in cluster.luts:
            self._taken[tile + (first + slot) // SLOTS] += 1
        if cluster.port is not None:
            self._ports[tile] = cluster.port
