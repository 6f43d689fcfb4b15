"""Feature maps whose channels may be reordered or left out, and graphs with channels chosen."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from golden.attributes import (
    Add,
    Attributes,
    AveragePool,
    Clamp,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool,
    Mean,
    Pad,
    Reshape,
    Weighted,
)
from golden.graph import Graph, Node
from golden.lookup import Lookup

__all__ = ["channel_sets", "counts_off", "with_channels"]


def channel_sets(graph: Graph) -> list[set[str]]:
    """Feature maps whose channels must have one order, where that order is free.

    Free it is where a feature map's channels are only counted off by the operators around it:
    producers write them in another order, consumers read them so.
    """
    root = {name: name for name in graph.tensors}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    fixed = {*graph.inputs, *graph.outputs, *(tensor.name for tensor in graph.constants())}
    for node in graph.nodes:
        output = node.outputs[0]
        if counts_off(graph, node):
            for name in node.inputs:
                root[find(name)] = find(output)
        elif not _reads_any_order(graph, node):
            fixed |= {*node.inputs, *node.outputs}
    sets: dict[str, set[str]] = {}
    for name in graph.tensors:
        sets.setdefault(find(name), set()).add(name)
    return [members for members in sets.values() if not members & fixed]


def counts_off(graph: Graph, node: Node) -> bool:
    """Does output channel c only read channel c?"""
    attrs, shape = node.attrs, graph.tensors[node.inputs[0]].shape
    if isinstance(attrs, DepthwiseConv2D):
        return attrs.channel_multiplier == 1
    if isinstance(attrs, Mean):
        return len(shape) - 1 not in attrs.axes
    if isinstance(attrs, Pad):
        return attrs.pads[-1] == (0, 0)
    if isinstance(attrs, Reshape):
        return len(shape) > 1 < len(attrs.to) and attrs.to[-1] == shape[-1]
    shapes = {graph.tensors[name].shape for name in node.inputs}
    return isinstance(attrs, Add | MaxPool | AveragePool | Clamp | Lookup) and len(shapes) == 1


def _reads_any_order(graph: Graph, node: Node) -> bool:
    """Can weights be reordered with the channels, on both sides?"""
    attrs, shape = node.attrs, graph.tensors[node.inputs[0]].shape
    if isinstance(attrs, FullyConnected):
        # A row of inputs must be whole pixels.
        return attrs.kernel.shape[1] in (shape[-1], int(np.prod(shape[1:])))
    return isinstance(attrs, Conv2D) and attrs.groups == 1


def with_channels(graph: Graph, members: set[str], order: NDArray) -> Graph:
    """The graph when channel ``order[c]`` of the members has become channel c.

    Parameters
    ----------
    graph : Graph
    members : set of str
        One of `channel_sets`.
    order : ndarray of int
        All channels in a new order, or some of them: those that are left out are neither written
        nor read.
    """
    tensors = {name: dataclasses.replace(tensor, shape=(*tensor.shape[:-1], len(order)))
               if name in members else tensor for name, tensor in graph.tensors.items()}
    nodes = [dataclasses.replace(node, attrs=_chosen(graph, node, members, order))
             for node in graph.nodes]
    return dataclasses.replace(graph, tensors=tensors, nodes=nodes)


def _chosen(graph: Graph, node: Node, members: set[str], order: NDArray) -> Attributes:
    attrs = node.attrs
    reads, writes = node.inputs[0] in members, node.outputs[0] in members
    if isinstance(attrs, Reshape) and writes:
        return dataclasses.replace(attrs, to=(*attrs.to[:-1], len(order)))
    if not isinstance(attrs, Weighted) or not (reads or writes):
        return attrs
    kernel = attrs.kernel
    if isinstance(attrs, DepthwiseConv2D):
        kernel = kernel[..., order]
    else:
        if reads:
            channels = graph.tensors[node.inputs[0]].shape[-1]
            chosen = kernel.reshape(len(kernel), -1, channels)[:, :, order]
            kernel = chosen.reshape(len(kernel), *(kernel.shape[1:-1] if kernel.ndim > 2
                                                   else ()), -1)
        if writes:
            kernel = kernel[order]
    changes: dict[str, NDArray] = {"kernel": np.ascontiguousarray(kernel)}
    if writes:
        changes |= {name: getattr(attrs, name)[order]
                    for name in ("bias", "multiplier", "pre", "post")}
    return dataclasses.replace(attrs, **changes)  # type: ignore[arg-type]
