"""Sizes that contradict each other and that ONNX's inference lets pass."""

import math
from collections.abc import Callable, Mapping

import onnx

from sw.frontend.onnx.held import held_tensors

__all__ = ["contradiction"]

_OWN = ("", "ai.onnx")
Sizes = Callable[[int], list[int]]  # of an input; empty where they aren't known


def contradiction(model: onnx.ModelProto) -> tuple[int, str] | None:
    """(node's number, what is wrong) of the first such node; None if there is none.

    Parameters
    ----------
    model : ModelProto
        With the shapes of its tensors.
    """
    held = held_tensors(model)
    shapes = {item.name: [size.dim_value for size in item.type.tensor_type.shape.dim]
              for item in (*model.graph.input, *model.graph.value_info)}
    shapes |= {name: list(item.dims) for name, item in held.items()}
    for index, node in enumerate(model.graph.node):
        check = _CHECKS.get(node.op_type)
        if check is None or node.domain not in _OWN:
            continue

        def sizes(at: int, node: onnx.NodeProto = node) -> list[int]:
            found = shapes.get(node.input[at], []) if at < len(node.input) else []
            return found if all(size > 0 for size in found) else []

        if text := check(node, sizes, held):
            return index, text
    return None


def _number(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((item.i for item in node.attribute if item.name == name), default)


def _convolution(kernel_at: int, bias_at: int, turned: bool = False) -> Callable[..., str]:
    """Check of inputs at those places."""
    def check(node: onnx.NodeProto, sizes: Sizes, _: Mapping[str, onnx.TensorProto]) -> str:
        source, kernel, bias = sizes(0), sizes(kernel_at), sizes(bias_at)
        if min(len(source), len(kernel)) < 3:
            return ""
        groups = _number(node, "group", 1)
        taken, given = kernel[0], kernel[1] * groups
        if not turned:
            taken, given = given, taken
        if taken != source[1] or groups < 1 or kernel[0] % groups:
            return (f"input {node.input[0]!r} has {source[1]} channels; weights {kernel} with "
                    f"group {groups} take {taken}")
        if bias and bias != [given]:
            return f"bias {node.input[bias_at]!r} has sizes {bias}; accepted is [{given}]"
        return ""

    return check


def _transpose(node: onnx.NodeProto, sizes: Sizes, _: Mapping[str, onnx.TensorProto]) -> str:
    order = next((list(item.ints) for item in node.attribute if item.name == "perm"), None)
    rank = len(sizes(0))
    if rank and order is not None and sorted(order) != [*range(rank)]:
        return f"perm {order}; accepted are the axes 0 to {rank - 1} in any order"
    return ""


def _reshape(node: onnx.NodeProto, sizes: Sizes, held: Mapping[str, onnx.TensorProto]) -> str:
    source, shape = sizes(0), held.get(node.input[1]) if len(node.input) > 1 else None
    if shape is None or not source or _number(node, "allowzero", 0):
        return ""
    wanted = onnx.numpy_helper.to_array(shape).ravel().tolist()
    filled = [source[at] if size == 0 and at < len(source) else size
              for at, size in enumerate(wanted)]
    if -1 in filled or math.prod(filled) == math.prod(source):  # inference looks at the one
        return ""
    return (f"shape {wanted} for {source}, which holds {math.prod(source)} values; accepted is one "
            "that holds as many")


_CHECKS: dict[str, Callable[..., str]] = {
    "Conv": _convolution(1, 2), "ConvInteger": _convolution(1, 9),
    "ConvTranspose": _convolution(1, 2, turned=True), "QLinearConv": _convolution(3, 8),
    "Reshape": _reshape, "Transpose": _transpose,
}
