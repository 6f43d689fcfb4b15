"""A random ONNX network while it is drawn: tensors with their shapes, how they are quantized."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sw.frontend.onnx.shapes import runtime_shape
from tb.lib.onnx_builder import OnnxBuilder

__all__ = ["FORMS", "MICROSOFT", "Sketch", "Value"]

MICROSOFT = "com.microsoft"
# float: to be quantized; pairs: QuantizeLinear and DequantizeLinear; integers: QLinear operators
# too, where there are.
FORMS = ("float", "pairs", "integers")


@dataclass(frozen=True)
class Value:
    """A computed tensor.

    Parameters
    ----------
    shape : tuple of int
    real : str
        Its name as float; empty where only its integers have been given so far.
    codes, scale, zero : str
        Names of its integers and of their parameters; empty where it isn't rounded.
    step : float
        Value of one of the integers; 0 where it isn't rounded.
    kept : bool
        It needs no rounding: rounded, or moved only since it was.
    """

    shape: tuple[int, ...]
    real: str = ""
    codes: str = ""
    scale: str = ""
    zero: str = ""
    step: float = 0.0
    kept: bool = False


class Sketch(OnnxBuilder):
    """Appends nodes of the forms that an opset has.

    Parameters
    ----------
    rng : numpy.random.Generator
    form : str
        One of FORMS.
    opset : int

    Members
    -------
    shapes : dict of str to tuple of int
        Of every tensor.
    """

    def __init__(self, rng: np.random.Generator, form: str, opset: int) -> None:
        super().__init__(opset)
        self.rng, self.form = rng, form
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._kinds: dict[str, int] = {}
        self._data: dict[str, onnx.TensorProto] = {}
        self._reals: dict[str, str] = {}
        self.dtype = np.uint8 if self.chance(0.5) else np.int8
        self.mixed = form == "pairs" and self.chance(0.1)
        self.inline = 0.15 if self.chance(0.3) else 0.0  # share of constants that are nodes
        # Opsets without these operators, or networks of ONNX Runtime's tools.
        self.domain = MICROSOFT if opset < 10 or self.chance(0.1) else ""
        # ONNX's own give one scale a tensor before opset 13.
        self.by_channel = opset >= 13 and not self.domain

    # What is drawn

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def integer(self, least: int, most: int) -> int:
        """Both included."""
        return int(self.rng.integers(least, most + 1))

    def pick(self, items):
        return items[self.integer(0, len(items) - 1)]

    def has(self, op: str) -> bool:
        """Does the opset have the operator?"""
        try:
            onnx.defs.get_schema(op, self.opset)
        except onnx.defs.SchemaError:
            return False
        return True

    # Nodes

    def input(self, shape, dtype=TensorProto.FLOAT, name="x", stated=None):
        super().input(stated or shape, dtype, name)
        return self._given(name, dtype, shape)

    def constant(self, values, dtype=None):
        name = f"c{len(self._data)}"
        tensor = numpy_helper.from_array(np.asarray(values, dtype), name)
        self._data[name] = tensor
        if self.inline and self.chance(self.inline):
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.constants.append(tensor)
        return self._given(name, tensor.data_type, tuple(tensor.dims))

    def node(self, op, *inputs, domain="", outputs=1, **attributes):
        first = super().node(op, *inputs, domain=domain, outputs=outputs, **attributes)
        node = self.nodes[-1]
        if domain:
            return first
        schema = onnx.defs.get_schema(op, self.opset)
        types = {name: helper.make_tensor_type_proto(self._kinds[name], self.shapes[name])
                 for name in node.input if name}
        data = {name: self._data[name] for name in node.input if name in self._data}
        found = onnx.shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=[helper.make_opsetid("", self.opset)])
        for name, kind in found.items():
            tensor = kind.tensor_type
            shape = runtime_shape(node, self.shapes[node.input[0]], self._data) or tuple(
                size.dim_value for size in tensor.shape.dim)
            self._given(name, tensor.elem_type, shape)
        return first

    def _given(self, name, kind, shape):
        self._kinds[name], self.shapes[name] = kind, tuple(shape)
        return name

    def listed(self, since: int, name: str, values):
        """(inputs, attributes): integers are an input from an opset on, an attribute before."""
        if self.opset >= since:
            return [self.constant(list(values), np.int64)], {}
        return [], {name: [int(value) for value in values]}

    # Quantizations

    def parameters_of(self, about: float = 1.0, dtype=None):
        """(name of the scale, of the zero point, scale)."""
        dtype = dtype or (self.pick((np.int8, np.uint8)) if self.mixed else self.dtype)
        limits = np.iinfo(dtype)
        step = np.float32(about * 10 ** self.rng.uniform(-2, -1.3))
        zero = self.pick((limits.min, limits.max, limits.min + 128)) if self.chance(0.3) else (
            self.integer(limits.min + 64, limits.max - 63))
        return self.constant(step), self.constant(zero, dtype), float(step)

    def closed(self, name: str, about: float = 1.0, like: Value | None = None) -> Value:
        """Rounded, if this isn't a float network; ``like`` another one now and then."""
        shape = self.shapes[name]
        if self.form == "float":
            return Value(shape, name, kept=True)
        if like is not None and like.codes and self.chance(0.7):
            scale, zero, step = like.scale, like.zero, like.step
        else:
            scale, zero, step = self.parameters_of(about)
        codes = self.node("QuantizeLinear", name, scale, zero, domain=self.domain)
        return self.integers(codes, shape, scale, zero, step)

    def integers(self, codes: str, shape, scale: str, zero: str, step: float) -> Value:
        """A tensor that is given as integers."""
        self._given(codes, self._kinds[zero], shape)
        return Value(tuple(shape), "", codes, scale, zero, step, True)

    def kept(self, name: str, source: Value) -> Value:
        """What only moves values: as it is, or rounded as before, or anew."""
        if self.form == "float" or (source.kept and self.chance(0.3)):
            return Value(self.shapes[name], name, kept=source.kept)
        return self.closed(name, like=source)

    def real(self, value: Value) -> str:
        """A tensor as float: dequantized once, or for each reader."""
        if value.real:
            return value.real
        if value.codes not in self._reals or self.chance(0.2):
            found = self.node("DequantizeLinear", value.codes, value.scale, value.zero,
                              domain=self.domain)
            self._reals[value.codes] = self._given(found, TensorProto.FLOAT, value.shape)
        return self._reals[value.codes]

    def rounded(self, value: Value) -> Value:
        """The same, at least by now in integers."""
        return value if value.codes or self.form == "float" else self.closed(value.real)

    # Constants

    def numbers(self, shape, least: float, most: float) -> str:
        """Reals."""
        return self.constant(self.rng.uniform(least, most, shape).astype(np.float32))

    def codes_of(self, shape, dtype=np.int8):
        """Integer weights, some of them 0."""
        values = self.rng.integers(-127, 128, shape) * (
            self.rng.random(shape) < self.pick((0.2, 0.7, 1.0)))
        return values.astype(np.int8) if dtype is np.int8 else (values + 128).astype(np.uint8)

    def scales_of(self, channels: int, depth: int, each: bool):
        """Scales of weights."""
        return (self.rng.uniform(0.3, 1.5, channels if each else ()) * 0.02 / np.sqrt(depth)
                ).astype(np.float32)

    def weights_of(self, shape, axis: int, depth: int) -> str:
        """Weights as float, quantized if this isn't a float network; ``axis`` has the channels."""
        if self.form == "float":
            spread = [1] * len(shape)
            spread[axis] = shape[axis]
            values = self.rng.standard_normal(shape) * np.sqrt(1.5 / depth)
            values *= 2 ** self.rng.uniform(-2, 2, spread) if self.chance(0.3) else 1
            return self.constant(values.astype(np.float32))
        each = self.by_channel and self.chance(0.7)
        dtype = np.uint8 if self.chance(0.2) else np.int8
        scales, codes = self.scales_of(shape[axis], depth, each), self.codes_of(shape, dtype)
        zeros = np.full(scales.shape, 128 if dtype is np.uint8 else 0, dtype)
        extra = {"axis": axis} if each else {}
        names = [self.constant(scales), self.constant(zeros)]
        if self.chance(0.1) and not self.domain:  # rounded in the network
            wide = scales.reshape([-1 if at == axis else 1 for at in range(len(shape))])
            values = (codes.astype(np.float32) - zeros.flat[0]) * (wide if each else scales)
            given = self.node("QuantizeLinear", self.constant(values.astype(np.float32)), *names,
                              **extra)
        else:
            given = self.constant(codes)
        found = self.node("DequantizeLinear", given, *names, domain=self.domain, **extra)
        return self._given(found, TensorProto.FLOAT, shape)

    def bias_of(self, channels: int) -> str:
        """A bias as float, at times of integers."""
        if self.form == "float" or self.chance(0.6) or self.domain:
            return self.numbers((channels,), -0.3, 0.3)
        step = np.float32(10 ** self.rng.uniform(-6, -3))
        codes = np.rint(self.rng.uniform(-0.3, 0.3, channels) / step).astype(np.int32)
        each = self.by_channel and self.chance(0.5)
        scale = self.constant(np.full(channels if each else (), step, np.float32))
        zero = [self.constant(np.zeros(channels if each else (), np.int32))] if (
            self.chance(0.5)) else []
        return self.node("DequantizeLinear", self.constant(codes), scale, *zero,
                         **({"axis": 0} if each else {}))
