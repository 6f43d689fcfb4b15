"""How much a channel's errors matter: what they are in the sums behind it, of these sums' variance.

The same error may drown one channel and be nothing to another: the weights behind them differ by
orders of magnitude where normalization stood. An error in channel c becomes weight x error in each
sum behind it; beside that sum's own spread it is small or large. A sum counts by the share that it
has, behind its clamp or function, in the variance of the sums behind that; so channels that nobody
sees, because a Relu cuts them off, don't count. Each channel with which the chip's part ends counts
as much as another.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sw.quantize.network import Network, channel_axis
from sw.quantize.placement import Placement

__all__ = ["importances"]

_ALIKE = frozenset(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize",
                    "Relu", "Clip", "Identity", "Dropout", "Add", "Pad"))
_LEAST = 1e-9  # of the largest variance


def importances(network: Network, placement: Placement,
                variances: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Importance of each channel of every tensor that leads to weights.

    Parameters
    ----------
    network : Network
    placement : Placement
    variances : mapping of str to ndarray
        By channel, of what nodes with weights give and of the points.
    """
    found: dict[str, NDArray] = {}
    ends = {region.end: region for region in placement.regions.values()}
    starts = placement.regions
    behind_product = {at: starts[name].end if name in starts else name
                      for name, at in placement.products.items()}
    for at in reversed(range(len(network.nodes))):
        node = network.nodes[at]
        if at in behind_product:
            end = behind_product[at]
            shares = found[end] * variances[end] if end in found else np.ones(1)
            _count(network, found, node.input[0], _through(network, at, variances, shares))
            continue
        region = ends.get(node.output[0])
        if region is not None:
            if region.end in found:
                _count(network, found, region.start, found[region.end])
            continue
        behind = found.get(node.output[0])
        if behind is None or any(at in item.nodes for item in starts.values()):
            continue
        if node.op_type in _ALIKE:
            for name in network.computed(at):
                _count(network, found, name, behind)
        elif node.op_type == "Concat":
            _split(network, found, at, behind)
        else:
            for name in network.computed(at):
                _count(network, found, name, np.array([behind.mean()]))
    return found


def _channels(network: Network, name: str) -> int:
    shape = network.shapes.get(name, ())
    return shape[channel_axis(len(shape))] if len(shape) > 1 else 1


def _count(network: Network, found: dict[str, NDArray], name: str, value: NDArray) -> None:
    """Add what a reader makes of a tensor."""
    channels = _channels(network, name)
    if value.size != channels:
        value = np.full(channels, value.mean())
    found[name] = found.get(name, 0) + value


def _split(network: Network, found: dict[str, NDArray], at: int, behind: NDArray) -> None:
    start = 0
    for name in network.computed(at):
        channels = _channels(network, name)
        _count(network, found, name, behind[start:start + channels]
               if start + channels <= behind.size else behind)
        start += channels


def _through(network: Network, at: int, variances: Mapping[str, NDArray],
             shares: NDArray) -> NDArray:
    """Of the channels that a node with weights reads; ``shares`` are those of its sums."""
    weights = network.weights(at)
    assert weights is not None
    kernel = np.square(network.constants[weights.name].astype(np.float64))
    variance = variances[network.nodes[at].output[0]]
    variance = np.maximum(variance, _LEAST * variance.max(initial=_LEAST))
    parts = np.broadcast_to(shares if shares.size == variance.size else shares.mean(),
                            variance.shape) / variance
    group = network.attribute(at, "group", 1)
    assert isinstance(group, int)
    if network.nodes[at].op_type == "ConvTranspose":  # (inputs, outputs of a group, ...)
        kernel = kernel.reshape(group, -1, kernel.shape[1], int(np.prod(kernel.shape[2:])))
        return np.einsum("gioy,go->gi", kernel, parts.reshape(group, -1)).ravel()
    if network.nodes[at].op_type == "Conv":
        kernel = kernel.reshape(group, -1, kernel.shape[1], int(np.prod(kernel.shape[2:])))
        return np.einsum("goiy,go->gi", kernel, parts.reshape(group, -1)).ravel()
    kernel = kernel if weights.axis == 0 else kernel.T
    return np.einsum("oi,o->i", kernel, parts)
