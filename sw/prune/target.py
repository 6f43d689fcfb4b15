"""What is asked for: a speed-up, or rates; and which masks get there."""

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sw.errors import UsageError
from sw.prune.names import check_layer
from sw.prune.network import BaseNetwork
from sw.prune.sensitivity import Sensitivity

__all__ = ["Target"]

_SMALLEST = 1e-30  # importance of a weight that is there
_MARGIN = 0.9  # of the cycles asked for: what must be reachable with layers excluded


class Target:
    """A speed-up or rates, checked against the network.

    Parameters
    ----------
    network : BaseNetwork
    speedup : float or None
        Over the network with every weight issued, in cycles doorbell to interrupt.
    rate : float, mapping of str to float, or None
        Share of weights pruned: of all, or by layer. One of the two must be given.
    scores : mapping of str to ndarray
        A first importance by layer, to see what can be reached: rows spread over many blocks take
        more of the memory's time than as many in few.

    Members
    -------
    cycles : float or None
        What the speed-up means.

    Raises
    ------
    UsageError
        If it can't be reached, is out of range, or names a layer that isn't there or isn't
        pruned.
    """

    def __init__(self, network: BaseNetwork, speedup: float | None,
                 rate: float | Mapping[str, float] | None, scores: Mapping[str, NDArray]) -> None:
        if (speedup is None) == (rate is None):
            raise UsageError(f"speedup is {speedup} and rate is {rate}; accepted is one of them")
        self.speedup, self.rate = speedup, rate
        self._budget, self._chip = network.budget, network.chip
        self.cycles: float | None = None
        if speedup is not None:
            if not speedup >= 1:  # NaN too
                raise UsageError(f"speedup is {speedup}, accepted are 1 or more")
            self.cycles = self._budget.dense_cycles / speedup
            least = self._budget.least_cycles(self._of_nodes(scores))
            if least > self.cycles:
                self._budget.refuse(self.cycles, least)
        elif isinstance(rate, Mapping):
            for name in rate:
                check_layer(name, network.chip, network.unpruned)
        if rate is not None:
            self._at_rate(scores, 1.0)

    @property
    def idle(self) -> bool:
        """Is nothing asked for?"""
        rates = self.rate.values() if isinstance(self.rate, Mapping) else [self.rate]
        return self.speedup == 1 if self.rate is None else not any(rates)

    def masks(self, scores: Mapping[str, NDArray], live: Mapping[str, NDArray],
              progress: float) -> dict[str, NDArray]:
        """Masks by layer.

        Parameters
        ----------
        scores : mapping of str to ndarray
            Importance by layer that may be pruned.
        live : mapping of str to bool ndarray
            Weights still there.
        progress : float
            Share of the way from no pruning, 0 to 1; the machine is asked at 1 only.
        """
        known = {name: np.where(live[name], np.maximum(values, _SMALLEST), 0.0)
                 for name, values in scores.items()}
        if self.cycles is None:
            found = self._at_rate(known, progress)
        else:
            dense, exact, scored = self._budget.dense_cycles, progress >= 1, self._of_nodes(known)
            cycles = dense - progress * (dense - self.cycles)
            if exact and (least := self._budget.least_cycles(scored)) > cycles:
                # Importance has changed since; a training that took days doesn't end here.
                warnings.warn(f"the speed-up is {dense / least:.2f}, not the {self.speedup:.2f} "
                              "asked for: the rows that stay take more of the memory's time than "
                              "was foreseen", stacklevel=2)
                cycles = least
            found = self._budget.for_cycles(scored, cycles, exact=exact)
        layer = {node: name for name, node in self._chip.items()}
        return {layer[node]: mask & live[layer[node]] for node, mask in found.items()}

    def excluded(self, found: Mapping[str, Sensitivity], tolerance: float,
                 scores: Mapping[str, NDArray]) -> list[str]:
        """Layers better left alone: those whose damage is ``tolerance`` times the median of all,
        worst first, as long as the speed-up can be reached without them."""
        if isinstance(self.rate, Mapping) or len(found) < 3:
            return []
        middle = float(np.median([item.damage for item in found.values()]))
        worst = sorted((name for name, item in found.items()
                        if item.damage > tolerance * middle), key=lambda name: -found[name].damage)
        chosen: list[str] = []
        for name in worst:
            rest = {other: values for other, values in scores.items()
                    if other not in {*chosen, name}}
            if self.cycles is None or self._budget.least_cycles(
                    self._of_nodes(rest)) <= _MARGIN * self.cycles:
                chosen.append(name)
        return chosen

    def _at_rate(self, scores: Mapping[str, NDArray], progress: float) -> dict[str, NDArray]:
        assert self.rate is not None
        rates: float | dict[str, float]
        if isinstance(self.rate, Mapping):
            rates = {self._chip[name]: self._partial(rate, progress)
                     for name, rate in self.rate.items() if name in scores}
        else:
            rates = self._partial(self.rate, progress)
        return self._budget.for_rates(self._of_nodes(scores), rates)

    @staticmethod
    def _partial(rate: float, progress: float) -> float:
        if not 0 <= rate <= 1:  # NaN too
            raise UsageError(f"rate is {rate}, accepted are 0 (keep all weights) to 1 (keep none)")
        return rate * progress

    def _of_nodes(self, scores: Mapping[str, NDArray]) -> dict[str, NDArray]:
        return {self._chip[name]: values for name, values in scores.items()}
