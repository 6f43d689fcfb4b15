"""Timing of the split of runs into bursts."""

from collections import deque

from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.timing import BURST_BOUNDARY
from golden.spec.config import Config

__all__ = ["Splitter"]


class Splitter:
    """Cuts runs at multiples of a number of beats, and offers one burst after the other.

    Parameters
    ----------
    config : Config
    kernel : Kernel
    limit : int
        Longest burst, a power of two.
    changed : Signal
        To fire when a burst is offered, or a run can be accepted.

    Members
    -------
    limit : int
        As given, or less where 4 KiB are less.
    offered : int or None
        From when a burst is offered, if there is one.
    beats : int
        Its length.
    final : bool
        It is the last one of a run marked so.
    """

    def __init__(self, config: Config, kernel: Kernel, limit: int, changed: Signal) -> None:
        self._kernel, self._group = kernel, config.group
        self.limit = min(limit, BURST_BOUNDARY // config.group)
        self._left: deque[int] = deque()  # beats of the run's bursts that were not offered yet
        self._next = 0  # when the next of them can be
        self._free: int | None = 0  # from when a run is accepted
        self._final = False
        self._changed = changed
        self.offered: int | None = None
        self.beats, self.final = 0, False

    def accept(self, time: int, address: int, beats: int, final: bool = False) -> Process:
        """Wait until a run that is there from a time on is accepted, and accept it."""
        while self._free is None or self._free > self._kernel.now or time > self._kernel.now:
            yield self._changed if self._free is None else max(time, self._free)
        place = address // self._group % self.limit
        while beats:
            part = min(beats, self.limit - place)
            self._left.append(part)
            beats, place = beats - part, 0
        self._free, self._final = None, final
        self._next = max(self._next, self._kernel.now + 1)
        if self.offered is None:
            self._offer()

    def take(self, time: int) -> int:
        """The master takes the burst on offer in a cycle; gives its length."""
        beats = self.beats
        self.offered, self._next = None, max(self._next, time)
        if self._left:
            self._offer()
        return beats

    def _offer(self) -> None:
        self.offered, self.beats = self._next + 1, self._left.popleft()
        self.final = self._final and not self._left
        if not self._left:
            self._free = self._next + 1
        self._changed.fire()
