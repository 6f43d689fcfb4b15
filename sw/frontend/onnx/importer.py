"""From a checked ONNX model to a graph, node by node."""

import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from golden.graph import Graph, GraphError
from sw.errors import ModelError
from sw.frontend.onnx.builder import Builder, free_name
from sw.frontend.onnx.edges import add_input, add_output
from sw.frontend.onnx.file import Shapes, read
from sw.frontend.onnx.folding import fold
from sw.frontend.onnx.layout import canonical
from sw.frontend.onnx.operators import CONVERTERS, QUANTIZING
from sw.frontend.onnx.origin import Origin, Slots
from sw.frontend.onnx.partition import MOVERS, joined, reads, units
from sw.frontend.onnx.section import Section, stand_in
from sw.frontend.onnx.values import Constant, Index, Integers, Placed, Real, Value
from sw.frontend.onnx.view import Disorder, Refusal, View

__all__ = ["Imported", "import_model", "load"]

OWN_DOMAINS = ("", "ai.onnx")
NOT_FOLDED = ("QuantizeLinear", "DequantizeLinear", "Transpose", "Identity", "Dropout")
_FRAMES = 30  # of Python's stack for each node, at most
# Through these an order of bytes passes from one operator to the next.
CARRIERS = (*MOVERS, "QuantizeLinear", "DequantizeLinear", "Relu", "Clip")


@dataclass(frozen=True)
class Imported:
    """An imported network.

    Parameters
    ----------
    graph : Graph
    places : dict of str to tuple of Placed
        ONNX's integer tensors that the graph holds, by ONNX's names; uint8 less 128. Several
        where tables need one each.
    rounded : set of str
        Tensors of the graph that are rounded where ONNX computes on in float.
    slots : dict of str to Slots
        Where weights and biases of the graph's nodes lie in the file.
    """

    graph: Graph
    places: dict[str, tuple[Placed, ...]]
    rounded: set[str]
    slots: dict[str, Slots]


class _Again(Exception):
    """Nodes have been found that the host must run: number to why."""

    def __init__(self, found: Mapping[int, str]) -> None:
        super().__init__()
        self.found = found


class _Importer:
    """Imports one model, some of whose nodes are the host's."""

    def __init__(self, path: Path, model: onnx.ModelProto, host: Mapping[int, str],
                 constants: Set[str]) -> None:
        self.path, self.model, self.source = path, model, model.graph
        self.nodes = list(self.source.node)
        self.outputs = [item.name for item in self.source.output]
        inputs = [item.name for item in self.source.input]
        self.names = _names(self.nodes)
        self.build = Builder(path.stem, [*inputs, *self.outputs], self.names)
        self.values: dict[str, Value] = {
            item.name: _constant(item.name, onnx.numpy_helper.to_array(item))
            for item in self.source.initializer}
        names = [name for node in self.nodes for name in reads(node)] + self.outputs
        self.readers = {name: names.count(name) for name in names}
        self.makers = {name: index for index, node in enumerate(self.nodes)
                       for name in node.output if name}
        self.types = {item.name: (item.type.tensor_type.elem_type, _shape(item))
                      for item in (*self.source.value_info, *self.source.output)}
        self.opset = next((item.version for item in model.opset_import
                           if item.domain in OWN_DOMAINS), 0)
        self.chosen = host.keys()
        self.host = joined(self.nodes, host, constants, set(self.outputs))
        self.units = units(self.nodes, self.host.keys(), constants)
        self.refused: dict[int, str] = {}
        self.unknown: set[str] = set()  # results of refused nodes whose type isn't known

    def fail(self, text: str) -> ModelError:
        return ModelError(f"{self.path}: {text}")

    def run(self) -> Imported:
        """The network.

        Raises
        ------
        _Again
            If more nodes are the host's.
        ModelError
            If not even the host can run it.
        """
        if not any(node.op_type in QUANTIZING for node in self.nodes):
            raise self.fail("not quantized: none of its nodes is QuantizeLinear, DequantizeLinear "
                            "or a QLinear operator; accepted are quantized networks (sentei "
                            "quantize makes one from it and a few samples)")
        for item in self.source.input:
            if item.name not in self.values:
                try:
                    self.values[item.name] = add_input(self.path, self.build, item)
                except ValueError as error:
                    raise self.fail(f"input {item.name!r}: {error}") from None
        for unit in self.units:
            if unit.host:
                self.section(unit.nodes)
            else:
                self.convert(*unit.nodes)
        if self.refused:
            raise _Again(self.refused)
        if not self.outputs or not self.build.graph.inputs:
            raise self.fail(f"the network has {len(self.build.graph.inputs)} inputs and "
                            f"{len(self.outputs)} outputs; each must be at least 1")
        for name in self.outputs:
            if name not in self.makers:
                raise self.fail(f"output {name!r} is an input of the network or constant; accepted "
                                "are computed outputs")
            self.need_real(name, "an output of the network", rounded=True)
            if self.refused:
                raise _Again(self.refused)
            try:
                add_output(self.build, self.view(self.makers[name]), name, self.values[name])
            except Refusal as refusal:
                raise _Again(self.blamed(refusal) | self.probed()) from None
            except ValueError as error:  # as in `convert`
                raise self.fail(f"output {name!r}: {error}") from None
        graph = self.build.finish(self.outputs)
        try:
            graph.validate()
        except GraphError as error:
            raise self.fail(str(error)) from None
        # Only those that something asked for are in the graph.
        return Imported(graph, {name: value.made for name, value in self.values.items()
                                if isinstance(value, Index | Integers) and value.made},
                        self.build.rounded, self.build.slots)

    def view(self, index: int) -> View:
        node = self.nodes[index]
        first = node.output[0] if node.output else ""
        return View(self.path, index, self.names[index], node, self.values, self.build,
                    self.readers.get(first, 0) == 1 and first not in self.outputs, self.opset)

    def section(self, nodes: tuple[int, ...]) -> None:
        """Take over nodes that the host runs together."""
        made = {name for index in nodes for name in self.nodes[index].output if name}
        if self.unknown.intersection(name for index in nodes for name in reads(self.nodes[index])):
            self.unknown |= made
            return
        inner = [name for index in nodes for name in reads(self.nodes[index])]
        wanted = [name for name in dict.fromkeys(
            name for index in nodes for name in self.nodes[index].output)
            if name in self.outputs or self.readers.get(name, 0) > inner.count(name)]
        # Those first that the chip can't do, not those that join them: the section has its name.
        nodes = tuple(sorted(nodes, key=lambda index: (index not in self.chosen, index)))
        section = Section(self.model, [self.view(index) for index in nodes],
                          [self.host[index] for index in nodes], self.values, self.types, wanted)
        for name in section.inputs:
            self.need_real(name, "the host")
        self.values.update(section.results())

    def need_real(self, name: str, reader: str, rounded: bool = False) -> None:
        """What is asked for a value as it is must have one: otherwise the host computes it.

        ``rounded`` accepts averages in 8 bits though the file has them in float.
        """
        value = self.values.get(name)
        if isinstance(value, Index):
            self.refuse(self.makers[name], f"int16, read by {reader}")
        if isinstance(value, Real) and value.floating is None and (
                value.own is None or (value.average is not None and not rounded)):
            self.refuse(self.makers[name], f"stays float: read by {reader}, no "
                        "QuantizeLinear behind it")

    def refuse(self, index: int, why: str) -> None:
        """The host must run a node, and what gives it reals without a quantization."""
        if index in self.refused:
            return
        self.refused[index] = why
        for name in reads(self.nodes[index]):
            self.need_real(name, f"node {index} ({self.nodes[index].op_type}) on the host")

    def blamed(self, refusal: Refusal) -> dict[int, str]:
        """The nodes to be run by the host so that a refused one needn't be, or else itself."""
        found: dict[int, str] = {}
        if isinstance(refusal, Disorder):
            ahead = [name for name in refusal.tensors if name in self.makers]
            while ahead:
                index = self.makers[ahead.pop()]
                node = self.nodes[index]
                if index in self.host or node.op_type not in CARRIERS:
                    continue
                if node.op_type == "Transpose":
                    found[index] = f"{refusal.reader} {refusal.why}"
                ahead += [name for name in node.input if name in self.makers]
        if not found:
            if refusal.index in self.host:
                raise refusal
            found[refusal.index] = refusal.why
        return found

    def probed(self) -> dict[int, str]:
        """What else the host must run, found by asking for all integers, each on its own."""
        found: dict[int, str] = {}
        for name, value in list(self.values.items()):
            if isinstance(value, Integers):
                try:
                    value.place()
                except Refusal as refusal:
                    found |= self.blamed(refusal)
                    stored = canonical(value.shape)
                    value.pretend(Placed(self.build.pretended(name, stored.shape), stored))
                except ValueError:
                    pass  # met again, and told, when it is the only thing left
        return found

    def convert(self, index: int) -> None:
        """Convert a node, or find that the host must run it."""
        view, node = self.view(index), self.nodes[index]
        names = [name for name in node.output if name]
        missing = [name for name in reads(node) if name not in self.values]
        if self.unknown.intersection(missing):
            self.unknown.update(names)
            return
        if missing:
            raise ModelError(f"{self.path}: {view.label}: reads {missing[0]!r}, which no node "
                             "gives")
        if self.folded(view):
            return
        domain = "" if node.domain in OWN_DOMAINS else node.domain
        try:
            if (domain, node.op_type) not in CONVERTERS:
                where = f" of domain {domain}" if domain else ""
                raise view.fail(f"the chip has no operator {node.op_type}{where}")
            try:
                made = CONVERTERS[domain, node.op_type](view)
                given = dict(zip(node.output, made if isinstance(made, list) else [made],
                                 strict=False))
                self.values |= given
            except ValueError as error:  # a factor out of range, shapes that don't fit
                raise view.fail(str(error)) from None
            others = [name for name in names if self.readers.get(name) and name not in self.values]
            if others:
                raise view.fail(f"gives {others[0]!r} too")
        except Refusal as refusal:
            self.refuse(index, refusal.why)
            for name in names:
                stand = stand_in(self.types.get(name, (0, None)))
                if stand is None:
                    self.unknown.add(name)
                else:
                    self.values[name] = stand
            return
        for name, item in given.items():
            inferred = self.types.get(name, (0, None))[1]
            if inferred is not None and inferred != item.shape:
                raise ModelError(f"{self.path}: {view.label}: gives {list(item.shape)}, ONNX "
                                 f"infers {list(inferred)}")

    def folded(self, view: View) -> bool:
        """Compute a node of constants now; False if it isn't one."""
        node = view.node
        given = [self.values[name] if name else None for name in node.input]
        constants = [value for value in given if value is None or isinstance(value, Constant)]
        if node.op_type in ("Shape", "Size") and given[0] is not None:
            constants = [Constant(np.empty(given[0].shape, np.bool_))]
        if (len(constants) != len(given) or node.domain not in OWN_DOMAINS
                or node.op_type in NOT_FOLDED or not all(
                    isinstance(self.values[name], Constant) for name in reads(node)
                    if name not in node.input)):
            return False
        found = fold(view, constants, self.model.opset_import)
        names = [name for name in node.output if name]
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found = [_constant(names[0], item.data) for item in found]
        self.values.update(zip(names, found, strict=False))
        return True


def _names(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """What the graph calls each: as the file does, or as its first output, and none twice."""
    names, taken = [""] * len(nodes), set[str]()
    for index in sorted(range(len(nodes)), key=lambda index: not nodes[index].name):
        name = nodes[index].name or next(iter(nodes[index].output), "")
        names[index] = free_name(name, taken)
        taken.add(names[index])
    return names


@contextmanager
def _deep(frames: int) -> Iterator[None]:
    """Promises ask for promises, from the last node to the first."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + frames)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


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
    model, host, constants = read(path, shapes or {}, raw), dict[int, str](), set[str]()
    while True:
        importer = _Importer(path, model, host, constants)
        try:
            with _deep(_FRAMES * len(model.graph.node)):
                return importer.run()
        except _Again as again:
            assert not again.found.keys() <= host.keys()
            host |= again.found
            constants |= {name for name, value in importer.values.items()
                          if isinstance(value, Constant)}


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
