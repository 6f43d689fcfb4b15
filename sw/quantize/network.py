"""A float ONNX model with what quantizing asks of it: who gives a tensor, who reads it, which nodes
have weights."""

import math
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sw.compiler.lowering import MAX_STRIDE, MAX_WINDOW

__all__ = ["Network", "Weights", "channel_axis"]


def channel_axis(rank: int) -> int:
    """Of feature maps and vectors the second axis, of rows the last."""
    return 1 if rank in (2, 4) else rank - 1


@dataclass(frozen=True)
class Weights:
    """Constant weights of a node.

    Parameters
    ----------
    name : str
        The constant.
    axis : int
        Its axis of output channels.
    bias : str
        The constant bias; empty if there is none.
    takes_bias : bool
        The operator can have one.
    """

    name: str
    axis: int
    bias: str
    takes_bias: bool


class Network:
    """A prepared model; its nodes are in order.

    Parameters
    ----------
    model : onnx.ModelProto
        With inferred shapes. Nodes Constant become initializers in it.

    Members
    -------
    nodes : list of onnx.NodeProto
    constants : dict of str to ndarray
    giver : dict of str to int
        Number of the node that gives a tensor.
    readers : dict of str to list of int
        Numbers of the nodes that read a tensor, once for each time they do.
    inputs, outputs : list of str
    shapes : dict of str to tuple of int
        Those that were inferred.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        _hoist(model)
        self.model, graph = model, model.graph
        self.nodes = list(graph.node)
        self.constants = {item.name: onnx.numpy_helper.to_array(item)
                          for item in graph.initializer}
        self.inputs = [item.name for item in graph.input if item.name not in self.constants]
        self.outputs = [item.name for item in graph.output]
        self.giver = {name: at for at, node in enumerate(self.nodes) for name in node.output
                      if name}
        self.readers: dict[str, list[int]] = {}
        for at, node in enumerate(self.nodes):
            for name in node.input:
                self.readers.setdefault(name, []).append(at)
        self.shapes = {item.name: tuple(size.dim_value for size in item.type.tensor_type.shape.dim)
                       for item in (*graph.input, *graph.value_info, *graph.output)
                       if item.type.tensor_type.HasField("shape")}
        self.types = {item.name: item.type.tensor_type.elem_type
                      for item in (*graph.input, *graph.value_info, *graph.output)}

    def label(self, at: int) -> str:
        """A node in messages."""
        node = self.nodes[at]
        return f"node {at} ({node.op_type} {node.name or node.output[0]!r})"

    def where(self, tensor: str) -> str:
        """A tensor in messages, with what gives it."""
        at = self.giver.get(tensor)
        return f"tensor {tensor!r} of {'the inputs' if at is None else self.label(at)}"

    def computed(self, at: int) -> list[str]:
        """Inputs of a node that aren't constants."""
        return [name for name in self.nodes[at].input if name and name not in self.constants]

    def size(self, tensor: str) -> int:
        """Values of a tensor."""
        return math.prod(self.shapes.get(tensor, (0,)))

    def is_float(self, tensor: str) -> bool:
        """Whether a tensor is float32."""
        return self.types.get(tensor, onnx.TensorProto.FLOAT) == onnx.TensorProto.FLOAT

    def only_reader(self, tensor: str) -> int | None:
        """The one node that reads a tensor, where nobody asks for it else."""
        readers = self.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.outputs else None

    def attribute(self, at: int, name: str, default: object) -> object:
        """An attribute of a node."""
        for item in self.nodes[at].attribute:
            if item.name == name:
                return onnx.helper.get_attribute_value(item)
        return default

    def weights(self, at: int) -> Weights | None:
        """What a node's weights are; None if it has none that are constant."""
        node = self.nodes[at]
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or (
                node.input[1] not in self.constants or node.input[0] in self.constants):
            return None
        bias = node.input[2] if len(node.input) > 2 else ""
        data = self.constants[node.input[1]]
        if bias and (bias not in self.constants or self.constants[bias].ndim > 2):
            return None
        if node.op_type in ("Conv", "ConvTranspose"):
            if data.ndim != 4 or self._beyond(at, data.shape[2:]):  # the host's
                return None
            turned = node.op_type == "ConvTranspose"
            return Weights(node.input[1], int(turned), bias, True)
        if data.ndim != 2:
            return None
        if node.op_type == "MatMul":
            return Weights(node.input[1], 1, "", False)
        if self.attribute(at, "transA", 0) or self.attribute(at, "alpha", 1.0) != 1.0 or (
                bias and self.attribute(at, "beta", 1.0) != 1.0):
            return None
        return Weights(node.input[1], 0 if self.attribute(at, "transB", 0) else 1, bias, True)

    def _beyond(self, at: int, window: tuple[int, ...]) -> bool:
        """Whether a convolution's windows or strides are larger than the chip's."""
        dilations = self.attribute(at, "dilations", [1, 1])
        strides = self.attribute(at, "strides", [1, 1])
        assert isinstance(dilations, list) and isinstance(strides, list)
        return max(strides) > MAX_STRIDE or any(
            (size - 1) * step >= MAX_WINDOW for size, step in zip(window, dilations, strict=True))

    def channels(self, at: int) -> int:
        """Output channels of a node with weights."""
        found = self.weights(at)
        assert found is not None
        size = int(self.constants[found.name].shape[found.axis])
        group = self.attribute(at, "group", 1)
        assert isinstance(group, int)
        return size * group if self.nodes[at].op_type == "ConvTranspose" else size

    def macs(self, at: int) -> int:
        """Multiplications of a node with weights."""
        found = self.weights(at)
        assert found is not None
        node, turned = self.nodes[at], self.nodes[at].op_type == "ConvTranspose"
        shape = self.shapes.get(node.input[0] if turned else node.output[0], (0,))
        data = self.constants[found.name]
        channels = data.shape[0] if turned or data.ndim > 2 else self.channels(at)
        return math.prod(shape) // channels * data.size

    def bias(self, at: int) -> NDArray:
        """Bias of each channel of a node with weights; zeros if it has none."""
        found = self.weights(at)
        assert found is not None
        channels = self.channels(at)
        given = self.constants[found.bias] if found.bias else np.zeros(channels)
        return np.broadcast_to(given.astype(np.float64).ravel(), (channels,)).copy()


def _hoist(model: onnx.ModelProto) -> None:
    """Nodes Constant of plain tensors become initializers."""
    graph, kept = model.graph, []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = onnx.TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
        else:
            kept.append(node)
    if len(kept) != len(graph.node):
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(kept)
