"""Timing of the simulated memory behind AXI: its latency, and the data path both ways share."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from golden.machine.kernel import Kernel, Process, Signal
from golden.spec.config import Config

__all__ = ["Bus"]

# Cycles whose beats are timed at once: what is written meanwhile waits for them. A write is known
# so long before its first beat while instructions write, and longer otherwise.
_AHEAD_WRITING, _AHEAD = 2, 8


@dataclass
class _Burst:
    """Beats of one direction: when the next one is wanted, how many are left, whom to tell."""

    wanted: int
    left: int
    moved: Callable[[list[int], bool], None]


class Bus:
    """Bursts in order of their addresses, beats from one token bucket.

    A beat takes ``group`` bytes from a bucket that gains ``dram_bytes`` a cycle and holds less
    than a beat more than that; when both directions want the same bytes they take turns.

    Parameters
    ----------
    config : Config
    kernel : Kernel

    Members
    -------
    writing : bool
        A write may come soon (for the store unit to say).
    latency : int
        From an address to its first beat, and from the last write beat to its response.
    """

    def __init__(self, config: Config, kernel: Kernel) -> None:
        self._kernel = kernel
        self._beat, self._rate = config.group, config.dram_bytes
        self._most = self._rate + self._beat - 1
        self._tokens, self._at = self._most, -1  # after which cycle
        self._reads: deque[_Burst] = deque()
        self._writes: deque[_Burst] = deque()
        self._write_next = self.writing = False
        self._asked = Signal(kernel)
        self.latency = max(config.dram_latency, 1)

    def read(self, time: int, beats: int, moved: Callable[[list[int], bool], None]) -> None:
        """A read burst whose address is taken in a cycle.

        Parameters
        ----------
        moved : callable
            Told cycles of beats, and whether these are the burst's last ones.
        """
        self._reads.append(_Burst(time + self.latency, beats, moved))
        self._asked.fire()

    def write(self, time: int, beats: int, moved: Callable[[list[int], bool], None]) -> None:
        """A write burst whose first beat is offered in a cycle, the others as fast as taken."""
        self._writes.append(_Burst(time, beats, moved))
        self._asked.fire()

    def process(self) -> Process:
        """Times the beats, some cycles ahead."""
        read_free = write_free = 0  # when the next beat of a direction can follow
        while True:
            never = 1 << 60
            reads = max(self._reads[0].wanted, read_free) if self._reads else never
            writes = max(self._writes[0].wanted, write_free) if self._writes else never
            wanted = min(reads, writes)
            if wanted == never:
                yield self._asked
            elif (first := self._when(wanted)) > self._kernel.now:
                yield self._asked.at(first)
            elif self._when(reads) < writes:
                read_free = self._serve(self._reads, reads, writes)
            elif self._when(writes) < reads:
                write_free = self._serve(self._writes, writes, reads)
            else:
                reads_go, writes_go = self._share(first)
                read_free = first + 1 if reads_go else read_free
                write_free = first + 1 if writes_go else write_free

    def _when(self, time: int) -> int:
        """The first cycle from ``time`` on that has the bytes for a beat."""
        return max(time, self._at - (self._tokens - self._beat) // self._rate)

    def _bucket(self, time: int) -> int:
        """Bytes in the bucket in a cycle."""
        return min(self._tokens + (time - self._at) * self._rate, self._most)

    def _take(self, time: int, beats: int = 1) -> None:
        """Take beats' bytes in a cycle."""
        self._tokens, self._at = self._bucket(time) - beats * self._beat, time

    def _serve(self, bursts: deque[_Burst], time: int, end: int) -> int:
        """Beats of one direction alone, begun before ``end``; gives when it can go on."""
        times: list[int] = []
        ahead = _AHEAD_WRITING if self.writing else _AHEAD
        end = min(end, self._kernel.now + ahead)
        for _ in range(bursts[0].left):
            time = self._when(time)
            if time >= end:
                break
            self._take(time)
            times.append(time)
            time += 1
        self._move(bursts, times)
        return times[-1] + 1

    def _share(self, time: int) -> tuple[bool, bool]:
        """A cycle in which both directions want a beat; gives which ones move."""
        both = self._bucket(time) >= 2 * self._beat
        reads, writes = both or not self._write_next, both or self._write_next
        if not both:
            self._write_next = not self._write_next
        self._take(time, reads + writes)
        for goes, bursts in ((reads, self._reads), (writes, self._writes)):
            if goes:
                self._move(bursts, [time])
        return reads, writes

    def _move(self, bursts: deque[_Burst], times: list[int]) -> None:
        """Beats of the first burst have moved."""
        burst = bursts[0]
        burst.left -= len(times)
        if not burst.left:
            bursts.popleft()
        burst.moved(times, not burst.left)
