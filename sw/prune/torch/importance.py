"""How much each weight matters, by its size or by what training says of it."""

import numpy as np
import torch
from numpy.typing import NDArray

from sw.errors import UsageError
from sw.prune.criteria import DECAY, check_criterion
from sw.prune.torch.export import folded
from sw.prune.torch.network import Network

__all__ = ["Importance"]


class Importance:
    """Importance of the weights of a network.

    Parameters
    ----------
    network : Network
    criterion : str
        One of `sw.prune.criteria.CRITERIA`.

    Members
    -------
    means : dict of str to Tensor
        Mean over the steps of what the criterion takes from gradients, by layer.

    Raises
    ------
    UsageError
        For an unknown criterion.
    """

    def __init__(self, network: Network, criterion: str) -> None:
        check_criterion(criterion)
        self.network, self.criterion = network, criterion
        self.means: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def observe(self) -> None:
        """Take this step's gradients, where the criterion needs them.

        Batches whose gradients overflowed in half precision are left out.
        """
        if self.criterion == "magnitude":
            return
        for name in self.network.chip:
            weight = self.network.weight(name)
            if weight.grad is None:
                continue
            part = weight.grad.float()
            if self.criterion == "gradient":
                part = part * weight.float()
            if not bool(torch.isfinite(part).all()):
                continue
            if name in self.means:
                self.means[name].lerp_(part.square(), 1 - DECAY)
            else:
                self.means[name] = part.square()

    @torch.no_grad()
    def scores(self) -> dict[str, NDArray]:
        """Importance by layer, in the chip's order.

        Raises
        ------
        UsageError
            If the criterion needs gradients and there were none.
        """
        found = {}
        for name in self.network.chip:
            weight = self.network.weight(name).float()
            if self.criterion == "magnitude":
                step = next(item for item in self.network.found.steps if item.name == name)
                size = folded(self.network.model, step)[0].square()
                values = size / size.sum().clamp(min=1e-30)
            elif name not in self.means:
                raise UsageError(
                    f"layer {name!r} has no gradients, which criterion {self.criterion!r} needs; "
                    "call step() after backward() and before zero_grad(), or take 'magnitude'")
            elif self.criterion == "gradient":
                values = self.means[name]
            else:
                values = weight.square() * self.means[name] / 2
            found[name] = self.network.to_chip(name, values).astype(np.float64)
        return found
