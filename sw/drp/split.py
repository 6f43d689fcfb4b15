"""A kernel too large for one mapping, cut into pieces that hand arrays on.

The cut is a small constraint model over the traced operations: each goes to one piece, none
before its operands; what one piece computes and a later one needs becomes an array of the
scratchpad with the results' axes and a channel for each value. Inputs are read wherever they are
needed. The model asks for as few values handed on as possible, within each piece's nodes, streams
and channels.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from golden.drp.stream import TapAt
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.operations import Op
from golden.spec.drp.streams import TAPS
from sw.drp.expression import Expression, Tracer
from sw.drp.intervals import interval
from sw.drp.kernel import Kernel, Trace
from sw.drp.solver import solve
from sw.drp.types import In, Out, Type, i8, i16, i32, u8, u16

__all__ = ["Piece", "split"]

_MORE = 4  # pieces beyond the least number
_LIMIT = 4.0  # of a model, in the solver's units


class Piece(Kernel):
    """A part of a kernel: a kernel without a function of its own.

    Parameters
    ----------
    whole : Kernel
    name : str
    streams : dict of In
        By name: inputs of the whole, and arrays of earlier pieces.
    outs : tuple of Out
    results : tuple of str
        Names of the arrays it gives: ``out0``, ``out1`` of the whole, else its own name.
    tables : tuple of str
    trace : Trace
    """

    def __init__(self, whole: Kernel, name: str, streams: dict[str, In], outs: tuple[Out, ...],
                 results: tuple[str, ...], tables: tuple[str, ...], trace: Trace) -> None:
        self.name, self.doc, self.results = name, f"A piece of {whole.name}.", results
        self.streams, self.outs, self.memories, self.gathers = streams, outs, {}, {}
        self.tables = {table: whole.tables[table] for table in tables}
        self.scalars = {}
        self._order = [*streams, *tables]
        self._trace = trace

    def trace(self, **scalars: int) -> Trace:
        """What it computes; the whole's scalars are constants of it already."""
        del scalars
        return self._trace

    def __call__(self, *given: np.ndarray, **options: object) -> object:
        """Only the whole kernel has a reference."""
        raise TypeError(f"{self.name} is a piece; call the whole kernel")


def split(kernel: Kernel, trace: Trace, fabric: Fabric, most: int,
          seed: int = 1) -> tuple[Piece, ...] | None:
    """The pieces, in their order, or None if there is no such cut.

    Parameters
    ----------
    kernel : Kernel
        Without reductions, scans, packed streams, Memory or Gather.
    trace : Trace
    fabric : Fabric
    most : int
        Nodes of a piece.
    seed : int
    """
    values = _values(trace)
    if (trace.added or kernel.gathers or kernel.outs[0].type.parts > 1
            or any(value.op == "phi" for value in values)):
        return None
    operations = [value for value in values if isinstance(value.op, Op)]
    for count in range(-(-len(values) // most), -(-len(values) // most) + _MORE):
        places = _Cut(kernel, trace, operations, fabric, most, count).solve(seed)
        if places is not None:
            return _Builder(kernel, trace, operations, places).pieces()
    return None


def _values(trace: Trace) -> list[Expression]:
    """Operations and taps, operands first."""
    found: dict[int, Expression] = {}
    stack = [value for channels in trace.outputs for value in channels]
    while stack:
        top = stack[-1]
        waiting = [arg for arg in top.args if not arg.is_constant and arg.number not in found]
        if top.number in found or top.is_constant:
            stack.pop()
        elif waiting:
            stack += waiting
        else:
            found[top.number] = top
            stack.pop()
    return list(found.values())


class _Cut:
    """The constraint model for a number of pieces."""

    def __init__(self, kernel: Kernel, trace: Trace, operations: list[Expression],
                 fabric: Fabric, most: int, count: int) -> None:
        self._model, self._count, self._operations = cp_model.CpModel(), count, operations
        model, pieces = self._model, range(count)
        self._in = {value.number: [model.new_bool_var("") for _ in pieces]
                    for value in operations}
        for places in self._in.values():
            model.add_exactly_one(places)
        consumers: dict[int, list[Expression]] = {}
        for value in operations:
            for arg in value.args:
                if not arg.is_constant:
                    consumers.setdefault(arg.number, []).append(value)
        values = {arg.number: arg for value in operations for arg in value.args
                  if not arg.is_constant}
        ends = self._ends(trace)
        reads: list[list[cp_model.IntVar]] = [[] for _ in pieces]
        gives: list[list[cp_model.IntVar]] = [[] for _ in pieces]
        arrays: list[dict[object, list[cp_model.IntVar]]] = [{} for _ in pieces]
        for number, value in values.items():
            if value.op == "tap":
                for piece in pieces:
                    read = self._any(self._in[user.number][piece] for user in consumers[number])
                    reads[piece].append(read)
                    arrays[piece].setdefault(("in", value.port), []).append(read)
                continue
            for user in consumers[number]:
                for piece in pieces:  # not before its operands
                    model.add_bool_or(~self._in[user.number][piece],
                                      *self._in[number][:piece + 1])
            handed: list[list[cp_model.IntVar]] = [[] for _ in pieces]
            for piece in pieces[1:]:
                used = self._any(self._in[user.number][piece] for user in consumers[number])
                for source in pieces[:piece]:
                    both = model.new_bool_var("")
                    model.add_bool_or(~used, ~self._in[number][source], both)
                    reads[piece].append(both)
                    arrays[piece].setdefault(("piece", source), []).append(both)
                    handed[source].append(both)
            for source in pieces:
                if handed[source]:
                    gives[source].append(self._any(handed[source]))
        for piece in pieces:
            pushed = [self._in[number][piece] * channels for number, channels in ends]
            size = sum(places[piece] for places in self._in.values())
            model.add(size + sum(reads[piece]) + sum(gives[piece]) + sum(pushed) <= most)
            model.add(size >= 1)
            model.add(sum(gives[piece]) <= TAPS)
            model.add(sum(self._any(found) for found in arrays[piece].values()) <= fabric.inputs)
            results = [self._in[number][piece] for number, _ in ends]
            model.add(sum(results) + self._any(gives[piece]) <= fabric.outputs)
        model.minimize(sum(sum(found) for found in gives) * 2 + sum(sum(found) for found in reads))

    def _ends(self, trace: Trace) -> list[tuple[int, int]]:
        """(operation, channels) of each output, all channels in one piece."""
        found = []
        for channels in trace.outputs:
            mine = [value.number for value in channels if value.number in self._in]
            for number in mine[1:]:
                for first, second in zip(self._in[mine[0]], self._in[number], strict=True):
                    self._model.add(first == second)
            if mine:
                found.append((mine[0], len(channels)))
        return found

    def _any(self, literals: Iterable[cp_model.IntVar]) -> cp_model.IntVar:
        found = self._model.new_bool_var("")
        listed = list(literals)
        for literal in listed:
            self._model.add_implication(literal, found)
        self._model.add_bool_or(*listed, ~found)
        return found

    def solve(self, seed: int) -> dict[int, int] | None:
        """Piece of each operation."""
        solver, status = solve(self._model, seed, _LIMIT)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return {number: next(piece for piece, var in enumerate(places) if solver.value(var))
                for number, places in self._in.items()}


@dataclass
class _Handed:
    """An array a piece hands on."""

    name: str
    spec: In
    values: list[int]


class _Builder:
    def __init__(self, kernel: Kernel, trace: Trace, operations: list[Expression],
                 places: dict[int, int]) -> None:
        self._kernel, self._whole, self._places = kernel, trace, places
        self._operations = operations
        self._handed: list[_Handed | None] = []

    def pieces(self) -> tuple[Piece, ...]:
        """All, in order."""
        count = max(self._places.values()) + 1
        return tuple(self._piece(number) for number in range(count))

    def _piece(self, number: int) -> Piece:
        name = f"{self._kernel.name}.{number + 1}"
        mine = [value for value in self._operations if self._places[value.number] == number]
        known = {value.number for value in mine}
        later = [value for value in mine if any(
            value.number in {arg.number for arg in user.args}
            for user in self._operations if self._places[user.number] > number)]
        ends = [port for port, channels in enumerate(self._whole.outputs)
                if any(value.number in known for value in channels)
                or (number == 0 and not any(isinstance(value.op, Op) for value in channels))]
        self._handed.append(self._hand(name, later) if later else None)
        copy = _Copy(self._kernel, self._places, self._handed, number)
        outputs = [tuple(copy.of(value) for value in self._whole.outputs[port]) for port in ends]
        outs = [self._kernel.outs[port] for port in ends]
        results = [f"out{port}" for port in ends]
        handed = self._handed[number]
        if handed is not None:
            outputs.append(tuple(copy.of(value) for value in later))
            outs.append(Out(handed.spec.type, outs_axes(self._kernel), len(later),
                            lanes=self._kernel.outs[0].lanes))
            results.append(name)
        return Piece(self._kernel, name, copy.streams, tuple(outs), tuple(results),
                     tuple(copy.tables), Trace(tuple(outputs), copy.tracer))

    def _hand(self, name: str, values: list[Expression]) -> _Handed:
        spec = In(_narrowest(values), outs_axes(self._kernel), len(values))
        return _Handed(name, spec, [value.number for value in values])


def outs_axes(kernel: Kernel) -> str:
    """Axes of a kernel's results."""
    return kernel.outs[0].axes


def _narrowest(values: list[Expression]) -> Type:
    """The smallest type that holds all; conditions are 0 and -1."""
    limits = [(-1, 0) if value.dtype == "bool" else interval(value) for value in values]
    least, most = min(low for low, _ in limits), max(high for _, high in limits)
    for kind in (u8, i8, u16, i16):
        bound = np.iinfo(kind.memory)
        if bound.min <= least and most <= bound.max:
            return kind
    return i32


class _Copy:
    """A piece's expressions, made anew: what comes from earlier pieces is a tap."""

    def __init__(self, kernel: Kernel, places: dict[int, int], handed: list[_Handed | None],
                 piece: int) -> None:
        self.tracer = Tracer(kernel.name)
        self.streams: dict[str, In] = {}
        self.tables: list[str] = []
        self._kernel, self._places, self._piece = kernel, places, piece
        self._handed, self._made = handed, dict[int, Expression]()
        self._count = 0

    def of(self, value: Expression) -> Expression:
        """The copy of a value that this piece computes or reads."""
        stack = [value]
        while stack:
            top = stack[-1]
            if top.number in self._made:
                stack.pop()
                continue
            outside = isinstance(top.op, Op) and self._places[top.number] != self._piece
            waiting = [] if outside else [arg for arg in top.args
                                          if arg.number not in self._made]
            if waiting:
                stack += waiting
                continue
            self._made[top.number] = self._received(top) if outside else self._copied(top)
            stack.pop()
        return self._made[value.number]

    def _copied(self, value: Expression) -> Expression:
        self._count += 1
        port = table = -1
        if value.op == "tap":
            name = list(self._kernel.streams)[value.port]
            port = self._port(name, self._kernel.streams[name])
        if value.table >= 0:
            name = list(self._kernel.tables)[value.table]
            if name not in self.tables:
                self.tables.append(name)
            table = self.tables.index(name)
        return Expression(self.tracer, value.op, tuple(self._made[arg.number]
                                                       for arg in value.args),
                          value.dtype, value.bytes, value.constant, max(port, 0), value.tap, table,
                          number=self._count, span=value.span)

    def _received(self, value: Expression) -> Expression:
        handed = self._handed[self._places[value.number]]
        assert handed is not None
        self._count += 1
        size = np.dtype(handed.spec.type.memory).itemsize
        return Expression(self.tracer, "tap", (), value.dtype, value.bytes,
                          port=self._port(handed.name, handed.spec),
                          tap=TapAt(dbase=size * handed.values.index(value.number)),
                          number=self._count, span=value.span)

    def _port(self, name: str, spec: In) -> int:
        self.streams.setdefault(name, spec)
        return list(self.streams).index(name)
