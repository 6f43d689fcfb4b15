"""Operators whose values depend on all of a row."""

import numpy as np

from golden.attributes import GraphError
from golden.edges import FloatSoftmax
from golden.graph import Quant
from golden.layer_norm import QuantizedLayerNorm
from golden.softmax import QuantizedSoftmax
from golden.spec.softmax import LEAST_SCALE, LONGEST
from sw.frontend.onnx.elementwise import quantized_float
from sw.frontend.onnx.layout import canonical, canonical_axes, plain
from sw.frontend.onnx.scales import FULL
from sw.frontend.onnx.values import Bounds, Placed, Real, Value
from sw.frontend.onnx.view import View

__all__ = ["layer_normalization", "softmax"]


def softmax(view: View) -> Value:
    """Softmax.

    Any axis; up to opset 12 the last one.

    Runs on the DRP where its input and its result are quantized, within 1 of float; else in float
    on the host.
    """
    source = view.real(0)
    rank = len(source.shape)
    axis = int(view.attribute("axis", -1 if view.opset >= 13 else 1))
    if not -rank <= axis < rank:
        raise view.fail(f"axis {axis} of {rank} axes")
    axis %= rank
    if view.opset < 13 and axis != rank - 1:
        raise view.fail(f"axis {axis} of {rank} in opset {view.opset} flattens; accepted is the "
                        "last axis")
    made: list[Placed] = []

    def floating() -> Placed:
        if not made:
            data = view.floating(source)
            made.append(view.emit(FloatSoftmax(axis=axis), [data], plain(source.shape), None))
        return made[0]

    def make(quant: Quant, bounds: Bounds) -> Placed:
        own = source.own
        if (own is None or source.average is not None or bounds != FULL or made or not axis
                or source.shape[axis] > LONGEST or quant.scale < LEAST_SCALE):
            return quantized_float(view, floating(), quant, bounds)
        placed, at = source.place(own), axis
        if not np.array_equal(placed.stored, plain(source.shape)):
            placed = view.arranged(placed, source.shape, canonical(source.shape))
            at = canonical_axes(rank).index(axis)
        attrs = QuantizedSoftmax(axis=at, scale=own.scale, output_scale=quant.scale,
                                 output_zero=quant.zero_point)
        return view.emit(attrs, [placed], placed.stored, quant)

    return Real(source.shape, None, make, floating)


def layer_normalization(view: View) -> Value:
    """LayerNormalization.

    Over any last axes, with constants; of its results the first.

    Runs on the DRP, within 1 of float.
    """
    source, own = view.real(0), view.own(0)
    rank = len(source.shape)
    axis = int(view.attribute("axis", -1))
    if not -rank <= axis < rank:
        raise view.fail(f"axis {axis} of {rank} axes")
    if source.average is not None or any(view.node.output[1:]):
        raise view.fail("of an average, or asked for mean or deviation; accepted is the normalized "
                        "result of what DequantizeLinear gives")
    shape = source.shape[axis % rank:]

    def numbers(position: int, what: str) -> tuple[float, ...]:
        data = view.constant(position, what).data
        return tuple(np.broadcast_to(data, shape).ravel().astype(float).tolist())

    gain = numbers(1, "the gain")
    bias = numbers(2, "the bias") if view.has(2) else (0.0,) * len(gain)

    def make(quant: Quant, bounds: Bounds) -> Placed:
        attrs = QuantizedLayerNorm(
            gain=gain, bias=bias, scale=own.scale, epsilon=float(view.attribute("epsilon", 1e-5)),
            output_scale=quant.scale, output_zero=quant.zero_point)
        try:
            attrs.shape(source.shape)
        except GraphError as error:
            raise view.fail(str(error)) from error
        placed = view.arranged(source.place(own), source.shape, plain(source.shape))
        return view.bounded(view.emit(attrs, [placed], placed.stored, quant), quant, bounds)

    return Real(source.shape, None, make)
