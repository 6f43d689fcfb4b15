"""Every second pixel, four times, joined as channels: blocks of pixels as channels.

YOLO's networks begin so. As one operator it is blocks, which a convolution reads where they are.
"""

import dataclasses
import math

import numpy as np

from golden.attributes import Concat
from golden.graph import Graph, Node, Tensor
from golden.movement import SpaceToDepth, Take

__all__ = ["with_blocks"]


def with_blocks(graph: Graph) -> Graph:
    """The same network with blocks in place of strided parts of one feature map that are joined."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    nodes, tensors = list[Node](), dict(graph.tensors)
    for node in graph.nodes:
        found = _blocks(graph, makers, node)
        if found is not None:
            blocks, node, tensor = found
            nodes.append(blocks)
            tensors[tensor.name] = tensor
        nodes.append(node)
    if len(nodes) == len(graph.nodes):
        return graph
    used = {*graph.outputs}
    for node in reversed(nodes):  # parts that nothing reads any more
        if used.intersection(node.outputs) or not isinstance(node.attrs, Take):
            used |= {*node.inputs, *node.outputs}
    return dataclasses.replace(
        graph, nodes=[node for node in nodes if used.intersection(node.outputs)],
        tensors={name: tensor for name, tensor in tensors.items()
                 if name in used or name in graph.inputs})


def _blocks(graph: Graph, makers: dict[str, Node],
            node: Node) -> tuple[Node, Node, Tensor] | None:
    """Two nodes in place of a Concat, and the tensor between; None if it joins something else."""
    block = math.isqrt(len(node.inputs))
    shape = graph.tensors[node.outputs[0]].shape
    if not isinstance(node.attrs, Concat) or node.attrs.axis != 3 or len(shape) != 4 or (
            block < 2 or block ** 2 != len(node.inputs)):
        return None
    parts = [_part(graph, makers, name) for name in node.inputs]
    base = parts[0][0]
    given = graph.tensors[base]
    _, height, width, channels = given.shape
    if height % block or width % block:
        return None
    phases = []
    for name, rows, columns in parts:
        y, x = int(rows[0]), int(columns[0])
        if name != base or y >= block or x >= block or not (
                np.array_equal(rows, np.arange(y, height, block))
                and np.array_equal(columns, np.arange(x, width, block))):
            return None
        phases.append(y * block + x)
    name = f"{node.outputs[0]}_blocks"
    if sorted(phases) != list(range(block ** 2)) or name in graph.tensors:
        return None
    order = np.concatenate([phase * channels + np.arange(channels) for phase in phases])
    made = dataclasses.replace(graph.tensors[node.outputs[0]], name=name)
    return (Node(f"{node.name}_blocks", (base,), (name,), SpaceToDepth(block=block)),
            Node(node.name, (name,), node.outputs, Take(
                indices=(None, None, None, tuple(order.tolist())))), made)


def _part(graph: Graph, makers: dict[str, Node],
          name: str) -> tuple[str, np.ndarray, np.ndarray]:
    """(feature map, rows, columns) that a tensor consists of."""
    _, height, width, _ = graph.tensors[name].shape
    rows, columns = np.arange(height), np.arange(width)
    while (maker := makers.get(name)) and isinstance(maker.attrs, Take) \
            and maker.attrs.indices[3] is None:
        down, across = maker.attrs.indices[1:3]
        rows = rows if down is None else np.array(down)[rows]
        columns = columns if across is None else np.array(across)[columns]
        (name,) = maker.inputs
    return name, rows, columns
