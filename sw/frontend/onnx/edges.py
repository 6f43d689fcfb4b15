"""Inputs and outputs of a network: in ONNX's order and type, converted by the host."""

from pathlib import Path

import numpy as np
import onnx

from golden.attributes import Attributes, Quantize, Reshape
from golden.edges import DequantizeLinear, QuantizeLinear
from golden.external import External
from golden.graph import DTYPES, Quant
from golden.spec.numerics import IDENTITY
from sw.errors import ModelError
from sw.frontend.onnx.builder import Builder
from sw.frontend.onnx.layout import plain
from sw.frontend.onnx.values import Bounds, Constant, Foreign, Index, Integers, Placed, Real, Value
from sw.frontend.onnx.view import Disorder, View

__all__ = ["add_input", "add_output"]

PLAIN = Quant(1.0, 0)  # of bytes whose meaning only the nodes behind them know


def add_input(path: Path, build: Builder, item: onnx.ValueInfoProto) -> Value:
    """Append an input of the network."""
    tensor = item.type.tensor_type
    shape = tuple(size.dim_value for size in tensor.shape.dim)
    kind, name = tensor.elem_type, item.name
    if kind == onnx.TensorProto.FLOAT:
        return _float_input(build, Placed(build.input(name, shape, "float32"), plain(shape)), shape)
    if kind == onnx.TensorProto.INT8:
        given = Placed(build.input(name, shape, "int8", PLAIN), plain(shape))
        return Integers(shape, False, lambda bounds: build.bounded(
            build.beside("input", "clamp"), given, PLAIN, bounds))
    if kind != onnx.TensorProto.UINT8:
        dtype = onnx.TensorProto.DataType.Name(kind).lower().replace("double", "float64")
        if dtype not in DTYPES:
            raise ModelError(f"{path}: input {name!r} is {dtype}; accepted are float, int8 and "
                             f"uint8, and for the host alone {', '.join(DTYPES)}")
        placed = Placed(build.input(name, shape, dtype), plain(shape))
        return Foreign(shape, dtype, lambda: placed)
    build.input(name, shape, "uint8", PLAIN)
    flipped = Quant(1.0, -128)

    def make(bounds: Bounds) -> Placed:
        attrs = Quantize(input_type="uint8", output_type="int8", input_zero=0, scale=IDENTITY,
                         output_zero=-128)
        found = build.node(build.beside("input", "int8"), attrs, [name], output=f"{name}_int8",
                           quant=flipped)
        return build.bounded(build.beside("input", "clamp"), Placed(found, plain(shape)), flipped,
                             bounds)

    return Integers(shape, True, make)


def _float_input(build: Builder, given: Placed, shape: tuple[int, ...]) -> Real:
    def make(quant: Quant, bounds: Bounds) -> Placed:
        attrs = QuantizeLinear(scale=quant.scale, zero=quant.zero_point, least=bounds[0],
                               most=bounds[1])
        return Placed(build.node(build.beside("input", "quantize"), attrs, [given.tensor],
                                 output=f"{given.tensor}_quantized", quant=quant), given.stored)

    return Real(shape, None, make, lambda: given)


def add_output(build: Builder, view: View, name: str, value: Value) -> None:
    """Append what gives an output of the network, a result of a node."""
    def fail(text: str) -> ModelError:
        return ModelError(f"{view.path}: output {name!r} {text}")

    def ordered(placed: Placed) -> str:
        moved = build.arranged("output", placed, value.shape, plain(value.shape))
        if moved is None:
            raise Disorder(view, name, value.shape, f"output {name!r}")
        return moved.tensor

    if isinstance(value, Constant):
        raise fail("is constant; accepted are computed outputs")
    if isinstance(value, Integers):
        tensor = ordered(value.place())
        attrs: Attributes = Quantize(
            input_type="int8", output_type="uint8", input_zero=-128, scale=IDENTITY,
            output_zero=0) if value.unsigned else Reshape(to=value.shape)
        quant = build.quant(tensor) or PLAIN
        what = "uint8" if value.unsigned else "int8"
        build.node(build.beside("output", what), attrs, [tensor], output=name, exact=True,
                   quant=Quant(quant.scale, quant.zero_point + (128 if value.unsigned else 0)))
        return
    if isinstance(value, Foreign):
        _named(build, view, value.place().tensor, name)
        return
    assert not isinstance(value, Index)  # the importer has left it to the host
    if value.floating is not None:
        _named(build, view, value.floating().tensor, name)
        return
    if value.own is None:
        raise fail("is float and no QuantizeLinear tells how to quantize it; accepted are "
                   "outputs of QuantizeLinear and DequantizeLinear, and of operators that keep "
                   "a quantization")
    attrs = DequantizeLinear(scale=value.own.scale, zero=value.own.zero_point)
    build.node(build.beside("output", "dequantize"), attrs, [ordered(value.place(value.own))],
               output=name, exact=True)


def _named(build: Builder, view: View, tensor: str, name: str) -> None:
    """Give a tensor an output's name; what is an input, or another output, too, is copied."""
    if build.rename(tensor, name):
        return
    found = build.graph.tensors[tensor]
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(found.dtype))
    given, made = (onnx.helper.make_tensor_value_info(name, kind, found.shape)
                   for name in ("in", "out"))
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["in"], ["out"])], "host",
                                   [given], [made])
    model = onnx.helper.make_model(graph, opset_imports=view.opsets, ir_version=8)
    port = found.dtype, found.shape
    (copy,) = build.external(build.beside(view.name, "copy"), External(
        model=model.SerializeToString(deterministic=True), taken=(port,), given=(port,),
        parts=(("Identity", view.label, "an output that is an input, or another one, too"),)),
        [tensor], [(f"{tensor}_copy", None)])
    build.rename(copy, name)
