"""Timing of the read master: bursts of two clients, asked for with room to take them."""

from collections import deque

from golden.machine.account import Account
from golden.machine.bus import Bus
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.splitter import Splitter
from golden.machine.timing import Timing
from golden.spec.config import Config

__all__ = ["ReadMaster", "ReadPort"]


class ReadPort:
    """One client: its runs, and its FIFO.

    Parameters
    ----------
    config, timing, kernel
    changed : Signal
        The read master's, fired by what may let a burst go.
    depth : int
        Beats of the FIFO.
    limit : int
        Longest burst.
    delay : int
        From a beat on the bus to its place of use.

    Members
    -------
    split : Splitter
        Takes the runs.
    beats : deque of int
        From when each beat that is not used yet is at its place of use, if none is before it.
    came : Signal
        There are more of them.
    marks : deque of int
        Numbers of beats, counted from 1, for which ``marked`` will tell when they were used.
    marked : deque of int
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, changed: Signal,
                 depth: int, limit: int, delay: int) -> None:
        self._depth, self._timing, self._delay = depth, timing, delay
        self.split = Splitter(config, kernel, limit, changed)
        self.changed = changed
        self.beats: deque[int] = deque()
        self.came = Signal(kernel)
        self._asked = 0  # beats
        self._used: deque[int] = deque()  # when beats were used; those before are forgotten
        self._forgotten = self._count = 0
        self.marks: deque[int] = deque()
        self.marked: deque[int] = deque()

    def use(self, time: int) -> None:
        """The client takes a beat in a cycle; it fires ``changed`` after some of them."""
        self._used.append(time)
        self._count += 1
        if self.marks and self._count == self.marks[0]:
            self.marks.popleft()
            self.marked.append(time)

    def ready(self) -> int | None:
        """From when the burst on offer can be asked for, as far as the FIFO goes; if known."""
        if self.split.offered is None:
            return None
        place = self._asked + self.split.beats - self._depth - self._forgotten
        if place <= 0:
            return self.split.offered + self._timing.burst
        if place > len(self._used):
            return None
        for _ in range(place - 1):
            self._used.popleft()
        self._forgotten += place - 1
        return max(self.split.offered, self._used[0] + 2) + self._timing.burst

    def ask(self, time: int) -> int:
        """The burst on offer is asked for; gives its length."""
        beats = self.split.take(time)
        self._asked += beats
        return beats

    def arrive(self, times: list[int]) -> None:
        """Beats come in from the bus."""
        self.beats.extend([time + self._delay for time in times])
        self.came.fire()


class ReadMaster:
    """Asks for the bursts of instruction fetch and load unit, the former's first.

    Parameters
    ----------
    config, timing, kernel, bus, account
        What it works on.

    Members
    -------
    fetch, load : ReadPort
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, bus: Bus,
                 account: Account) -> None:
        self._kernel, self._bus, self._account = kernel, bus, account
        self._address = timing.address
        self._changed, depth = Signal(kernel), timing.fetch_beats
        self.fetch = ReadPort(config, timing, kernel, self._changed, depth,
                              min(config.burst_beats, depth // 2), timing.read_fifo)
        self.load = ReadPort(config, timing, kernel, self._changed,
                             config.read_beats + timing.load_queue, config.burst_beats,
                             timing.read_fifo + timing.load_beat)
        self._places = deque([0] * config.bursts_in_flight)  # from when a burst may be asked for

    def process(self) -> Process:
        """Asks for bursts."""
        while True:
            ready = [(time, port) for port in (self.fetch, self.load)
                     if (time := port.ready()) is not None]
            if not ready or not self._places:
                yield self._changed
                continue
            time, port = min(ready, key=lambda item: max(item[0], self._places[0]))
            time = max(time, self._places[0])
            if time > self._kernel.now:
                yield self._changed.at(time)
                continue
            self._places.popleft()
            self._ask(port)
            yield self._kernel.now + 1

    def _ask(self, port: ReadPort) -> None:
        beats = port.ask(self._kernel.now)

        def moved(times: list[int], ends: bool) -> None:
            self._account.add("beats_read", times[0], times[-1] + 1, len(times))
            port.arrive(times)
            if ends:
                self._places.append(times[-1] + 1)
                self._changed.fire()

        self._bus.read(self._kernel.now + self._address, beats, moved)
