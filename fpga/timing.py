"""How late signals are in a placement, by the distances they go: what should be short.

Delays of cells are those that nextpnr reports for speed grade 6; a wire's is what connections from
registers to pins M take on average on a routed 85F (4,587 of them).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from fpga.cells import FIXED, FLIPFLOP, MEMORY, MULTIPLIER, global_nets, kind_of, parameter

__all__ = ["Timing"]

# Nanoseconds.
_WIRES = ((0.45, 0.15), (0.85, 0.06))  # the lesser: for no distance, and for each tile
_FROM_REGISTER, _FROM_MEMORY, _FROM_MEMORY_REGISTER, _FROM_MULTIPLIER = 0.525, 5.83, 0.57, 1.0
_SETUP = 0.2
_LUT, _WIDE, _INTO_CHAIN, _ALONG_CHAIN, _OUT_OF_CHAIN = 0.236, 0.2, 0.45, 0.04, 0.45
# Pins whose nets have no wires of their own.
_DIRECT = {"FCI", "FXA", "FXB", "F1", "DI", "WD", "WAD0", "WAD1", "WAD2", "WAD3"}
_CLOCKS = {"CLK", "WCK", "CLKA", "CLKB", "CLK0", "CLK1", "CLK2", "CLK3", "SCLK", "ECLK"}
# Nets with slack beyond this part of the period are as good as any; without slack they weigh more.
_PART, _MOST = 0.35, 5.0
# What a tile of a connection without slack costs, by criticality to a power, which is limited; what
# costs less than that is left out. Of the last costs some stays, or paths would take turns.
_LATE, _EXPONENT, _CRITICAL, _LEAST, _STAY = 6.0, 8, 1.2, 0.2, 0.5


class Timing:
    """Paths of a netlist.

    Parameters
    ----------
    module : dict
        That nextpnr packed.
    period : float
        Of the clock, in ns.
    """

    def __init__(self, module: Mapping[str, Any], period: float) -> None:
        self._period = period
        self._nets: dict[int, int] = {}
        own = global_nets(module)
        drivers: dict[int, int] = {}
        starts: dict[int, float] = {}
        arcs: list[tuple[int, int, int, float, bool]] = []
        ends: list[tuple[int, int, bool]] = []
        for number, cell in enumerate(module["cells"].values()):
            outputs, inputs = [], []
            for pin, bits in cell["connections"].items():
                for bit in bits:
                    if isinstance(bit, int) and bit not in own:
                        net = self._nets.setdefault(bit, len(self._nets))
                        if cell["port_directions"].get(pin) == "output":
                            outputs.append((pin, net))
                            drivers[net] = number
                        elif pin not in _CLOCKS:
                            inputs.append((pin, net))
            start = _start(cell)
            for _, net in outputs:
                # What has no inputs is a constant, and there all the time.
                starts[net] = start if start is not None else 0 if inputs else -np.inf
            for pin, net in inputs:
                delays = [(to, _delay(cell, pin, out)) for out, to in outputs]
                through = [(to, delay) for to, delay in delays if delay is not None]
                direct = pin in _DIRECT
                if start is not None or not through:
                    ends.append((net, number, direct))
                else:
                    arcs += [(net, number, to, delay, direct) for to, delay in through]
        count = len(self._nets)
        self._drivers = np.array([drivers.get(net, -1) for net in range(count)])
        self._starts = np.array([starts.get(net, 0.0) for net in range(count)])
        table = np.array(arcs, float).reshape(-1, 5)
        self._from, self._at, self._to = (table[:, column].astype(int) for column in range(3))
        self._cell = table[:, 3]
        self._near = table[:, 4] > 0
        last = np.array(ends, int).reshape(-1, 3)
        self._last, self._last_at, self._last_near = last[:, 0], last[:, 1], last[:, 2] > 0
        self._levels = self._sorted(count)
        self._costs: np.ndarray | None = None

    def slacks(self, x: np.ndarray, y: np.ndarray) -> dict[int, float]:
        """By net, what is left of the period on the latest path over it, in ns.

        Parameters
        ----------
        x, y : numpy.ndarray
            Of the netlist's cells, in tiles.
        """
        arrival, left, _, _ = self._times(x, y)
        return dict(zip(self._nets, (left - arrival).tolist(), strict=True))

    def weights(self, x: np.ndarray, y: np.ndarray) -> tuple[dict[int, float], float]:
        """By net, how much more its wire should count than others', 1 or more; the least slack."""
        slacks = self.slacks(x, y)
        scale = _PART * self._period
        return ({net: 1 + (_MOST - 1) * min(1 - slack / scale, 1.5) ** 2
                 for net, slack in slacks.items() if slack < scale}, min(slacks.values()))

    def late(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        """Connections with little slack, and the least slack, in ns.

        Parameters
        ----------
        x, y : numpy.ndarray
            Of the netlist's cells, in tiles.

        Returns
        -------
        numpy.ndarray
            Rows of driver, cell driven, and how much a tile between them should cost, where a tile
            of wire costs 1: the more the later (by criticality to a power, as Marquardt et al. did
            in VPR, 2000).
        float
        """
        arrival, left, wires, last = self._times(x, y)
        ways = [(self._from, self._at, self._near, left[self._to] - wires),
                (self._last, self._last_at, self._last_near, self._period - _SETUP - last)]
        nets, ends, near, until = (np.concatenate(parts)
                                   for parts in zip(*ways, strict=True))
        slack = until - arrival[nets]
        costs = _LATE * np.clip(1 - slack / self._period, 0, _CRITICAL) ** _EXPONENT
        self._costs = costs if self._costs is None else (
            _STAY * self._costs + (1 - _STAY) * costs)
        drivers = self._drivers[nets]
        kept = (self._costs >= _LEAST) & ~near & (drivers >= 0) & (drivers != ends)
        return np.column_stack((drivers, ends, self._costs))[kept], float(slack.min())

    def _times(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
        """By net when it is there and when it must be; what arcs and last wires take."""
        arrival = self._starts.copy()
        wires = self._wires(x, y, self._from, self._at, self._near) + self._cell
        last = self._wires(x, y, self._last, self._last_at, self._last_near)
        for level in self._levels:
            np.maximum.at(arrival, self._to[level], arrival[self._from[level]] + wires[level])
        left = np.full(len(arrival), np.inf)
        np.minimum.at(left, self._last, self._period - _SETUP - last)
        for level in reversed(self._levels):
            np.minimum.at(left, self._from[level], left[self._to[level]] - wires[level])
        return arrival, left, wires, last

    def _wires(self, x: np.ndarray, y: np.ndarray, nets: np.ndarray, ends: np.ndarray,
               near: np.ndarray) -> np.ndarray:
        drivers = self._drivers[nets]
        lengths = np.abs(x[drivers] - x[ends]) + np.abs(y[drivers] - y[ends])
        delays = np.min([wire + tile * lengths for wire, tile in _WIRES], 0)
        return np.where(near | (drivers < 0), 0, delays)

    def _sorted(self, count: int) -> list[np.ndarray]:
        """Arcs in groups, each after those that lead to it; loops are left out."""
        following: dict[int, list[int]] = defaultdict(list)
        for arc, net in enumerate(self._from):
            following[net].append(arc)
        open_ = np.bincount(self._to, minlength=count)
        nets = [net for net in range(count) if open_[net] == 0]
        levels = []
        while nets:
            arcs = [arc for net in nets for arc in following[net]]
            if arcs:
                levels.append(np.array(arcs))
            nets = []
            for arc in arcs:
                open_[self._to[arc]] -= 1
                if open_[self._to[arc]] == 0:
                    nets.append(self._to[arc])
        return levels


def _start(cell: Mapping[str, Any]) -> float | None:
    """When a cell's outputs change after the clock; none for logic."""
    kind = kind_of(cell)
    if kind == MEMORY:
        kept = parameter(cell, "REGMODE_A", "NOREG") == "OUTREG"
        return _FROM_MEMORY_REGISTER if kept else _FROM_MEMORY
    return {FLIPFLOP: _FROM_REGISTER, MULTIPLIER: _FROM_MULTIPLIER,
            FIXED: _FROM_REGISTER}.get(kind)


def _delay(cell: Mapping[str, Any], pin: str, output: str) -> float | None:
    """From an input of logic to an output, if there is a way."""
    if cell["type"] == "TRELLIS_RAMW":
        return 0.0
    mode = parameter(cell, "MODE", "LOGIC")
    if mode == "CCU2":
        if pin == "FCI":
            return _ALONG_CHAIN if output == "FCO" else _OUT_OF_CHAIN
        return _INTO_CHAIN
    if pin in ("A", "B", "C", "D"):
        return _LUT if output == "F" else _LUT + _WIDE
    return _WIDE if pin in ("M", "F1", "FXA", "FXB") and output == "OFX" else None
