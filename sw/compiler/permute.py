"""Channels in an order in which zero weights pack well; results stay what they are.

A block costs the most nonzero weights of any of its lanes. Which output channels share a lane
block, and which input channels a group, is free wherever a feature map's channels are only
counted off by the operators around it: producers write them in another order, consumers read
them so. The order is found by sorting and then by swaps, on the rows that the array would take.
"""

from dataclasses import dataclass

import numpy as np

from golden.attributes import Conv2D, FullyConnected
from golden.graph import Graph, Node
from golden.spec.config import Config
from sw.compiler.channels import channel_sets, with_channels

__all__ = ["permute_channels"]

_LEAST_ZEROS = 0.02  # share of zero weights below which no order helps
_MOST_SWAPS = 1000  # tried for each set of feature maps
_MOST_WORK = 40_000_000  # weights that they look at


def permute_channels(graph: Graph, config: Config) -> Graph:
    """The same network with channels reordered between its operators.

    Inputs and outputs of the graph keep their order; so do feature maps that an operator reads
    in any other way than channel by channel (concatenation, reshaping, the host's operators).
    """
    found = [_layer(graph, node, number, config) for number, node in enumerate(graph.nodes)]
    layers = [layer for layer in found if layer is not None]
    for members in channel_sets(graph):
        before = [layer for layer in layers if graph.nodes[layer.node].outputs[0] in members]
        after = [layer for layer in layers if graph.nodes[layer.node].inputs[0] in members]
        if not any((~layer.used).mean() >= _LEAST_ZEROS for layer in before + after):
            continue
        order = _Search(config, before, after).run()
        if order is None:
            continue
        for layer in before:
            layer.used = layer.used[order]
        for layer in after:
            layer.used = layer.used[:, :, order]
        graph = with_channels(graph, members, order)
    return graph


@dataclass
class _Layer:
    """Weights that aren't zero, (outputs, kernel positions, inputs), and passes over them."""

    node: int
    used: np.ndarray
    tiles: int


def _layer(graph: Graph, node: Node, number: int, config: Config) -> _Layer | None:
    attrs, shape = node.attrs, graph.tensors[node.inputs[0]].shape
    output = graph.tensors[node.outputs[0]].shape
    if isinstance(attrs, Conv2D) and attrs.groups == 1:
        channels = attrs.kernel.shape[3]
        pixels = output[1] * output[2]
    elif isinstance(attrs, FullyConnected):
        channels = shape[-1] if attrs.kernel.shape[1] % shape[-1] == 0 else attrs.kernel.shape[1]
        pixels = int(np.prod(output[:-1]))
    else:
        return None
    used = attrs.kernel.reshape(len(attrs.kernel), -1, channels) != 0
    return _Layer(number, used, -(-pixels // config.columns))


class _Search:
    """Finds an order of the channels between some layers."""

    def __init__(self, config: Config, before: list[_Layer], after: list[_Layer]) -> None:
        self._group, self._drain = config.group, config.drain_cycles
        self._channels = len(before[0].used) if before else (
            after[0].used.shape[2] if after else 0)
        # Of every output channel, and of every input channel by lane block.
        self._before = [(layer.tiles, self._counts(layer.used)) for layer in before]
        self._after = [(layer.tiles, self._columns(layer.used)) for layer in after]

    def run(self) -> np.ndarray | None:
        """The best order found, or None if it is the present one."""
        count = self._channels
        if count <= self._group:
            return None
        start = np.arange(count)
        load = np.zeros(count)
        for tiles, counts in self._before:
            load += tiles * counts.sum(axis=1)
        reads = np.zeros(count)
        for tiles, columns in self._after:
            reads += tiles * columns.sum(axis=(1, 2, 3))
        candidates = [start, *(np.argsort(-key, kind="stable")
                               for key in (load, reads, load + reads))]
        costs = [self._cost(order) for order in candidates]
        best = int(np.argmin(costs))
        order = self._swapped(candidates[best], costs[best])
        return order if self._cost(order) < costs[0] else None

    def _counts(self, used: np.ndarray) -> np.ndarray:
        """Weights of each block in each output channel, [O, blocks]."""
        padded = np.pad(used, ((0, 0), (0, 0), (0, -used.shape[2] % self._group)))
        return padded.reshape(len(used), -1, self._group).sum(axis=2)

    def _columns(self, used: np.ndarray) -> np.ndarray:
        """Weights of each input channel, [I, lane blocks, lanes, kernel positions]."""
        outputs, places, inputs = used.shape
        padded = np.pad(used, ((0, -outputs % self._group), (0, 0), (0, 0)))
        return padded.reshape(-1, self._group, places, inputs).transpose(3, 0, 1, 2).astype(
            np.int16)

    def _cost(self, order: np.ndarray) -> float:
        """Cycles of all layers."""
        total = 0
        starts = np.arange(0, len(order), self._group)
        for tiles, counts in self._before:
            rows = np.maximum.reduceat(counts[order], starts, axis=0).sum(axis=1)
            total += tiles * int(np.maximum(rows, self._drain).sum())
        for tiles, columns in self._after:
            groups = np.add.reduceat(columns[order], starts, axis=0)
            rows = groups.max(axis=2).sum(axis=(0, 2))
            total += tiles * int(np.maximum(rows, self._drain).sum())
        return total

    def _swapped(self, order: np.ndarray, cost: float) -> np.ndarray:
        """Better by swaps of channels of different groups, in a fixed random sequence."""
        rng = np.random.default_rng(0)
        size = sum(counts.size for _, counts in (*self._before, *self._after))
        swaps = min(_MOST_SWAPS, _MOST_WORK // size)
        for first, second in rng.integers(0, len(order), (swaps, 2)).tolist():
            if first // self._group == second // self._group:
                continue
            trial = order.copy()
            trial[[first, second]] = trial[[second, first]]
            if (found := self._cost(trial)) < cost:
                order, cost = trial, found
        return order
