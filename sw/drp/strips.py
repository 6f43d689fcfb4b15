"""A call cut into strips of rows whose arrays fit the scratchpad."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from golden.drp.stream import ONE
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.streams import Tap
from sw.drp.compiler import Compiled
from sw.drp.domain import Domain
from sw.drp.graph import Role
from sw.drp.types import In, Out
from sw.errors import InputError

__all__ = ["Array", "Strip", "cut", "least", "room"]

_ALIGN = 16
_SLACK = 64  # bytes behind an array that a lane beyond its end may touch


def room(size: int, fabric: Fabric) -> int:
    """Bytes of scratchpad that an array takes, those behind it that lanes may touch included."""
    return -(-(size + _SLACK * fabric.lanes) // _ALIGN) * _ALIGN


@dataclass(frozen=True)
class Array:
    """A part of an array: whole rows of it, or all of it.

    Parameters
    ----------
    offset, size : int
        Its bytes in the array: where they begin, and how many lie together.
    room : int
        Bytes of scratchpad it takes.
    runs, stride : int
        How often as many follow, each so far from the one before (axes before y); in the
        scratchpad they lie together.
    """

    offset: int
    size: int
    room: int
    runs: int = 1
    stride: int = 0


@dataclass(frozen=True)
class Strip:
    """Some rows of the results, and what of the inputs they need.

    Parameters
    ----------
    domain : Domain
        As if these parts were all.
    inputs, outputs : tuple of Array
    """

    domain: Domain
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]

    @property
    def room(self) -> int:
        """Bytes of scratchpad it takes."""
        return sum(array.room for array in (*self.inputs, *self.outputs))


def cut(compiled: Compiled, domain: Domain, most: int) -> list[Strip]:
    """The fewest strips, all but the last alike, of which one fits the room, or two that take
    turns.

    Parameters
    ----------
    compiled : Compiled
    domain : Domain
    most : int
        Bytes of scratchpad.

    Raises
    ------
    InputError
        If not even one row fits, or the kernel can't be cut.
    """
    cutter = _Cutter(compiled, domain)
    whole = cutter.strip(0, cutter.rows)
    if whole.room <= most:
        return [whole]
    if why := cutter.whole:
        raise InputError(f"{compiled.kernel.name}: its arrays take {whole.room} bytes, the "
                         f"scratchpad has {most}, and it can't be cut into strips: {why}")
    grain = cutter.grain
    fits, beyond = grain, cutter.rows  # rows that fit, rows that don't
    if cutter.largest(grain) > most // 2:
        what = "one row" if grain == 1 else f"{grain} rows"
        raise InputError(f"{compiled.kernel.name}: {what} of results needs "
                         f"{cutter.largest(grain)} bytes of scratchpad, and two strips take turns "
                         f"in {most}")
    while beyond - fits > grain:
        middle = (fits + beyond) // (2 * grain) * grain
        if cutter.largest(middle) <= most // 2:
            fits = middle
        else:
            beyond = middle
    count = -(-cutter.rows // fits)
    rows = -(-cutter.rows // (count * grain)) * grain
    if cutter.largest(rows) > most // 2:  # fewer rows at other places may need more of an input
        rows = fits
    return [cutter.strip(first, min(rows, cutter.rows - first))
            for first in range(0, cutter.rows, rows)]


def least(compiled: Compiled, domain: Domain) -> int:
    """Bytes of scratchpad without which a call can't run, whole or in strips."""
    cutter = _Cutter(compiled, domain)
    whole = cutter.strip(0, cutter.rows).room
    return whole if cutter.whole else min(whole, 2 * cutter.largest(cutter.grain))


class _Cutter:
    def __init__(self, compiled: Compiled, domain: Domain) -> None:
        self._compiled, self._domain = compiled, domain
        self._ins: Sequence[In] = list(compiled.kernel.streams.values())
        self._outs: Sequence[Out] = compiled.kernel.outs
        self.rows = domain.sizes["y"] if "y" in self._outs[0].axes else 1
        # Rows that can't be parted: those of one packed value.
        specs: list[In | Out] = [*self._ins, *self._outs]
        self.grain = max((spec.type.parts for spec in specs if spec.axes[-1:] == "y"), default=1)
        # Rows of its windows, by input.
        self._reach = []
        for port in range(len(self._ins)):
            rows = [node.tap.dy for node in compiled.lowered.graph.nodes
                    if node.role is Role.POP and node.port == port]
            self._reach.append((min(rows, default=0), max(rows, default=0)))

    @property
    def whole(self) -> str:
        """Why strips don't mean the same, if so."""
        why = ""
        if "y" not in self._outs[0].axes:
            why = "its results have no axis y"
        strip = self.strip(0, 1)
        names = [*self._compiled.kernel.streams, *["its result"] * len(self._outs)]
        for key, array in zip(names, (*strip.inputs, *strip.outputs), strict=True):
            if array.runs > 1 and array.size % _ALIGN:
                why = (f"{key} has axes before y, and rows that aren't multiples of {_ALIGN} "
                       "bytes")
        if any(node.role is Role.POP and node.tap.what is Tap.ROW
               for node in self._compiled.lowered.graph.nodes):
            why = "it uses the number of a row"
        return why

    def largest(self, rows: int) -> int:
        """Room of the largest strip."""
        return max(self.strip(first, min(rows, self.rows - first)).room
                   for first in range(0, self.rows, rows))

    def _array(self, spec: In | Out, sizes: Mapping[str, int], first: int, rows: int) -> Array:
        """Rows [first, first + rows) of an array; all of one without axis y."""
        before, _, behind = spec.axes.partition("y")
        if "y" not in spec.axes:
            before, behind, first, rows = "", spec.axes, 0, 1
        row = spec.channels * np.dtype(spec.type.memory).itemsize * math.prod(
            sizes[axis] for axis in behind)
        runs = math.prod(sizes[axis] for axis in before)
        if rows == sizes.get("y", 1):  # all of it lies together
            rows, runs = rows * runs, 1
        size = rows * row
        return Array(first * row, size, room(runs * size, self._compiled.mapping.fabric), runs,
                     sizes.get("y", 1) * row)

    def strip(self, first: int, rows: int) -> Strip:
        """Rows [first, first + rows) of the results."""
        domain = self._domain
        inputs, grids, sizes = [], [], []
        for port, (spec, grid) in enumerate(zip(self._ins, domain.grids, strict=True)):
            given = dict(domain.inputs[port])
            count, begin = given.get("y", 1), 0
            if "y" in spec.axes and rows < self.rows:
                low, high = self._reach[port]
                start = grid.y0 + first * grid.dy
                top, bottom = sorted((start, start + (rows - 1) * grid.dy))
                begin = min(max((top >> 16) + low, 0), count - 1)
                count = min(max((bottom >> 16) + high, begin), count - 1) + 1 - begin
                grid = replace(grid, y0=start - begin * ONE)
                given["y"] = count
            inputs.append(self._array(spec, domain.inputs[port], begin, count))
            grids.append(grid)
            sizes.append(given)
        whole = dict(domain.sizes)
        if "y" in self._outs[0].axes:
            whole["y"] = rows
        outputs = []
        for out in self._outs:
            outputs.append(self._array(out, domain.sizes, first, rows))
        return Strip(replace(domain, sizes=whole, grids=tuple(grids), inputs=tuple(sizes)),
                     tuple(inputs), tuple(outputs))

