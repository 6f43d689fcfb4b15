"""Cases of fewer nodes than one that fails."""

from collections.abc import Callable, Iterator

import onnx
from onnx import TensorProto, helper

from tb.fuzz.onnx.case import Case
from tb.fuzz.search import smallest

__all__ = ["shrink"]

_KINDS = (TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8)  # an input may be of


def shrink(case: Case, fails: Callable[[Case], bool], *, seconds: float = 60) -> Case:
    """The smallest case found that fails.

    Parameters
    ----------
    case : Case
        One that fails.
    fails : callable
        Does a case fail, and in the same way?
    seconds : float
        Limit of the search.
    """
    return smallest(case, [
        lambda case, propose=propose: (case.change(model=model) for model in propose(case.model))
        for propose in (_ends, _beginnings, _without)], fails, seconds)


def _types(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """Of every tensor that is computed, as far as ONNX infers it."""
    found = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {item.name: item for item in (*found.input, *found.value_info, *found.output)}


def _part(model: onnx.ModelProto, nodes: list[onnx.NodeProto],
          inputs: list[onnx.ValueInfoProto],
          outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto | None:
    """A model of what of the nodes the outputs need; None if it isn't smaller."""
    needed, kept = {item.name for item in outputs}, []
    makers = {name: node for node in nodes for name in node.output}
    ahead = list(needed)
    while ahead:
        node = makers.get(ahead.pop())
        if node is not None and not any(node is other for other in kept):
            kept.append(node)
            needed.update(node.input)
            ahead += node.input
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    for field, items in (
            ("node", [node for node in nodes if any(node is other for other in kept)]),
            ("input", [item for item in inputs if item.name in needed]),
            ("output", outputs), ("value_info", []),
            ("initializer", [item for item in model.graph.initializer if item.name in needed])):
        copies = [type(item).FromString(item.SerializeToString()) for item in items]
        del getattr(graph, field)[:]
        getattr(graph, field).extend(copies)
    size = len(graph.node) + len(graph.output) + len(graph.input)
    before = len(model.graph.node) + len(model.graph.output) + len(model.graph.input)
    return found if size < before and graph.node and graph.input else None


def _ends(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """One output only: an earlier tensor, or one of the network's."""
    types, graph = _types(model), model.graph
    for name in (name for node in graph.node for name in node.output):
        item = types.get(name)
        if item is not None and item.type.tensor_type.elem_type in _KINDS:
            found = _part(model, list(graph.node), list(graph.input), [item])
            if found is not None:
                yield found


def _beginnings(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """A later tensor is an input."""
    types, graph = _types(model), model.graph
    constant = {item.name for item in graph.initializer}
    for node in graph.node:  # what comes of constants alone is constant
        if all(name in constant or not name for name in node.input):
            constant.update(node.output)
    for node in reversed(graph.node):
        item = types.get(node.output[0])
        if item is None or item.type.tensor_type.elem_type not in _KINDS or len(
                node.output) > 1 or node.output[0] in constant or any(
                output.name == node.output[0] for output in graph.output):
            continue
        found = _part(model, [other for other in graph.node if other is not node],
                      [*graph.input, item], list(graph.output))
        if found is not None:
            yield found


def _without(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """A node is left out: who reads it reads what it did."""
    types, graph = _types(model), model.graph
    for node in graph.node:
        made = types.get(node.output[0])
        for name in node.input:
            given = types.get(name)
            if given is None or made is None or given.type != made.type or any(
                    output.name == node.output[0] for output in graph.output):
                continue
            nodes = [helper.make_node(other.op_type, [
                name if given == node.output[0] else given for given in other.input],
                other.output, other.name, domain=other.domain) for other in graph.node
                if other is not node]
            for new, old in zip(nodes, (other for other in graph.node if other is not node),
                                strict=True):
                new.attribute.extend(old.attribute)
            found = _part(model, nodes, list(graph.input), list(graph.output))
            if found is not None:
                yield found
