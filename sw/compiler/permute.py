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
from sw.compiler.pairs import pair_counts

__all__ = ["permute_channels"]

_LEAST_ZEROS = 0.02  # share of zero weights below which no order helps
_MOST_SWAPS = 1000  # tried for each set of feature maps
_MOST_WORK = 40_000_000  # weights that they look at
_LEAST_TOGETHER, _MOST_TOGETHER = 4, 32  # swaps looked at in one go


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
        if not any((layer.pairs == 0).mean() >= _LEAST_ZEROS for layer in before + after):
            continue
        order = _Search(config, before, after).run()
        if order is None:
            continue
        for layer in before:
            layer.pairs = layer.pairs[order]
        for layer in after:
            layer.pairs = layer.pairs[:, :, order]
        graph = with_channels(graph, members, order)
    return graph


@dataclass
class _Layer:
    """Pairs of the weights, (outputs, kernel positions, inputs), and passes over them."""

    node: int
    pairs: np.ndarray
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
    pairs = pair_counts(attrs.kernel.reshape(len(attrs.kernel), -1, channels))
    return _Layer(number, pairs, -(-pixels // config.columns))


class _Producer:
    """Passes over the weights of a layer that writes the channels; a group is a lane block."""

    def __init__(self, layer: _Layer, group: int) -> None:
        outputs, _, inputs = layer.pairs.shape
        # One more channel, without weights, fills the last group.
        padded = np.pad(layer.pairs, ((0, 1), (0, 0), (0, -inputs % group)))
        self.counts = padded.reshape(outputs + 1, -1, group).sum(axis=2, dtype=np.uint8)
        self._tiles = layer.tiles
        self.load = layer.tiles * self.counts[:-1].sum(axis=1, dtype=np.int64)

    def rows(self, groups: np.ndarray) -> np.ndarray:
        """Rows [...] of groups of channels [..., M]."""
        found: np.ndarray = np.maximum.reduce(self.counts[groups], axis=-2)
        return np.add.reduce(found, axis=-1, dtype=np.int64)

    def cost(self, rows: np.ndarray, drain: int) -> np.ndarray:
        """Cycles [...] of the layer, from the rows [..., groups] of all groups."""
        return self._tiles * np.add.reduce(np.maximum(rows, drain), axis=-1)


class _Consumer:
    """Passes over the weights of a layer that reads the channels."""

    def __init__(self, layer: _Layer, group: int) -> None:
        outputs, places, inputs = layer.pairs.shape
        padded = np.pad(layer.pairs, ((0, -outputs % group), (0, 0), (0, 1)))
        # Of each channel, [I, lane blocks, lanes, kernel positions].
        self.columns = padded.reshape(-1, group, places, inputs + 1).transpose(3, 0, 1, 2).astype(
            np.uint8)
        self._tiles = layer.tiles
        self.load = layer.tiles * self.columns[:-1].sum(axis=(1, 2, 3), dtype=np.int64)

    def rows(self, groups: np.ndarray) -> np.ndarray:
        """Rows [..., lane blocks] of groups of channels [..., M]."""
        found = np.add.reduce(self.columns[groups], axis=-4, dtype=np.uint8)
        return np.add.reduce(np.maximum.reduce(found, axis=-2), axis=-1, dtype=np.int64)

    def cost(self, rows: np.ndarray, drain: int) -> np.ndarray:
        """Cycles [...] of the layer, from the rows [..., groups, lane blocks] of all groups."""
        return self._tiles * np.add.reduce(
            np.maximum(np.add.reduce(rows, axis=-2), drain), axis=-1)


class _Search:
    """Finds an order of the channels between some layers."""

    def __init__(self, config: Config, before: list[_Layer], after: list[_Layer]) -> None:
        self._group, self._drain = config.group, config.drain_cycles
        self._channels = len(before[0].pairs) if before else (
            after[0].pairs.shape[2] if after else 0)
        self._before = [_Producer(layer, config.group) for layer in before]
        self._after = [_Consumer(layer, config.group) for layer in after]
        self._layers: list[_Producer | _Consumer] = [*self._before, *self._after]

    def run(self) -> np.ndarray | None:
        """The best order found, or None if it is the present one."""
        count = self._channels
        if count <= self._group:
            return None
        start, load, reads = np.arange(count), np.zeros(count), np.zeros(count)
        for producer in self._before:
            load += producer.load
        for consumer in self._after:
            reads += consumer.load
        candidates = [start, *(np.argsort(-key, kind="stable")
                               for key in (load, reads, load + reads))]
        costs = [int(self._costs(self._rows(self._groups(order)))) for order in candidates]
        best = int(np.argmin(costs))
        order, cost = self._swapped(candidates[best], costs[best])
        return order if cost < costs[0] else None

    def _groups(self, order: np.ndarray) -> np.ndarray:
        """The order [groups, M]; places left over hold the channel without weights."""
        spare = -len(order) % self._group
        return np.pad(order, (0, spare), constant_values=len(order)).reshape(-1, self._group)

    def _rows(self, groups: np.ndarray) -> list[np.ndarray]:
        """Rows of each layer."""
        return [layer.rows(groups) for layer in self._layers]

    def _costs(self, rows: list[np.ndarray]) -> np.ndarray:
        """Cycles of all layers, given the rows of each."""
        return np.sum([layer.cost(item, self._drain)
                       for layer, item in zip(self._layers, rows, strict=True)], axis=0)

    def _swapped(self, order: np.ndarray, cost: int) -> tuple[np.ndarray, int]:
        """Better by swaps of channels of different groups, in a fixed random sequence."""
        rng = np.random.default_rng(0)
        size = sum(item.counts[:-1].size for item in self._before) + sum(
            item.columns[:-1].size for item in self._after)
        swaps = min(_MOST_SWAPS, _MOST_WORK // size)
        pairs = rng.integers(0, len(order), (swaps, 2))
        pairs = pairs[pairs[:, 0] // self._group != pairs[:, 1] // self._group]
        groups, together = self._groups(order), _LEAST_TOGETHER
        rows = self._rows(groups)
        while len(pairs):
            # Several are tried at once; the first that is better is made, and the rest again.
            part = pairs[:together]
            each = np.arange(len(part))[:, None]
            trials = np.repeat(groups.reshape(1, -1), len(part), axis=0)
            trials[each, part] = trials[each, part[:, ::-1]]
            trials, changed = trials.reshape(-1, *groups.shape), part // self._group
            found = [np.repeat(item[None], len(part), axis=0) for item in rows]
            for item, new in zip(found, self._rows(trials[each, changed]), strict=True):
                item[each, changed] = new
            costs = self._costs(found)
            better = np.flatnonzero(costs < cost)
            if not better.size:
                pairs, together = pairs[together:], min(2 * together, _MOST_TOGETHER)
                continue
            first = int(better[0])
            groups, cost, rows = trials[first], int(costs[first]), [item[first] for item in found]
            pairs, together = pairs[first + 1:], _LEAST_TOGETHER
        return groups.reshape(-1)[:len(order)], cost
