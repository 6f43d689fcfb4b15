"""From a kernel to contexts, and running them on the simulated tile."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from golden.drp.kernel import Kernel as Image
from golden.drp.tile import Tile
from golden.drp.timing import timing
from golden.spec.drp.fabric import Fabric
from sw.drp.bounds import Bounds, bounds
from sw.drp.cache import Cache
from sw.drp.domain import Domain, Grid
from sw.drp.expression import Expression
from sw.drp.graph import Role
from sw.drp.kernel import Kernel, Trace
from sw.drp.launch import Gathered, Launch, lane_axis, launch, launch_memory
from sw.drp.lower import Lowered, Reuse, lower
from sw.drp.mapper.emit import emit, joined
from sw.drp.mapper.mapping import Mapping as Mapped
from sw.drp.mapper.search import MapError, search
from sw.drp.memory import clearing, reading
from sw.drp.types import In

__all__ = ["Compiled", "Outcome", "compile_kernel", "facts", "nodes_of"]

_ALIGN = 16
# Outputs whose lanes overrun, and inputs read beside windows, stay inside.
_SLACK = 256


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Parameters
    ----------
    outputs : tuple of ndarray
    cycles : int
        Stalls for memory included, as ``golden.drp.timing`` predicts them.
    steps : int
        Steps of the tile, stalls left out.
    elements : int
        Output elements.
    """

    outputs: tuple[np.ndarray, ...]
    cycles: int
    steps: int
    elements: int


@dataclass(frozen=True)
class Compiled:
    """A kernel on a fabric.

    Parameters
    ----------
    kernel : Kernel
    scalars : dict of int
    lowered : Lowered
        What was mapped.
    mapping : Mapping
    bounds : Bounds
    seconds : float
        Wall-clock time from trace to mapping; of a cached mapping, when it was found.
    cached : bool
    scans : bool
    around : (Mapping, Mapping), optional
        Of a kernel with a memory: states that clear it and read it out.
    """

    kernel: Kernel
    scalars: dict[str, int]
    lowered: Lowered
    mapping: Mapped
    bounds: Bounds
    seconds: float
    cached: bool
    scans: bool
    around: tuple[Mapped, Mapped] | None = None

    @property
    def states(self) -> tuple[Mapped, ...]:
        """Mappings of the kernel's states, in their order."""
        return ((self.mapping,) if self.around is None
                else (self.around[0], self.mapping, self.around[1]))

    @property
    def proven(self) -> bool:
        """Whether no smaller interval exists: the bound is met."""
        return self.mapping.ii == self.bounds.ii

    def image(self, *tables: np.ndarray) -> Image:
        """Contexts, states and tables (contents by number, int32)."""
        contents = tuple(table.view(np.uint32) for table in tables)
        if self.around is None:
            return emit(self.mapping, contents)
        words = next(iter(self.kernel.memories.values())).words
        first, last = (emit(mapping).with_counts(0, (words,)) for mapping in self.around)
        return joined((first, emit(self.mapping, contents), last))

    def launch(self, domain: Domain, bases: Mapping[tuple[Role, int], int],
               pictures: Sequence[tuple[int, int]] = ()) -> Launch:
        """Streams for a domain.

        Parameters
        ----------
        domain : Domain
        bases : dict of int
            Byte address of each array, by role and port (``Kernel.ports``).
        pictures : tuple of (int, int)
            Height and width of the gathered picture, if there is one.
        """
        gathered = None
        for (name, spec), size in zip(self.kernel.gathers.items(), pictures, strict=True):
            gathered = Gathered(self.kernel.ports[name], spec, *size)
        if self.around is not None:
            return launch_memory(self.mapping, self.around[1], self.lowered, domain,
                                 list(self.kernel.streams.values()), self.kernel.outs[0], bases,
                                 gathered)
        return launch(self.mapping, self.lowered, domain, list(self.kernel.streams.values()),
                      self.kernel.outs, bases, scans=self.scans, gathered=gathered)

    def run(self, *given: np.ndarray, sizes: Mapping[str, int] | None = None,
            grids: Mapping[str, Grid] | None = None) -> Outcome:
        """Run on the simulated tile; arguments as the kernel's own.

        Raises
        ------
        InputError
        TileError
        """
        arrays, tables = self.kernel.bind(given)
        domain = self.kernel.domain(arrays, sizes, grids)
        shape = list(domain.sizes.values())[:domain.kept]
        bases, memory = self._placed(arrays, shape)
        found = self.launch(domain, bases, [arrays[name].shape for name in self.kernel.gathers])
        image = self.image(*tables.values()).with_counts(found.state, found.counts)
        run = Tile(image).run(memory, found.inputs, found.outputs)
        outputs = []
        for port, out in enumerate(self.kernel.outs):
            whole = shape + ([out.channels] if out.channels > 1 else [])
            size = int(np.prod(whole)) * np.dtype(out.type.memory).itemsize
            base = bases[Role.PUSH, port]
            outputs.append(memory[base:base + size].view(out.type.memory).reshape(whole).copy())
        cycles = timing(self.mapping.fabric, run, found.inputs, found.outputs).cycles
        return Outcome(tuple(outputs), cycles, run.steps, sum(output.size for output in outputs))

    def _placed(self, arrays: Mapping[str, np.ndarray], shape: list[int]) -> tuple[
            dict[tuple[Role, int], int], np.ndarray]:
        """Addresses of all arrays, and a memory that holds the inputs."""
        bases: dict[tuple[Role, int], int] = {}
        end = _ALIGN
        for name, array in arrays.items():
            bases[Role.POP, self.kernel.ports[name]] = end
            end += -(-(array.nbytes + _SLACK) // _ALIGN) * _ALIGN
        for port, out in enumerate(self.kernel.outs):
            size = int(np.prod(shape)) * out.channels * np.dtype(out.type.memory).itemsize
            bases[Role.PUSH, port] = end
            end += -(-(size + _SLACK) // _ALIGN) * _ALIGN
        memory = np.zeros(end, np.uint8)
        for name, array in arrays.items():
            base = bases[Role.POP, self.kernel.ports[name]]
            memory[base:base + array.nbytes] = np.ascontiguousarray(array).view(
                np.uint8).reshape(-1)
        return bases, memory


def compile_kernel(kernel: Kernel, fabric: Fabric,
                   tell: Callable[[str], None] = lambda text: None, /, *, seed: int = 1,
                   cache: Cache | None = None, **scalars: int) -> Compiled:
    """Trace, optimize, map.

    Parameters
    ----------
    kernel : Kernel
    fabric : Fabric
    tell : callable
        Told what the mapper tries.
    seed : int
        Of the mapper.
    cache : Cache, optional
        Where mappings are kept.
    scalars : int
        Constants of this compilation.

    Raises
    ------
    KernelError, MapError
    """
    start = time.perf_counter()
    trace = kernel.trace(**scalars)
    scans = _scans(trace, len(kernel.reduced)) and not trace.added
    lowered, bound = _best(kernel, trace, fabric, scans)
    mapping, spent = None, 0.0
    if cache is not None:
        mapping, spent = cache.load(lowered.graph, fabric, seed, bound.ii)
    cached = mapping is not None
    if mapping is None:
        mapping = search(lowered.graph, fabric, bound.ii, seed, tell=tell)
        spent = time.perf_counter() - start
        if cache is not None:
            cache.store(lowered.graph, fabric, seed, bound.ii, mapping, spent)
    return Compiled(kernel, kernel.values(scalars), lowered, mapping, bound, spent, cached, scans,
                    _around(kernel, mapping, seed) if trace.added else None)


def nodes_of(kernel: Kernel, fabric: Fabric, **scalars: int) -> int:
    """Nodes of a kernel's graph."""
    trace = kernel.trace(**scalars)
    scans = _scans(trace, len(kernel.reduced)) and not trace.added
    return len(_best(kernel, trace, fabric, scans)[0].graph.nodes)


def _around(kernel: Kernel, mapping: Mapped, seed: int) -> tuple[Mapped, Mapped]:
    """States that clear and read out the memory a kernel adds to."""
    fabric, tables = mapping.fabric, mapping.graph.tables
    table = len(kernel.tables)
    pinned = {table: next(element for element, held in mapping.tables if held == table)}
    graphs = clearing(tables, table), reading(tables, table, fabric.lanes)
    try:
        first, last = (search(graph, fabric, bounds(graph, fabric).ii, seed, pinned=pinned)
                       for graph in graphs)
    except ValueError as error:
        raise MapError(f"{kernel.name} on {fabric.name}: {error}") from None
    return first, last


def _expressions(trace: Trace) -> list[Expression]:
    found: dict[int, Expression] = {}
    stack = [value for channels in (*trace.outputs, *trace.added) for value in channels]
    while stack:
        top = stack.pop()
        if top.number not in found:
            found[top.number] = top
            stack.extend(top.args)
            if top.back is not None:
                stack.append(top.back)
    return list(found.values())


def _scans(trace: Trace, reduced: int) -> bool:
    return not reduced and any(item.op == "phi" for item in _expressions(trace))


def _best(kernel: Kernel, trace: Trace, fabric: Fabric,
          scans: bool) -> tuple[Lowered, Bounds]:
    """Neighbours read anew or reused: the smaller bound, less to read, fewer nodes."""
    specs, outs = list(kernel.streams.values()), kernel.outs
    tables = tuple([table.words for table in kernel.tables.values()]
                   + [memory.words for memory in kernel.memories.values()])
    reduced = len(kernel.reduced)
    widths = tuple(np.dtype(out.type.memory).itemsize for out in outs)
    options: list[Reuse | None] = [None]
    axis = lane_axis(outs[0], scans)
    neighbours = any(item.op == "tap" and item.tap.dx for item in _expressions(trace))
    along_x = fabric.lanes if axis == "x" else 1
    if (neighbours and not scans and not reduced and not kernel.gathers and "x" in outs[0].axes
            and all(isinstance(spec.step, int) for spec in specs)
            and not any(item.op == "tap" and item.tap.what for item in _expressions(trace))
            and (along_x == 1 or fabric.movers)):
        steps = tuple(int(spec.step) for spec in specs)
        options.append(Reuse(along_x, steps))
        options += [Reuse(along_x, steps, place) for place in range(1, along_x)]
    found: list[tuple[int, int, int, Lowered, Bounds]] = []
    read, written = _traffic(kernel, trace, fabric)
    for option in options:
        lowered = lower(trace.outputs, tables, reduced, widths, option, trace.added)
        try:
            bound = bounds(lowered.graph, fabric, read, written)
        except ValueError as error:
            raise MapError(f"{kernel.name} on {fabric.name}: {error}") from None
        words = _words(lowered, specs, fabric, axis) if len(options) > 1 else 0
        found.append((bound.ii, max(bound.ii, words), len(lowered.graph.nodes), lowered, bound))
    *_, lowered, bound = min(found, key=lambda item: item[:3])
    return lowered, bound


def _words(lowered: Lowered, specs: list[In], fabric: Fabric, lanes: str) -> int:
    """Scratchpad words an iteration reads, about: neighbours that are read anew lie in others."""
    found = Fraction(0)
    for port, spec in enumerate(specs):
        pixel = spec.type.bytes * spec.channels
        rows: dict[int, set[int]] = {}
        for node in lowered.graph.nodes:
            if node.role is Role.POP and node.port == port and isinstance(spec.step, int):
                rows.setdefault(node.tap.dy, set()).add(node.tap.dx)
        for columns in rows.values():
            along = fabric.lanes * pixel
            if lanes == "x":
                found += along * int(spec.step) + (max(columns) - min(columns)) * pixel
            else:
                found += along * len(columns)
    return math.ceil(found / fabric.word_bytes)


def _traffic(kernel: Kernel, trace: Trace,
             fabric: Fabric) -> tuple[list[Fraction], list[Fraction]]:
    """Bytes an iteration must read and write, by array: no two rows of a window share a word,
    and along a row an iteration comes to a step's worth of new ones."""
    read, reduced = [], bool(kernel.reduced)
    taps = [item for item in _expressions(trace) if item.op == "tap" and not item.tap.what]
    for port, spec in enumerate(kernel.streams.values()):
        rows = {item.tap.dy for item in taps if item.port == port}
        if not reduced and isinstance(spec.step, int) and set(kernel.outs[0].axes) <= set(
                spec.axes):
            read.append(Fraction(len(rows) * spec.step * spec.type.bytes * spec.channels
                                 * fabric.lanes))
    written = [] if reduced else [
        Fraction(out.type.bytes * out.channels * fabric.lanes) for out in kernel.outs]
    return read, written


def facts(compiled: Compiled) -> dict[str, Any]:
    """What reports print of a compiled kernel."""
    bound, mapping = compiled.bounds, compiled.mapping
    return {
        "kernel": compiled.kernel.name, "fabric": mapping.fabric.name, "ii": mapping.ii,
        "bounds": {"resource": bound.resource, "recurrence": bound.recurrence,
                   "memory": bound.memory},
        "proven": compiled.proven, "latency": mapping.latency,
        "utilization": round(mapping.utilization, 4), "seconds": round(compiled.seconds, 3),
        "nodes": len(compiled.lowered.graph.nodes), "cached": compiled.cached}
