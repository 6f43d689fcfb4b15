"""Reads int8 TensorFlow Lite networks; their inputs and outputs may be uint8."""

from pathlib import Path

from golden.graph import Graph, GraphError, Node, Tensor
from sw.errors import ModelError
from sw.frontend.flatbuffer import RawModel, RawOperator, read, unique_names
from sw.frontend.operands import Operands, check_activation, constant_data
from sw.frontend.operators import CONVERTERS, EDGE_TYPES

__all__ = ["SUPPORTED", "load"]

SUPPORTED = tuple(CONVERTERS)
CONTROL_FLOW = ("CALL", "CALL_ONCE", "IF", "WHILE")


class _Loader:
    """Builds the graph of one file."""

    def __init__(self, path: Path, model: RawModel) -> None:
        self.path = path
        self.model = model
        self.graph = Graph(path.stem)
        self.names = unique_names([tensor.name for tensor in model.tensors])

    def name(self, index: int) -> str:
        """The graph's name of a tensor, which is added when it is first met."""
        name = self.names[index]
        if name not in self.graph.tensors:
            raw = self.model.tensors[index]
            # Converters have checked what they convert; this lets pass what any of them accepts.
            operand = check_activation(self.path, raw, *EDGE_TYPES)
            data = None if raw.data is None else constant_data(self.path, raw)
            self.graph.add(Tensor(name, operand.shape, operand.type.lower(), operand.quant, data))
        return name

    def add_node(self, operator: RawOperator) -> None:
        if operator.name in CONTROL_FLOW:
            raise ModelError(f"{self.path}: {operator.label}: control flow is not supported")
        if operator.name not in CONVERTERS:
            raise ModelError(f"{self.path}: {operator.label} is not supported; supported are "
                             f"{', '.join(SUPPORTED)}")
        view = Operands(self.path, self.model, operator)
        try:
            attrs, count = CONVERTERS[operator.name](view)
        except ValueError as error:
            raise view.fail(str(error)) from None
        inputs = tuple(self.name(index) for index in operator.inputs[:count])
        output = self.name(operator.outputs[0])
        self.graph.nodes.append(
            Node(f"{operator.index}_{operator.name.lower()}", inputs, (output,), attrs))

    def load(self) -> Graph:
        if not self.model.operators or not self.model.outputs or not self.model.inputs:
            raise ModelError(f"{self.path}: the network has {len(self.model.operators)} operators, "
                             f"{len(self.model.inputs)} inputs and {len(self.model.outputs)} "
                             "outputs; each must be at least 1")
        if -1 in self.model.inputs + self.model.outputs:
            raise ModelError(f"{self.path}: damaged TensorFlow Lite file: an input or output of "
                             "the network is left out")
        self.graph.inputs = tuple(self.name(index) for index in self.model.inputs)
        for operator in self.model.operators:
            self.add_node(operator)
        self.graph.outputs = tuple(self.name(index) for index in self.model.outputs)
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
