"""What pruning a layer alone does to the network."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sw.prune.pattern import Pattern

__all__ = ["Sensitivity", "factors", "measure"]

_PROBE = 0.5  # share of a layer's weights left out


@dataclass(frozen=True)
class Sensitivity:
    """What a layer's loss of half its weights does.

    Parameters
    ----------
    damage : float
        How much worse the network gets.
    lost : float
        Importance that went.
    """

    damage: float
    lost: float


def measure(scores: Mapping[str, NDArray], patterns: Mapping[str, Pattern],
            error: Callable[[], float],
            only: Callable[[str, NDArray], AbstractContextManager[None]]) -> dict[str, Sensitivity]:
    """Prune each layer alone and see.

    Parameters
    ----------
    scores : mapping of str to ndarray
        Importance by layer, in the chip's order.
    patterns : mapping of str to Pattern
        Likewise.
    error : callable
        A number that is higher for a worse network.
    only : callable
        Given a layer and a mask in the chip's order: a context in which the network has only
        those of the layer's weights.
    """
    found, base = {}, error()
    for name, values in scores.items():
        full = patterns[name].counts(np.ones(patterns[name].shape))
        mask = patterns[name].keep(values, np.ceil(_PROBE * full).astype(int))
        with only(name, mask):
            damage = error() - base
        found[name] = Sensitivity(max(float(np.nan_to_num(damage, nan=np.inf)), 0.0),
                                  float(values[~mask].sum()))
    return found


def factors(found: Mapping[str, Sensitivity]) -> dict[str, float]:
    """What makes importance lost the damage measured; at least a thousandth of the most, since
    small damages are noise."""
    raw = {name: min(item.damage, 1e30) / max(item.lost, 1e-30) for name, item in found.items()}
    most = max(raw.values(), default=0.0)
    if not np.isfinite(most) or most <= 0:
        return dict.fromkeys(found, 1.0)
    return {name: max(value, 1e-3 * most) for name, value in raw.items()}
