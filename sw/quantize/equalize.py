"""Cross-layer equalization: factors moved from one node's channels into the next one's weights.

Where only a function with f(s x) = s f(x) for s > 0 lies between two nodes with weights, a channel
may leave the first one smaller and be enlarged again by the second. Factors are chosen so that both
spread their weights over the same range in every channel.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sw.quantize.network import Network

__all__ = ["Pair", "equalized", "find_pairs"]

_HOMOGENEOUS = frozenset(("Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool",
                          "Identity", "Dropout"))
_SWEEPS, _SETTLED = 20, 1e-3
# Channels with next to no weights, and what they give, would be blown up.
_LEAST_WEIGHT, _LARGEST_FACTOR = 1e-2, 32.0


@dataclass(frozen=True)
class Pair:
    """Two nodes with weights that share channels."""

    first: int
    second: int


def _alone(network: Network, at: int) -> bool:
    """Nobody else has the node's weights or bias."""
    found = network.weights(at)
    return found is not None and all(
        len(network.readers[name]) == 1 for name in (found.name, found.bias) if name)


def find_pairs(network: Network) -> list[Pair]:
    """Nodes with weights and those that alone read what they give."""
    pairs = []
    for at, node in enumerate(network.nodes):
        if node.op_type != "Conv" or not _alone(network, at):
            continue
        tensor = node.output[0]
        while (reader := network.only_reader(tensor)) is not None and (
                network.nodes[reader].op_type in _HOMOGENEOUS):
            tensor = network.nodes[reader].output[0]
        if reader is not None and network.nodes[reader].op_type == "Conv" and (
                _alone(network, reader) and network.nodes[reader].input[0] == tensor):
            pairs.append(Pair(at, reader))
    return pairs


def _by_input(network: Network, at: int, kernel: NDArray) -> NDArray:
    """A view of a kernel [groups, outputs, inputs of a group, ...]."""
    group = network.attribute(at, "group", 1)
    assert isinstance(group, int)
    return kernel.reshape(group, -1, *kernel.shape[1:])


def equalized(network: Network) -> Network | None:
    """The same function with equalized weights; None where no nodes are neighbours so."""
    pairs = find_pairs(network)
    if not pairs:
        return None
    kernels = {at: network.constants[network.nodes[at].input[1]].astype(np.float64)
               for pair in pairs for at in (pair.first, pair.second)}
    biases = {pair.first: network.bias(pair.first) for pair in pairs}
    biases |= {pair.second: network.bias(pair.second) for pair in pairs}
    total = {pair: np.ones(len(kernels[pair.first])) for pair in pairs}
    for _ in range(_SWEEPS):
        largest = 1.0
        for pair in pairs:
            first, second = kernels[pair.first], kernels[pair.second]
            columns = _by_input(network, pair.second, second)
            rows = np.abs(first).reshape(len(first), -1).max(axis=1)
            behind = np.abs(columns).max(axis=(1, *range(3, columns.ndim))).ravel()
            known = (rows > _LEAST_WEIGHT * rows.max()) & (behind > _LEAST_WEIGHT * behind.max())
            factor = np.sqrt(np.divide(rows, behind, out=np.ones_like(rows), where=known))
            factor = np.clip(factor * total[pair], 1 / _LARGEST_FACTOR,
                             _LARGEST_FACTOR) / total[pair]
            total[pair] *= factor
            first /= factor.reshape(-1, *(1,) * (first.ndim - 1))
            biases[pair.first] /= factor
            columns *= factor.reshape(len(columns), 1, -1, *(1,) * (columns.ndim - 3))
            largest = max(largest, float(np.exp(np.abs(np.log(factor)).max())))
        if largest < 1 + _SETTLED:
            break
    return _with(network, kernels, biases)


def _with(network: Network, kernels: dict[int, NDArray], biases: dict[int, NDArray]) -> Network:
    """A network with other weights."""
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    changed = {network.nodes[at].input[1]: kernel for at, kernel in kernels.items()}
    for at, bias in biases.items():
        found = network.weights(at)
        assert found is not None
        if found.bias:
            changed[found.bias] = bias
    for item in model.graph.initializer:
        if item.name in changed:
            shape = network.constants[item.name].shape
            item.CopyFrom(onnx.numpy_helper.from_array(
                changed[item.name].astype(np.float32).reshape(shape), item.name))
    return Network(model)
