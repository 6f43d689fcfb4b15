"""The weight store: lane blocks parsed from their stream, kept in rings, freed by the array."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.read_master import ReadPort
from golden.machine.ring import Ring
from golden.machine.timing import Timing
from golden.spec.config import Config
from golden.spec.layout import (
    BLOCK_HEADER,
    HEADER_BITS,
    PARAMETER_BEATS,
    PARAMETER_HEADER,
    BlockFormat,
    ItemKind,
    header_beats,
    index_rows_per_beat,
)
from golden.weights import WeightStreamError, read_item

__all__ = ["Item", "LaneBlock", "WeightStore"]

# What a beat of the stream brings, if anything: items of the rings; an entry without a header,
# beside its first row; a row that waits until such an entry was written; a BLOCK of no rows.
_LENGTH, _PARAMETERS, _ENTRY, _ROW, _RUN, _WAITS, _VOID = (1 << bit for bit in range(7))


@dataclass
class Item:
    """One item of the stream: its header's fields; its payload, once it is there."""

    fields: dict[str, int]
    payload: tuple[NDArray, ...] = ()


@dataclass
class LaneBlock:
    """One lane block as far as it has come.

    Members
    -------
    head : Item
        bias, multiplier, pre, post [L].
    items : list of Item
        Entries that are there: values [N, L], indices [N, L].
    came : int
        Cycle in which its header was written.
    parameters, entries, rows : list of int
        Cycles in which its parameters, entries and weight rows were written.
    whole : int
        From when post-processing has its parameters, 0 if they were not read or were used.
    """

    head: Item
    came: int
    items: list[Item] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    whole: int = 0

    @property
    def size(self) -> int:
        """Entries announced."""
        return self.head.fields["entries"]


class WeightStore:
    """Parses the stream and keeps the rings.

    Parameters
    ----------
    config : Config
    timing : Timing
    kernel : Kernel

    Members
    -------
    lengths, parameters, entries, rows : Ring
        To be freed by who reads.
    changed : Signal
        Something has arrived, or something was freed (to be fired by who does so).
    position : int
        Number of the next lane block that the array reads.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel) -> None:
        self._config, self._timing = config, timing
        self.changed = Signal(kernel)
        self.lengths, self.parameters = Ring(config.lane_blocks), Ring(config.parameter_beats)
        self.entries, self.rows = Ring(config.list_entries), Ring(config.weight_rows)
        self._beats: NDArray = np.zeros((0, config.group), np.uint8)
        self._parsed: dict[str, int] | None = None  # fields of the last item
        self._expected = 0  # BLOCK items before the next PARAMETERS, as parsed
        self._rows = 0
        self._partial: Item | None = None  # the one to which the remaining beats belong
        self._items: deque[Item] = deque()  # those whose header was not written yet
        self._lane_blocks: dict[int, LaneBlock] = {}
        self._next = 0  # number of the next lane block that arrives
        self._left = -1  # when the last beat left for here
        places = timing.haul_places
        self._came = deque([-timing.haul_again] * places, maxlen=places)  # when the last ones did
        self._parsed_at = -1  # when what came last was parsed, or a cycle later
        self.position = 0

    def parse(self, beats: NDArray) -> list[int]:
        """What each of a load's beats [beats, M] brings, for `write`.

        Raises
        ------
        WeightStreamError
            At the first illegal item; items before it are lost with it.
        """
        config, before = self._config, len(self._beats)
        self._beats = np.concatenate([self._beats, beats])
        kinds: list[int] = []
        position = 0
        while (found := read_item(config, self._beats, position, self._parsed)) is not None:
            fields, payload, end = found
            kinds += self._kinds(fields)
            item = self._announce(fields, position)
            item.fields, item.payload = fields, payload
            self._parsed, self._partial = fields, None
            position = end
            if position == len(self._beats):
                break
        self._beats = self._beats[position:]
        if len(self._beats) and (head := self._head()):
            kinds += self._kinds(head)
            self._partial = self._announce(head, position)
        kinds += [0] * len(self._beats)
        return kinds[before:before + len(beats)]

    def write(self, kinds: list[int], port: ReadPort, time: int,
              written: Callable[[int], None]) -> Process:
        """Take a load's beats from a port, after a cycle, one a cycle as long as there is room.

        They leave the port before they come, as many as have places on the way; one that has
        come waits until the one before is parsed.

        Parameters
        ----------
        written : callable
            Told the cycle of the last one.
        """
        rings = ((_LENGTH, self.lengths), (_PARAMETERS, self.parameters), (_ENTRY, self.entries),
                 (_ROW, self.rows))
        timing, came, beside = self._timing, self._came, 0
        self._left = max(self._left, time)
        under_way: deque[int] = deque()  # from when they can come
        to_come = len(kinds)

        def leave() -> None:
            nonlocal to_come
            while port.beats and to_come and len(under_way) < timing.haul_places:
                self._left = max(self._left + 1, port.beats.popleft(),
                                 came[len(under_way)] + timing.haul_again)
                under_way.append(self._left + timing.haul)
                port.use(self._left)
                to_come -= 1

        for number, kind in enumerate(kinds, 1):
            leave()
            if not under_way:
                port.changed.fire()
                self.changed.fire()
                while not port.beats:
                    yield port.came
                leave()
            came.append(max(self._parsed_at, under_way.popleft()))
            if number == len(kinds):
                port.changed.fire()
                written(came[-1] + timing.sunk)
            time = came[-1] + timing.parse
            if kind & _RUN:
                yield from self._room(self.entries, port, leave)
                beside = max(self._parsed_at + 1, self.entries.write())
                self._arrive(_ENTRY, beside)
            if kind & _WAITS:
                time = max(time, beside + 1)
            for flag, ring in rings:
                if kind & flag:
                    if not ring.known:
                        yield from self._room(ring, port, leave)
                    time = max(time, ring.write())
                    self._arrive(flag, time)
            self._parsed_at = time + bool(kind & _VOID)
        self.changed.fire()

    def _room(self, ring: Ring, port: ReadPort, leave: Callable[[], None]) -> Process:
        """Wait until it is known from when a ring has room; beats leave for here meanwhile."""
        while not ring.known:
            leave()
            port.changed.fire()
            self.changed.fire()
            yield self.changed

    def lane_block(self, number: int) -> LaneBlock | None:
        """A lane block by its number in the stream, once its header is there."""
        return self._lane_blocks.get(number)

    def drop(self, number: int) -> None:
        """Forget a lane block that has been read for the last time."""
        del self._lane_blocks[number]

    def leftover(self) -> str:
        """What the array has not read, or an empty string."""
        if len(self._beats) or self._expected:
            return "an unfinished lane block"
        return f"{len(self._lane_blocks)} lane blocks" if self._lane_blocks else ""

    def _arrive(self, kind: int, time: int) -> None:
        if kind == _LENGTH:
            self._lane_blocks[self._next] = LaneBlock(self._items.popleft(), time)
            self._next += 1
            return
        newest = self._lane_blocks[self._next - 1]
        if kind == _ENTRY:
            newest.items.append(self._items.popleft())
            newest.entries.append(time)
        else:
            (newest.rows if kind == _ROW else newest.parameters).append(time)

    def _announce(self, fields: dict[str, int], position: int) -> Item:
        """The item of a header, which is checked and noted unless it was there before."""
        if self._partial:
            return self._partial
        item = Item(fields)
        self._items.append(item)
        if fields["kind"] == ItemKind.PARAMETERS:
            if self._expected:
                raise WeightStreamError(f"beat {position}: {self._expected} BLOCKs are missing")
            self._expected, self._rows = fields["entries"], fields["rows"]
            return item
        if not self._expected:
            raise WeightStreamError(f"beat {position}: a BLOCK where PARAMETERS must come")
        self._expected -= 1
        self._rows -= fields["n"]
        if self._rows < 0 or (self._rows and not self._expected):
            raise WeightStreamError(f"beat {position}: rows differ from the announced ones")
        return item

    def _head(self) -> dict[str, int] | None:
        """Fields of the item that the remaining beats begin, if they tell; all but its offset."""
        if self._run():
            return self._parsed
        if len(self._beats) < header_beats(self._config):
            return None
        word = int.from_bytes(self._beats.reshape(-1)[:HEADER_BITS // 8].tobytes(), "little")
        fields = BLOCK_HEADER.decode(word)
        return fields if fields["kind"] == ItemKind.BLOCK else PARAMETER_HEADER.decode(word)

    def _run(self) -> bool:
        """Whether the next item is a BLOCK without a header."""
        return bool(self._parsed and self._parsed.get("more"))

    def _kinds(self, fields: dict[str, int]) -> tuple[int, ...]:
        """What the beats of an item bring, the item before it being known."""
        if fields["kind"] == ItemKind.PARAMETERS:
            return _kinds(self._config, None, 0, False, False)
        run = self._run()
        more = fields["more"] > (fields is self._parsed)  # a partial one's are not known yet
        return _kinds(self._config, fields["format"], fields["n"], run, run and more)


@lru_cache(maxsize=1024)
def _kinds(config: Config, style: int | None, n: int, run: bool, more: bool) -> tuple[int, ...]:
    """What the beats of an item bring: of PARAMETERS, or of a BLOCK of a format and N rows.

    Parameters
    ----------
    run, more : bool
        It has no header; another one without a header follows.
    """
    kinds = [0] * (header_beats(config) - 1)
    if style is None:
        return (*kinds, _LENGTH, *[_PARAMETERS] * PARAMETER_BEATS)
    if run:
        kinds = [_ROW] * n
        kinds[0] |= _RUN
        kinds[-1] |= _WAITS * more
        return tuple(kinds)
    kinds.append(_ENTRY | _VOID * (n == 0))
    each = index_rows_per_beat(config)
    for row in range(n):
        if style == BlockFormat.PAIRS and row and (row - 1) % each == 0:
            kinds.append(0)  # indices
        kinds.append(_ROW)
    return tuple(kinds)
