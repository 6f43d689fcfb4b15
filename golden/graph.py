"""A network as everyone here sees it: typed tensors, and nodes in the order they run.

The front end makes it, the golden executor runs it, the compiler compiles it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from golden.attributes import (
    LARGEST_WEIGHT,
    Add,
    Attributes,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    GraphError,
    MaxPool,
    Mean,
    Pad,
    Quantize,
    Reshape,
    Scale,
    Softmax,
    Weighted,
    Window,
)
from golden.broadcast import Maximum, Minimum
from golden.external import External

__all__ = [
    "Add", "Attributes", "AveragePool", "Clamp", "Concat", "Conv2D", "DepthwiseConv2D",
    "External", "FullyConnected", "Graph", "GraphError", "MaxPool", "Maximum", "Mean", "Minimum",
    "Node", "Pad", "Quant", "Quantize", "Reshape", "Scale", "Softmax", "Tensor", "Weighted",
    "Window",
]

# The last line's are only run outside.
DTYPES = ("int8", "int32", "uint8", "float32",
          "bool", "int16", "uint16", "float16", "uint32", "int64", "uint64", "float64")


@dataclass(frozen=True)
class Quant:
    """real = scale * (q - zero_point), one scale for the whole tensor."""

    scale: float
    zero_point: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph.

    Parameters
    ----------
    name : str
        Unique in its graph.
    shape : tuple of int
        NHWC, or (rows, channels) and the like; batch included.
    dtype : str
        One of ``DTYPES``.
    quant : Quant or None
        What the integers mean; None where they only mean themselves.
    data : ndarray or None
        Value of a constant; None for what is computed or given.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    quant: Quant | None = None
    data: np.ndarray | None = None

    def __str__(self) -> str:
        text = f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"
        if self.quant:
            text += f" scale {self.quant.scale:.6g} zero {self.quant.zero_point}"
        return text


@dataclass(frozen=True, eq=False)
class Node:
    """One operator at work: ``attrs`` says which operator and everything about it."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Attributes

    @property
    def op(self) -> str:
        """Name of the operator: that of its attributes' class."""
        return type(self.attrs).__name__

    def __str__(self) -> str:
        return f"{self.name} = {self.op}({', '.join(self.inputs)}) -> {', '.join(self.outputs)}"


@dataclass(eq=False)
class Graph:
    """A network.

    Parameters
    ----------
    name : str
        Of the network.
    tensors : dict of str to Tensor
        By name.
    nodes : list of Node
        In an order in which they can run.
    inputs, outputs : tuple of str
        Names of the tensors given and asked for.
    notes : list of str
        What the reader of the file decided that its user should know.
    """

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def add(self, tensor: Tensor) -> Tensor:
        """Add a tensor whose name is new."""
        if tensor.name in self.tensors:
            raise GraphError(f"tensor {tensor.name!r} exists twice")
        self.tensors[tensor.name] = tensor
        return tensor

    def producer(self, name: str) -> Node | None:
        """The node that writes a tensor, or None for inputs and constants."""
        return next((node for node in self.nodes if name in node.outputs), None)

    def consumers(self, name: str) -> list[Node]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.inputs]

    def constants(self) -> Iterator[Tensor]:
        """The tensors that have data."""
        return (tensor for tensor in self.tensors.values() if tensor.data is not None)

    def validate(self) -> None:
        """Check names, order, shapes and types.

        Raises
        ------
        GraphError
            With the name of the node or tensor that is wrong.
        """
        for name, tensor in self.tensors.items():
            self._check_tensor(name, tensor)
        known = {tensor.name for tensor in self.constants()}
        for name in self.inputs:
            if name not in self.tensors or name in known:
                raise GraphError(f"input {name!r} is not a tensor, is a constant or comes twice")
            known.add(name)
        for node in self.nodes:
            for name in node.inputs:
                if name not in known:
                    raise GraphError(f"node {node.name!r} reads {name!r} before it is written")
            for name in node.outputs:
                if name not in self.tensors or name in known:
                    raise GraphError(f"node {node.name!r} writes {name!r}, which is not a tensor "
                                     "or is written twice")
                known.add(name)
            self._check_node(node)
        for name in self.outputs:
            if name not in known:
                raise GraphError(f"output {name!r} is never written")

    def _check_tensor(self, name: str, tensor: Tensor) -> None:
        if name != tensor.name:
            raise GraphError(f"tensor {tensor.name!r} is filed under {name!r}")
        if tensor.dtype not in DTYPES or not all(size >= 1 for size in tensor.shape):
            raise GraphError(f"tensor {tensor} must be of {', '.join(DTYPES)} and have sizes of "
                             "at least 1")
        data = tensor.data
        if data is not None and (data.shape != tensor.shape or data.dtype != tensor.dtype):
            raise GraphError(f"tensor {tensor} holds {data.dtype}{data.shape}")

    def _check_node(self, node: Node) -> None:
        tensors = [self.tensors[name] for name in node.inputs]
        if isinstance(node.attrs, External):
            given = [self.tensors[name] for name in node.outputs]
            try:
                node.attrs.check(*([(tensor.dtype, tensor.shape) for tensor in some]
                                   for some in (tensors, given)))
            except GraphError as error:
                raise GraphError(f"node {node.name!r} ({node.op}): {error}") from None
            return
        if len(node.outputs) != 1:
            raise GraphError(f"node {node.name!r} writes {len(node.outputs)} tensors, must be 1")
        output = self.tensors[node.outputs[0]]
        before, after = node.attrs.types()
        for tensor, wanted in (*((tensor, before) for tensor in tensors), (output, after)):
            if tensor.dtype != wanted:
                raise GraphError(f"node {node.name!r}: tensor {tensor.name!r} is {tensor.dtype}, "
                                 f"must be {wanted}")
        if isinstance(node.attrs, Weighted):
            self._check_kernel(node.name, node.attrs.kernel)
        try:
            shape = node.attrs.shape(*(tensor.shape for tensor in tensors))
        except GraphError as error:
            raise GraphError(f"node {node.name!r} ({node.op}): {error}") from None
        except (TypeError, ValueError, IndexError):
            raise GraphError(f"node {node.name!r} ({node.op}) can't take {len(tensors)} inputs of "
                             f"shapes {[tensor.shape for tensor in tensors]}") from None
        if shape != output.shape:
            raise GraphError(f"node {node.name!r} ({node.op}) gives {shape}, its output "
                             f"{output.name!r} is {output.shape}")

    @staticmethod
    def _check_kernel(name: str, kernel: np.ndarray) -> None:
        if kernel.dtype not in (np.int8, np.int16):
            raise GraphError(f"node {name!r}: kernel is {kernel.dtype}, must be int8, or int16 "
                             f"within ±{LARGEST_WEIGHT}")
        largest = int(np.abs(kernel.astype(np.int32)).max(initial=0))
        if largest > LARGEST_WEIGHT:
            raise GraphError(f"node {name!r}: kernel has a weight of magnitude {largest}, must be "
                             f"at most {LARGEST_WEIGHT}")

    def __str__(self) -> str:
        # A computed tensor goes by its node's name: names in files run to hundreds of characters.
        short = {name: node.name + (f".{number}" if number else "")
                 for node in self.nodes for number, name in enumerate(node.outputs)}
        lines = [f"graph {self.name}: {len(self.nodes)} nodes"]
        lines += [f"  input {self.tensors[name]}" for name in self.inputs]
        lines += [f"  constant {tensor}" for tensor in self.constants()]
        for node in self.nodes:
            inputs = ", ".join(short.get(name, name) for name in node.inputs)
            outputs = ", ".join(str(self.tensors[name]).removeprefix(name + ": ")
                                for name in node.outputs)
            lines.append(f"  {node.name} = {node.op}({inputs}): {outputs}")
        lines += [f"  output {short.get(name, name)}" for name in self.outputs]
        return "\n".join(lines)
