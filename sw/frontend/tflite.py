"""Reads TensorFlow Lite networks of int8 or, as older ones are, of uint8."""

import dataclasses
import math
from pathlib import Path

from golden.graph import Attributes, Concat, Graph, GraphError, Node, Quantize, Reshape, Tensor
from golden.movement import Take
from golden.spec.numerics import IDENTITY
from sw.errors import ModelError
from sw.frontend import movement, reductions, tables
from sw.frontend.flatbuffer import RawModel, RawOperator, read, unique_names
from sw.frontend.operands import Operands, check_activation, check_shape, constant_data
from sw.frontend.operators import CONVERTERS, EDGE_TYPES
from sw.frontend.unsigned import OFFSET, as_signed

__all__ = ["SUPPORTED", "load"]

_CONVERTERS = {**CONVERTERS, **movement.CONVERTERS, **reductions.CONVERTERS,
               **tables.CONVERTERS}
SUPPORTED = tuple(sorted(_CONVERTERS))
CONTROL_FLOW = ("CALL", "CALL_ONCE", "IF", "WHILE")


class _Loader:
    """Builds the graph of one file."""

    def __init__(self, path: Path, model: RawModel) -> None:
        self.path = path
        self.model, self.unsigned = as_signed(model)
        self.given = model
        self.graph = Graph(path.stem)
        self.names = unique_names([tensor.name for tensor in model.tensors])
        self.edges = self.unsigned & {*model.inputs, *model.outputs}

    def name(self, index: int) -> str:
        """The graph's name of a tensor, which is added when it is first met."""
        name = self.names[index] + (" (int8)" if index in self.edges else "")
        if name not in self.graph.tensors:
            raw = self.model.tensors[index]
            if raw.type == "FLOAT32" and index in self.model.inputs + self.model.outputs:
                check_shape(self.path, raw)
                self.graph.add(Tensor(name, raw.shape, "float32"))
                return name
            if raw.type in ("INT32", "INT64") and index in self.model.outputs:
                check_shape(self.path, raw)
                self.graph.add(Tensor(name, raw.shape, raw.type.lower()))
                return name
            # Converters have checked what they convert; this lets pass what any of them accepts.
            operand = check_activation(self.path, raw, *EDGE_TYPES)
            data = None if raw.data is None else constant_data(self.path, raw)
            self.graph.add(Tensor(name, operand.shape, operand.type.lower(), operand.quant, data))
        return name

    def edge(self, index: int, begins: bool) -> str:
        """An input or output of the network in the file's type, converted where that is uint8."""
        inner = self.name(index)
        if index not in self.edges:
            return inner
        operand = check_activation(self.path, self.given.tensors[index], "UINT8")
        name = self.names[index]
        if name not in self.graph.tensors:
            self.graph.add(Tensor(name, operand.shape, "uint8", operand.quant))
            zero = operand.quant.zero_point
            ends, types, zeros = (inner, name), ("int8", "uint8"), (zero - OFFSET, zero)
            if begins:
                ends, types, zeros = ends[::-1], types[::-1], zeros[::-1]
            self.graph.nodes.append(Node(
                f"{'input' if begins else 'output'}_{index}", ends[:1], ends[1:], Quantize(
                    input_type=types[0], output_type=types[1], input_zero=zeros[0],
                    scale=IDENTITY, output_zero=zeros[1])))
        return name

    def check_types(self, operator: RawOperator) -> None:
        """Refuse an operator of both types, and zero points that uint8 doesn't have."""
        touched = [self.given.tensors[index] for index in operator.inputs + operator.outputs
                   if index >= 0]
        types = {tensor.type for tensor in touched if tensor.type in EDGE_TYPES}
        if len(types) > 1 and operator.name != "QUANTIZE":
            raise ModelError(f"{self.path}: {operator.label} has INT8 and UINT8 tensors; accepted "
                             "is one of them")
        for tensor in touched:
            zeros = tensor.zero_points
            for zero in zeros.tolist() if tensor.type == "UINT8" else ():
                if not 0 <= zero <= 255:
                    raise ModelError(f"{self.path}: {tensor.label} has zero point {zero}; accepted "
                                     "are 0 to 255")

    def add_node(self, operator: RawOperator) -> None:
        if operator.name in CONTROL_FLOW:
            raise ModelError(f"{self.path}: {operator.label}: control flow is not supported")
        if operator.name not in _CONVERTERS:
            raise ModelError(f"{self.path}: {operator.label} is not supported; supported are "
                             f"{', '.join(SUPPORTED)}")
        self.check_types(operator)
        view = Operands(self.path, self.model, operator, self.unsigned)
        try:
            found = _CONVERTERS[operator.name](view)
        except ValueError as error:
            raise view.fail(str(error)) from None
        name = f"{operator.index}_{operator.name.lower()}"
        parts = found if isinstance(found, list) else [found]
        for number, (attrs, data) in enumerate(parts):
            positions = range(data) if isinstance(data, int) else data
            inputs = tuple(self.name(operator.inputs[at]) for at in positions)
            self.append(name if len(parts) == 1 else f"{name}_{number}", attrs, inputs,
                        self.name(operator.outputs[number]))

    def append(self, name: str, attrs: Attributes, inputs: tuple[str, ...], output: str) -> None:
        """Append a node, and reshapes.

        A slice may drop axes with one index left; what is packed has one axis less before.
        """
        tensor = self.graph.tensors[output]
        if isinstance(attrs, Concat):
            inputs = tuple(self.widened(f"{name}_shape{number}", given, attrs.axis, tensor)
                           for number, given in enumerate(inputs))
        if isinstance(attrs, Take):
            shape = attrs.shape(self.graph.tensors[inputs[0]].shape)
            if shape != tensor.shape and math.prod(shape) == math.prod(tensor.shape):
                whole = self.graph.add(dataclasses.replace(tensor, name=f"{output} (all axes)",
                                                           shape=shape))
                self.graph.nodes.append(Node(name, inputs, (whole.name,), attrs))
                name, inputs, attrs = f"{name}_shape", (whole.name,), Reshape(to=tensor.shape)
        self.graph.nodes.append(Node(name, inputs, (output,), attrs))

    def widened(self, name: str, given: str, axis: int, output: Tensor) -> str:
        """A tensor with an axis of size 1 more, if it has one less than what it is joined to."""
        shape = self.graph.tensors[given].shape
        if len(shape) == len(output.shape):
            return given
        shape = (*shape[:axis], 1, *shape[axis:])
        wide = self.graph.add(dataclasses.replace(
            self.graph.tensors[given], name=f"{name} (wide)", shape=shape))
        self.graph.nodes.append(Node(name, (given,), (wide.name,), Reshape(to=shape)))
        return wide.name

    def load(self) -> Graph:
        if not self.model.operators or not self.model.outputs or not self.model.inputs:
            raise ModelError(f"{self.path}: the network has {len(self.model.operators)} operators, "
                             f"{len(self.model.inputs)} inputs and {len(self.model.outputs)} "
                             "outputs; each must be at least 1")
        if -1 in self.model.inputs + self.model.outputs:
            raise ModelError(f"{self.path}: damaged TensorFlow Lite file: an input or output of "
                             "the network is left out")
        self.graph.inputs = tuple(self.edge(index, True) for index in self.model.inputs)
        for operator in self.model.operators:
            self.add_node(operator)
        self.graph.outputs = tuple(self.edge(index, False) for index in self.model.outputs)
        try:
            self.graph.validate()
        except GraphError as error:
            raise ModelError(f"{self.path}: {error}") from None
        return self.graph


def load(path: Path | str) -> Graph:
    """Read an int8 TensorFlow Lite file.

    Raises
    ------
    ModelError
        If the file can't be read or the network uses what is not supported; the text names file,
        tensor or operator, what it is and what is accepted.
    """
    path = Path(path)
    return _Loader(path, read(path)).load()
