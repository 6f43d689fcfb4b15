"""Functions of one tensor, value by value: tables behind the operator that computes it."""

import numpy as np

from golden.attributes import Clamp
from golden.graph import Node
from golden.lookup import Lookup
from golden.ops.elementwise import clamp_table
from golden.spec.isa import PostMode
from sw.compiler.lowering import Lowering
from sw.compiler.window import Post, WindowOp

__all__ = ["clamp", "lookup"]

_BYTES = np.arange(256).astype(np.uint8).view(np.int8).astype(int)  # in the chip's order


def clamp(net: Lowering, node: Node) -> None:
    """ReLU and its kin, and requantization."""
    attrs = node.attrs
    assert isinstance(attrs, Clamp)
    channels = net.tensor(node.inputs[0]).channels
    _applied(net, node, clamp_table(attrs), net.uniform_post(
        channels, attrs.scale, -attrs.input_zero, attrs.output_zero, attrs.least, attrs.most))


def lookup(net: Lowering, node: Node) -> None:
    """Any function."""
    attrs = node.attrs
    assert isinstance(attrs, Lookup)
    post = net.uniform_post(net.tensor(node.inputs[0]).channels)
    post.mode, post.table = PostMode.TABLE, _chip_order(attrs.table)
    _applied(net, node, attrs.table, post)


def _chip_order(table: np.ndarray) -> np.ndarray:
    """Entries by q & 255 in place of q + 128."""
    return table[_BYTES + 128].astype(np.int64)


def _applied(net: Lowering, node: Node, table: np.ndarray, post: Post) -> None:
    """Part of the addition that reads it, or of what computes its input; else a copy."""
    name, result = node.inputs[0], node.outputs[0]
    users = net.graph.consumers(result)
    if net.alone(result) and users[0].op == "Add":
        net.tables[result] = name, table
        return
    source, output = net.tensor(name), net.tensor(result)
    output.height, output.width = source.height, source.width
    writers = [net.out.ops[index] for index in net.writers(name)]
    if writers and net.alone(name) and all(
            isinstance(op, WindowOp) and op.post.mode == PostMode.PLAIN and op.output == name
            for op in writers):
        del net.out.tensors[name]
        for op in writers:
            assert isinstance(op, WindowOp)
            op.output = output.name
            op.operator += f"+{node.op}"
            op.post.mode, op.post.table = PostMode.TABLE, _chip_order(table)
        return
    net.identity(node, [source], output, post)
