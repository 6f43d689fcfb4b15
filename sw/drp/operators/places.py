"""Indices as places that lie steps of one length apart."""

from collections.abc import Sequence

import numpy as np

from golden.drp.stream import ONE

__all__ = ["steps"]

_FAR = 1 << 30  # places are 32 bits, and a border is beyond all of them


def steps(chosen: Sequence[int] | np.ndarray, size: int, anywhere: np.ndarray | None = None,
          ) -> tuple[int, int] | None:
    """First place and step, 16.16 fixed point, whose whole parts are the indices.

    Parameters
    ----------
    chosen : sequence of int
        In 0 to size - 1.
    size : int
        Places before the first are the first one's, those behind the last one the last one's.
    anywhere : (len(chosen),) bool, optional
        Only these may lie outside; by default any.

    Returns
    -------
    (int, int), or None if there are none
    """
    indices = np.array(chosen, np.int64)
    numbers = np.arange(len(indices))
    outside = np.ones(len(indices), bool) if anywhere is None else anywhere
    least = np.where((indices == 0) & outside, -_FAR, indices * ONE)
    most = np.where((indices == size - 1) & outside, _FAR, indices * ONE + ONE - 1)

    def room(step: int) -> tuple[int, int]:
        """(places that the first one may have, the least of them); below 0 none."""
        low = int((least - numbers * step).max())
        return int((most - numbers * step).min()) - low, low

    # The room is concave in the step: of two steps the one with more room is nearer to the best.
    first, last = -size * ONE, size * ONE
    while first < last:
        middle = (first + last) // 2
        if room(middle)[0] < room(middle + 1)[0]:
            first = middle + 1
        else:
            last = middle
    found, low = room(first)
    return (low + found // 2, first) if found >= 0 else None
