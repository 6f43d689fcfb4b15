"""A graph with other weights."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from golden.attributes import Weighted
from golden.graph import Graph
from sw.prune.pattern import prunable

__all__ = ["ones", "with_kernels"]


def with_kernels(graph: Graph, kernels: Mapping[str, NDArray]) -> Graph:
    """The graph with these kernels, by node; the other nodes stay as they are."""
    nodes = []
    for node in graph.nodes:
        if node.name in kernels:
            assert isinstance(node.attrs, Weighted)
            node = dataclasses.replace(node, attrs=dataclasses.replace(
                node.attrs, kernel=kernels[node.name]))
        nodes.append(node)
    return dataclasses.replace(graph, nodes=nodes)


def ones(graph: Graph, kept: Mapping[str, NDArray] | None = None) -> Graph:
    """The graph with a one for every weight.

    Parameters
    ----------
    graph : Graph
    kept : mapping of str to bool ndarray, optional
        By node, in the chip's order: the others of its weights are zero. Depthwise convolutions
        are ones throughout.
    """
    kernels = {}
    for node in graph.nodes:
        if isinstance(node.attrs, Weighted):
            kernel = np.ones_like(node.attrs.kernel)
            if kept and node.name in kept and prunable(node.attrs):
                kernel = kept[node.name].reshape(kernel.shape).astype(kernel.dtype)
            kernels[node.name] = kernel
    return with_kernels(graph, kernels)
