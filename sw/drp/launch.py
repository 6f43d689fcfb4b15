"""Streams and loop counts of a mapped kernel for arrays of given sizes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden.drp.stream import ONE, Loop, Stream, TapAt
from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.controller import MAX_COUNT
from golden.spec.drp.streams import Border, Tap
from sw.drp.domain import Domain, Grid
from sw.drp.graph import Role
from sw.drp.lower import Lowered
from sw.drp.mapper.mapping import Mapping as Mapped
from sw.drp.types import Gather, In, Out, u8
from sw.errors import InputError

__all__ = ["Gathered", "Launch", "lane_axis", "launch", "launch_memory"]

_FARTHEST = (1 << 15) - 1  # rows and columns are signed 16-bit


@dataclass(frozen=True)
class Launch:
    """What a run needs beside the kernel.

    Parameters
    ----------
    counts : tuple of int
        Loops of the state, innermost first.
    inputs, outputs : tuple of Stream or None
        By stream of the fabric.
    state : int
        The state that has these counts; others have theirs in the kernel.
    """

    counts: tuple[int, ...]
    inputs: tuple[Stream | None, ...]
    outputs: tuple[Stream | None, ...]
    state: int = 0


@dataclass(frozen=True)
class _Level:
    """One loop: its axis, count, first index and values per iteration."""

    axis: str
    count: int
    first: int = 0
    advance: int = 1


@dataclass(frozen=True)
class Gathered:
    """A picture that is read at positions from data: its port, annotation and size."""

    port: int
    spec: Gather
    height: int
    width: int


def lane_axis(out: Out, scans: bool) -> str:
    """The axis along which SIMD lanes lie: as the result says, or its last one; none that a scan
    follows."""
    order = [axis for axis in out.lanes or out.axes if not (scans and axis == "x")]
    return order[-1] if order else ""


def launch(mapped: Mapped, lowered: Lowered, domain: Domain, ins: Sequence[In],
           outs: Sequence[Out], bases: Mapping[tuple[Role, int], int], *, scans: bool,
           gathered: Gathered | None = None) -> Launch:
    """The streams of a run.

    Parameters
    ----------
    mapped : Mapping
    lowered : Lowered
        The graph's iterations.
    domain : Domain
    ins, outs : sequences
    bases : dict of int
        Byte address of each array, by role and port.
    scans : bool
        Whether the kernel scans along x.
    gathered : Gathered, optional
        The picture that is read at positions from data.

    Raises
    ------
    InputError
        For sizes the streams can't describe.
    """
    return _Launch(mapped, lowered, domain, ins, outs, bases, scans, gathered).run()


def launch_memory(mapped: Mapped, reading: Mapped, lowered: Lowered, domain: Domain,
                  ins: Sequence[In], out: Out, bases: Mapping[tuple[Role, int], int],
                  gathered: Gathered | None = None) -> Launch:
    """The streams of a kernel that adds to a memory (state 1) and reads it out (state 2).

    Parameters
    ----------
    mapped, reading : Mapping
    lowered : Lowered
        Of state 1; its inputs have one more port, whose column is negative inside.
    domain, ins, bases, gathered :
        As ``launch`` takes them.
    out : Out
    """
    axes = domain.reduced
    for axis in axes:
        if domain.sizes[axis] > MAX_COUNT:
            raise InputError(f"axis {axis} is {domain.sizes[axis]}, accepted is {MAX_COUNT} for a "
                             "kernel with a Memory")
    whole = Domain({axis: domain.sizes[axis] for axis in axes}, len(axes), domain.grids,
                   domain.inputs)
    found = _Launch(mapped, lowered, whole, ins, (replace(out, axes=axes, lanes=""),), bases, False,
                    gathered).run()
    outputs = list(found.outputs)
    words = next(iter(domain.sizes.values()))
    for node, unit in zip(reading.graph.nodes, reading.units, strict=True):
        if node.role is Role.PUSH:
            # Lanes hold the same; all but the first are outside.
            outputs[unit] = Stream(
                base=bases[Role.PUSH, 0], row_step=0, column_step=out.type.bytes, height=1,
                width=words, format=out.type.format, saturate=out.saturate, lane_dy=ONE,
                loops=(Loop(words, dx=ONE),))
    return Launch(found.counts, found.inputs, tuple(outputs), 1)


def _border(spec: In | Gather) -> Border:
    return Border.CONSTANT if spec.border == "constant" else Border.REPLICATE


class _Launch:
    def __init__(self, mapped: Mapped, lowered: Lowered, domain: Domain, ins: Sequence[In],
                 outs: Sequence[Out], bases: Mapping[tuple[Role, int], int],
                 scans: bool, gathered: Gathered | None = None) -> None:
        self._gathered = gathered
        self._mapped, self._lowered, self._domain = mapped, lowered, domain
        self._ins, self._outs, self._bases = ins, outs, bases
        self._parts = outs[0].type.parts
        self._lane_axis = lane_axis(outs[0], scans)
        self._packed_axis = outs[0].axes[-1]
        self._lanes = mapped.fabric.lanes if self._lane_axis else 1
        for axis, size in domain.sizes.items():
            if axis == self._packed_axis and size % self._parts:
                raise InputError(f"axis {axis} is {size}, accepted is a multiple of {self._parts} "
                                 "for packed streams")
        self._levels = self._nest(scans)

    def _size(self, axis: str) -> int:
        """Values along an axis."""
        size = self._domain.sizes[axis]
        return size // self._parts if axis == self._packed_axis else size

    def _nest(self, scans: bool) -> list[_Level]:
        axes = self._outs[0].axes
        order = list(reversed(axes))
        if (scans or self._lowered.reuse) and "x" in order:
            order.remove("x")
            order.insert(0, "x")
        levels = [_Level(axis, self._size(axis)) for axis in reversed(self._domain.reduced)]
        for axis in order:
            lanes = self._lanes if axis == self._lane_axis else 1
            count, first = -(-self._size(axis) // lanes), 0
            if axis == "x" and self._lowered.reuse:
                shift = max(self._lowered.shifts)
                least = min(self._lowered.shifts)
                first = least // lanes - self._lowered.reach
                count = (self._size(axis) - 1 + shift) // lanes - first + 1
            if count > 1:
                levels += self._split(_Level(axis, count, first, lanes))
            elif first or count:
                levels.append(_Level(axis, count, first, lanes))
        keep = len(self._domain.reduced)
        levels = levels[:keep] + [level for level in levels[keep:]
                                  if level.count > 1 or level.first]
        if len(levels) > LOOPS:
            raise InputError(f"{len(levels)} loops ({', '.join(level.axis for level in levels)}); "
                             f"accepted are {LOOPS}")
        for level in levels:
            if level.count > MAX_COUNT:
                raise InputError(f"axis {level.axis} takes {level.count} iterations, accepted are "
                                 f"{MAX_COUNT}")
        return levels

    @staticmethod
    def _split(level: _Level) -> list[_Level]:
        """A loop too long for one counter as two; the last turn may overrun."""
        parts = -(-level.count // MAX_COUNT)
        if parts == 1:
            return [level]
        inner = math.ceil(level.count / parts)
        return [replace(level, count=inner),
                _Level(level.axis, parts, 0, level.advance * inner)]

    def run(self) -> Launch:
        fabric, graph = self._mapped.fabric, self._mapped.graph
        inputs: list[Stream | None] = [None] * fabric.inputs
        outputs: list[Stream | None] = [None] * fabric.outputs
        for role, streams in ((Role.POP, inputs), (Role.PUSH, outputs)):
            for unit in range(len(streams)):
                nodes = sorted((self._mapped.times[n] % self._mapped.ii, n)
                               for n, node in enumerate(graph.nodes)
                               if node.role is role and self._mapped.units[n] == unit)
                if not nodes or (role is Role.PUSH and graph.nodes[nodes[0][1]].indirect):
                    continue  # positions need no stream
                port = graph.nodes[nodes[0][1]].port
                taps = tuple(graph.nodes[n].tap for _, n in nodes)
                streams[unit] = (self._input(port, taps) if role is Role.POP
                                 else self._output(port, taps))
        return Launch(tuple(level.count for level in self._levels), tuple(inputs),
                      tuple(outputs))

    def _strides(self, spec: In | Out, sizes: Mapping[str, int]) -> dict[str, int]:
        """Bytes from value to value along each axis of an array."""
        stride = np.dtype(spec.type.memory).itemsize * spec.channels
        found = {}
        for axis in reversed(spec.axes):
            found[axis] = stride * (self._parts if axis == self._packed_axis else 1)
            stride *= sizes[axis]
        return found

    def _mask(self, taps: tuple[TapAt, ...]) -> Stream:
        """Its column counts from less the size of the lanes' axis to 0."""
        size = self._size(self._lane_axis)
        if size > _FARTHEST:
            raise InputError(f"axis {self._lane_axis} is {size}, accepted is {_FARTHEST} for a "
                             "kernel with a Memory")
        loops = tuple(Loop(level.count, dx=level.advance * ONE if level.axis == self._lane_axis
                           else 0) for level in self._levels)
        return Stream(base=0, row_step=0, column_step=0, height=1, width=1,
                      format=u8.format, x0=-size * ONE, lane_dx=ONE, loops=loops,
                      taps=taps)

    def _input(self, port: int, taps: tuple[TapAt, ...]) -> Stream:
        if port == len(self._ins):
            return self._mask(taps)
        if self._gathered is not None and port == self._gathered.port:
            picture, kind = self._gathered, self._gathered.spec.type
            return Stream(
                base=self._bases[Role.POP, port], row_step=picture.width * kind.bytes,
                column_step=kind.bytes, height=picture.height, width=picture.width,
                format=kind.format, border=_border(picture.spec),
                fill=picture.spec.fill & 0xFFFFFFFF, indirect=True,
                loops=tuple(Loop(level.count) for level in self._levels), taps=taps)
        spec, grid = self._ins[port], self._grid(port)
        sizes = self._domain.inputs[port]
        strides = self._strides(spec, sizes)
        windows = spec.step != 1 or any(tap.dx or tap.what is not Tap.DATA for tap in taps) or (
            grid.x0 != 0) or self._lowered.reuse is not None
        column = "x" if "x" in spec.axes and windows else self._lane_axis
        return self._stream(
            spec, strides, sizes, self._bases[Role.POP, port], taps, column, "y",
            {"y": (grid.y0, grid.dy), "x": (grid.x0, grid.dx)},
            border=_border(spec), fill=self._fill(spec))

    def _grid(self, port: int) -> Grid:
        """Positions of an input, in values."""
        spec, grid = self._ins[port], self._domain.grids[port]
        if not spec.packs_x:
            return grid
        if grid.x0 % (ONE * self._parts):
            raise InputError(f"a grid begins at column {grid.x0 / ONE:g}, accepted is a multiple "
                             f"of {self._parts} for packed streams")
        return replace(grid, x0=grid.x0 // self._parts)

    def _fill(self, spec: In) -> int:
        bits = 32 // spec.type.parts
        return sum((spec.fill & ((1 << bits) - 1)) << (bits * part)
                   for part in range(spec.type.parts))

    def _output(self, port: int, taps: tuple[TapAt, ...]) -> Stream:
        spec = self._outs[port]
        shift = self._lowered.shifts[port] * ONE
        row = "x" if self._lowered.reuse and self._lane_axis != "x" else "y"
        return self._stream(spec, self._strides(spec, self._domain.sizes),
                            self._domain.sizes, self._bases[Role.PUSH, port], taps,
                            self._lane_axis, row, {"x": (-shift, ONE)},
                            border=Border.REPLICATE, saturate=spec.saturate,
                            still=self._domain.reduced)

    def _stream(self, spec: In | Out, strides: Mapping[str, int], sizes: Mapping[str, int],
                base: int, taps: tuple[TapAt, ...], column: str, row: str,
                grids: Mapping[str, tuple[int, int]], *, border: Border, fill: int = 0,
                saturate: bool = False, still: str = "") -> Stream:
        """A stream whose rows and columns are two axes; the others move its base, those of
        ``still`` don't count."""
        placed = {}
        for name, axis in (("dy", row), ("dx", column)):
            length = sizes.get(axis, 1) // (self._parts if axis == self._packed_axis else 1)
            if axis in strides and length <= _FARTHEST:
                placed[axis] = name
        start = {"dy": 0, "dx": 0}
        loops = []
        for level in self._levels:
            axis = level.axis
            if axis in still:
                continue
            _, step = grids.get(axis, (0, ONE))
            if axis in placed:
                start[placed[axis]] += level.first * level.advance * step
                loops.append(Loop(level.count, **{placed[axis]: level.advance * step}))
            else:
                loops.append(Loop(level.count, dbase=strides.get(axis, 0) * level.advance))
        for axis, name in placed.items():
            start[name] += grids.get(axis, (0, ONE))[0]
        lane: dict[str, Any] = {}
        if self._lane_axis in placed:
            lane[f"lane_{placed[self._lane_axis]}"] = grids.get(self._lane_axis, (0, ONE))[1]
        elif self._lane_axis in strides:
            lane["lane_dbase"] = strides[self._lane_axis]
        by_name = {name: axis for axis, name in placed.items()}
        lengths = {name: sizes[by_name[name]] // (
            self._parts if by_name[name] == self._packed_axis else 1) if name in by_name else 1
            for name in ("dy", "dx")}
        steps = {name: strides[by_name[name]] if name in by_name else 0 for name in ("dy", "dx")}
        return Stream(base=base, row_step=steps["dy"], column_step=steps["dx"],
                      height=lengths["dy"], width=lengths["dx"], format=spec.type.format,
                      y0=start["dy"], x0=start["dx"], border=border, fill=fill,
                      saturate=saturate, loops=tuple(loops), taps=taps, **lane)
