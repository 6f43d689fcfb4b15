"""What of a packed netlist lies together: chains, wide multiplexers, LUT RAMs, registers."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from fpga.cells import (
    FLIPFLOP,
    LUT,
    PORT_SLOTS,
    SLOTS,
    WRITE_PORT,
    Controls,
    compatible,
    feed_beside,
    flipflop_controls,
    kind_of,
    net_at,
    parameter,
    ram_controls,
)
from sw.errors import ToolError

__all__ = ["Cluster", "Clusters"]

_RAM_BITS = 4
# Where multiplexers of 4 lie whose outputs a slot's multiplexer takes at FXB and FXA.
_TREES = {1: (0, 2), 2: (0, 4)}
_DEPTH = max(_TREES)


@dataclass(eq=False)
class Cluster:
    """Cells with places that follow from each other.

    Parameters
    ----------
    luts, flipflops : dict of int to str
        By slot: SLOTS to a tile, a tile to the right of the one before.
    port : str or None
        Write port of a LUT RAM.
    width : int
        Slots that the first slot's number is a multiple of: 1, 2, 4 or 8.
    """

    luts: dict[int, str] = field(default_factory=dict)
    flipflops: dict[int, str] = field(default_factory=dict)
    port: str | None = None
    width: int = 1

    @property
    def tiles(self) -> int:
        """Tiles side by side that it needs."""
        return 1 + max(chain(self.luts, self.flipflops)) // SLOTS

    @property
    def names(self) -> Iterator[str]:
        """All its cells."""
        yield from self.luts.values()
        yield from self.flipflops.values()
        if self.port is not None:
            yield self.port


class Clusters:
    """All logic cells of a netlist that nextpnr packed.

    A flip-flop that nextpnr would feed across the device at its pin M, though a LUT or a wide
    multiplexer drives it, is fed beside that instead (pin DI), in place: nextpnr does so only for
    a LUT that drives nothing else, the device for what comes out of a slot in any way.

    Parameters
    ----------
    module : dict
        The netlist's one module, as nextpnr writes it in JSON.

    Members
    -------
    all : list of Cluster
    controls : dict of str to (clock, reset, enable)
        By name of a flip-flop or a write port.
    fed : int
        Flip-flops that changed pins.

    Raises
    ------
    ToolError
        For a netlist with something that isn't known here.
    """

    def __init__(self, module: Mapping[str, Any]) -> None:
        self._cells = cells = module["cells"]
        self._drivers: dict[int, tuple[str, str]] = {}
        self._users: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for name, cell in cells.items():
            for pin, bits in cell["connections"].items():
                for bit in bits:
                    if cell["port_directions"].get(pin) == "output":
                        self._drivers[bit] = name, pin
                    elif isinstance(bit, int):
                        self._users[bit].append((name, pin))
        kinds = {name: kind_of(cell) for name, cell in cells.items()}
        luts = [name for name, kind in kinds.items() if kind == LUT]
        self.all: list[Cluster] = []
        self.controls: dict[str, Controls] = {}
        self._where: dict[str, tuple[Cluster, int]] = {}
        self._chains(luts)
        self._rams([name for name, kind in kinds.items() if kind == WRITE_PORT])
        self._multiplexers(luts)
        for name in luts:
            if name not in self._where:
                self._add(1, {0: name})
        self.fed = self._flipflops([name for name, kind in kinds.items() if kind == FLIPFLOP])

    def _add(self, width: int, luts: dict[int, str]) -> Cluster:
        found = Cluster(luts=luts, width=width)
        self.all.append(found)
        for slot, name in luts.items():
            if name in self._where:
                raise ToolError(f"{name} is part of two chains, multiplexers or RAMs")
            self._where[name] = found, slot
        return found

    def _net(self, name: str, pin: str) -> int | None:
        return net_at(self._cells[name], pin)

    def _driver(self, name: str, pin: str) -> str | None:
        """The cell that drives a pin."""
        net = self._net(name, pin)
        return self._drivers[net][0] if net in self._drivers else None

    def _chains(self, luts: list[str]) -> None:
        """From tile to tile, from a tile's first slot."""
        for name in luts:
            if parameter(self._cells[name], "MODE", "LOGIC") != "CCU2":
                continue
            if self._drivers.get(self._net(name, "FCI") or -1, ("", ""))[1] == "FCO":
                continue
            found: list[str] = []
            following: str | None = name
            while following is not None:
                found.append(following)
                users = self._users.get(self._net(following, "FCO") or -1, [])
                following = next((user for user, pin in users if pin == "FCI"), None)
            self._add(SLOTS, dict(enumerate(found)))

    def _rams(self, ports: list[str]) -> None:
        """Four bits in a tile's first slots, the write port in its slice C."""
        for port in ports:
            luts: dict[int, str] = {}
            for bit in range(_RAM_BITS):
                for user, pin in self._users.get(self._net(port, f"WDO{bit}") or -1, []):
                    if pin == "WD":
                        luts[bit] = user
            # Bits that nothing is written to have only addresses.
            others = dict.fromkeys(user for bit in range(_RAM_BITS) for user, pin in
                                   self._users.get(self._net(port, f"WADO{bit}") or -1, [])
                                   if user not in luts.values())
            free = [bit for bit in range(_RAM_BITS) if bit not in luts]
            luts |= dict(zip(free, others, strict=False))
            if not luts:
                raise ToolError(f"write port {port} belongs to no LUT RAM")
            # What nextpnr adds so that no LUT takes the port's place.
            for number, slot in enumerate(PORT_SLOTS):
                block = port.replace("$RAMW_SLICE", f"$RAMW_BLOCK{number}")
                if block in self._cells and block != port:
                    luts[slot] = block
            found = self._add(SLOTS, luts)
            found.port = port
            self.controls[port] = ram_controls(self._cells[luts[min(luts)]])

    def _multiplexers(self, luts: list[str]) -> None:
        parts = {self._driver(name, pin) for name in luts for pin in ("FXA", "FXB")}
        for name in luts:
            depth = self._depth(name)
            if depth and name not in parts:
                if depth > _DEPTH:
                    raise ToolError(f"{name} is a multiplexer over more than a tile")
                self._add(4 * depth, dict(sorted(self._tree(name, depth).items())))
        for name in luts:
            if name not in self._where and self._net(name, "F1") is not None:
                self._add(2, self._pair(name))

    def _depth(self, name: str) -> int:
        drivers = [self._driver(name, pin) for pin in ("FXA", "FXB")]
        return max((1 + self._depth(driver) for driver in drivers if driver), default=0)

    def _pair(self, name: str) -> dict[int, str]:
        """A slice: a multiplexer of two LUTs."""
        beside = self._driver(name, "F1")
        return {0: name, 1: beside} if beside else {0: name}

    def _tree(self, name: str, depth: int) -> dict[int, str]:
        """A half or a whole tile; the multiplexer that joins its halves lies in slot 1 or 3."""
        found = {2 * depth - 1: name}
        for pin, first in zip(("FXB", "FXA"), _TREES[depth], strict=True):
            driver = self._driver(name, pin)
            if driver is not None:
                part = self._pair(driver) if depth == 1 else self._tree(driver, depth - 1)
                found |= {first + slot: cell for slot, cell in part.items()}
        return found

    def _flipflops(self, names: list[str]) -> int:
        alone, fed = [], 0
        for name in names:
            self.controls[name] = flipflop_controls(self._cells[name])
            driver = self._driver(name, "DI")
            if driver is None:
                alone.append(name)
            else:
                cluster, slot = self._where[driver]
                cluster.flipflops[slot] = name
        for name in alone:
            net = self._net(name, "M")
            driver, pin = self._drivers.get(net if net is not None else -1, ("", ""))
            place = self._where.get(driver) if pin in ("F", "OFX") else None
            if net is not None and place is not None and self._fits(name, *place):
                feed_beside(self._cells[name], net)
                place[0].flipflops[place[1]] = name
                fed += 1
            else:
                self.all.append(Cluster(flipflops={0: name}))
        return fed

    def _fits(self, name: str, cluster: Cluster, slot: int) -> bool:
        """Whether a slot can hold a flip-flop besides the cluster's others."""
        if slot in cluster.flipflops:
            return False
        if cluster.width == 1:
            return True
        beside = cluster.flipflops.get(slot ^ 1)
        if beside is not None and self.controls[beside] != self.controls[name]:
            return False
        users = [self.controls[name]]
        users += [self.controls[other] for at, other in cluster.flipflops.items()
                  if at // SLOTS == slot // SLOTS]
        ports = [self.controls[cluster.port]] if cluster.port is not None else []
        return compatible(users, ports)
