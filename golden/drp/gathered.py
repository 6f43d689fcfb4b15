"""Positions that a kernel pushes, and what an indirect input makes of them."""

from collections.abc import Sequence

import numpy as np

from golden.drp.errors import TileError
from golden.drp.stream import Stream
from golden.spec.drp.controller import Cause
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.streams import PLACES, REQUESTS

__all__ = ["Gathered", "indirect"]


def indirect(fabric: Fabric, inputs: Sequence[Stream | None]) -> Stream | None:
    """The indirect input of a kernel, if it has one."""
    number = fabric.gather
    stream = inputs[number] if number is not None and number < len(inputs) else None
    return stream if stream is not None and stream.indirect else None


class Gathered:
    """One run's.

    Parameters
    ----------
    fabric : Fabric
    stream : Stream
    memory : (bytes,) uint8
    """

    def __init__(self, fabric: Fabric, stream: Stream, memory: np.ndarray) -> None:
        assert fabric.gather is not None
        self._number, self._stream, self._memory = fabric.gather, stream, memory
        # Of vectors and positions under way.
        self._room = PLACES + max(fabric.fifo, REQUESTS)
        self._still = stream.positions(
            fabric.lanes, np.zeros((stream.vectors, fabric.lanes), np.uint32))
        self.pushed: list[np.ndarray] = []
        self._vectors: list[np.ndarray] = []
        self._taken = 0
        self._last = -1  # step in which the last one was taken

    def push(self, places: np.ndarray, step: int) -> None:
        """A position of each lane, (lanes,) uint32; after what is taken in that step.

        Raises
        ------
        TileError
            If it never finds room.
        """
        # A step makes no room for itself, and positions beyond the vectors stay.
        taken = self._taken - (self._last == step)
        room = min(taken + self._room, self._stream.vectors + PLACES)
        if len(self.pushed) == room:
            raise TileError(Cause.WATCHDOG, f"position {room} of input {self._number} has no room "
                                            f"when {taken} were taken")
        self.pushed.append(places)

    def pop(self, step: int) -> np.ndarray:
        """The next vector, (lanes,) uint32, in a step.

        Raises
        ------
        TileError
            If there is none, or none yet; for an address.
        """
        if self._taken == self._stream.vectors:
            raise TileError(Cause.STREAM, f"input {self._number} has no vector {self._taken}",
                            self._number)
        if self._taken == len(self.pushed):
            raise TileError(Cause.WATCHDOG, f"input {self._number} waits for position "
                                            f"{self._taken}, which isn't pushed before")
        if self._taken == len(self._vectors):
            self._fetch()
        self._taken, self._last = self._taken + 1, step
        return self._vectors[self._taken - 1]

    def finish(self) -> None:
        """No more is pushed or taken.

        Raises
        ------
        TileError
            If something is left.
        """
        if not len(self.pushed) == self._taken == self._stream.vectors:
            raise TileError(Cause.STREAM, f"input {self._number} has {self._stream.vectors} "
                            f"vectors, {len(self.pushed)} positions were pushed, {self._taken} "
                            "were taken", self._number)

    def _fetch(self) -> None:
        """The vectors of all positions that are new."""
        first, end = len(self._vectors), min(len(self.pushed), self._stream.vectors)
        places = np.array(self.pushed[first:end], np.uint32)
        y, x, offset = (part[first:end] for part in self._still)
        y, x = self._stream.moved(y, x, places)
        try:
            self._vectors += list(self._stream.fetch(self._memory, y, x, offset, first))
        except TileError as error:
            error.stream = self._number
            raise
