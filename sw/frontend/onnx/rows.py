"""Convolutions along one axis, as those of feature maps of one row.

The chip's feature maps have rows and columns. Tensors [batch, channels, size] on which windows
work get a row, [batch, channels, 1, size], as long as operators follow that take each value, or
each channel, by itself; the two shapes meet in Unsqueeze and Squeeze.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sw.frontend.onnx.held import held_tensors
from sw.frontend.onnx.operators import MICROSOFT, POINTWISE

__all__ = ["lift_rows"]

_ROW = 2  # the axis that is put in
_RANK = 3
# Operators by what they are given besides the tensor itself: where tensors stand, the weights
# first, and lists of a number a axis.
_WINDOWS = frozenset(("Conv", "ConvTranspose", "QLinearConv", "MaxPool", "AveragePool"))
_WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "QLinearConv": 3}
_GLOBAL = frozenset(("GlobalAveragePool", "GlobalMaxPool", "QLinearGlobalAveragePool",
                     "BatchNormalization"))
_EACH = frozenset((*POINTWISE, "Add", "Sub", "Mul", "Div", "Clip", "PRelu", "Relu", "Identity",
                   "Dropout"))
_CODED = frozenset(("QuantizeLinear", "DequantizeLinear"))
_JOINING = frozenset(("Concat", "QLinearAdd", "QLinearConcat"))
# Whose first input alone is a tensor of the network.
_ONE = _WINDOWS | _GLOBAL | _CODED | {"Clip", "Dropout"}


def lift_rows(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network with a row for what windows along one axis work on; shapes are to be inferred.

    Parameters
    ----------
    model : ModelProto
        With the shapes of all tensors; it is changed.
    """
    return _Lift(model).run()


class _Lift:
    """Changes one model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, self.graph = model, model.graph
        self.opset = next(item.version for item in model.opset_import
                          if item.domain in ("", "ai.onnx"))
        self.constants = held_tensors(model)
        self.ranks = {item.name: len(item.type.tensor_type.shape.dim)
                      for item in (*self.graph.input, *self.graph.value_info, *self.graph.output)
                      if item.type.tensor_type.HasField("shape")}
        self.ranks |= {name: len(item.dims) for name, item in self.constants.items()}
        self.givers = {name: node for node in self.graph.node for name in node.output if name}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.node_names = {node.name for node in self.graph.node}
        self.nodes: list[onnx.NodeProto] = []
        self.made: set[str] = set()

    def run(self) -> onnx.ModelProto:
        lifted = self._lifted()
        if not lifted:
            return self.model
        outputs = {item.name for item in self.graph.output}
        inner = {id(node) for node in self.graph.node
                 if node.output[0] in lifted and self._liftable(node)}
        def joined(name: str, *, is_lifted: bool) -> None:
            """The other shape of a tensor, where it is asked for."""
            wanted = [id(node) in inner and name in self._tensors(node)
                      for node in self.readers.get(name, ())]
            if name in lifted and is_lifted and (not all(wanted) or name in outputs):
                self._reshape("Squeeze", _of_four(name), name)
            elif name in lifted and not is_lifted and any(wanted):
                self._reshape("Unsqueeze", name, _of_four(name))

        nodes = list(self.graph.node)
        for item in self.graph.input:
            joined(item.name, is_lifted=False)
        for node in nodes:
            if id(node) in inner:
                self._change(node)
            self.nodes.append(node)
            for name in node.output:
                joined(name.removesuffix(_SUFFIX), is_lifted=id(node) in inner)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        del self.graph.value_info[:]
        return self.model

    def _lifted(self) -> set[str]:
        """Tensors that get a row."""
        found = {name for node in self.graph.node
                 if node.op_type in _WINDOWS | _GLOBAL and self._liftable(node)
                 for name in (*self._tensors(node), node.output[0])}
        nodes = [node for node in self.graph.node if node.op_type not in _WINDOWS | _GLOBAL
                 and self._liftable(node)]
        before = -1
        while len(found) != before:
            before = len(found)
            for node in nodes:
                names = {*self._tensors(node), node.output[0]}
                if names & found:
                    found |= names
        return found

    def _liftable(self, node: onnx.NodeProto) -> bool:
        """Whether an operator works on tensors of three axes, and as well with a row more."""
        kind = node.op_type
        if node.domain not in ("", "ai.onnx", MICROSOFT) or kind not in (
                _WINDOWS | _GLOBAL | _EACH | _CODED | _JOINING):
            return False
        tensors = self._tensors(node)
        if not tensors or any(self.ranks.get(name) != _RANK
                              for name in (*tensors, node.output[0])):
            return False
        if kind in _WEIGHTS and not self._is_constant(node.input[_WEIGHTS[kind]]):
            return False
        if kind in _CODED:  # one scale for all: by channel, an axis would have to be counted
            return self.ranks.get(node.input[1]) == 0 or (
                node.input[1] in self.constants
                and int(np.prod(self.constants[node.input[1]].dims)) == 1)
        return len([name for name in node.output if name]) == 1

    def _is_constant(self, name: str) -> bool:
        giver = self.givers.get(name)
        return name in self.constants or (
            giver is not None and giver.op_type in _CODED
            and self._is_constant(giver.input[0]))

    def _tensors(self, node: onnx.NodeProto) -> list[str]:
        """Inputs of a node that are tensors of the network."""
        given = node.input
        if node.domain == MICROSOFT and node.op_type == "QLinearAdd":
            given = [given[0], given[3]]
        elif node.domain == MICROSOFT and node.op_type == "QLinearConcat":
            given = given[2::3]
        elif node.op_type in _ONE:
            given = given[:1]
        return [name for name in given if name and not self._is_constant(name)]

    def _change(self, node: onnx.NodeProto) -> None:
        """One node, to work on tensors with a row."""
        kind, tensors = node.op_type, self._tensors(node)
        beside = (range(1) if kind in _GLOBAL | _CODED else
                  (_WEIGHTS[kind],) if kind in _WEIGHTS else range(len(node.input)))
        for at, name in enumerate(node.input):
            if name in tensors:
                node.input[at] = _of_four(name)
            elif at in beside and self._is_constant(name) and self.ranks[name] > 1:
                node.input[at] = self._constant(name)
        node.output[0] = _of_four(node.output[0])
        for item in node.attribute:
            if item.name in _LISTS and kind in _WINDOWS:
                values = _LISTS[item.name](list(item.ints))
                del item.ints[:]
                item.ints.extend(values)
            elif item.name == "axis" and kind in ("Concat", "QLinearConcat"):
                item.i = item.i % _RANK + (item.i % _RANK >= _ROW)

    def _constant(self, name: str) -> str:
        """A constant with an axis more before its last one."""
        alone = len(self.readers[name]) == 1  # then it keeps its name: pruning looks for that
        new = name if alone else _of_four(name)
        if new in self.made:
            return new
        self.made.add(new)
        if name in self.constants:
            data = self.constants[name]
            if not alone:
                data = self.graph.initializer.add()
                data.CopyFrom(self.constants[name])
                data.name = new
            data.dims.insert(len(data.dims) - 1, 1)
            return new
        node, rank = self.givers[name], self.ranks[name]
        if not alone:
            node = onnx.NodeProto()
            node.CopyFrom(self.givers[name])
            node.name, node.output[0] = node.name + _SUFFIX, new
            self.nodes.append(node)
        for item in node.attribute:
            if item.name == "axis":
                item.i = item.i % rank + (item.i % rank == rank - 1)
        node.input[0] = self._constant(node.input[0])
        return new

    def _reshape(self, kind: str, source: str, output: str) -> None:
        name = source.removesuffix(_SUFFIX)  # as the file has it; no two nodes share one
        name += f"_{kind.lower()}" if name in self.node_names else ""
        if self.opset < 13:
            node = helper.make_node(kind, [source], [output], name, axes=[_ROW])
        else:
            axes = f"{output}_{kind.lower()}_axes"
            self.graph.initializer.append(numpy_helper.from_array(np.array([_ROW]), axes))
            node = helper.make_node(kind, [source, axes], [output], name)
        self.nodes.append(node)


_SUFFIX = "@row"
# Attributes of windows: what they are for rows and columns.
_LISTS: dict[str, Callable[[Sequence[int]], list[int]]] = {
    "kernel_shape": lambda sizes: [1, *sizes], "strides": lambda sizes: [1, *sizes],
    "dilations": lambda sizes: [1, *sizes], "output_shape": lambda sizes: [1, *sizes],
    "pads": lambda sizes: [0, sizes[0], 0, sizes[1]],
    "output_padding": lambda sizes: [0, *sizes]}


def _of_four(name: str) -> str:
    return name + _SUFFIX
