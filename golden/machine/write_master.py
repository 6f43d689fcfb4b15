"""Timing of the write master: beats gathered to bursts, sent, answered."""

from collections import deque
from collections.abc import Callable

from golden.machine.account import Account
from golden.machine.bus import Bus
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.splitter import Splitter
from golden.machine.timing import Timing
from golden.spec.config import Config

__all__ = ["WriteMaster"]


class WriteMaster:
    """Sends a burst when all its beats are there.

    Parameters
    ----------
    config, timing, kernel, bus, account
        What it works on.
    written : callable
        Told, in that cycle, that the last response to a final run came.

    Members
    -------
    split : Splitter
        Takes the runs.
    changed : Signal
        Beats have left.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, bus: Bus,
                 account: Account, written: Callable[[], None]) -> None:
        self._timing, self._kernel, self._bus, self._account = timing, kernel, bus, account
        self._written = written
        self.changed = Signal(kernel)
        self.split = Splitter(config, kernel, config.burst_beats, self.changed)
        self._depth = 2 * self.split.limit + 2  # of the FIFO, with its registers
        self._beats: deque[int] = deque()  # when each beat was there
        self._left: deque[int] = deque()  # when beats went on from the FIFO to the bus
        self._put = self._begun = self._taken = 0  # beats put in, of bursts sent, taken
        self._last = 0  # when the last of them was
        self._places = deque([0] * config.bursts_in_flight)  # from when a burst may be sent

    def room(self) -> int | None:
        """From when there is a place for the next beat; None if that is not known yet."""
        if self._put < self._depth:
            return 0
        return self._left[0] + 1 if self._left else None

    def put(self, time: int) -> None:
        """The next beat comes in a cycle."""
        if self._put >= self._depth:
            self._left.popleft()
        self._put += 1
        self._beats.append(time)
        if self.split.offered is not None and len(self._beats) == self.split.beats:
            self.changed.fire()

    def process(self) -> Process:
        """Sends bursts."""
        time = 0
        while True:
            split = self.split
            if split.offered is None or len(self._beats) < split.beats or not self._places:
                yield self.changed
                continue
            time = max(time, self._places[0], self._timing.burst + max(
                split.offered, self._beats[split.beats - 1] + 1))
            if time > self._kernel.now:
                yield time
            self._places.popleft()
            self._send()
            time += 1

    def _send(self) -> None:
        now, final = self._kernel.now, self.split.final
        beats = self.split.take(now)
        for _ in range(beats):
            self._beats.popleft()

        if self._taken == self._begun:
            self._left.append(max(now + 1, self._last))
        self._begun += beats

        def moved(times: list[int], ends: bool) -> None:
            self._account.add("beats_written", times[0], times[-1] + 1, len(times))
            self._taken += len(times)
            self._last = times[-1]
            # One that is taken makes way for the next one, if there is one.
            self._left.extend(times if self._taken < self._begun else times[:-1])
            self.changed.fire()
            if ends:
                self._kernel.call(self._last + self._bus.latency, lambda: self._answered(final))

        self._bus.write(now + self._timing.store_data, beats, moved)

    def _answered(self, final: bool) -> None:
        self._places.append(self._kernel.now + 1)
        self.changed.fire()
        if final:
            self._written()
