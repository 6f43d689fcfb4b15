"""Timing of a ring of the weight store: its places, and when they are free again."""

from collections import deque
from collections.abc import Iterable

__all__ = ["Ring"]


class Ring:
    """Counts what goes in and what is freed, and when.

    Parameters
    ----------
    places : int
    """

    def __init__(self, places: int) -> None:
        self._places = places  # never used so far
        self._freed: deque[int] = deque()  # cycles of those to be used again

    @property
    def known(self) -> bool:
        """Whether it is known from when there is room for the next item."""
        return self._places > 0 or bool(self._freed)

    def write(self) -> int:
        """Take the place of the next item; gives from when there is one."""
        if self._places:
            self._places -= 1
            return 0
        return self._freed.popleft() + 1

    def free(self, times: Iterable[int]) -> None:
        """The next items are read for the last time in these cycles."""
        self._freed.extend(times)
