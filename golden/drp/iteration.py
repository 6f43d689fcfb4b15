"""Which iteration each stage of a pass works at."""

import numpy as np

from golden.spec.drp.contexts import FIRST, LAST

__all__ = ["Iteration"]


class Iteration:
    """Valid and conditions of one pass, by stage."""

    def __init__(self, turn: int, trips: int, counts: list[int]) -> None:
        self._turn, self._trips = turn, trips
        self._sizes = np.cumprod(counts).tolist()

    def holds(self, stage: int, when: int) -> bool:
        """Whether the stage is valid and the condition true."""
        number = self._turn - stage
        if not 0 <= number < self._trips:
            return False
        if when == 0:
            return True
        if when < LAST:
            return number % self._sizes[when - FIRST] == 0
        size = self._sizes[when - LAST]
        return number % size == size - 1
