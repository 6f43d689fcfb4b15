"""Nodes that the host runs together, as one node of the graph that holds an ONNX model.

On its borders the model speaks the graph's language: int8 with channels last where the chip is on
the other side, the file's own types and order elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from golden.external import External, Port
from golden.graph import DTYPES, Quant
from sw.errors import ModelError
from sw.frontend.onnx.border import PREFIX, Border
from sw.frontend.onnx.elementwise import quantized_float
from sw.frontend.onnx.layout import canonical, canonical_axes, movement, plain
from sw.frontend.onnx.partition import reads
from sw.frontend.onnx.quantization import activation_quant
from sw.frontend.onnx.values import Bounds, Constant, Foreign, Index, Integers, Placed, Real, Value
from sw.frontend.onnx.view import View
from sw.frontend.onnx.work import macs
from sw.onnx_runtime import open_session

__all__ = ["Section", "Type", "stand_in"]

Type = tuple[int, tuple[int, ...] | None]  # ONNX's number of the element type; shape if known


class Section:
    """One section of the host's.

    Parameters
    ----------
    model : ModelProto
        The whole network.
    views : sequence of View
        Its nodes; the first gives the section its name.
    reasons : sequence of str
        Why the host runs each.
    values : mapping of str to Value
        By ONNX's names, what it reads among them.
    types : mapping of str to Type
        As far as ONNX infers them.
    wanted : sequence of str
        Its results that others read or the network gives.

    Raises
    ------
    ModelError
        If ONNX Runtime has no such operators, or sizes of results depend on data.
    """

    def __init__(self, model: onnx.ModelProto, views: Sequence[View], reasons: Sequence[str],
                 values: Mapping[str, Value], types: Mapping[str, Type],
                 wanted: Sequence[str]) -> None:
        self._model, self._views, self._reasons = model, views, reasons
        self._values, self._build = values, views[0].build
        self._view = views[0]
        made = {name for view in views for name in view.node.output}
        self._read = list(dict.fromkeys(
            name for view in views for name in reads(view.node) if name not in made))
        self._wanted = wanted
        self._types = self._complete(types)
        self._placed: dict[str, Placed] = {}

    @property
    def inputs(self) -> list[str]:
        """What it reads and is computed."""
        return [name for name in self._read if not isinstance(self._values[name], Constant)]

    def results(self) -> dict[str, Value]:
        """The values of what others read."""
        return {name: self._result(name) for name in self._wanted}

    def _result(self, name: str) -> Value:
        kind, shape = self._types[name]
        assert shape is not None
        if kind == TensorProto.FLOAT:
            return Real(shape, None, lambda quant, bounds: quantized_float(
                self._view, self._place(name), quant, bounds), lambda: self._place(name))
        if kind in (TensorProto.INT8, TensorProto.UINT8):
            def make(bounds: Bounds) -> Placed:
                placed = self._place(name)
                quant = self._build.quant(placed.tensor) or Quant(1.0, 0)
                return self._build.bounded(self._view.name, placed, quant, bounds)

            return Integers(shape, kind == TensorProto.UINT8, make)
        return Foreign(shape, _dtype(kind), lambda: self._place(name))

    def _place(self, name: str) -> Placed:
        if not self._placed:
            self._append()
        return self._placed[name]

    def _append(self) -> None:
        """Append the node."""
        border = Border()
        tensors = [self._enter(border, number, name) for number, name in enumerate(self.inputs)]
        taken = [self._port(tensor) for tensor in tensors]
        given, stored = zip(*(self._leave(border, number, name)
                              for number, name in enumerate(self._wanted)), strict=True)
        model = self._extracted(border)
        for number, port in enumerate(taken):
            model.graph.input.append(_info(f"{PREFIX}in{number}", port))
        model.graph.output.extend(onnx.ValueInfoProto(name=f"{PREFIX}out{number}")
                                  for number in range(len(given)))
        attrs = External(
            model=model.SerializeToString(deterministic=True), taken=tuple(taken), given=given,
            parts=tuple((view.op, view.label, why) for view, why in zip(self._views, self._reasons,
                                                               strict=True)),
            macs=sum(macs(view.node, self._shape) for view in self._views))
        made = self._build.external(self._build.beside(self._view.name, "host"), attrs, tensors, [
            (name, self._quant(name)) for name in self._wanted])
        self._placed = {name: Placed(tensor, where) for name, tensor, where in zip(
            self._wanted, made, stored, strict=True)}

    def _port(self, tensor: str) -> Port:
        found = self._build.graph.tensors[tensor]
        return found.dtype, found.shape

    def _shape(self, name: str) -> tuple[int, ...] | None:
        value = self._values.get(name)
        return value.shape if value is not None else self._types.get(name, (0, None))[1]

    def _enter(self, border: Border, number: int, name: str) -> str:
        """The tensor of the graph for one input; adds what turns it into ONNX's."""
        value, inner = self._values[name], f"{PREFIX}in{number}"
        if isinstance(value, Foreign):
            placed = value.place()
        elif isinstance(value, Real) and value.floating is not None:
            placed = value.floating()
        elif isinstance(value, Real):
            assert value.own is not None
            placed = self._view.kept(value, value.own)
        else:
            assert isinstance(value, Integers)
            placed = value.place()
        moved = movement(placed.stored, value.shape, plain(value.shape))
        if moved is None and (tidy := self._build.arranged(
                self._view.name, placed, value.shape, canonical(value.shape))) is not None:
            placed = tidy  # blocks of pixels made of channels, for one: the chip moves the bytes
            moved = movement(placed.stored, value.shape, plain(value.shape))
        shape = self._port(placed.tensor)[1]
        if moved is None:  # by no transposition: value by value
            inner = border.reshape(inner, shape, (placed.stored.size,))
            inner = border.node("Gather", inner, border.constant(
                np.argsort(placed.stored, axis=None).astype(np.int32)))
            shape = (placed.stored.size,)
        elif (perm := moved[1]) is not None:
            sizes = moved[0]
            inner = border.reshape(inner, shape, sizes)
            inner = border.node("Transpose", inner, perm=perm)
            shape = tuple(sizes[axis] for axis in perm)
        inner = border.reshape(inner, shape, value.shape)
        if isinstance(value, Integers) and value.unsigned:
            inner = border.shifted(inner, 128, TensorProto.UINT8)
        if isinstance(value, Real) and value.floating is None:
            assert value.own is not None
            inner = border.node("Cast", inner, to=TensorProto.FLOAT)
            inner = border.node("Sub", inner, border.constant(np.float32(value.own.zero_point)))
            inner = border.node("Mul", inner, border.constant(np.float32(value.own.scale)))
        border.node("Identity", inner, output=name)
        return placed.tensor

    def _leave(self, border: Border, number: int, name: str) -> tuple[Port, np.ndarray]:
        """(port, order) of one result; adds what gives it the graph's form."""
        kind, shape = self._types[name]
        assert shape is not None
        inner, port, stored = name, (_dtype(kind), shape), plain(shape)
        if kind in (TensorProto.INT8, TensorProto.UINT8):
            stored = canonical(shape)
            port = "int8", stored.shape
            if kind == TensorProto.UINT8:
                inner = border.shifted(inner, -128, TensorProto.INT8, border.behind)
            if stored.shape != shape or len(shape) == 4:
                inner = border.node("Transpose", inner, into=border.behind,
                                  perm=canonical_axes(len(shape)))
        border.node("Identity", inner, into=border.behind, output=f"{PREFIX}out{number}")
        return port, stored

    def _quant(self, name: str) -> Quant | None:
        """How QuantizeLinear quantizes a result."""
        for view in self._views:
            if name in view.node.output and view.op == "QuantizeLinear":
                try:
                    return activation_quant(view, 1, 2)[0]
                except (KeyError, ModelError):  # computed, in the section itself or before
                    return None
        return None

    def _extracted(self, border: Border | None = None) -> onnx.ModelProto:
        """A model of the section's nodes and constants, without inputs and outputs."""
        model, nodes = onnx.ModelProto(), [view.node for view in sorted(
            self._views, key=lambda view: view.index)]
        model.ir_version = self._model.ir_version
        model.opset_import.extend(self._model.opset_import)
        model.functions.extend(self._model.functions)
        model.graph.name = "host"
        for name in self._read:
            value = self._values[name]
            if isinstance(value, Constant):
                model.graph.initializer.append(numpy_helper.from_array(value.data, name))
        if border is not None:
            model.graph.initializer.extend(border.constants)
            nodes = [*border.before, *nodes, *border.behind]
        model.graph.node.extend(nodes)
        return model

    def _complete(self, types: Mapping[str, Type]) -> dict[str, Type]:
        """The types with those of all results, where need be as ONNX Runtime infers them."""
        found = dict(types)
        lacking = [name for name in self._wanted if name not in found or found[name][1] is None]
        if lacking:
            model = self._extracted()
            for name in self.inputs:
                model.graph.input.append(_info(name, _port_of(self._values[name])))
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in lacking)
            session = self._opened(model)
            for item in session.get_outputs():
                kind = item.type.removeprefix("tensor(").removesuffix(")")
                number = _NUMBERS.get(kind, 0)
                fixed = all(isinstance(size, int) for size in item.shape)
                found[item.name] = number, tuple(item.shape) if fixed else None
        for name in self._wanted:
            view = next(view for view in self._views if name in view.node.output)
            kind, shape = found[name]
            if shape is None:
                raise ModelError(f"{view.path}: {view.label}: the size of its result {name!r} is "
                                 "known only when it runs; accepted are fixed sizes")
            if min(shape, default=1) < 1 or _dtype(kind) not in DTYPES:
                raise ModelError(f"{view.path}: {view.label}: its result {name!r} is "
                                 f"{_dtype(kind)}{list(shape)}; accepted are {', '.join(DTYPES)} "
                                 "with sizes of at least 1")
        return found

    def _opened(self, model: onnx.ModelProto) -> Any:
        try:
            return open_session(model.SerializeToString())
        except ModelError as error:
            raise self.refusal(error) from None

    def refusal(self, error: ModelError) -> ModelError:
        """ONNX Runtime refuses the section."""
        return ModelError(f"{self._view.path}: ONNX Runtime can't run what the chip can't: "
                          f"{', '.join(view.label for view in self._views[:3])}"
                          f"{' ...' if len(self._views) > 3 else ''}: {error}")


# ONNX Runtime's names of element types to ONNX's numbers.
_NUMBERS = {name.lower(): number for name, number in TensorProto.DataType.items()}


def _dtype(kind: int) -> str:
    """Name of an element type as numpy and the graph have it."""
    try:
        return str(helper.tensor_dtype_to_np_dtype(kind))
    except (KeyError, ValueError):
        return "of no known type"


def _info(name: str, port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(port[0])), port[1])


def _port_of(value: Value) -> Port:
    """Type and shape of a computed value in ONNX."""
    if isinstance(value, Foreign):
        return value.dtype, value.shape
    if isinstance(value, Index):
        return "int16", value.shape
    if isinstance(value, Integers):
        return "uint8" if value.unsigned else "int8", value.shape
    return "float32", value.shape


def stand_in(kind: Type) -> Value | None:
    """A value that nobody may ask for, of a type; None if the type isn't known."""
    number, shape = kind
    if shape is None:
        return None

    def nothing(*_: object) -> Placed:
        raise AssertionError("a value that only stands in for another")

    if number == TensorProto.FLOAT:
        return Real(shape, None, nothing, nothing)
    if number in (TensorProto.INT8, TensorProto.UINT8):
        return Integers(shape, number == TensorProto.UINT8, nothing)
    return Foreign(shape, _dtype(number), nothing)
