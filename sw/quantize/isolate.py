"""A quantized model beside its float one, every quantized node fed by float tensors."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx.helper import make_node

from sw.quantize.writer import CLIPPED

__all__ = ["OWN", "Isolated", "isolated", "named_points"]

OWN = "/own"  # behind the names of what the quantized model computes
_ROUNDED = f"{OWN}_rounded"


@dataclass(frozen=True, eq=False)
class Isolated:
    """Both in one model.

    Parameters
    ----------
    model : onnx.ModelProto
    given, rounded : dict of str to str
        By tensor of the float model: what the quantized nodes give for it when those before them
        lose nothing, before and after it is quantized.
    """

    model: onnx.ModelProto
    given: dict[str, str]
    rounded: dict[str, str]


def named_points(model: onnx.ModelProto, quantized: onnx.ModelProto) -> dict[str, int]:
    """QuantizeLinear nodes of a quantized model, by the tensor of the float model they quantize."""
    known = {name for node in model.graph.node for name in node.output}
    known |= {item.name for item in model.graph.input}
    found: dict[str, int] = {}
    for at, node in enumerate(quantized.graph.node):
        if node.op_type == "QuantizeLinear":
            name = node.input[0]
            # An output has its name behind the DequantizeLinear.
            name = name if name in known else name.removesuffix(CLIPPED).removesuffix("_float")
            if name in known:
                found.setdefault(name, at)
    return found


def _first(quantized: onnx.ModelProto, makers: Mapping[str, int], at: int, point: str) -> int:
    """The first node of what rounds a point: its QuantizeLinear, or the Clip before."""
    source = quantized.graph.node[at].input[0]
    return makers[source] if source == point + CLIPPED else at


def isolated(model: onnx.ModelProto, quantized: onnx.ModelProto, *,
             exact: bool = False) -> Isolated:
    """Join the two.

    Parameters
    ----------
    model, quantized : onnx.ModelProto
        Tensors that are the same have the same names.
    exact : bool
        Nodes read the float model's tensors as they are, not quantized.
    """
    roundings = named_points(model, quantized)
    codes = {quantized.graph.node[at].output[0]: name for name, at in roundings.items()}
    makers = {node.output[0]: at for at, node in enumerate(quantized.graph.node)}
    points = {_first(quantized, makers, at, name): name for name, at in roundings.items()}
    inputs = {item.name for item in model.graph.input}
    joined = onnx.ModelProto()
    joined.CopyFrom(model)
    del joined.graph.value_info[:]
    for item in quantized.graph.initializer:
        joined.graph.initializer.append(item)
        joined.graph.initializer[-1].name += OWN
    given, rounded = dict[str, str](), dict[str, str]()
    for at, node in enumerate(quantized.graph.node):
        if exact and node.op_type == "DequantizeLinear" and node.input[0] in codes:
            joined.graph.node.append(make_node("Identity", [codes[node.input[0]]],
                                               [node.output[0] + OWN], name=node.name + OWN))
            continue
        copy = joined.graph.node.add()
        copy.CopyFrom(node)
        copy.name += OWN
        for position, name in enumerate(node.input):
            if name and name not in inputs:
                copy.input[position] = name + OWN
        for position, name in enumerate(node.output):
            if name:
                copy.output[position] = name + OWN
        point = points.get(at, "")
        if point and point not in inputs:
            computed = copy.input[0]
            copy.input[0] = point
            given[point], rounded[point] = computed, point + _ROUNDED
            integers, inside = (f"{point}{_ROUNDED}_{what}" for what in ("codes", "inside"))
            if node.op_type == "Clip":
                joined.graph.node.append(make_node("Clip", [computed, *copy.input[1:]], [inside],
                                                   name=f"{copy.name}_inside"))
                computed = inside
            parameters = [f"{name}{OWN}" for name in
                          quantized.graph.node[roundings[point]].input[1:]]
            joined.graph.node.append(make_node("QuantizeLinear", [computed, *parameters],
                                               [integers], name=f"{copy.name}_rounded"))
            joined.graph.node.append(make_node("DequantizeLinear", [integers, *parameters],
                                               [rounded[point]], name=f"{copy.name}_back"))
    joined.opset_import[0].CopyFrom(quantized.opset_import[0])
    return Isolated(joined, given, rounded)
