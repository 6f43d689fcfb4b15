"""Channels without effect left out: those that nothing reads, and those that never change.

Results stay what they are. A channel that no weight reads need not be computed; one whose own
weights are all zero is a constant, which its readers' biases take in. Leaving channels out makes
others useless, before and after, so that all is looked at until nothing changes.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from golden.attributes import (
    AveragePool,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool,
    Reshape,
    Weighted,
    Window,
)
from golden.graph import Graph, Node
from golden.lookup import Lookup
from golden.ops.requantize import finish, requantize
from golden.spec.config import Config
from sw.compiler.channels import channel_sets, counts_off, with_channels

__all__ = ["drop_channels", "share_of_work"]

# Of a tensor's channels: which are constant, and their values.
_Constants = dict[str, tuple[NDArray, NDArray]]


def drop_channels(graph: Graph, config: Config) -> Graph:
    """The same network with fewer channels, where whole groups can go."""
    while (fewer := _once(graph, config)) is not graph:
        graph = fewer
    return graph


def share_of_work(graph: Graph, fewer: Graph) -> dict[str, float]:
    """Of each node, the products that are left of those before channels were dropped."""
    def size(network: Graph, node: Node) -> int:
        if isinstance(node.attrs, Weighted):
            return node.attrs.kernel.size
        return math.prod(network.tensors[node.outputs[0]].shape)

    return {before.name: size(fewer, after) / size(graph, before)
            for before, after in zip(graph.nodes, fewer.nodes, strict=True)}


def _once(graph: Graph, config: Config) -> Graph:
    found, constants = graph, _constants(graph)
    for members in channel_sets(graph):
        readers = [node for node in found.nodes if node.inputs[0] in members
                   and isinstance(node.attrs, Conv2D | FullyConnected)]
        shape = found.tensors[next(iter(members))].shape
        # Reshapes keep the last axis, so that all members have as many channels.
        if not readers or shape[-1] <= config.group:
            continue
        read, foldable = np.zeros(shape[-1], bool), np.ones(shape[-1], bool)
        for node in readers:
            used = _reads(found, node)
            read |= used
            constant, value = constants[node.inputs[0]]
            assert isinstance(node.attrs, Weighted)
            foldable &= ~used | (constant & _as_padding(node, value))
        live = read & ~foldable
        # Whole groups, at least one: what fills the last one stays as it is.
        keep = max(-(-int(live.sum()) // config.group), 1) * config.group
        if keep >= len(live):
            continue
        kept = np.sort(np.argsort(~live, kind="stable")[:keep])
        gone = np.ones(len(live), bool)
        gone[kept] = False
        found = _folded(found, readers, gone, constants)
        found = with_channels(found, members, kept)
        constants |= {name: (constants[name][0][kept], constants[name][1][kept])
                      for name in members}
    return found


def _reads(graph: Graph, node: Node) -> NDArray:
    """Which input channels have a weight that isn't zero."""
    assert isinstance(node.attrs, Weighted)
    channels = graph.tensors[node.inputs[0]].shape[-1]
    used: NDArray = (node.attrs.kernel.reshape(-1, channels) != 0).any(axis=0)
    return used


def _as_padding(node: Node, value: NDArray) -> NDArray:
    """Is the same all over a window that reaches over the edge?"""
    assert isinstance(node.attrs, Weighted)
    same: NDArray = value == node.attrs.input_zero
    padded = isinstance(node.attrs, Window) and any(node.attrs.pads)
    return same if padded else np.ones_like(same)


def _folded(graph: Graph, readers: list[Node], gone: NDArray, constants: _Constants) -> Graph:
    """Biases that hold what the constants that go contribute, wrapping as the sums do."""
    names = {node.name for node in readers}
    nodes = []
    for node in graph.nodes:
        attrs = node.attrs
        if node.name in names:
            assert isinstance(attrs, Weighted)
            value = constants[node.inputs[0]][1]
            weights = attrs.kernel.reshape(len(attrs.kernel), -1, len(gone)).sum(
                axis=1, dtype=np.int64)
            share = weights[:, gone] @ (value[gone] - attrs.input_zero)
            node = dataclasses.replace(node, attrs=dataclasses.replace(
                attrs, bias=(attrs.bias + share).astype(np.int32)))
        nodes.append(node)
    return dataclasses.replace(graph, nodes=nodes)


def _constants(graph: Graph) -> _Constants:
    """Constant channels of every tensor; the value of others means nothing."""
    found: _Constants = {}
    for name, tensor in graph.tensors.items():
        channels = tensor.shape[-1] if tensor.shape else 1
        found[name] = np.zeros(channels, bool), np.zeros(channels, np.int64)
    for node in graph.nodes:
        attrs, output = node.attrs, node.outputs[0]
        constant, value = found[node.inputs[0]]
        if isinstance(attrs, DepthwiseConv2D) and counts_off(graph, node):
            kernel = attrs.kernel.reshape(-1, attrs.kernel.shape[-1])
            same: NDArray = (kernel == 0).all(axis=0)
            found[output] = (same | (constant & _as_padding(node, value)),
                             _value(attrs, kernel.sum(axis=0, dtype=np.int64)
                                    * (value - attrs.input_zero)))
        elif isinstance(attrs, Conv2D | FullyConnected):
            kernel = attrs.kernel.reshape(len(attrs.kernel), -1)
            still: NDArray = (kernel == 0).all(axis=1)
            found[output] = still, _value(attrs, np.zeros(len(kernel), np.int64))
        elif isinstance(attrs, MaxPool | AveragePool):
            found[output] = constant, np.clip(value, attrs.least, attrs.most)
        elif isinstance(attrs, Lookup):
            found[output] = constant, attrs.table[value + len(attrs.table) // 2].astype(np.int64)
        elif isinstance(attrs, Reshape) and counts_off(graph, node):
            found[output] = constant, value
    return found


def _value(attrs: Weighted, sums: NDArray) -> NDArray:
    """Outputs for sums of products that are the same everywhere."""
    total = (attrs.bias + sums).astype(np.int32)
    scaled = requantize(total, attrs.multiplier, attrs.pre, attrs.post)
    return finish(scaled, attrs.output_zero, attrs.least, attrs.most, "int64")
