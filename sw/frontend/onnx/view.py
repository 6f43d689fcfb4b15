"""One ONNX node with its inputs: what converters read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from golden.attributes import Attributes
from golden.edges import DequantizeLinear
from golden.graph import Quant
from sw.errors import ModelError
from sw.frontend.onnx.builder import Builder
from sw.frontend.onnx.layout import canonical, plain
from sw.frontend.onnx.values import Bounds, Constant, Foreign, Index, Integers, Placed, Real, Value

__all__ = ["Disorder", "Refusal", "View"]

QUANTIZED = ("accepted is what DequantizeLinear gives, also by way of operators that keep a "
             "quantization (Relu, Clip, pools, Reshape, Transpose, Pad, Concat of equals)")


class Refusal(ModelError):
    """A node that the graph has no operator for; the host may have one.

    Parameters
    ----------
    view : View
        The node.
    why : str
    """

    def __init__(self, view: "View", why: str) -> None:
        super().__init__(f"{view.path}: {view.label}: {why}")
        self.index, self.label, self.why = view.index, view.label, why


class Disorder(Refusal):
    """A node needs bytes of a tensor in an order that the chip can't give.

    Parameters
    ----------
    view : View
        The node.
    tensor : str
        ONNX's name; empty for any of the node's.
    shape : tuple of int
    reader : str
        Who needs it, if not the node.
    """

    def __init__(self, view: "View", tensor: str, shape: tuple[int, ...],
                 reader: str = "") -> None:
        super().__init__(view, f"needs bytes of {list(shape)} in an order that mixes channels "
                               "with rows or columns; accepted are channels in another order, "
                               "blocks of pixels made of channels or channels of blocks, and one "
                               "transposition")
        self.reader = reader or view.label
        self.tensors = [tensor] if tensor else list(view.node.input)


class View:
    """A node at work.

    Parameters
    ----------
    path : Path
        For messages.
    index : int
        Number of the node in the file.
    name : str
        Of the operator that it becomes.
    node : onnx.NodeProto
    values : mapping of str to Value
        By name, those known so far.
    build : Builder
    alone : bool
        Its output is read by one node and not asked for.
    opset : int
        Of ONNX's own operators.
    """

    def __init__(self, path: Path, index: int, name: str, node: onnx.NodeProto,
                 values: Mapping[str, Value], build: Builder, alone: bool, opset: int) -> None:
        self.path, self.index, self.node, self.build, self.alone = path, index, node, build, alone
        self.op, self.opset = node.op_type, opset
        self.output = node.output[0] if node.output else ""
        self.name = name
        self.label = f"node {index} ({node.op_type} {node.name or self.output!r})"
        self._values = values
        self._attributes = {item.name: onnx.helper.get_attribute_value(item)
                            for item in node.attribute}

    @property
    def opsets(self) -> list[onnx.OperatorSetIdProto]:
        """For a model of ONNX's own operators."""
        return [onnx.helper.make_opsetid("", self.opset)]

    def fail(self, text: str) -> ModelError:
        """The refusal of this node."""
        return Refusal(self, text)

    def wrong(self, text: str) -> ModelError:
        """The refusal of the network, for what would be as wrong on the host."""
        return ModelError(f"{self.path}: {self.label}: {text}")

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute; text as str, numbers in tuples."""
        value = self._attributes.get(name, default)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return tuple(value) if isinstance(value, list) else value

    def has(self, position: int) -> bool:
        """Whether an input is there; optional ones may be left out."""
        return position < len(self.node.input) and bool(self.node.input[position])

    def value(self, position: int) -> Value:
        """An input."""
        if not self.has(position):
            raise self.fail(f"has no input {position}")
        return self._values[self.node.input[position]]

    def what(self, position: int) -> str:
        """An input for messages."""
        return f"input {position} ({self.node.input[position]!r})"

    def real(self, position: int) -> Real:
        """An input of reals that is computed."""
        value = self.value(position)
        if isinstance(value, Real):
            return value
        kind = "constant" if isinstance(value, Constant) else \
            value.dtype if isinstance(value, Foreign) else "quantized already"
        raise self.fail(f"{self.what(position)} is {kind}; accepted are computed float tensors")

    def integers(self, position: int) -> Integers:
        """An input of 8-bit integers that is computed."""
        value = self.value(position)
        if isinstance(value, Integers):
            return value
        kind = "constant" if isinstance(value, Constant) else \
            value.dtype if isinstance(value, Foreign) else \
            "int16" if isinstance(value, Index) else "float"
        raise self.fail(f"{self.what(position)} is {kind}; accepted are computed int8 or uint8 "
                        "tensors")

    def constant(self, position: int, what: str) -> Constant:
        """An input known at import."""
        value = self.value(position)
        if isinstance(value, Constant):
            return value
        raise self.fail(f"{what}, {self.what(position)}, is computed; accepted are constants")

    def numbers(self, name: str, position: int) -> tuple[int, ...] | None:
        """Integers that are an attribute or, in later opsets, an input; None if there are none."""
        if self.has(position):
            data = self.constant(position, name).data
            return tuple(int(number) for number in np.ravel(data))
        given = self.attribute(name, None)
        return None if given is None else tuple(int(number) for number in given)

    def own(self, position: int) -> Quant:
        """The quantization that an input has."""
        quant = self.real(position).own
        if quant is None:
            raise self.fail(f"{self.what(position)} is not quantized; {QUANTIZED}")
        return quant

    def arranged(self, placed: Placed, shape: tuple[int, ...], wanted: np.ndarray) -> Placed:
        """A tensor of ONNX's ``shape`` in a wanted order of bytes."""
        moved = self.build.arranged(self.name, placed, shape, wanted)
        if moved is None:
            raise Disorder(self, "", shape)
        return moved

    def kept(self, real: Real, quant: Quant) -> Placed:
        """A real input at its own quantization; where that rounds, the user is told."""
        placed = real.place(quant)
        if real.average is not None and placed.tensor not in self.build.rounded:
            self.build.rounded.add(placed.tensor)
            self.build.graph.notes.append(
                f"{self.label} reads an average that no QuantizeLinear follows: it is kept in its "
                "input's 8-bit steps, as PyTorch's quantized operators do, not in float as the "
                "file says")
        return placed

    def feature_map(self, real: Real, quant: Quant) -> Placed:
        """A real input at its own quantization, channels last."""
        return self.arranged(self.kept(real, quant), real.shape, canonical(real.shape))

    def emit(self, attrs: Attributes, inputs: list[Placed], stored: np.ndarray,
             quant: Quant | None) -> Placed:
        """Append this node's operator; ``stored`` is the order of its output."""
        tensor = self.build.node(self.name, attrs, [item.tensor for item in inputs],
                                 output=self.output, quant=quant)
        return Placed(tensor, stored)

    def bounded(self, placed: Placed, quant: Quant, bounds: Bounds) -> Placed:
        """A tensor clamped."""
        return self.build.bounded(self.name, placed, quant, bounds)

    def floating(self, real: Real) -> Placed:
        """A real as float32, in ONNX's order of bytes."""
        if real.floating is not None:
            return real.floating()
        if real.own is None:
            raise self.fail(f"its result is float: no QuantizeLinear tells how to quantize it; "
                            f"{QUANTIZED}")
        placed = self.arranged(self.kept(real, real.own), real.shape, plain(real.shape))
        tensor = self.build.node(self.build.beside(self.name, "dequantize"), DequantizeLinear(
            scale=real.own.scale, zero=real.own.zero_point), [placed.tensor],
            output=f"{placed.tensor}_real")
        return Placed(tensor, placed.stored)
