"""A stream's descriptor, and the addresses and vectors it makes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.drp.errors import TileError
from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.controller import Cause
from golden.spec.drp.streams import (
    ELEMENT_BYTES,
    LOOP,
    STREAM,
    TAP,
    TAPS,
    Border,
    Format,
    Tap,
)

__all__ = ["ONE", "Loop", "Stream", "TapAt"]

ONE = 1 << 16  # a row or column in 16.16
_WIDENED: dict[Format, Any] = {
    Format.I8: np.int8, Format.U8: np.uint8, Format.I16: np.int16, Format.U16: np.uint16,
    Format.W32: np.uint32}
_PAIRS = {Format.I8X2: (np.int8, -128, 127), Format.U8X2: (np.uint8, 0, 255)}


@dataclass(frozen=True)
class Loop:
    """One loop of a nest: iterations, and how far each moves (16.16, 16.16, bytes)."""

    count: int = 1
    dy: int = 0
    dx: int = 0
    dbase: int = 0


@dataclass(frozen=True)
class TapAt:
    """One vector of each iteration: what, and its displacement (rows, columns, bytes)."""

    what: Tap = Tap.DATA
    dy: int = 0
    dx: int = 0
    dbase: int = 0


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Fields as in ``golden.spec.drp.streams``; loops with loop 0 first."""

    base: int
    row_step: int
    column_step: int
    height: int
    width: int
    format: Format
    y0: int = 0
    x0: int = 0
    lane_dy: int = 0
    lane_dx: int = 0
    lane_dbase: int = 0
    border: Border = Border.REPLICATE
    fill: int = 0
    saturate: bool = False
    indirect: bool = False
    loops: tuple[Loop, ...] = field(default=())
    taps: tuple[TapAt, ...] = (TapAt(),)

    @property
    def iterations(self) -> int:
        """Product of the loops' counts."""
        found = 1
        for loop in self.loops:
            found *= loop.count
        return found

    @property
    def vectors(self) -> int:
        """Vectors in all."""
        return self.iterations * len(self.taps)

    def encode(self) -> list[int]:
        """STREAM, LOOP x 4, TAP x taps.

        Raises
        ------
        ValueError
            For a value out of its field's range.
        """
        names = {item.name for item in STREAM.fields} - {"taps"}
        header = {name: int(getattr(self, name)) for name in names}
        if len(self.loops) > LOOPS or not 1 <= len(self.taps) <= TAPS:
            raise ValueError(f"{len(self.loops)} loops and {len(self.taps)} taps, accepted are "
                             f"{LOOPS} and 1 to {TAPS} at most")
        loops = self.loops + (Loop(),) * (LOOPS - len(self.loops))
        return [STREAM.encode({**header, "taps": len(self.taps) - 1}),
                *(LOOP.encode(vars(loop)) for loop in _returning(loops, -1)),
                *(TAP.encode(vars(tap)) for tap in self.taps)]

    @classmethod
    def decode(cls, words: list[int]) -> "Stream":
        """The stream of ``encode``'s words."""
        header: dict[str, Any] = dict(STREAM.decode(words[0]))
        taps = header.pop("taps") + 1
        for name, kind in (("format", Format), ("border", Border), ("saturate", bool),
                           ("indirect", bool)):
            header[name] = kind(header[name])
        loops = _returning([Loop(**LOOP.decode(word)) for word in words[1:1 + LOOPS]], 1)
        read: list[dict[str, Any]] = [
            dict(TAP.decode(word)) for word in words[1 + LOOPS:1 + LOOPS + taps]]
        return cls(loops=loops, taps=tuple(
            TapAt(**(tap | {"what": Tap(tap["what"])})) for tap in read), **header)

    def positions(self, lanes: int, places: np.ndarray | None = None) -> tuple[
            np.ndarray, np.ndarray, np.ndarray]:
        """(y, x, offset) of every vector: (vectors, lanes) int64, 16.16, 16.16 and bytes.

        Parameters
        ----------
        lanes : int
        places : (vectors, lanes) uint32, optional
            Of an indirect input: positions that were pushed, of its first vectors.
        """
        parts = []
        for start, step, lane, tap, unit in (
                (self.y0, "dy", self.lane_dy, "dy", ONE), (self.x0, "dx", self.lane_dx, "dx", ONE),
                (0, "dbase", self.lane_dbase, "dbase", 1)):
            total = np.full(1, start, np.int64)
            for loop in reversed(self.loops):
                total = (total[:, None]
                         + np.arange(loop.count, dtype=np.int64) * getattr(loop, step)).ravel()
            taps = np.array([getattr(item, tap) * unit for item in self.taps], np.int64)
            if places is not None and unit == ONE:
                taps[:] = 0
            total = (total[:, None] + taps).ravel()
            parts.append(total[:, None] + np.arange(lanes, dtype=np.int64) * lane)
        y, x, offset = parts
        if places is not None:
            return *self.moved(y[:len(places)], x[:len(places)], places), offset[:len(places)]
        return _wrap(y), _wrap(x), offset

    @staticmethod
    def moved(y: np.ndarray, x: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(y, x) moved to positions that were pushed, (vectors, lanes) uint32."""
        return (_wrap(y + (places & np.uint32(0xFFFF0000)).view(np.int32)),
                _wrap(x + (places << np.uint32(16)).view(np.int32)))

    def read(self, memory: np.ndarray, lanes: int) -> np.ndarray:
        """All vectors of an input: (vectors, lanes) uint32 from (bytes,) uint8.

        Raises
        ------
        TileError
            Past memory, or not aligned.
        """
        return self.fetch(memory, *self.positions(lanes))

    def fetch(self, memory: np.ndarray, y: np.ndarray, x: np.ndarray,
              offset: np.ndarray, first: int = 0) -> np.ndarray:
        """What an input delivers at the positions of vectors from number ``first`` on."""
        what = np.resize(np.roll([tap.what for tap in self.taps], -first), len(y))[:, None]
        data = np.broadcast_to(what == Tap.DATA, y.shape)
        address, outside = self.addresses(y, x, offset)
        seen = data & ~outside if self.border is Border.CONSTANT else data
        self._check(address[seen], len(memory))
        found = np.zeros(y.shape, np.uint32)
        found[seen] = self._widen(memory, address[seen])
        found[data & ~seen] = self.fill
        for kind, values in ((Tap.FRACTION_Y, y & 0xFFFF), (Tap.FRACTION_X, x & 0xFFFF),
                             (Tap.ROW, y >> 16), (Tap.COLUMN, x >> 16)):
            found = np.where(what == kind, values.astype(np.uint32), found)
        return found

    def write(self, memory: np.ndarray, values: np.ndarray) -> None:
        """Write an output's vectors, (vectors, lanes) uint32, in order.

        Raises
        ------
        TileError
            Past memory, or not aligned.
        """
        y, x, offset = (part[:len(values)] for part in self.positions(values.shape[1]))
        address, outside = self.addresses(y, x, offset)
        kept = address[~outside]
        self._check(kept, len(memory))
        narrow = self._narrow(values[~outside])
        size = ELEMENT_BYTES[self.format]
        for byte in range(size):
            memory[kept + byte] = (narrow >> np.uint32(8 * byte)).astype(np.uint8)

    def places(self, lanes: int, *, output: bool = False, indirect: bool = False) -> np.ndarray:
        """Bytes of memory that the stream may touch, (n,) int64; all of an indirect input's."""
        y, x, offset = self.positions(lanes)
        touched = np.broadcast_to(
            np.resize([tap.what is Tap.DATA for tap in self.taps], len(y))[:, None], y.shape)
        if indirect:
            y, x = (part.ravel()[:, None] << 16 for part in
                    np.mgrid[:self.height, :self.width].astype(np.int64))
            offset = np.unique(offset[touched])
            y, x, offset = np.broadcast_arrays(y, x, offset)
            touched = np.ones(y.shape, bool)
        address, outside = self.addresses(y, x, offset)
        if output or self.border is Border.CONSTANT:
            touched = touched & ~outside
        touched = np.unique(address[touched])
        return (touched[:, None] + np.arange(ELEMENT_BYTES[self.format])).ravel()

    def addresses(self, y: np.ndarray, x: np.ndarray,
                  offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(byte address with row and column limited, whether either was outside)."""
        row, column = y >> 16, x >> 16
        rows, columns = np.clip(row, 0, self.height - 1), np.clip(column, 0, self.width - 1)
        return (self.base + offset + rows * self.row_step + columns * self.column_step,
                (rows != row) | (columns != column))

    def _check(self, address: np.ndarray, size: int) -> None:
        width = ELEMENT_BYTES[self.format]
        if address.size and (address.min() < 0 or address.max() + width > size):
            past = address.min() if address.min() < 0 else address.max()
            raise TileError(Cause.ADDRESS, f"a stream touches byte {past}, memory has bytes 0 to "
                                           f"{size - 1}")
        if (address % width).any():
            bad = address[address % width != 0][0]
            raise TileError(Cause.ADDRESS, f"a stream touches byte {bad}; elements of {width} "
                                           "bytes must be aligned")

    def _widen(self, memory: np.ndarray, address: np.ndarray) -> np.ndarray:
        size = ELEMENT_BYTES[self.format]
        raw = np.zeros(len(address), np.uint32)
        for byte in range(size):
            raw |= memory[address + byte].astype(np.uint32) << np.uint32(8 * byte)
        if self.format in _PAIRS:
            kind = _PAIRS[self.format][0]
            low, high = (part.astype(np.uint8).view(kind).astype(np.int32).view(np.uint32)
                         for part in (raw & 0xFF, raw >> 8))
            return (low & 0xFFFF) | (high << np.uint32(16))
        narrow: np.ndarray = raw.astype(f"u{size}").view(_WIDENED[self.format])
        return narrow.astype(np.int64).astype(np.uint32)

    def _narrow(self, values: np.ndarray) -> np.ndarray:
        """The bytes to be written, in the low bits of uint32."""
        if self.format in _PAIRS:
            _, least, most = _PAIRS[self.format]
            halves = [(values << np.uint32(16)).view(np.int32) >> 16, values.view(np.int32) >> 16]
            if self.saturate:
                halves = [np.clip(half, least, most) for half in halves]
            low, high = (half.view(np.uint32) & np.uint32(0xFF) for half in halves)
            return low | (high << np.uint32(8))
        if self.saturate and self.format is not Format.W32:
            limits = np.iinfo(_WIDENED[self.format])
            return np.clip(values.view(np.int32), limits.min, limits.max).view(np.uint32)
        return values


def _wrap(value: np.ndarray) -> np.ndarray:
    """To 16.16 in 32 bits."""
    return ((value + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def _returning(loops: Sequence[Loop], sign: int) -> tuple[Loop, ...]:
    """Steps less (sign -1) or plus the way the inner loops have made, as a LOOP has them."""
    found: list[Loop] = []
    way = {"dy": 0, "dx": 0, "dbase": 0}
    for loop in loops:
        other = Loop(loop.count, **{
            name: _wrapped(getattr(loop, name) + sign * made, LOOP.field(name).bits)
            for name, made in way.items()})
        plain = loop if sign < 0 else other
        way = {name: made + (loop.count - 1) * getattr(plain, name) for name, made in way.items()}
        found.append(other)
    return tuple(found)


def _wrapped(value: int, bits: int) -> int:
    """To signed ``bits``."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
