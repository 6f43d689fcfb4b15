"""What pruning a layer alone does to the network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sw.prune.torch.modes import inference
from sw.prune.torch.network import Network

__all__ = ["Sensitivity", "measure"]

Measure = Callable[[nn.Module], float]
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


def _outputs(network: Network) -> Measure:
    """Squared error of the output for the example, as a share of the output."""
    with inference(network.model):
        wanted = network.model(network.example).float()
    size = float((wanted - wanted.mean(dim=0, keepdim=True)).square().sum()) or float(
        wanted.square().sum()) or 1.0

    def error(model: nn.Module) -> float:
        return float((model(network.example).float() - wanted).square().sum()) / size

    return error


def measure(network: Network, scores: Mapping[str, NDArray],
            how: Measure | None = None) -> dict[str, Sensitivity]:
    """Prune each layer alone and see.

    Parameters
    ----------
    network : Network
    scores : mapping of str to ndarray
        Importance by layer, in the chip's order.
    how : callable, optional
        Given the model, in evaluation, a number that is higher for a worse one, such as its loss
        on held-out data. If not given: the output's error on the example.
    """
    found = {}
    with inference(network.model):
        error = how or _outputs(network)
        base = error(network.model)
        for name, values in scores.items():
            pattern = network.budget.sites[network.chip[name]].pattern
            full = pattern.counts(np.ones(pattern.shape))
            mask = pattern.keep(values, np.ceil(_PROBE * full).astype(int))
            weight = network.weight(name)
            before = weight.detach().clone()
            weight.mul_(network.to_torch(name, mask))
            damage = error(network.model) - base
            weight.copy_(before)
            found[name] = Sensitivity(max(float(np.nan_to_num(damage, nan=np.inf)), 0.0),
                                      float(values[~mask].sum()))
    return found
