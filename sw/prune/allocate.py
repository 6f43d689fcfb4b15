"""N for every block: the largest importance kept for a number of cycles.

A block with n rows costs ``cost[n]`` cycles and keeps the importance of the n best weights of every
lane. Blocks of a lane block follow each other, so their cycles add up; a lane block never takes
less than its drain, so rows below that are free. The best weights of a lane come first, so that
importance per cycle falls with every row, and taking rows in that order is the best choice for
each budget it stops at.

How it is used, whatever the weights come from::

    layers = [Layer("conv1", rows_kept(pattern.split(scores)), cost, floor), ...]
    chosen = allocate(layers, budget)                      # cycles of these layers together
    mask = pattern.keep(scores, chosen.counts["conv1"])    # sw.prune.pattern
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sw.errors import UsageError

__all__ = ["Allocation", "Layer", "allocate", "rows_kept"]


def rows_kept(scores: NDArray) -> NDArray:
    """What each further row of a block keeps.

    Parameters
    ----------
    scores : ndarray [lane blocks, blocks, lanes, M]
        Importance of every weight, at least 0, as `Pattern.split` gives it; 0 for what is none.

    Returns
    -------
    gains : ndarray [lane blocks, blocks, M]
        Importance that the first, second, ... row adds: that of the best, second best, ... weight
        of all lanes.
    """
    ranked: NDArray = -np.sort(-scores, axis=3)
    return ranked.sum(axis=2)


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer to choose for.

    Parameters
    ----------
    name : str
    gains : ndarray [lane blocks, blocks, M]
        Of `rows_kept`; rows that keep nothing are never taken.
    cost : ndarray [M + 1]
        Cycles of a block with 0 to M rows, all tiles together; rises from 0.
    floor : float
        Cycles that each lane block takes at least, all tiles together: the drain.
    """

    name: str
    gains: NDArray
    cost: NDArray
    floor: float = 0.0

    def cycles(self, counts: NDArray) -> float:
        """Cycles with these N, [lane blocks, blocks]."""
        return float(np.maximum(self.cost[counts].sum(axis=1), self.floor).sum())

    def kept(self, counts: NDArray) -> float:
        """Importance kept with these N."""
        return float((self.gains * (np.arange(self.gains.shape[2]) < counts[..., None])).sum())

    @property
    def full(self) -> NDArray:
        """N that keeps everything, [lane blocks, blocks]."""
        rows = np.arange(1, self.gains.shape[2] + 1)
        most: NDArray = ((self.gains > 0) * rows).max(axis=2, initial=0)
        return most


@dataclass(frozen=True, eq=False)
class Allocation:
    """What `allocate` chose.

    Parameters
    ----------
    counts : dict of str to ndarray [lane blocks, blocks]
        N by layer.
    cycles : float
        Of all layers.
    kept : float
        Importance that stays.
    """

    counts: dict[str, NDArray]
    cycles: float
    kept: float


@dataclass(frozen=True, eq=False)
class _Steps:
    """Steps in the order in which a lane block would take them; arrays have one value a step."""

    layer: NDArray   # number of the layer
    block: NDArray   # of all the layer's blocks
    rows: NDArray    # N after it
    cycles: NDArray
    gain: NDArray


def allocate(layers: Sequence[Layer], budget: float) -> Allocation:
    """Choose N of every block.

    Parameters
    ----------
    layers : sequence of Layer
    budget : float
        Cycles that all of them may take together.

    Raises
    ------
    UsageError
        If even the drains take more, or an importance is not a number of at least 0.
    """
    for layer in layers:
        if not (np.isfinite(layer.gains).all() and (layer.gains >= 0).all()):
            raise UsageError(f"layer {layer.name!r}: the importance of its weights is negative, "
                             "infinite or not a number; accepted are finite weights")
    least = sum(layer.floor * len(layer.gains) for layer in layers)
    if not budget >= least:
        raise UsageError(f"a budget of {budget:.0f} cycles for the layers to prune, accepted is "
                         f"{least:.0f} or more: their drains take so many")
    parts = [_steps(number, layer) for number, layer in enumerate(layers)]
    counts = {layer.name: np.zeros(layer.gains.shape[:2], int) for layer in layers}
    if parts:
        steps = _Steps(*(np.concatenate([getattr(part, name) for part in parts])
                         for name in ("layer", "block", "rows", "cycles", "gain")))
        # Within a lane block this keeps the order of its steps; free ones come first.
        with np.errstate(divide="ignore"):
            order = np.argsort(-(steps.gain / steps.cycles), kind="stable")
        taken = order[_affordable(steps.cycles[order], budget - least)]
        for number, layer in enumerate(layers):
            mine = taken[steps.layer[taken] == number]
            np.maximum.at(counts[layer.name].reshape(-1), steps.block[mine], steps.rows[mine])
    return Allocation(counts, sum(layer.cycles(counts[layer.name]) for layer in layers),
                      sum(layer.kept(counts[layer.name]) for layer in layers))


def _affordable(cycles: NDArray, budget: float) -> NDArray:
    """Which of the steps, taken in order, are within the budget: all up to the first that isn't."""
    return np.asarray(np.cumsum(cycles) <= budget * (1 + 1e-12) + 1e-9)


def _steps(number: int, layer: Layer) -> _Steps:
    """A layer's steps, lane block by lane block, each in order of gain per cycle."""
    lane_blocks, blocks, _ = layer.gains.shape
    where, rows, cycles, gain = _hull(layer.gains.reshape(lane_blocks * blocks, -1), layer.cost,
                                      layer.full.reshape(-1))
    lane_block = where // max(blocks, 1)
    order = np.lexsort((rows, -gain / cycles, lane_block))
    where, rows, gain, lane_block = where[order], rows[order], gain[order], lane_block[order]
    # Cycles of a lane block before and after each step, the drain hiding the first of them.
    total = np.cumsum(cycles[order])
    starts = np.searchsorted(lane_block, np.arange(lane_blocks))
    before = np.concatenate([[0.0], total])[starts][lane_block]
    after = np.maximum(total - before, layer.floor)
    paid = after - np.maximum(total - cycles[order] - before, layer.floor)
    return _Steps(np.full(len(where), number), where, rows, paid, gain)


def _hull(gains: NDArray, cost: NDArray, full: NDArray) -> tuple[NDArray, ...]:
    """Steps of each block along the upper hull of importance over cycles.

    Returns (block, rows after the step, its cycles, its gain), each with one value a step; gain
    per cycle falls from step to step of a block.
    """
    count, most = gains.shape
    kept = np.concatenate([np.zeros((count, 1)), np.cumsum(gains, axis=1)], axis=1)
    at, out = np.zeros(count, int), []
    live = np.flatnonzero(full > 0)
    rows = np.arange(most + 1)
    while len(live):
        here = at[live]
        more = kept[live] - kept[live, here][:, None]
        price = cost[None] - cost[here][:, None]
        ahead = (rows > here[:, None]) & (rows <= full[live, None])
        ratio = np.where(ahead, more / np.maximum(price, 1e-9), -1.0)
        # The farthest of equals: one step instead of several.
        target = most - np.argmax(ratio[:, ::-1], axis=1)
        line = np.arange(len(live))
        out.append((live, target, np.maximum(price[line, target], 1e-9), more[line, target]))
        at[live] = target
        live = live[target < full[live]]
    if not out:
        return tuple(np.zeros(0, kind) for kind in (int, int, float, float))
    return tuple(np.concatenate(part) for part in zip(*out, strict=True))
