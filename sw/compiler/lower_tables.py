"""Functions of one tensor, value by value: tables behind the operator that computes it."""

import numpy as np

from golden.attributes import Clamp
from golden.graph import Node
from golden.lookup import Lookup
from golden.ops.elementwise import clamp_table
from golden.spec.isa import PostMode
from golden.spec.layout import TABLE_ENTRIES
from sw.compiler.lowering import Lowering
from sw.compiler.window import Post, WindowOp
from sw.errors import ModelError

__all__ = ["clamp", "lookup"]


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
    _tabulate(post, attrs.table)
    _applied(net, node, attrs.table, post)


def _tabulate(post: Post, table: np.ndarray) -> None:
    """Let a table's entry follow on what is PLAIN so far."""
    half = len(table) // 2
    post.mode, post.table = PostMode.TABLE, table.astype(np.int64)
    if len(table) == TABLE_ENTRIES:
        post.table = np.roll(post.table, half)  # entry q modulo their number
        return
    # An int8 is counted from 0, so that its entries are the first ones.
    post.zero, post.least, post.most = (value + half for value in (
        post.zero, post.least, post.most))


def _applied(net: Lowering, node: Node, table: np.ndarray, post: Post) -> None:
    """Part of the addition that reads it, or of what computes its input; else a copy."""
    name, result = node.inputs[0], node.outputs[0]
    users, wide = net.graph.consumers(result), len(table) == TABLE_ENTRIES
    if net.alone(result) and users[0].op == "Add" and not wide:
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
            _tabulate(op.post, table)
        return
    if wide:
        raise ModelError(
            f"node {node.name!r}: a table of {len(table)} entries behind {name!r}; accepted is "
            "one behind a convolution or matrix product whose result nothing else reads")
    net.identity(node, [source], output, post)
