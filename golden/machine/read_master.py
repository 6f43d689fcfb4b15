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
    queue : int
        Beats that can wait behind the FIFO.
    delay : int
        From a beat being offered by the FIFO to its place of use.

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
                 depth: int, limit: int, queue: int = 0, delay: int = 0) -> None:
        self._depth, self._queue, self._timing, self._delay = depth, queue, timing, delay
        self.split = Splitter(config, kernel, limit, changed)
        self.changed = changed
        self.beats: deque[int] = deque()
        self.came = Signal(kernel)
        self._asked = 0  # beats
        self._left: deque[int] = deque()  # when beats left the FIFO; those before are forgotten
        self._forgotten = self._count = 0
        # With a queue: when beats in the FIFO are offered, when places there became free, and when
        # the last beat went there.
        self._offered: deque[int] = deque()
        self._free: deque[int] = deque([-1] * queue)
        self._last = -1
        self.marks: deque[int] = deque()
        self.marked: deque[int] = deque()

    def use(self, time: int) -> None:
        """The client takes a beat in a cycle; it fires ``changed`` after some of them."""
        (self._free if self._queue else self._left).append(time)
        self._count += 1
        if self.marks and self._count == self.marks[0]:
            self.marks.popleft()
            self.marked.append(time)

    def ready(self) -> int | None:
        """From when the burst on offer can be asked for, as far as the FIFO goes; if known."""
        if self.split.offered is None:
            return None
        while self._offered and self._free:
            self._last = max(self._offered.popleft(), self._last + 1, self._free.popleft() + 1)
            self._left.append(self._last)
        place = self._asked + self.split.beats - self._depth - self._forgotten
        if place <= 0:
            return self.split.offered + self._timing.burst
        if place > len(self._left):
            return None
        for _ in range(place - 1):
            self._left.popleft()
        self._forgotten += place - 1
        return max(self.split.offered, self._left[0] + 2) + self._timing.burst

    def ask(self, time: int) -> int:
        """The burst on offer is asked for; gives its length."""
        beats = self.split.take(time)
        self._asked += beats
        return beats

    def arrive(self, times: list[int]) -> None:
        """Beats come in from the bus."""
        offered = [time + self._timing.read_fifo for time in times]
        self.beats.extend([time + self._delay for time in offered])
        if self._queue:
            self._offered.extend(offered)
            self.changed.fire()
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
                              min(config.burst_beats, depth // 2))
        self.load = ReadPort(config, timing, kernel, self._changed, config.read_beats,
                             config.burst_beats, timing.load_queue, timing.load_beat)
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
