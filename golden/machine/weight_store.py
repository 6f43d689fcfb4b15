"""The weight store: rings of parsed lane blocks, filled by loads, emptied by the array."""

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from golden.machine.kernel import Kernel, Process, Signal
from golden.spec.config import Config
from golden.spec.layout import PARAMETER_BEATS, ItemKind
from golden.weights import WeightStreamError, read_item

__all__ = ["Item", "LaneBlockState", "Space", "WeightStore"]


@dataclass(frozen=True)
class Space:
    """Places in the four rings."""

    lane_blocks: int = 0
    parameter_beats: int = 0
    list_entries: int = 0
    weight_rows: int = 0

    def as_tuple(self) -> tuple[int, int, int, int]:
        """In the order of the fields."""
        return self.lane_blocks, self.parameter_beats, self.list_entries, self.weight_rows


@dataclass(frozen=True)
class Item:
    """One item of the stream.

    Members
    -------
    end : int
        Beats of the load it ended in, up to and with its last one.
    beats : int
        Its length.
    """

    fields: dict[str, int]
    payload: tuple[NDArray, ...]
    end: int
    beats: int

    @property
    def space(self) -> Space:
        """What it takes."""
        if self.fields["kind"] == ItemKind.PARAMETERS:
            return Space(1, PARAMETER_BEATS, 0, 0)
        return Space(0, 0, 1, self.fields["n"])


@dataclass
class LaneBlockState:
    """One lane block as far as it has come.

    Members
    -------
    parameters : tuple of ndarray [L]
        bias, multiplier, pre, post.
    entries : int
        BLOCK items announced.
    items : list of Item
        Those that are there.
    times : list of float
        When each came.
    """

    parameters: tuple[NDArray, ...]
    entries: int
    rows: int
    arrival: float
    items: list[Item] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


class WeightStore:
    """Parses the stream and keeps the rings' credit.

    Parameters
    ----------
    config : Config
    kernel : Kernel

    Members
    -------
    came : Signal
        A lane block or an item has arrived.
    """

    def __init__(self, config: Config, kernel: Kernel) -> None:
        self._config, self._kernel = config, kernel
        self.came = Signal(kernel)
        self._freed = Signal(kernel)
        self._beats: NDArray = np.zeros((0, config.group), np.uint8)
        self._last: dict[str, int] | None = None  # fields of the item parsed last
        self._expected = 0  # BLOCK items before the next PARAMETERS, as parsed
        self._rows = 0
        self._space = [config.lane_blocks, config.parameter_beats, config.list_entries,
                       config.weight_rows]
        self._frees: list[tuple[float, tuple[int, ...]]] = []
        self._lane_blocks: dict[int, LaneBlockState] = {}
        self._next = 0  # number of the next lane block that arrives
        self.position = 0  # number of the next lane block that the array reads

    def parse(self, beats: NDArray) -> list[Item]:
        """Items that beats [beats, M] of one load complete; the rest waits for the next load.

        Raises
        ------
        WeightStreamError
            At the first illegal item; items before it are lost with it.
        """
        before = len(self._beats)
        self._beats = np.concatenate([self._beats, beats])
        items, position = [], 0
        while (found := read_item(self._config, self._beats, position, self._last)) is not None:
            fields, payload, end = found
            self._last = fields
            self._check(fields, position)
            items.append(Item(fields, payload, end - before, end - position))
            position = end
            if position == len(self._beats):
                break
        self._beats = self._beats[position:]
        return items

    def _check(self, fields: dict[str, int], position: int) -> None:
        if fields["kind"] == ItemKind.PARAMETERS:
            if self._expected:
                raise WeightStreamError(f"beat {position}: {self._expected} BLOCKs are missing")
            self._expected, self._rows = fields["entries"], fields["rows"]
            return
        if not self._expected:
            raise WeightStreamError(f"beat {position}: a BLOCK where PARAMETERS must come")
        self._expected -= 1
        self._rows -= fields["n"]
        if self._rows < 0 or (self._rows and not self._expected):
            raise WeightStreamError(f"beat {position}: rows differ from the announced ones")

    def push(self, item: Item) -> Process:
        """Wait for room for an item and put it in."""
        need = item.space.as_tuple()
        while True:
            while self._frees and self._frees[0][0] <= self._kernel.now:
                for ring, places in enumerate(heapq.heappop(self._frees)[1]):
                    self._space[ring] += places
            if all(have >= want for have, want in zip(self._space, need, strict=True)):
                break
            # The next credit may be known already, or must be given first.
            yield self._frees[0][0] if self._frees else self._freed
        for ring, places in enumerate(need):
            self._space[ring] -= places
        if item.fields["kind"] == ItemKind.PARAMETERS:
            self._lane_blocks[self._next] = LaneBlockState(
                item.payload, item.fields["entries"], item.fields["rows"], self._kernel.now)
            self._next += 1
        else:
            newest = self._lane_blocks[self._next - 1]
            newest.items.append(item)
            newest.times.append(self._kernel.now)
        self.came.fire()

    def lane_block(self, number: int) -> LaneBlockState | None:
        """A lane block by its number in the stream, once its parameters are there."""
        return self._lane_blocks.get(number)

    def free(self, time: float, space: Space) -> None:
        """Give places back from a time on."""
        heapq.heappush(self._frees, (time, space.as_tuple()))
        self._freed.fire()

    def leftover(self) -> str:
        """What the array has not read, or an empty string."""
        if len(self._beats) or self._expected:
            return "an unfinished lane block"
        return f"{len(self._lane_blocks)} lane blocks" if self._lane_blocks else ""

    def drop(self, number: int) -> None:
        """Forget a lane block that has been read for the last time."""
        del self._lane_blocks[number]
