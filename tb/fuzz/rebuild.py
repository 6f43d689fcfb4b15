"""A graph made again after something in it changed: operators follow their inputs' shapes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from golden.attributes import (
    Attributes,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    GraphError,
    Shape,
    Weighted,
)
from golden.graph import Graph, Node, Quant, Tensor
from golden.movement import Take
from golden.resize import ResizeLinear
from golden.transposed import TransposedConv2D

__all__ = ["outputs_kept", "rebuild"]

_PER_CHANNEL = ("bias", "multiplier", "pre", "post")


def rebuild(graph: Graph, *, outputs: tuple[str, ...] | None = None,
            shapes: Mapping[str, Shape] | None = None,
            attrs: Mapping[str, Attributes] | None = None,
            aliases: Mapping[str, str] | None = None,
            inputs: tuple[str, ...] = (), zero: int | None = None) -> Graph:
    """A smaller graph, valid, without what no output needs.

    Parameters
    ----------
    outputs : tuple of str
        In place of the graph's.
    shapes : mapping
        New shapes of inputs, not larger than the old ones.
    attrs : mapping of node name to Attributes
        In place of the node's.
    aliases : mapping of str to str
        Tensors to be read in place of others.
    inputs : tuple of str
        Computed tensors that become inputs.
    zero : int or None
        New zero point of every tensor.

    Raises
    ------
    GraphError
        If an operator can't follow.
    """
    shapes, attrs, aliases = dict(shapes or {}), attrs or {}, aliases or {}
    outputs = tuple(dict.fromkeys(_alias(n, aliases) for n in outputs or graph.outputs))
    needed, nodes = set(outputs), []
    for node in reversed(graph.nodes):
        if needed & set(node.outputs) and not set(node.outputs) & set(inputs):
            nodes.append(dataclasses.replace(
                node, inputs=tuple(_alias(n, aliases) for n in node.inputs)))
            needed.update(nodes[-1].inputs)
    made = {name for node in nodes for name in node.outputs}
    result = Graph(graph.name, outputs=outputs)
    for name in (name for name in graph.tensors if name in needed and name not in made):
        result.add(_tensor(graph, name, shapes.get(name, graph.tensors[name].shape), zero))
        result.inputs = (*result.inputs, name)
    for node in reversed(nodes):
        result.nodes.append(_node(result, node, attrs.get(node.name, node.attrs)))
        new = result.nodes[-1]
        shape = new.attrs.shape(*(result.tensors[name].shape for name in new.inputs))
        result.add(_tensor(graph, node.outputs[0], shape, zero))
    if not result.nodes:
        raise GraphError("nothing is left")
    result.validate()
    return result


def outputs_kept(attrs: Weighted, channels: int) -> Weighted:
    """An operator's first output channels.

    Raises
    ------
    GraphError
        If it can't have so few.
    """
    change: dict[str, Any] = {name: getattr(attrs, name)[:channels] for name in _PER_CHANNEL}
    if isinstance(attrs, DepthwiseConv2D) or getattr(attrs, "groups", 1) > 1:
        raise GraphError("its channels follow the input's")
    return dataclasses.replace(attrs, kernel=attrs.kernel[:channels], **change)


def _alias(name: str, aliases: Mapping[str, str]) -> str:
    while name in aliases:
        name = aliases[name]
    return name


def _tensor(graph: Graph, name: str, shape: Shape, zero: int | None) -> Tensor:
    old = graph.tensors[name]
    quant = old.quant if zero is None or old.quant is None else Quant(old.quant.scale, zero)
    return Tensor(name, shape, old.dtype, quant)


def _node(graph: Graph, node: Node, attrs: Attributes) -> Node:
    """The node with its weights cut to its inputs' shapes."""
    shape = graph.tensors[node.inputs[0]].shape
    if isinstance(attrs, Conv2D):
        outputs, depth = attrs.kernel.shape[0] // attrs.groups, attrs.kernel.shape[3]
        groups = min(max(shape[-1] // depth, 1), attrs.groups)
        attrs = dataclasses.replace(
            attrs, groups=groups, kernel=attrs.kernel[:groups * outputs, ..., :shape[-1]], **{
                name: getattr(attrs, name)[:groups * outputs] for name in _PER_CHANNEL})
    elif isinstance(attrs, DepthwiseConv2D):
        channels = shape[-1] * attrs.channel_multiplier
        attrs = dataclasses.replace(attrs, kernel=attrs.kernel[..., :channels], **{
            name: getattr(attrs, name)[:channels] for name in _PER_CHANNEL})
    elif isinstance(attrs, TransposedConv2D):
        attrs = dataclasses.replace(
            attrs, kernel=attrs.kernel[..., :max(shape[-1] // attrs.groups, 1)])
    elif isinstance(attrs, Take):
        attrs = Take(indices=tuple(
            item if item is None else tuple(i for i in item if i < size) or (0,)
            for item, size in zip(attrs.indices, shape, strict=True)))
    elif isinstance(attrs, ResizeLinear):
        rows, columns = (tuple(min(place, (size - 1) * parts) for place in places)
                         for places, parts, size in zip((attrs.rows, attrs.columns), attrs.parts,
                                                        shape[1:3], strict=True))
        attrs = dataclasses.replace(attrs, rows=rows, columns=columns)
    elif isinstance(attrs, FullyConnected) and attrs.kernel.shape[1] > shape[-1]:
        size = 1
        for part in shape:
            size *= part
        attrs = dataclasses.replace(attrs, kernel=attrs.kernel[:, :size])
    return dataclasses.replace(node, attrs=attrs)
