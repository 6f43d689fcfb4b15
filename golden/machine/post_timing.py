"""Timing of the way from the array's sums to retirement: drain, parameters, post-processing."""

from collections import deque

from golden.machine.shared_port import SharedPort
from golden.machine.timing import Timing
from golden.machine.weight_store import LaneBlock, WeightStore
from golden.spec.config import Config
from golden.spec.layout import PARAMETER_BEATS

__all__ = ["PostTiming"]


class PostTiming:
    """When a tile may end, when its vectors are taken, when its words are moved.

    Parameters
    ----------
    config, timing, store, shared
        What it works on.

    Members
    -------
    last : int
        When the last vector so far is taken.
    """

    def __init__(self, config: Config, timing: Timing, store: WeightStore,
                 shared: SharedPort) -> None:
        self._config, self._timing, self._store, self._shared = config, timing, store, shared
        self._vectors, self._parts = config.drain_cycles, config.lanes // config.drain
        # Cycles that a tile's last sums are safe for, after it ended.
        self._safe = timing.sums + config.columns - 1
        self._tiles = 0
        self._taken: deque[tuple[int, int]] = deque(  # (first vector, pace) of the last tiles
            maxlen=timing.drain_places // self._vectors + 2)
        self._copies: deque[int] = deque()  # first copies of tiles not copied whole
        self._ended = -timing.sums  # when the last tile ended
        self._moved = -1  # when the last parameters moved to their place
        self._beats = [-1] * timing.ring_ahead  # when the last beats of parameters were taken
        self._ready = self._plan = 0
        self._pace, self._extra = 1, 0  # cycles a vector; longer to retirement
        self._words: list[int] = []
        self._residuals: list[int] = []
        self._word = 0  # of the lane block, that the next tile begins with
        self.last = -1

    def start(self, offered: int, adds: bool) -> None:
        """The next instruction, which was offered in a cycle."""
        self._ready = self.last + 2 + self._extra
        self._plan = offered
        self._pace = 2 if adds else 1
        self._extra = self._timing.post_add if adds else 0
        self._asked = offered + self._timing.residual
        self._places = deque([0] * self._residual_places(), maxlen=self._residual_places())

    def block(self, words: list[int], residuals: list[int]) -> None:
        """The next lane block: the words it writes, and those it adds."""
        self._words, self._residuals, self._word = words, residuals, 0

    def finish(self) -> int:
        """When the instruction retires."""
        return self.last + 1 + self._timing.post + self._extra

    def end(self, time: int) -> int:
        """The first cycle from ``time`` on in which the next tile may end."""
        waiting = self._tiles * self._vectors - self._timing.drain_places - 1
        if waiting >= 0:
            tile, vector = divmod(waiting, self._vectors)
            first, pace = self._taken[tile - self._tiles]
            time = max(time, first + vector * pace + self._timing.drain_told)
        while self._copies and self._copies[0] + self._vectors <= time:
            self._copies.popleft()
        while True:
            left = sum(min(first + self._vectors - time, self._vectors)
                       for first in self._copies if first + self._vectors > time)
            late = max(self._ended + self._timing.sums - time, 0) + left - self._safe
            if late <= 0:
                return time
            time += -(-late // 2)  # both may get less by one in a cycle

    def tile(self, time: int) -> None:
        """A tile ends in a cycle."""
        copied = time + self._timing.sums
        if self._copies:
            copied = max(copied, self._copies[-1] + self._vectors)
        self._copies.append(copied)
        self._ended = time
        self._tiles += 1
        first = max(time + self._timing.drain, self.last + self._pace, self._ready)
        self._taken.append((first, self._pace))
        self._move(first)
        self.last = first + (self._vectors - 1) * self._pace

    def _move(self, first: int) -> None:
        """Words of a tile whose first vector is taken in a cycle."""
        step, begin = self._parts * self._pace, self._word
        self._word = end = begin + self._config.columns
        if self._residuals:
            taken = first + step - self._pace + self._timing.residual_taken
            for word in self._residuals[begin:end]:
                self._asked = self._shared.wait(max(self._asked, self._places[0]) + 1, word)
                self._places.append(taken)
                taken += step
        written = first + step - self._pace + self._timing.post + self._extra
        self._shared.use(range(written, written + step * self._config.columns, step),
                         self._words[begin:end])

    def read(self, lane: LaneBlock, keep: bool) -> None:
        """Read the parameters of the lane block after the one at hand, if all are there."""
        if lane.whole or len(lane.parameters) < PARAMETER_BEATS:
            return
        timing, time = self._timing, self._moved
        read, taken = [], self._beats
        for came in lane.parameters:
            again = taken[-timing.ring_ahead] + timing.ring_again
            at = max(came + 1, self._plan + timing.plan_beats + 1, again)
            read.append(at)
            time = max(time + 1, at + timing.ring - 1)
            taken.append(time)
        self._beats = taken[-timing.ring_ahead:]
        lane.whole = time + 1
        if not keep:
            self._store.parameters.free(read)
            self._store.changed.fire()

    def parameters(self, lane: LaneBlock, keep: bool) -> None:
        """A lane block's parameters go where its first tile needs them."""
        self.read(lane, keep)
        self._moved = max(lane.whole, self.last)
        lane.whole = 0
        self._ready = max(self._ready, self._moved + 1)

    def _residual_places(self) -> int:
        return self._config.columns + -(
            -(self._timing.post + self._timing.word_read + 2) // (2 * self._parts))
