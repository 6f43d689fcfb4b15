"""Graph to operators of the chip: windows, and what is left to the host."""

from collections.abc import Callable

from golden.external import External
from golden.graph import Graph, Node
from golden.spec.config import Config
from sw.compiler import (
    lower_gate,
    lower_movement,
    lower_resize,
    lower_simple,
    lower_tables,
    lower_weighted,
)
from sw.compiler.focus import with_blocks
from sw.compiler.fold import fold_narrow
from sw.compiler.lowering import Lowered, Lowering
from sw.compiler.split import split_wide
from sw.compiler.window import KernelOp, WindowOp
from sw.drp.operators import KERNELS
from sw.drp.streamed import Streamed

__all__ = ["lower"]

_HANDLERS: dict[str, Callable[[Lowering, Node], None]] = {
    "Add": lower_simple.add, "AveragePool": lower_simple.average_pool,
    "Clamp": lower_tables.clamp, "Concat": lower_simple.concat,
    "Conv2D": lower_weighted.conv2d, "DepthToSpace": lower_movement.depth_to_space,
    "DepthwiseConv2D": lower_weighted.depthwise_conv2d,
    "FullyConnected": lower_weighted.fully_connected, "Lookup": lower_tables.lookup,
    "MaxPool": lower_simple.max_pool,
    "Mean": lower_simple.mean, "Multiply": lower_gate.multiply,
    "Pad": lower_simple.pad, "PRelu": lower_simple.prelu, "Quantize": lower_simple.quantize,
    "ReduceMax": lower_simple.mean,
    "Reshape": lower_simple.reshape, "ResizeLinear": lower_resize.resize_linear,
    "SpaceToDepth": lower_movement.space_to_depth, "Take": lower_movement.take,
    "TransposedConv2D": lower_weighted.transposed_conv2d,
}


def lower(graph: Graph, config: Config, *, dense: bool = False) -> Lowered:
    """Lower every node; what the chip can't do becomes a HostOp that says why.

    ``dense`` is as for `compile_graph`: whether zero weights cost cycles.

    Raises
    ------
    ModelError
        For a window or stride beyond the instruction set.
    """
    graph = with_blocks(graph)
    net = Lowering(graph, config)
    for name in graph.inputs:
        net.tensor(name).bytes_in_dram = True
    for node in graph.nodes:
        if node.op in _HANDLERS:
            _HANDLERS[node.op](net, node)
        elif isinstance(node.attrs, External):
            reasons = dict.fromkeys(f"{op}: {why}" for op, _, why in node.attrs.parts if why)
            net.leave(node, "; ".join(reasons))
        else:
            net.leave(node, f"{node.op} " + (
                "needs the DRP" if type(node.attrs) in KERNELS else "has no unit on the chip"))
    for name in graph.outputs:
        net.out.tensors[net.root.get(name, name)].bytes_in_dram = True
    fold_narrow(config, net.out, dense=dense)
    net.out.ops = [part for op in net.out.ops for part in (
        split_wide(config, op, net.out.tensors) if isinstance(op, WindowOp) else [op])]
    for number, op in enumerate(net.out.ops):
        op.layer = number
        if isinstance(op, KernelOp) and isinstance(op.recipe, Streamed):
            read = {net.out.origin(name) for other in net.out.ops for name in other.reads}
            op.beside = not read & {net.out.origin(name) for name in op.writes}
    return net.out
