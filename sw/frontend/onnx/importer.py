"""From a checked ONNX model to a graph, node by node."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from golden.graph import Graph, GraphError
from sw.errors import ModelError
from sw.frontend.onnx.builder import Builder
from sw.frontend.onnx.edges import add_input, add_output
from sw.frontend.onnx.file import Shapes, read
from sw.frontend.onnx.folding import fold
from sw.frontend.onnx.operators import CONVERTERS, QUANTIZING
from sw.frontend.onnx.origin import Origin, Slots
from sw.frontend.onnx.values import Constant, Integers, Placed, Value
from sw.frontend.onnx.view import View

__all__ = ["Imported", "import_model", "load"]

OWN_DOMAINS = ("", "ai.onnx")
NOT_FOLDED = ("QuantizeLinear", "DequantizeLinear", "Transpose", "Identity", "Dropout")


@dataclass(frozen=True)
class Imported:
    """An imported network.

    Parameters
    ----------
    graph : Graph
    places : dict of str to Placed
        ONNX's integer tensors that the graph holds, by ONNX's names; uint8 less 128.
    rounded : set of str
        Tensors of the graph that are rounded where ONNX computes on in float.
    slots : dict of str to Slots
        Where weights and biases of the graph's nodes lie in the file.
    """

    graph: Graph
    places: dict[str, Placed]
    rounded: set[str]
    slots: dict[str, Slots]


class _Importer:
    """Imports one model."""

    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        self.path, self.model, self.source = path, model, model.graph
        self.outputs = [item.name for item in self.source.output]
        inputs = [item.name for item in self.source.input]
        self.build = Builder(path.stem, [*inputs, *self.outputs])
        self.values: dict[str, Value] = {
            item.name: _constant(item.name, onnx.numpy_helper.to_array(item))
            for item in self.source.initializer}
        names = [name for node in self.source.node for name in node.input] + self.outputs
        self.readers = {name: names.count(name) for name in names}
        self.shapes = {item.name: shape for item in (*self.source.value_info, *self.source.output)
                       if (shape := _shape(item)) is not None}
        self.opset = next((item.version for item in model.opset_import
                           if item.domain in OWN_DOMAINS), 0)

    def fail(self, text: str) -> ModelError:
        return ModelError(f"{self.path}: {text}")

    def run(self) -> Imported:
        if not any(node.op_type in QUANTIZING for node in self.source.node):
            raise self.fail("not quantized: none of its nodes is QuantizeLinear, DequantizeLinear "
                            "or a QLinear operator; accepted are quantized networks (sentei "
                            "quantize makes one from it and a few samples)")
        for item in self.source.input:
            if item.name not in self.values:
                try:
                    self.values[item.name] = add_input(self.path, self.build, item)
                except ValueError as error:
                    raise self.fail(f"input {item.name!r}: {error}") from None
        for index, node in enumerate(self.source.node):
            self.convert(index, node)
        if not self.outputs or not self.build.graph.inputs:
            raise self.fail(f"the network has {len(self.build.graph.inputs)} inputs and "
                            f"{len(self.outputs)} outputs; each must be at least 1")
        for name in self.outputs:
            try:
                add_output(self.path, self.build, name, self.values[name])
            except ValueError as error:  # as in `convert`
                raise self.fail(f"output {name!r}: {error}") from None
        graph = self.build.finish(self.outputs)
        try:
            graph.validate()
        except GraphError as error:
            raise self.fail(str(error)) from None
        # Only those that something asked for are in the graph.
        return Imported(graph, {name: value.made for name, value in self.values.items()
                                if isinstance(value, Integers) and value.made},
                        self.build.rounded, self.build.slots)

    def convert(self, index: int, node: onnx.NodeProto) -> None:
        view = View(self.path, index, node, self.values, self.build,
                    self.readers.get(node.output[0], 0) == 1 and node.output[0] not in self.outputs,
                    self.opset)
        domain = "" if node.domain in OWN_DOMAINS else node.domain
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise view.fail(f"reads {missing[0]!r}, which no node gives")
        given = [self.values[name] if name else None for name in node.input]
        constants = [value for value in given if value is None or isinstance(value, Constant)]
        if node.op_type in ("Shape", "Size") and given[0] is not None:
            constants = [Constant(np.empty(given[0].shape, np.bool_))]
        if len(constants) == len(given) and domain == "" and node.op_type not in NOT_FOLDED:
            found = fold(view, constants, self.model.opset_import)
            names = [name for name in node.output if name]
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                found = [_constant(names[0], item.data) for item in found]
            self.values.update(zip(names, found, strict=False))
            return
        if (domain, node.op_type) not in CONVERTERS:
            where = f" of domain {domain}" if domain else ""
            names = [name for _, name in CONVERTERS]
            raise view.fail(f"operator {node.op_type}{where} is not supported; supported are "
                            f"{', '.join(sorted(set(names)))}")
        try:
            value = CONVERTERS[domain, node.op_type](view)
        except ValueError as error:  # a factor out of range, shapes that don't fit
            raise view.fail(str(error)) from None
        self.values[view.output] = value
        inferred = self.shapes.get(view.output)
        if inferred is not None and inferred != value.shape:
            raise view.fail(f"gives {list(value.shape)}, ONNX infers {list(inferred)}")


def _constant(name: str, data: np.ndarray) -> Constant:
    """One that the file holds as it is."""
    return Constant(data, origin=Origin.of(name, data.shape))


def _shape(item: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    """The inferred shape, if it was found."""
    if not item.type.tensor_type.HasField("shape"):
        return None
    sizes = item.type.tensor_type.shape.dim
    return tuple(size.dim_value for size in sizes) if all(
        size.HasField("dim_value") for size in sizes) else None


def import_model(path: Path | str, shapes: Shapes | None = None,
                 raw: bytes | None = None) -> Imported:
    """Read a quantized ONNX file, with where its integer tensors are in the graph.

    ``raw`` is read in place of what the file holds.
    """
    path = Path(path)
    return _Importer(path, read(path, shapes or {}, raw)).run()


def load(path: Path | str, shapes: Shapes | None = None) -> Graph:
    """Read a quantized ONNX file.

    Parameters
    ----------
    path : Path or str
    shapes : mapping of str to tuple of int, optional
        Sizes of inputs that the file leaves open; an open batch is 1.

    Raises
    ------
    ModelError
        If the file can't be read or the network uses what is not supported; the text names file,
        node or tensor, what it is and what is accepted.
    UsageError
        If ``shapes`` doesn't fit the inputs.
    """
    return import_model(path, shapes).graph
