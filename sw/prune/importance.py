"""How much each weight matters, by its size or by its gradients."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sw.errors import UsageError
from sw.prune.criteria import DECAY, check_criterion
from sw.prune.network import BaseNetwork

__all__ = ["BaseImportance"]


class BaseImportance(ABC):
    """Importance of the weights of a network; a framework's front says what gradients are.

    Parameters
    ----------
    network : BaseNetwork
    criterion : str
        One of `sw.prune.criteria.CRITERIA`.

    Members
    -------
    means : dict of str to array
        Mean over the steps of what the criterion takes from gradients, by layer, as the framework
        has it.
    remedy : str
        What a message about missing gradients says helps.

    Raises
    ------
    UsageError
        For an unknown criterion.
    """

    remedy: ClassVar[str]

    def __init__(self, network: BaseNetwork, criterion: str) -> None:
        check_criterion(criterion)
        self.network, self.criterion = network, criterion
        self.means: dict[str, Any] = {}

    def observe(self, given: Any = None) -> None:
        """Take this step's gradients, where the criterion needs them.

        Those that aren't finite, as of batches that overflowed in half precision, are left out.

        Parameters
        ----------
        given : object, optional
            What the framework's training loop has to give.
        """
        if self.criterion == "magnitude":
            return
        for name, values in self._gradients(given):
            if self.criterion == "gradient":
                values = values * self.network.kernel(name)
            if self._finite(values):
                mean, square = self.means.get(name), values * values
                self.means[name] = square if mean is None else DECAY * mean + (1 - DECAY) * square

    def scores(self) -> dict[str, NDArray]:
        """Importance by layer, in the chip's order.

        Raises
        ------
        UsageError
            If the criterion needs gradients and there were none.
        """
        found, network = {}, self.network
        for name in network.chip:
            if self.criterion == "magnitude":
                size = np.square(network.to_chip(name, network.folded(name)).astype(np.float64))
                values = size / max(float(size.sum()), 1e-30)
            elif name not in self.means:
                raise UsageError(f"layer {name!r} has no gradients, which criterion "
                                 f"{self.criterion!r} needs; {self.remedy}")
            else:
                values = network.to_chip(name, self.means[name])
                if self.criterion == "fisher":
                    values = np.square(network.to_chip(name, network.kernel(name))) * values / 2
            found[name] = values.astype(np.float64)
        return found

    @abstractmethod
    def _gradients(self, given: Any) -> Iterator[tuple[str, Any]]:
        """(layer, its gradient in float32) of all that have one."""

    @abstractmethod
    def _finite(self, values: Any) -> bool:
        """Are all?"""
