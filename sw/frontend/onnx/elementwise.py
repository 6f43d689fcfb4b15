"""Clamps, sums, concatenation, padding, softmax."""

import math

import numpy as np

from golden.attributes import Add, Concat, Pad
from golden.edges import FloatSoftmax, QuantizeLinear
from golden.graph import Quant
from sw.frontend.onnx.layout import canonical, canonical_axes, plain
from sw.frontend.onnx.origin import Bias
from sw.frontend.onnx.product import Product
from sw.frontend.onnx.scales import code, within
from sw.frontend.onnx.values import Bounds, Constant, Integers, Placed, Real, Value
from sw.frontend.onnx.view import View
from sw.frontend.onnx.weighted import channel_vector
from sw.frontend.scales import add_scales

__all__ = ["add", "clip", "concat", "concatenated", "div", "mul", "pad", "quantized_float",
           "relu", "softmax", "sub", "sum_of"]


def _clamped(source: Real, low: float, high: float) -> Real:
    """Clamping and quantizing commute: the limits become codes."""
    def make(quant: Quant, bounds: Bounds) -> Placed:
        inner = (-128 if math.isinf(low) else code(low, quant),
                 127 if math.isinf(high) else code(high, quant))
        return source.place(quant, within(inner, bounds))

    return Real(source.shape, source.own, make)


def relu(view: View) -> Value:
    """Relu."""
    return _clamped(view.real(0), 0.0, math.inf)


def _limit(view: View, name: str, position: int, default: float) -> float:
    if not view.has(position):
        return float(view.attribute(name, default))
    data = view.constant(position, name).data
    if data.size != 1 or np.isnan(data.astype(np.float64)).any():
        raise view.fail(f"{name} has {data.size} values; accepted is one number")
    return float(data.ravel()[0])


def clip(view: View) -> Value:
    """Clip of reals, or of integers (a narrower range than their type's)."""
    low, high = _limit(view, "min", 1, -math.inf), _limit(view, "max", 2, math.inf)
    if low > high:
        raise view.fail(f"min {low} is above max {high}")
    source = view.value(0)
    if not isinstance(source, Integers):
        return _clamped(view.real(0), low, high)
    shift = 128 if source.unsigned else 0
    own = int(max(low - shift, -128)), int(min(high - shift, 127))

    def make(bounds: Bounds) -> Placed:
        limits = within(own, bounds)
        if source.alone:
            return source.place(limits)
        placed = source.place()
        quant = view.build.quant(placed.tensor) or Quant(1.0, 0)
        return view.bounded(placed, quant, limits)

    return Integers(source.shape, source.unsigned, make, view.alone)


def sum_of(view: View, first: Real, second: Real, own: tuple[Quant, Quant]) -> Real:
    """Sum of two reals of one shape that have quantizations."""
    if first.shape != second.shape:
        raise view.fail(f"operands have shapes {list(first.shape)} and {list(second.shape)}; "
                        "accepted are equal ones (no broadcasting)")

    def make(quant: Quant, bounds: Bounds) -> Placed:
        left = view.feature_map(first, own[0])
        right = view.feature_map(second, own[1])
        input_scales, output_scale = add_scales(own[0].scale, own[1].scale, quant.scale)
        if output_scale[1]:
            raise view.fail(f"output scale {quant.scale} is too fine for inputs of {own[0].scale} "
                            f"and {own[1].scale}")
        attrs = Add(input_zeros=(own[0].zero_point, own[1].zero_point), input_scales=input_scales,
                    output_scale=output_scale, output_zero=quant.zero_point, least=bounds[0],
                    most=bounds[1])
        return view.emit(attrs, [left, right], left.stored, quant)

    return Real(first.shape, None, make)


def _with_constant(view: View) -> tuple[Product, Bias, bool] | None:
    """(product, one number a channel, is the product first?) of a product and a constant.

    None if both operands are computed.
    """
    for here, other in ((1, 0), (0, 1)):
        constant, found = view.value(here), view.value(other)
        if isinstance(constant, Constant):
            vector = channel_vector(found, constant) if isinstance(found, Product) else None
            if not isinstance(found, Product) or vector is None:
                raise view.fail(f"a constant of shape {list(constant.shape)} is accepted with one "
                                "number a channel and directly behind Conv, Gemm or MatMul, whose "
                                "scales and bias take it over")
            return found, vector, other == 0
    return None


def add(view: View) -> Value:
    """Add: of two feature maps, or a bias."""
    if joined := _with_constant(view):
        found, vector, _ = joined
        return found.affine(np.ones_like(vector.values), vector)
    return sum_of(view, view.real(0), view.real(1), (view.own(0), view.own(1)))


def sub(view: View) -> Value:
    """Sub of a product and a constant, one number a channel."""
    found, vector, first = _joined(view)
    sign = np.full_like(vector.values, 1.0 if first else -1.0)
    return found.affine(sign, vector.affine(-sign, Bias(np.zeros_like(sign))))


def mul(view: View) -> Value:
    """Mul by a constant, one number a channel."""
    found, vector, _ = _joined(view)
    return found.affine(vector.values, Bias(np.zeros_like(vector.values)))


def div(view: View) -> Value:
    """Div by a constant, one number a channel."""
    found, vector, first = _joined(view)
    if not first or not vector.values.all():
        raise view.fail("divides by a computed tensor or by 0; accepted is a constant divisor")
    return found.affine(1 / vector.values, Bias(np.zeros_like(vector.values)))


def _joined(view: View) -> tuple[Product, Bias, bool]:
    """As `_with_constant`; one operand must be constant."""
    joined = _with_constant(view)
    if joined is None:
        raise view.fail("both operands are computed; accepted is a constant as one of them")
    return joined


def concatenated(view: View, sources: list[Real], axis: int) -> Real:
    """Reals one after the other along an axis of ONNX's."""
    rank = len(sources[0].shape)
    if any(len(source.shape) != rank for source in sources) or not -rank <= axis < rank:
        raise view.fail(f"axis {axis}, shapes {[list(source.shape) for source in sources]}; "
                        "accepted are as many axes for all, the axis within them")
    axis %= rank
    if axis == 0:
        raise view.fail("axis 0 is the batch, which is 1")
    shape = list(sources[0].shape)
    shape[axis] = sum(source.shape[axis] for source in sources)
    common = {source.own for source in sources}

    def make(quant: Quant, bounds: Bounds) -> Placed:
        parts = [view.arranged(source.place(quant, bounds), source.shape, canonical(source.shape))
                 for source in sources]
        return view.emit(Concat(axis=canonical_axes(rank).index(axis)), parts,
                         canonical(tuple(shape)), quant)

    return Real(tuple(shape), common.pop() if len(common) == 1 else None, make)


def concat(view: View) -> Value:
    """Concat."""
    return concatenated(view, [view.real(at) for at in range(len(view.node.input))],
                        int(view.attribute("axis", 1)))


def pad(view: View) -> Value:
    """Pad with a constant."""
    source, mode = view.real(0), view.attribute("mode", "constant")
    if mode != "constant":
        raise view.fail(f"mode {mode}; accepted is constant")
    rank, numbers = len(source.shape), view.numbers("pads", 1) or ()
    given = view.constant(3, "axes").data.ravel() if view.has(3) else range(rank)
    axes = [int(axis) % rank for axis in given]
    if len(numbers) != 2 * len(axes) or min(numbers) < 0:
        raise view.fail(f"pads {numbers}; accepted are two numbers of at least 0 for each of "
                        f"{len(axes)} axes")
    pairs = [(0, 0)] * rank
    for number, axis in enumerate(axes):
        pairs[axis] = numbers[number], numbers[len(axes) + number]
    if pairs[0] != (0, 0):
        raise view.fail(f"pads {numbers} enlarge the batch")
    value = _limit(view, "value", 2, 0.0)
    shape = tuple(size + sum(pair) for size, pair in zip(source.shape, pairs, strict=True))
    order = canonical_axes(rank)

    def make(quant: Quant, bounds: Bounds) -> Placed:
        ordered = view.arranged(source.place(quant, bounds), source.shape,
                                canonical(source.shape))
        least, most = bounds
        attrs = Pad(pads=tuple(pairs[axis] for axis in order),
                    value=min(max(code(value, quant), least), most))
        return view.emit(attrs, [ordered], canonical(shape), quant)

    return Real(shape, source.own, make)


def quantized_float(view: View, floating: Placed, quant: Quant,
                    bounds: Bounds) -> Placed:
    """A float32 tensor of the graph, quantized by the host."""
    attrs = QuantizeLinear(scale=quant.scale, zero=quant.zero_point, least=bounds[0],
                           most=bounds[1])
    name = view.name if view.op == "QuantizeLinear" else view.build.beside(view.name, "quantize")
    tensor = view.build.node(name, attrs, [floating.tensor],
                             output=f"{floating.tensor}_quantized", quant=quant)
    return Placed(tensor, floating.stored)


def softmax(view: View) -> Value:
    """Softmax, in float32 on the host."""
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

    return Real(source.shape, None, lambda quant, bounds: quantized_float(
        view, floating(), quant, bounds), floating)
