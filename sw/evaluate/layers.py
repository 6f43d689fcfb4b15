"""Layers of two forms of a network held against each other, one at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.attributes import Attributes, Weighted
from golden.graph import Graph, Node
from sw.prune.forward import Forward

__all__ = ["LayerLoss", "layer_losses"]


@dataclass(frozen=True)
class LayerLoss:
    """What one layer loses.

    Parameters
    ----------
    name, operator : str
    decibels : float
        Of the other's output over the difference to it, for the same input.
    """

    name: str
    operator: str
    decibels: float


def layer_losses(graph: Graph, other: Graph, inputs: Mapping[str, NDArray]) -> list[LayerLoss]:
    """Layers that differ, those that lose most first.

    Each is fed with what the other network feeds it, so that no layer pays for those before it.

    Parameters
    ----------
    graph, other : Graph
        With the same operators in the same order, and tensors of the same shapes and scales.
    inputs : mapping of str to ndarray
        Of ``other``.

    Raises
    ------
    ValueError
        If they aren't the same.
    """
    if [_kind(graph, node) for node in graph.nodes] != [_kind(other, node)
                                                        for node in other.nodes]:
        raise ValueError("other operators, shapes or scales")
    walk, found = Forward(other, inputs), []
    for node, reference in zip(graph.nodes, other.nodes, strict=True):
        if _same(node.attrs, reference.attrs):
            walk.step(reference)
            continue
        own = Node(node.name, reference.inputs, reference.outputs, node.attrs)
        given = walk.result(own).astype(float)
        walk.step(reference)
        quant = other.tensors[reference.outputs[0]].quant
        wanted = walk.values[reference.outputs[0]].astype(float) - (
            quant.zero_point if quant else 0)
        given -= quant.zero_point if quant else 0
        noise = float(np.square(given - wanted).sum())
        if noise:
            signal = max(float(np.square(wanted).sum()), 1.0)
            found.append(LayerLoss(node.name, node.op, 10 * float(np.log10(signal / noise))))
    return sorted(found, key=lambda layer: layer.decibels)


def _kind(graph: Graph, node: Node) -> tuple:
    tensor = graph.tensors[node.outputs[0]]
    return type(node.attrs), tensor.shape, tensor.quant


def _same(attrs: Attributes, other: Attributes) -> bool:
    if not isinstance(attrs, Weighted) or not isinstance(other, Weighted):
        return True  # nothing that training or pruning changes
    return np.array_equal(attrs.kernel, other.kernel) and np.array_equal(attrs.bias, other.bias)
