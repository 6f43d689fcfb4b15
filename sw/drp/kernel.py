"""``@kernel``: a typed Python function over streams, its reference semantics and its trace."""

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import numpy as np

from golden.spec.drp.streams import Tap
from sw.drp.domain import Domain, Grid
from sw.drp.errors import KernelError
from sw.drp.expression import Expression, Tracer
from sw.drp.memory import ArrayMemory, TracedMemory
from sw.drp.overloads import Operators
from sw.drp.reduction import Reduction
from sw.drp.rewrite import rewrite
from sw.drp.types import TYPES, Gather, In, Memory, Out, Table, Type
from sw.drp.window import ArrayWindow, GatherReader, TableReader, TracedWindow
from sw.errors import InputError, SenteiError

__all__ = ["Kernel", "Trace", "kernel"]


@dataclass(frozen=True)
class Trace:
    """What a body computes.

    Parameters
    ----------
    outputs : tuple of tuples of Expression
        By output: its channels.
    tracer : Tracer
    added : tuple of (Expression, Expression)
        Index and amount of each addition to the kernel's memory.
    """

    outputs: tuple[tuple[Expression, ...], ...]
    tracer: Tracer
    added: tuple[tuple[Expression, Expression], ...] = ()


class Kernel:
    """A kernel; calling it runs the reference, plain numpy.

    Parameters
    ----------
    function : callable
        Parameters annotated ``In(...)`` (streams), ``Gather(...)``, ``Table(...)``,
        ``Memory(...)`` or ``int`` (constants of a compilation); the result annotated
        ``Out(...)``, or ``tuple[Out(...), Out(...)]``.

    Raises
    ------
    KernelError
        At the user's line.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name, self.doc = function.__name__, inspect.getdoc(function) or ""
        self._body, self._file, self._names = rewrite(function)
        self._line = function.__code__.co_firstlineno
        hints = function.__annotations__
        self.streams: dict[str, In] = {}
        self.tables: dict[str, Table] = {}
        self.memories: dict[str, Memory] = {}
        self.gathers: dict[str, Gather] = {}
        self.scalars: dict[str, int | None] = {}
        self._order: list[str] = []
        for name, parameter in inspect.signature(function).parameters.items():
            hint = hints.get(name)
            self._order.append(name)
            if isinstance(hint, In):
                self.streams[name] = hint
            elif isinstance(hint, Table):
                self.tables[name] = hint
            elif isinstance(hint, Memory):
                self.memories[name] = hint
            elif isinstance(hint, Gather):
                self.gathers[name] = hint
            elif hint is int:
                self.scalars[name] = (None if parameter.default is inspect.Parameter.empty
                                      else int(parameter.default))
            else:
                raise self._error(f"parameter {name} is annotated {hint!r}, accepted are "
                                  "In(...), Gather(...), Table(...), Memory(...) and int")
        result = hints.get("return")
        self.outs: tuple[Out, ...] = (
            get_args(result) if get_origin(result) is tuple else (result,))
        specs: list[In | Out] = [*self.streams.values(), *self.outs]
        if not all(isinstance(out, Out) for out in self.outs):
            raise self._error("the result must be annotated -> Out(...), or tuple[Out(...), ...]")
        if not self.streams:
            raise self._error("a kernel needs a stream, a parameter annotated In(...)")
        self._check_axes(specs)

    def _error(self, text: str) -> KernelError:
        return KernelError(f"{self._file}:{self._line}: {text}")

    def _check_axes(self, specs: list[In | Out]) -> None:
        for kind in (spec.type for spec in (*specs, *self.gathers.values())):
            if not isinstance(kind, Type):
                raise self._error(f"a stream of {kind!r}, accepted are "
                                  f"{', '.join(item.name for item in TYPES)}")
        for spec in specs:
            if not spec.axes.isalpha() or len(set(spec.axes)) != len(spec.axes):
                raise self._error(f"axes {spec.axes!r}, accepted are different letters")
            if len(spec.axes) > 4:
                raise self._error(f"axes {spec.axes!r}, accepted are 4 at most")
            if spec.type.parts > 1 and spec.channels > 1:
                raise self._error(f"a packed stream ({spec.type.name}) has no channels")
            if isinstance(spec, In) and spec.packs_x and spec.step != 1:
                raise self._error(f"step={spec.step!r} along the packed axis of {spec.type.name}; "
                                  "accepted is 1")
        if len({(out.axes, out.lanes) for out in self.outs}) > 1:
            raise self._error("all results must have the same axes and lanes")
        lanes = self.outs[0].lanes
        if lanes and (len(lanes) > 1 or lanes not in self.outs[0].axes):
            raise self._error(f"lanes {lanes!r}, accepted is one of the result's axes")
        if len({spec.type.parts for spec in self.streams.values()}
               | {out.type.parts for out in self.outs}) > 1:
            raise self._error("packed streams (such as u8x4) and others don't mix in one kernel")
        given: list[Table | Memory] = [*self.tables.values(), *self.memories.values()]
        for table in given:
            if table.words < 1 or table.words & (table.words - 1):
                raise self._error(f"a {type(table).__name__.lower()} of {table.words} words, "
                                  "accepted is a power of two")
        if self.memories:
            self._check_memory()
        if len(self.gathers) > 1 or (self.gathers and len(self.outs) > 1):
            raise self._error(f"{len(self.gathers)} Gathers and {len(self.outs)} results, accepted "
                              "is one Gather, then one result")
        kinds = [spec.type for spec in self.gathers.values()] + [spec.type for spec in specs]
        if self.gathers and any(kind.parts > 1 for kind in kinds):
            raise self._error("packed streams (such as u8x4) have no place beside a Gather")

    def _check_memory(self) -> None:
        if len(self.memories) > 1:
            raise self._error(f"{len(self.memories)} memories, accepted is one")
        axes = "".join(spec.axes for spec in self.streams.values())
        if len(self.outs) > 1 or len(self.outs[0].axes) != 1 or self.outs[0].axes in axes or (
                self.outs[0].channels > 1):
            raise self._error("a kernel with a Memory has one result, with one axis that no stream "
                              "has, such as Out(i32, 'i')")
        kinds = [spec.type for spec in self.streams.values()] + [out.type for out in self.outs]
        if any(kind.parts > 1 for kind in kinds):
            raise self._error("packed streams (such as u8x4) can't be added to a Memory")

    def _line_of(self, error: BaseException) -> int:
        """Innermost line of the kernel's file that an exception passed."""
        lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__)
                 if frame.filename == self._file]
        return lines[-1] if lines else self._line

    @property
    def reduced(self) -> str:
        """Axes of the streams that the result lacks."""
        axes = self.outs[0].axes
        return "".join(dict.fromkeys(axis for spec in self.streams.values()
                                     for axis in spec.axes if axis not in axes))

    @property
    def ports(self) -> dict[str, int]:
        """Input ports by name. The one after the streams' is a Memory's mask."""
        found = {name: port for port, name in enumerate(self.streams)}
        return found | {name: len(found) + 1 for name in self.gathers}

    @property
    def arrays(self) -> tuple[str, ...]:
        """Parameters that take an array, in their order."""
        return tuple(name for name in self._order
                     if name not in self.scalars and name not in self.memories)

    def values(self, given: Mapping[str, int]) -> dict[str, int]:
        """All scalars, defaults included.

        Raises
        ------
        InputError
        """
        unknown = set(given) - set(self.scalars)
        if unknown:
            raise InputError(f"{self.name} has no scalar {', '.join(sorted(unknown))}; it has "
                             f"{', '.join(self.scalars) or 'none'}")
        found = {**self.scalars, **given}
        missing = [name for name, value in found.items() if value is None]
        if missing:
            raise InputError(f"{self.name} needs {', '.join(missing)}")
        return {name: int(value) for name, value in found.items() if value is not None}

    def domain(self, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int] | None = None,
               grids: Mapping[str, Grid] | None = None) -> Domain:
        """The domain of a call."""
        whole = dict(sizes or {})
        for memory in self.memories.values():
            whole[self.outs[0].axes] = memory.words
        return Domain.of(list(self.streams.values()), self.outs, list(self.streams),
                         [arrays[name] for name in self.streams], whole, grids or {})

    def bind(self, given: tuple[np.ndarray, ...]) -> tuple[dict[str, np.ndarray],
                                                           dict[str, np.ndarray]]:
        """(arrays of streams and gathered pictures, contents of tables) of positional
        arguments."""
        names = self.arrays
        if any(isinstance(item, Operators) for item in given):
            raise TypeError(f"{self.name} is a kernel, which a kernel can't call; call a plain "
                            "function")
        if len(given) != len(names):
            raise InputError(f"{self.name} takes {len(names)} arrays ({', '.join(names)}), not "
                             f"{len(given)}")
        found = {name: np.asarray(array) for name, array in zip(names, given, strict=True)}
        for name, table in self.tables.items():
            if found[name].shape != (table.words,) or found[name].dtype != np.int32:
                raise InputError(f"table {name} is {found[name].dtype}{found[name].shape}, "
                                 f"accepted is int32({table.words},)")
        for name, gather in self.gathers.items():
            array, kind = found[name], gather.type.memory
            if array.ndim != 2 or array.dtype != np.dtype(kind) or 0 in array.shape:
                raise InputError(f"{name} is {array.dtype}{array.shape}, accepted is {kind} with "
                                 "axes 'yx'")
        return ({name: found[name] for name in self.ports},
                {name: found[name] for name in self.tables})

    def __call__(self, *given: np.ndarray, sizes: Mapping[str, int] | None = None,
                 grids: Mapping[str, Grid] | None = None, **scalars: int) -> Any:
        """Run the reference.

        Parameters
        ----------
        given : arrays, and contents of tables, in the order of the parameters
        sizes : dict of int, optional
            Length of axes that differ from the inputs'.
        grids : dict of Grid, optional
            Positions of inputs, by name.
        scalars : int

        Returns
        -------
        ndarray, or tuple of them
        """
        arrays, tables = self.bind(given)
        domain = self.domain(arrays, sizes, grids)
        constants = self.values(scalars)

        def shape(array: np.ndarray, axes: str) -> np.ndarray:
            order = [axes.index(axis) for axis in domain.axes if axis in axes]
            index = tuple(slice(None) if axis in axes else None for axis in domain.axes)
            return np.transpose(array, order)[index]

        arguments: dict[str, Any] = dict(constants)
        for port, (name, spec) in enumerate(self.streams.items()):
            arguments[name] = ArrayWindow(spec, arrays[name], domain.positions(port, "y"),
                                          domain.positions(port, "x"), shape)
        for number, (name, table) in enumerate(self.tables.items()):
            arguments[name] = TableReader(table, number, tables[name], None)
        for name, memory in self.memories.items():
            arguments[name] = ArrayMemory(memory, (
                1, *list(domain.sizes.values())[domain.kept:]))
        for name, gather in self.gathers.items():
            arguments[name] = GatherReader(gather, 0, arrays[name], None)
        along = domain.axes.index("x") if "x" in domain.axes else 0
        with Reduction(len(domain.reduced), along).active(), np.errstate(over="ignore"):
            result = self._body(**arguments)
        for name in self.memories:
            if result is not arguments[name]:
                raise self._error(f"a kernel with a Memory returns it: return {name}")
            result = result.words.reshape(-1, *[1] * len(domain.reduced))
        found = [self._stored(out, values, domain) for out, values in
                 zip(self.outs, self._results(result), strict=True)]
        return found[0] if len(found) == 1 else tuple(found)

    def _results(self, result: Any) -> list[tuple[Any, ...]]:
        """Channels by output of what the body returned."""
        listed = (result,) if len(self.outs) == 1 else result
        if not isinstance(listed, tuple) or len(listed) != len(self.outs):
            count = len(listed) if isinstance(listed, tuple) else 1
            raise self._error(f"the kernel returns {count} values, its annotation has "
                              f"{len(self.outs)} results")
        found = []
        for out, value in zip(self.outs, listed, strict=True):
            if out.channels == 1 and isinstance(value, tuple):
                raise self._error(f"the kernel returns {len(value)} values, its annotation has 1 "
                                  "result of one channel")
            values = value if out.channels > 1 else (value,)
            if not isinstance(values, tuple) or len(values) != out.channels:
                raise self._error(f"an output of {out.channels} channels must be a tuple of as "
                                  "many values")
            found.append(tuple(item.value if isinstance(item, (TracedWindow, ArrayWindow)) else
                               item for item in values))
        return found

    def _stored(self, out: Out, values: tuple[Any, ...], domain: Domain) -> np.ndarray:
        shape = [size if n < domain.kept else 1
                 for n, size in enumerate(domain.sizes.values())]
        channels = []
        for value in values:
            value = np.asarray(value)
            if out.saturate:
                limits = np.iinfo(out.type.memory)
                value = np.clip(value, limits.min, limits.max)
            whole = np.broadcast_to(value.astype(out.type.memory), shape)
            channels.append(whole.reshape(shape[:domain.kept]))
        return np.stack(channels, -1) if out.channels > 1 else channels[0].copy()

    def trace(self, **scalars: int) -> Trace:
        """Run the body on symbols.

        Raises
        ------
        KernelError
        """
        tracer = Tracer(self._file, self.name)
        arguments: dict[str, Any] = dict(self.values(scalars))
        for port, (name, spec) in enumerate(self.streams.items()):
            arguments[name] = TracedWindow(tracer, spec, port)
        for number, (name, table) in enumerate(self.tables.items()):
            arguments[name] = TableReader(table, number, None, tracer)
        for name, memory in self.memories.items():
            arguments[name] = TracedMemory(memory, tracer, len(self.streams))
        for name, gather in self.gathers.items():
            arguments[name] = GatherReader(gather, self.ports[name], None, tracer)
        reduction = Reduction(len(self.reduced), 0, tracer)
        with reduction.active():
            try:
                result = self._body(**arguments)
            except SenteiError:
                raise
            except RecursionError as error:
                raise KernelError(f"{self._file}:{self._line_of(error)}: a function calls itself "
                                  "without end; write for over a range, or fold") from error
            except (Exception, SystemExit) as error:  # the user's own, at the user's line
                raise KernelError(f"{self._file}:{self._line_of(error)}: "
                                  f"{type(error).__name__}: {error}") from error
        outputs = []
        for name in self.memories:
            if result is not arguments[name]:
                raise self._error(f"a kernel with a Memory returns it: return {name}")
            if not result.added:
                raise self._error(f"nothing is added to {name}; write {name}.add(index, amount)")
            self._check_used()
            return Trace((), tracer, tuple(result.added))
        for out, values in zip(self.outs, self._results(result), strict=True):
            for value in values:
                if not isinstance(value, Expression):
                    raise self._error(f"the result is the constant {value!r}; it must depend on a "
                                      "stream")
                if value.dtype == "bool":
                    raise self._error("the result is a condition; write where(condition, 1, 0)")
                if value.bytes * out.type.parts != 4:
                    raise self._error(f"the result is {value.dtype}, the output's type "
                                      f"{out.type.name}")
            self._check_reduced(values, reduction.folded)
            outputs.append(tuple(values))
        self._check_used()
        return Trace(tuple(outputs), tracer)

    def _check_used(self) -> None:
        """Refuse arrays that the body doesn't name; scalars may decide what it does with others."""
        for name in self.arrays:
            if name not in self._names:
                raise self._error(f"{name} is never used; leave it out of the parameters")

    def _check_reduced(self, values: tuple[Expression, ...], folded: set[int]) -> None:
        """Refuse what depends on an axis that the result lacks, other than by a fold."""
        ports, seen, stack = list(self.streams), set(folded), list(values)
        while stack:
            top = stack.pop()
            if top.number in seen:
                continue
            seen.add(top.number)
            stack += top.args
            if top.op != "tap":
                continue
            name = ports[top.port]
            axes = {Tap.DATA: self.streams[name].axes, Tap.ROW: "y", Tap.FRACTION_Y: "y"}.get(
                top.tap.what, "x")
            if lacking := [axis for axis in axes if axis in self.reduced]:
                raise self._error(
                    f"the result has axes {self.outs[0].axes!r}, and {name} goes along "
                    f"{', '.join(lacking)} too; write total, largest, smallest or fold, or name "
                    "the axes in Out")


def kernel(function: Callable[..., Any]) -> Kernel:
    """Make a typed function a kernel; see ``Kernel``."""
    return Kernel(function)
