"""The graph under construction."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from golden.attributes import Attributes, Clamp
from golden.edges import Transpose
from golden.external import External
from golden.graph import Graph, Node, Quant, Reshape, Tensor
from golden.spec.numerics import IDENTITY
from sw.frontend.onnx.layout import detour, movement, rearrangement
from sw.frontend.onnx.origin import Slots
from sw.frontend.onnx.scales import FULL, scale_of
from sw.frontend.onnx.values import Bounds, Placed

__all__ = ["Builder", "free_name"]


class Builder:
    """Appends nodes to a graph under names of their own.

    Parameters
    ----------
    name : str
        Of the network.
    reserved : sequence of str
        Names of its inputs and outputs, which no inner tensor takes.
    own : collection of str
        What the file's nodes are called, which no node beside them takes.
    """

    def __init__(self, name: str, reserved: Sequence[str], own: Collection[str] = ()) -> None:
        self.graph = Graph(name)
        self._reserved = set(reserved)
        self._nodes: set[str] = set()
        self._own = frozenset(own)
        self.slots: dict[str, Slots] = {}  # by node
        self.rounded: set[str] = set()  # averages kept in 8 bits though the file doesn't say so
        self._renamed: dict[str, str] = {}
        self._moved: dict[tuple[str, bytes, tuple[int, ...], bytes], Placed] = {}

    def input(self, name: str, shape: tuple[int, ...], dtype: str,
              quant: Quant | None = None) -> str:
        """Add an input of the network."""
        self.graph.add(Tensor(name, shape, dtype, quant))
        self.graph.inputs += (name,)
        return name

    def node(self, name: str, attrs: Attributes, inputs: Sequence[str], *, output: str,
             quant: Quant | None = None, exact: bool = False) -> str:
        """Append a node.

        Parameters
        ----------
        name, output : str
            Of the node and of its output; a number is added where they are taken.
        attrs : Attributes
        inputs : sequence of str
            Tensors of the graph.
        quant : Quant or None
            Of the output.
        exact : bool
            The output is one of the network and keeps its name.

        Returns
        -------
        str
            Name of the output.
        """
        name = free_name(name, self._nodes)
        self._nodes.add(name)
        if not exact:
            output = free_name(output, self._reserved | self.graph.tensors.keys())
        shape = attrs.shape(*(self.graph.tensors[tensor].shape for tensor in inputs))
        self.graph.add(Tensor(output, shape, attrs.types()[1], quant))
        self.graph.nodes.append(Node(name, tuple(inputs), (output,), attrs))
        return output

    def beside(self, name: str, what: str) -> str:
        """A name for a node that does something more for the one of a name."""
        return free_name(f"{name}_{what}", self._nodes | self._own)

    def pretended(self, name: str, shape: tuple[int, ...]) -> str:
        """A tensor that nothing gives, in a graph that nobody gets."""
        name = free_name(name, self._reserved | self.graph.tensors.keys())
        return self.graph.add(Tensor(name, shape, "int8")).name

    def external(self, name: str, attrs: External, inputs: Sequence[str],
                 outputs: Sequence[tuple[str, Quant | None]]) -> list[str]:
        """Append a section of the host's; the names of its outputs."""
        name = free_name(name, self._nodes)
        self._nodes.add(name)
        made = []
        for (output, quant), (dtype, shape) in zip(outputs, attrs.given, strict=True):
            output = free_name(output, self._reserved | self.graph.tensors.keys())
            made.append(self.graph.add(Tensor(output, shape, dtype, quant)).name)
        self.graph.nodes.append(Node(name, tuple(inputs), tuple(made), attrs))
        return made

    def arranged(self, name: str, placed: Placed, shape: tuple[int, ...],
                 wanted: np.ndarray) -> Placed | None:
        """The tensor of ONNX's ``shape`` in another order; None if no transposition gives it."""
        key = placed.tensor, placed.stored.tobytes(), wanted.shape, wanted.tobytes()
        if key not in self._moved:
            steps = rearrangement(placed.stored, wanted)
            if steps is None and (found := movement(placed.stored, shape, wanted)) is not None:
                steps = _moves(placed.stored.shape, *found, wanted.shape)
            if steps is None:
                steps = detour(placed.stored, wanted)
            if steps is None:
                return None
            tensor = placed.tensor
            for attrs in steps:
                kind = type(attrs).__name__.lower()
                tensor = self.node(self.beside(name, kind), attrs, [tensor],
                                   output=f"{tensor}_{kind}", quant=self.quant(tensor))
            self._moved[key] = Placed(tensor, wanted)
        return self._moved[key]

    def reshaped(self, name: str, tensor: str, shape: tuple[int, ...]) -> str:
        """The same bytes in another shape."""
        if self.graph.tensors[tensor].shape == shape:
            return tensor
        return self.node(self.beside(name, "reshape"), Reshape(to=shape), [tensor],
                         output=f"{tensor}_reshaped", quant=self.quant(tensor))

    def bounded(self, name: str, placed: Placed, quant: Quant, bounds: Bounds) -> Placed:
        """The tensor clamped."""
        if bounds == FULL:
            return placed
        return self.clamped(name, placed, quant, quant, bounds)

    def clamped(self, name: str, placed: Placed, given: Quant, wanted: Quant,
                bounds: Bounds) -> Placed:
        """The tensor requantized and clamped by a node of its own."""
        scale = IDENTITY if given.scale == wanted.scale else scale_of(given.scale / wanted.scale)
        tensor = self.node(self.beside(name, "clamp") if name in self._nodes else name, Clamp(
            input_zero=given.zero_point, scale=scale, output_zero=wanted.zero_point,
            least=bounds[0], most=bounds[1]), [placed.tensor],
            output=f"{placed.tensor}_clamped", quant=wanted)
        return Placed(tensor, placed.stored)

    def rename(self, tensor: str, name: str) -> bool:
        """Let a tensor have the name of an output in the end; False if it has another already."""
        if tensor in self._renamed or tensor in self.graph.inputs:
            return False
        self._renamed[tensor] = name
        return True

    def finish(self, outputs: Sequence[str]) -> Graph:
        """The graph with these outputs."""
        graph, new = self.graph, self._renamed
        graph.tensors = {new.get(key, key): dataclasses.replace(item, name=new.get(key, key))
                         for key, item in graph.tensors.items()}
        graph.nodes = [dataclasses.replace(
            node, inputs=tuple(new.get(key, key) for key in node.inputs),
            outputs=tuple(new.get(key, key) for key in node.outputs)) for node in graph.nodes]
        graph.outputs = tuple(outputs)
        return graph

    def quant(self, tensor: str) -> Quant | None:
        """A tensor's quantization."""
        return self.graph.tensors[tensor].quant


def _moves(given: tuple[int, ...], sizes: tuple[int, ...], perm: tuple[int, ...] | None,
           wanted: tuple[int, ...]) -> list[Attributes]:
    """Operators for what `movement` has found."""
    steps: list[Attributes] = []
    if perm is not None:
        steps = [Reshape(to=sizes), Transpose(perm=perm)]
        steps = steps[sizes == given:]
        given = tuple(sizes[axis] for axis in perm)
    return steps if given == wanted else [*steps, Reshape(to=wanted)]


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or the first of ``name#2``, ``name#3`` ... that isn't taken."""
    if name and name not in taken:
        return name
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"
