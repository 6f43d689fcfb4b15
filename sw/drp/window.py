"""A stream as a kernel's body sees it: its value, neighbours, channels and position."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from golden.drp.stream import TapAt
from golden.spec.drp.operations import Op
from golden.spec.drp.streams import Tap
from sw.drp.expression import UNDECIDED, Expression, Tracer
from sw.drp.intervals import interval
from sw.drp.overloads import Operators
from sw.drp.types import Gather, In, Table

__all__ = ["ArrayWindow", "GatherReader", "TableReader", "TracedWindow", "Window"]


class Window(Operators):
    """Base of streams in a body.

    ``p`` alone is the value here; ``p[dy, dx]`` that of a neighbour; with channels,
    ``p[dy, dx, c]``, or ``p.channel(c)`` here, or ``r, g, b = p``. ``p.fraction_y`` and
    ``p.fraction_x`` are the 16 fraction bits of a free position, ``p.row`` and ``p.column`` its
    whole part.
    """

    spec: In

    def tapped(self, what: Tap, dy: int, dx: int, channel: int) -> Any:
        """One tap."""
        raise NotImplementedError

    def error(self, text: str) -> Exception:
        """A refusal at the line under way."""
        return IndexError(text)

    @property
    def value(self) -> Any:
        """The value here."""
        if self.spec.channels > 1:
            raise self.error(f"a stream of {self.spec.channels} channels; write p[dy, dx, channel]"
                             " or p.channel(c)")
        return self.tapped(Tap.DATA, 0, 0, 0)

    def channel(self, number: int) -> Any:
        """A channel's value here."""
        return self[(0, 0, number)]

    def __iter__(self) -> Iterator[Any]:
        if self.spec.channels == 1:
            raise self.error("a stream of one channel can't be taken apart")
        return iter([self.channel(number) for number in range(self.spec.channels)])

    def __bool__(self) -> bool:
        raise self.error(UNDECIDED)

    def __index__(self) -> int:
        raise self.error("data can't be an index here; use a Table, or an indirect stream")

    def __getitem__(self, index: Any) -> Any:
        wanted = 3 if self.spec.channels > 1 else 2
        if any(isinstance(item, slice) for item in (
                index if isinstance(index, tuple) else (index,))):
            raise self.error("a slice takes several neighbours at once; accepted is one, "
                             f"[dy, dx{', channel' * (wanted - 2)}]")
        if not isinstance(index, tuple) or len(index) != wanted:
            raise self.error(f"index {index!r}, accepted is [dy, dx{', channel' * (wanted - 2)}]")
        for item in index:
            if isinstance(item, (Expression, np.ndarray, Window)):
                raise self.error("a window's index must be known when the kernel is compiled; for "
                                 "positions from data take an indirect stream")
            if not isinstance(item, (int, np.integer)):
                raise self.error(f"index {item!r} isn't an integer")
        dy, dx, *channel = (int(item) for item in index)
        if not (-128 <= dy < 128 and -128 <= dx < 128):
            raise self.error(f"[{dy}, {dx}] is further than 127 away")
        if (dy or dx) and not {"y", "x"} >= {a for a, d in (("y", dy), ("x", dx)) if d}:
            raise self.error("windows reach along y and x")
        for axis, by in (("y", dy), ("x", dx)):
            if by and axis not in self.spec.axes:
                raise self.error(f"the stream has no axis {axis} (its axes are "
                                 f"{self.spec.axes!r})")
        number = channel[0] if channel else 0
        if not 0 <= number < self.spec.channels:
            raise self.error(f"channel {number}, the stream has {self.spec.channels}")
        return self.tapped(Tap.DATA, dy, dx, number)

    @property
    def fraction_y(self) -> Any:
        """Fraction of the position's row, 0 to 65535."""
        return self.tapped(Tap.FRACTION_Y, 0, 0, 0)

    @property
    def fraction_x(self) -> Any:
        """Fraction of the position's column, 0 to 65535."""
        return self.tapped(Tap.FRACTION_X, 0, 0, 0)

    @property
    def row(self) -> Any:
        """Row of the position; not limited to the array."""
        return self.tapped(Tap.ROW, 0, 0, 0)

    @property
    def column(self) -> Any:
        """Column of the position; not limited to the array."""
        return self.tapped(Tap.COLUMN, 0, 0, 0)

    def _binary(self, name: str, other: Any, reflected: bool) -> Any:
        mine = self.value
        other = other.value if isinstance(other, Window) else other
        if isinstance(mine, Expression):
            return mine._binary(name, other, reflected)
        method = f"__{name}__"
        left, right = (other, mine) if reflected else (mine, other)
        return getattr(np.asarray(left) if reflected else left, method)(right)

    def _unary(self, name: str) -> Any:
        return getattr(self.value, f"__{name}__")()


class TracedWindow(Window):
    """While tracing."""

    def __init__(self, tracer: Tracer, spec: In, port: int) -> None:
        self.spec, self._tracer, self._port = spec, tracer, port

    def error(self, text: str) -> Exception:
        """A refusal at the line under way."""
        return self._tracer.error(text)

    def tapped(self, what: Tap, dy: int, dx: int, channel: int) -> Expression:
        """One tap."""
        kind = self.spec.type
        data = what is Tap.DATA
        if not data and self.spec.type.parts > 1:
            raise self.error("positions are 32-bit values; take a stream type that isn't packed")
        if self.spec.packs_x and dx:
            return self._across(what, dy, *divmod(dx, kind.parts))
        found = self._tracer.leaf(
            "tap", port=self._port, dtype=kind.arithmetic if data else "int32",
            bytes=np.dtype(kind.arithmetic).itemsize if data else 4,
            tap=TapAt(what, dy, dx, channel * np.dtype(kind.memory).itemsize))
        if data and kind.arithmetic == "int32":
            limits = np.iinfo(kind.memory)
            fill = self.spec.fill if self.spec.border == "constant" else 0
            found.span = min(int(limits.min), fill), max(int(limits.max), fill)
        elif what in (Tap.FRACTION_Y, Tap.FRACTION_X):
            found.span = 0, 0xFFFF
        elif not data:
            found.span = -(1 << 15), (1 << 15) - 1
        interval(found)
        return found

    def _across(self, what: Tap, dy: int, values: int, parts: int) -> Expression:
        """A neighbour along the packed axis: of the two values that hold it, the parts it has."""
        if self.spec.border != "constant":
            raise self.error("a neighbour along the packed axis needs border='constant': a border "
                             "is replicated in whole values")
        lower = self._aligned(what, dy, values)
        if not parts:
            return lower
        make, raw = self._tracer.make, self._tracer.raw
        upper, bits = self._aligned(what, dy, values + 1), parts * 32 // self.spec.type.parts
        return make(Op.OR, make(Op.SRL, lower, raw(bits, lower)),
                    make(Op.SLL, upper, raw(32 - bits, upper)))

    def _aligned(self, what: Tap, dy: int, dx: int) -> Expression:
        kind = self.spec.type
        return self._tracer.leaf("tap", port=self._port, dtype=kind.arithmetic,
                                 bytes=np.dtype(kind.arithmetic).itemsize, tap=TapAt(what, dy, dx))


class ArrayWindow(Window):
    """In the reference.

    Parameters
    ----------
    spec : In
    array : ndarray
        Channels, if there are, last.
    rows, columns : (n,) int64
        Positions in 16.16 along the kernel's y and x.
    shape : callable
        From an array with the stream's axes to one with the kernel's.
    """

    def __init__(self, spec: In, array: np.ndarray, rows: np.ndarray, columns: np.ndarray,
                 shape: Any) -> None:
        self.spec, self._array, self._shape = spec, array, shape
        self._positions = {"y": rows, "x": columns}

    def tapped(self, what: Tap, dy: int, dx: int, channel: int) -> np.ndarray:
        """One tap, as the kernel's domain."""
        spec, found = self.spec, self._array
        if what is not Tap.DATA:
            axis = "y" if what in (Tap.FRACTION_Y, Tap.ROW) else "x"
            values = self._positions[axis]
            values = values & 0xFFFF if what in (Tap.FRACTION_Y, Tap.FRACTION_X) else values >> 16
            return self._shape(values.astype(np.int32), axis)
        if spec.channels > 1:
            found = found[..., channel]
        outside = np.zeros((1,) * found.ndim, bool)
        for axis, by in (("y", dy), ("x", dx)):
            if axis not in spec.axes:
                continue
            at = spec.axes.index(axis)
            place = (self._positions[axis] >> 16) + by
            limited = np.clip(place, 0, found.shape[at] - 1)
            found = np.take(found, limited, axis=at)
            wide = (limited != place).reshape([-1 if n == at else 1 for n in range(found.ndim)])
            outside = outside | wide
        found = found.astype(spec.type.arithmetic)
        if spec.border == "constant":
            found = np.where(outside, np.asarray(spec.fill, found.dtype), found)
        return self._shape(found, spec.axes)


class TableReader:
    """A table in a body: ``table[index]``."""

    def __init__(self, spec: Table, number: int, contents: np.ndarray | None,
                 tracer: Tracer | None) -> None:
        self.words = spec.words
        self._number, self._contents, self._tracer = number, contents, tracer

    def __getitem__(self, index: Any) -> Any:
        index = index.value if isinstance(index, Window) else index
        if self._tracer is None:
            assert self._contents is not None
            return self._contents[np.asarray(index) % self.words]
        return self._tracer.lookup(self._number, self.words, index)


class GatherReader:
    """A picture in a body that is read at positions from data: ``p.at(row, column)``."""

    def __init__(self, spec: Gather, port: int, array: np.ndarray | None,
                 tracer: Tracer | None) -> None:
        self.spec, self._port, self._array, self._tracer = spec, port, array, tracer

    def at(self, row: Any, column: Any) -> Any:
        """The element at a row and column, 16 bits each, signed; outside is the border."""
        row, column = (item.value if isinstance(item, Window) else item for item in (row, column))
        if self._tracer is not None:
            found = self._tracer.gather(self._position(self._tracer, row, column), self._port,
                                        self.spec.type.arithmetic)
            if self.spec.type.memory != "int32":
                limits = np.iinfo(self.spec.type.memory)
                fill = self.spec.fill if self.spec.border == "constant" else 0
                found.span = min(int(limits.min), fill), max(int(limits.max), fill)
            return found
        assert self._array is not None
        places = [np.asarray(item).astype(np.int16).astype(np.int64) for item in (row, column)]
        limited = [np.clip(place, 0, size - 1) for place, size in
                   zip(places, self._array.shape, strict=True)]
        values = self._array[limited[0], limited[1]].astype(np.int32)
        if self.spec.border == "constant":
            outside = (places[0] != limited[0]) | (places[1] != limited[1])
            values = np.where(outside, np.int32(self.spec.fill), values)
        return values

    @staticmethod
    def _position(tracer: Tracer, row: Any, column: Any) -> Expression:
        row, column = tracer.operands(row, column)
        if row.dtype != "int32":
            raise tracer.error(f"a position is {row.dtype}, accepted are 32-bit values")
        least, most = interval(column)
        if least < 0 or most > 0xFFFF:
            column = tracer.make(Op.AND, column, tracer.raw(0xFFFF, column))
        return tracer.make(Op.OR, tracer.make(Op.SLL, row, tracer.raw(16, row)), column)

    def _refused(self, *given: Any) -> Any:
        del given
        text = "a Gather is read at positions from data; write p.at(row, column)"
        raise self._tracer.error(text) if self._tracer else TypeError(text)

    __getitem__ = __iter__ = __bool__ = __add__ = __radd__ = __sub__ = __rsub__ = _refused
    __mul__ = __rmul__ = __and__ = __rand__ = __rshift__ = __lshift__ = _refused
