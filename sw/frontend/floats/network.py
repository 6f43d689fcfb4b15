"""The ONNX graph under construction, and one TensorFlow Lite operator seen from it.

Files hold images as NHWC, ONNX takes NCHW. A tensor of four axes is therefore known in the file's
order, *moved* to NCHW, or both; a transposition is added where one order is asked for and only
the other is there. Chains of image operators stay moved.
"""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sw.errors import ModelError
from sw.frontend.flatbuffer import RawModel, RawOperator, RawTensor, unique_names
from sw.frontend.sparsity import densify

__all__ = ["FloatNetwork", "Step"]

OPSET = 17
_MOVED = "/nchw"  # behind the names of tensors in that order
_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
_TYPES: dict[str, tuple[Any, int]] = {
    "FLOAT32": (np.float32, TensorProto.FLOAT), "FLOAT16": (np.float16, TensorProto.FLOAT16),
    "INT32": (np.int32, TensorProto.INT32), "INT64": (np.int64, TensorProto.INT64),
    "INT8": (np.int8, TensorProto.INT8), "UINT8": (np.uint8, TensorProto.UINT8),
    "BOOL": (np.bool_, TensorProto.BOOL)}
_COMPUTED = ("FLOAT32", "INT32", "INT64")


class FloatNetwork:
    """The values of one file so far, and the nodes that make them.

    Parameters
    ----------
    path : Path
        For messages.
    model : RawModel
        The network.
    """

    def __init__(self, path: Path, model: RawModel) -> None:
        self.path, self.model = path, model
        self.names = unique_names([tensor.name for tensor in model.tensors])
        self.constants: dict[int, NDArray] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._known: set[tuple[int, bool]] = set()

    def fail(self, text: str) -> ModelError:
        """The refusal of the file."""
        return ModelError(f"{self.path}: {text}")

    def shape(self, index: int) -> tuple[int, ...]:
        """A tensor's shape, which must be fixed."""
        tensor = self.model.tensors[index]
        if min(tensor.shape, default=1) < 1 or any(
                size < 0 for size in tensor.signature[1:]):
            raise self.fail(f"{tensor.label} has dynamic shape "
                            f"{list(tensor.signature or tensor.shape)}; all sizes but the batch "
                            "must be fixed")
        return tensor.shape

    def constant(self, index: int) -> NDArray | None:
        """A constant's array, dense and as it is stored; None if it is computed."""
        if index in self.constants:
            return self.constants[index]
        tensor = self.model.tensors[index]
        if tensor.data is None:
            return None
        if tensor.type not in _TYPES:
            raise self.fail(f"{tensor.label} is {tensor.type}; accepted constants are "
                            f"{', '.join(_TYPES)}")
        values = np.frombuffer(tensor.data[:len(tensor.data) // self._item(tensor)
                                           * self._item(tensor)], _TYPES[tensor.type][0])
        try:
            array = densify(values, tensor.shape, tensor.sparsity) if tensor.sparsity \
                else values.reshape(tensor.shape)
        except ValueError as error:
            raise self.fail(f"{tensor.label}: {error}") from None
        self.constants[index] = array
        return array

    @staticmethod
    def _item(tensor: RawTensor) -> int:
        return int(np.dtype(_TYPES[tensor.type][0]).itemsize)

    def real(self, index: int) -> NDArray | None:
        """A constant as float32: halves widened, 8-bit values in their scale."""
        array, tensor = self.constant(index), self.model.tensors[index]
        if array is None or array.dtype not in (np.int8, np.uint8):
            return array if array is None else array.astype(np.float32)
        if not tensor.scales.size:
            raise self.fail(f"{tensor.label} is {tensor.type} without scale; accepted are "
                            "FLOAT32 and FLOAT16, or integers with a scale")
        along = [1] * array.ndim
        if tensor.scales.size > 1:
            along[tensor.axis] = tensor.scales.size
        zeros = np.broadcast_to(tensor.zero_points if tensor.zero_points.size else 0,
                                tensor.scales.shape).reshape(along)
        return ((array.astype(np.int32) - zeros) * tensor.scales.reshape(along)).astype(np.float32)

    def initializer(self, name: str, array: NDArray) -> str:
        """Add a constant of the ONNX graph."""
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(
                np.asarray(array, order="C"), name)
        return name

    def name(self, index: int, moved: bool) -> str:
        """The name of a tensor in one of the orders."""
        return self.names[index] + (_MOVED if moved else "")

    def moved(self, index: int) -> bool:
        """Is it there as NCHW only, or at least so?"""
        return (index, True) in self._known

    def value(self, index: int, moved: bool = False) -> str:
        """A tensor in one of the orders, made if need be."""
        name = self.name(index, moved)
        if (index, moved) in self._known:
            return name
        array = self.constant(index)
        if array is not None:
            real = self.real(index) if array.dtype.kind == "f" else array
            assert real is not None
            self.initializer(name, real.transpose(_TO_NCHW) if moved else real)
        elif (index, not moved) in self._known:
            self._nodes.append(helper.make_node(
                "Transpose", [self.name(index, not moved)], [name],
                f"{self.names[index]}/transpose", perm=_TO_NCHW if moved else _TO_NHWC))
        else:
            raise self.fail(f"{self.model.tensors[index].label} is read before it is written")
        self._known.add((index, moved))
        return name

    def write(self, index: int, moved: bool) -> str:
        """The name under which a node writes a tensor in one of the orders."""
        tensor = self.model.tensors[index]
        if tensor.type not in _COMPUTED:
            raise self.fail(f"{tensor.label} is {tensor.type}; accepted are float networks, whose "
                            f"computed tensors are {', '.join(_COMPUTED)}")
        self.shape(index)
        self._known.add((index, moved))
        return self.name(index, moved)

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append a node, named as what it gives is in the file; gives its output."""
        self._nodes.append(helper.make_node(op, inputs, [output], output.removesuffix(_MOVED),
                                            **attributes))
        return output

    def proto(self) -> onnx.ModelProto:
        """The finished model, checked."""
        def info(index: int) -> onnx.ValueInfoProto:
            tensor = self.model.tensors[index]
            return helper.make_tensor_value_info(
                self.names[index], _TYPES[tensor.type][1], self.shape(index))

        for index in self.model.outputs:
            self.value(index)  # in the file's order of axes
        outputs = [info(index) for index in self.model.outputs]
        graph = helper.make_graph(
            self._nodes, self.path.stem, [info(index) for index in self.model.inputs], outputs,
            list(self._initializers.values()))
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  ir_version=8, producer_name="sentei")
        try:
            onnx.checker.check_model(proto, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise self.fail(f"operators and shapes contradict each other: {error}") from None
        return proto


class Step:
    """One operator at its translation."""

    def __init__(self, net: FloatNetwork, operator: RawOperator) -> None:
        self.net, self.operator = net, operator

    def fail(self, text: str) -> ModelError:
        """The refusal of this operator."""
        return self.net.fail(f"{self.operator.label}: {text}")

    def options(self, kind: type) -> SimpleNamespace:
        """The operator's options."""
        return self.operator.options(kind)

    def index(self, position: int) -> int:
        """The tensor of an input."""
        inputs = self.operator.inputs
        if position >= len(inputs) or inputs[position] < 0:
            raise self.fail(f"has no input {position}")
        return inputs[position]

    def has(self, position: int) -> bool:
        """Is there such an input?"""
        inputs = self.operator.inputs
        return position < len(inputs) and inputs[position] >= 0

    def shape(self, position: int = 0) -> tuple[int, ...]:
        """Shape of an input."""
        return self.net.shape(self.index(position))

    @property
    def result(self) -> tuple[int, ...]:
        """Shape of the first output."""
        return self.net.shape(self.operator.outputs[0])

    def value(self, position: int = 0, moved: bool = False) -> str:
        """An input as an ONNX value."""
        return self.net.value(self.index(position), moved)

    def moved(self, position: int = 0) -> bool:
        """Whether an input is there as NCHW."""
        return self.net.moved(self.index(position))

    def numbers(self, position: int, what: str) -> NDArray:
        """A constant of integers."""
        array = self.net.constant(self.index(position))
        if array is None or array.dtype.kind != "i":
            raise self.fail(f"{what} must be constant integers")
        return array

    def real(self, position: int, what: str) -> NDArray:
        """A constant of real numbers."""
        array = self.net.real(self.index(position))
        if array is None:
            raise self.fail(f"{what} is computed, must be constant")
        return array

    def constant(self, array: NDArray, what: str) -> str:
        """A constant of this operator's own."""
        return self.net.initializer(f"{self.net.names[self.operator.outputs[0]]}/{what}", array)

    def emit(self, op: str, inputs: Sequence[str], moved: bool = False, output: int = 0,
             **attributes: Any) -> None:
        """The node that gives an output of the operator."""
        name = self.net.write(self.operator.outputs[output], moved)
        self.net.node(op, inputs, name, **attributes)

    def inner(self, op: str, inputs: Sequence[str], what: str, **attributes: Any) -> str:
        """A node on the way to the output."""
        return self.net.node(op, inputs,
                             f"{self.net.names[self.operator.outputs[0]]}/{what}", **attributes)
