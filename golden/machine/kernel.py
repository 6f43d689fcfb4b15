"""A small discrete-event kernel: processes are generators that wait for times and signals."""

import heapq
from collections.abc import Callable, Generator
from itertools import count
from typing import TypeAlias

__all__ = ["Kernel", "Process", "Signal"]


class Signal:
    """Something that processes wait for; firing resumes all that wait."""

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self._waiting: list[Process] = []
        self._alarm = -1  # the next time at which it fires by itself, if not past

    def fire(self) -> None:
        """Resume every waiting process at the present time."""
        waiting, self._waiting = self._waiting, []
        for process in waiting:
            self._kernel.resume(self._kernel.now, process)

    def at(self, time: int) -> "Signal":
        """The same signal, which also fires at a time: to wait for either."""
        if not self._kernel.now < self._alarm <= time:
            self._alarm = time
            self._kernel.call(time, self.fire)
        return self

    def wait(self, process: "Process") -> None:
        """Let a process wait (the kernel calls this)."""
        self._waiting.append(process)


# A process yields a time to sleep until, or a signal to wait for.
Process: TypeAlias = Generator["int | Signal", None, None]


class Kernel:
    """Runs processes in order of time; equal times in the order in which they were asked for.

    Members
    -------
    now : int
        Cycles since the beginning.
    """

    def __init__(self) -> None:
        self.now = 0
        self._order = count()
        self._heap: list[tuple[int, int, Process | Callable[[], None]]] = []

    def resume(self, time: int, process: Process) -> None:
        """Continue a process at a time, not before now."""
        heapq.heappush(self._heap, (max(time, self.now), next(self._order), process))

    def call(self, time: int, action: Callable[[], None]) -> None:
        """Call an action at a time, not before now."""
        heapq.heappush(self._heap, (max(time, self.now), next(self._order), action))

    def run(self, until: Callable[[], bool]) -> None:
        """Run until a condition holds or nothing is left to happen."""
        while self._heap and not until():
            self.now, _, item = heapq.heappop(self._heap)
            if callable(item):
                item()
                continue
            try:
                wanted = next(item)
            except StopIteration:
                continue
            if isinstance(wanted, Signal):
                wanted.wait(item)
            else:
                self.resume(wanted, item)
