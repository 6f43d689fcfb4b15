"""Networks that end at a decision: the number of a class."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from golden.edges import DequantizeLinear, FloatSoftmax
from golden.extreme import ArgMax
from golden.graph import Graph, Node, Quantize, Tensor
from golden.spec.numerics import IDENTITY
from sw.errors import UsageError
from sw.inputs import TensorSpec
from sw.session.model import Model, extendable
from sw.session.reference import Reference
from sw.zoo import Task

__all__ = ["DecisionReference", "with_decision"]

_CLASS, _NODE = "class", "decision"
_LEAST_SCALE = 1e-6  # of codes whose float32 exponentials still differ


def with_decision(model: Model) -> Model:
    """The model with the place of its output's largest value as its output, the first of equals.

    What comes after the last int8 tensor and keeps the order of its values (conversions of
    outputs, a float softmax) goes.

    Raises
    ------
    UsageError
        If it is compiled, or its output isn't one row of classes.
    """
    graph = extendable(model, "--decide", _CLASS, _NODE)
    if model.network and model.network.task is Task.RECONSTRUCTION:
        raise UsageError(f"{model.path}: --decide: it reconstructs its input; accepted are "
                         "networks whose output is classes")
    specs = ", ".join(map(str, model.outputs))
    dropped = _ordered(graph) if len(graph.outputs) == 1 else []
    name = dropped[-1].inputs[0] if dropped else graph.outputs[0]
    tensor = graph.tensors[name]
    shape, dtype = tensor.shape, tensor.dtype
    if len(graph.outputs) != 1 or dtype != "int8" or len(shape) != 2 or shape[1] < 2:
        raise UsageError(f"{model.path}: --decide: its outputs are {specs}; accepted is one of "
                         "8-bit classes, (1, classes)")
    gone = {output for node in dropped for output in node.outputs}
    node = Node(_NODE, (name,), (_CLASS,), ArgMax(axis=1, output_type="int32"))
    whole = dataclasses.replace(
        graph, nodes=[*(item for item in graph.nodes if item not in dropped), node],
        tensors={**{key: item for key, item in graph.tensors.items() if key not in gone},
                 _CLASS: Tensor(_CLASS, shape[:1], "int32")}, outputs=(_CLASS,))
    whole.validate()
    return dataclasses.replace(
        model, graph=whole, classes=shape[1],
        outputs=[TensorSpec(_CLASS, shape[:1], np.dtype(np.int32), 0.0, 0)])


def _ordered(graph: Graph) -> list[Node]:
    """Nodes at the end that keep the order of values along the last axis, the last one first."""
    made = {output: node for node in graph.nodes for output in node.outputs}
    found: list[Node] = []
    waits = False  # for real numbers that a softmax takes
    (name,) = graph.outputs
    while (node := made.get(name)) and len(graph.consumers(name)) == bool(found):
        attrs = node.attrs
        if isinstance(attrs, FloatSoftmax):
            waits = True
            keeps = attrs.axis == len(graph.tensors[name].shape) - 1
        elif isinstance(attrs, DequantizeLinear):
            keeps = not waits or attrs.scale >= _LEAST_SCALE
        else:
            keeps = isinstance(attrs, Quantize) and attrs.scale == IDENTITY
        if not keeps:
            break
        found.append(node)
        name = node.inputs[0]
    return found


class DecisionReference:
    """The place of the largest of a reference's outputs.

    Parameters
    ----------
    reference : Reference
        Of the network.
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    @property
    def title(self) -> str:
        """What it is, for people."""
        return self._reference.title

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """One sample's outputs."""
        (values,) = self._reference.outputs(inputs)
        return [values.argmax(axis=-1).astype(np.int32)]
