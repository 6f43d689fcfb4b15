"""A model's forward() exchanged for its trace with quantizers in it.

The model stays the object it was, with its parameters and their names; it gains one submodule,
``sentei``, which holds the quantizers.
"""

from typing import Any

import torch.nn.functional as F
from torch import fx, nn

from sw.prune.torch.quantizers import FeatureQuantizer, WeightQuantizer
from sw.prune.torch.trace import Step, Trace

__all__ = ["HOME", "adopt", "key"]

HOME = "sentei"


def key(name: str) -> str:
    """A step's or value's name within ``HOME``."""
    return name.replace(".", "_")


def adopt(model: nn.Module, found: Trace, *, quantize: bool) -> dict[str, str]:
    """Put quantizers into a model.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    found : Trace
        Its graph is used up.
    quantize : bool
        Whether quantizers round; if not they only observe.

    Returns
    -------
    owner : dict of str to str
        For every value of the trace, the key of its quantizer in ``model.sentei``.
    """
    graph = found.graph
    graph.owning_module = None  # it was that of the traced shapes
    nodes = {node.name: node for node in graph.nodes}
    home = nn.ModuleDict({"weights": WeightQuantizer(quantize)})
    model.add_module(HOME, home)
    owner: dict[str, str] = {}

    def insert(value: str, name: str, observe: bool) -> None:
        owner[value] = name
        node = nodes[value]
        with graph.inserting_after(node):
            after = graph.call_module(f"{HOME}.{name}", (node,),
                                      {} if observe else {"observe": False})
        node.replace_all_uses_with(after, delete_user_cb=lambda user: user is not after)

    names = {found.input: "input"} | {
        step.output: f"at_{key(step.name)}" for step in found.steps if step.own_scale}
    for name in names.values():
        home[name] = FeatureQuantizer(quantize)
    insert(found.input, names[found.input], True)
    for step in found.steps:
        if step.weighted:
            _quantize_weights(graph, nodes, step, model.get_submodule(step.name))
        if step.own_scale:
            insert(step.output, names[step.output], True)
        elif step.kind == "average_pool":
            insert(step.output, owner[step.inputs[0]], False)
        else:
            owner[step.output] = owner[step.inputs[0]]
    graph.lint()
    traced = type(fx.GraphModule(model, graph)).forward
    kind = type(model)
    model.__class__ = type(kind.__name__, (kind,), {"forward": traced, "__module__":
                                                    kind.__module__})
    return owner


def _quantize_weights(graph: fx.Graph, nodes: dict[str, fx.Node], step: Step,
                      module: Any) -> None:
    """Call the layer's function with quantized weights."""
    node = next(item for item in nodes.values()
                if item.op == "call_module" and item.target == step.name)
    with graph.inserting_before(node):
        weight = graph.call_module(f"{HOME}.weights", (graph.get_attr(f"{step.name}.weight"),))
        bias = graph.get_attr(f"{step.name}.bias") if module.bias is not None else None
        if step.kind == "conv":
            call = graph.call_function(F.conv2d, (node.args[0], weight, bias, module.stride,
                                                  module.padding, module.dilation, module.groups))
        else:
            call = graph.call_function(F.linear, (node.args[0], weight, bias))
    node.replace_all_uses_with(call)
    graph.erase_node(node)
    if step.output == node.name:
        nodes[step.output] = call
