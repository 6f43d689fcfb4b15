"""What pruning a layer alone does to a PyTorch model."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from numpy.typing import NDArray
from torch import nn

from sw.prune import sensitivity
from sw.prune.sensitivity import Sensitivity
from sw.prune.torch.modes import inference
from sw.prune.torch.network import Network

__all__ = ["measure"]

Measure = Callable[[nn.Module], float]


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
    @contextmanager
    def only(name: str, mask: NDArray) -> Iterator[None]:
        weight = network.weight(name)
        before = weight.detach().clone()
        weight.mul_(network.to_torch(name, mask))
        yield
        weight.copy_(before)

    patterns = {name: network.budget.sites[network.chip[name]].pattern for name in scores}
    with inference(network.model):
        error = how or _outputs(network)
        return sensitivity.measure(scores, patterns, lambda: error(network.model), only)
