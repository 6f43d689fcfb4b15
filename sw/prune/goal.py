"""From a rate or a speed-up to N of every block, and to the pruned network."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from golden.graph import Graph
from sw.errors import UsageError
from sw.prune.budget import Budget
from sw.prune.oneshot import OneShot
from sw.session.estimate import estimate

__all__ = ["for_rate", "for_speedup"]

_TRIES = 4  # networks pruned until the cycles asked for are met
_SPARE = 0.998  # of the cycles asked for, when the next try is made


def for_rate(surgery: OneShot, budget: Budget, rate: float, *, spread: bool = False) -> Graph:
    """Prune to a rate.

    Parameters
    ----------
    surgery : OneShot
    budget : Budget
        Of the same graph and exclusions.
    rate : float
        0 to 1.
    spread : bool
        That share of all weights together, so that less of those that matter more goes; not of
        every block.

    Raises
    ------
    UsageError
        For a rate out of range.
    """
    counts = surgery.counts_at(rate)
    if spread:
        counts = _counts(budget, budget.for_rates(surgery.scores(), rate))
    return surgery.prune(counts)


def for_speedup(surgery: OneShot, budget: Budget, speedup: float,
                progress: Callable[[str], None] | None = None) -> Graph:
    """Prune until the network takes fewer cycles.

    Parameters
    ----------
    surgery : OneShot
    budget : Budget
        Of the same graph and exclusions.
    speedup : float
        1 or more: over the graph as it is, its zeros skipped, by compiler and machine.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    UsageError
        If it is no such number, or can't be reached; the text says what can.
    """
    if not (math.isfinite(speedup) and speedup >= 1):
        raise UsageError(f"speed-up is {speedup}, accepted are numbers of 1 or more")
    now = budget.cycles(budget.all())
    aim = now / speedup
    scores = surgery.scores()
    if progress:
        progress("choosing N of every block")
    least = budget.least_cycles(scores)
    target, found = aim, now
    for _ in range(_TRIES):
        masks = budget.for_cycles(scores, max(target, least))
        pruned = surgery.prune(_counts(budget, masks))
        # Other weights than those chosen from may stay, and other channels die.
        found = min(found, cycles := estimate(pruned, budget.config, 0.0).cycles)
        if cycles <= aim:
            return pruned
        if target <= least:
            break
        target *= _SPARE * aim / cycles
    _refuse(speedup, now, found)
    raise AssertionError("refused")


def _refuse(speedup: float, now: int, least: int) -> None:
    raise UsageError(f"a speed-up of {speedup:g} can't be reached: of {now:,} cycles, what isn't "
                     f"pruned, drains and memory take {least:,}; accepted are speed-ups up to "
                     f"{math.floor(100 * now / least) / 100:.2f}")


def _counts(budget: Budget, masks: Mapping[str, NDArray]) -> dict[str, NDArray]:
    return {name: np.asarray(budget.sites[name].pattern.counts(mask))
            for name, mask in masks.items()}
