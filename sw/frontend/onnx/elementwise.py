"""Clamps, sums, concatenation, padding, softmax."""

import dataclasses
import math
from functools import partial

import numpy as np

from golden.attributes import Add, Concat, Pad
from golden.broadcast import Multiply
from golden.edges import QuantizeLinear
from golden.graph import Quant
from sw.frontend.onnx.layout import canonical, canonical_axes
from sw.frontend.onnx.origin import Bias
from sw.frontend.onnx.parts import taken
from sw.frontend.onnx.pointwise import curve_at, negated, tabulated
from sw.frontend.onnx.product import Product
from sw.frontend.onnx.scales import code, scale_of, within
from sw.frontend.onnx.values import Bounds, Constant, Integers, Placed, Real, Value
from sw.frontend.onnx.view import View
from sw.frontend.onnx.weighted import as_product, channel_vector
from sw.frontend.scales import add_scales

_REPEATING = {"reflect": partial(np.pad, mode="reflect"), "edge": partial(np.pad, mode="edge"),
              "wrap": partial(np.pad, mode="wrap")}
PAD_MODES = ("constant", *_REPEATING)
__all__ = ["add", "clip", "concat", "concatenated", "div", "mul", "pad", "prelu",
           "quantized_float", "relu", "sub", "sum_of"]


def _clamped(source: Real, low: float, high: float) -> Real:
    """Clamping and quantizing commute: the limits become codes."""
    def make(quant: Quant, bounds: Bounds) -> Placed:
        inner = (bounds[0] if math.isinf(low) else code(low, quant, bounds),
                 bounds[1] if math.isinf(high) else code(high, quant, bounds))
        return source.place(quant, inner)

    curve = curve_at(source)
    ends = source.ends and (min(max(source.ends[0], low), high),
                            max(min(source.ends[1], high), low))
    return Real(source.shape, source.own, make, ends=ends, curve=curve and dataclasses.replace(
        curve, values=np.clip(curve.values, np.float32(low), np.float32(high))))


def relu(view: View) -> Value:
    """Relu.

    Anywhere.

    Runs as part of the operator before it, else as a table or a copy.
    """
    return _clamped(view.real(0), 0.0, math.inf)


def _limit(view: View, name: str, position: int, default: float) -> float:
    if not view.has(position):
        return float(view.attribute(name, default))
    data = view.constant(position, name).data
    if data.size != 1 or np.isnan(data.astype(np.float64)).any():
        raise view.fail(f"{name} has {data.size} values; accepted is one number")
    return float(data.ravel()[0])


def clip(view: View) -> Value:
    """Clip of reals, or of integers (a narrower range than their type's).

    Constant limits.

    Runs as part of the operator before it, else as a table or a copy.
    """
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


def _with_constant(view: View) -> tuple[Product, Bias, bool] | str:
    """(product, one number a channel, is the product first?) of reals and a constant.

    Otherwise why not.
    """
    for here, other in ((1, 0), (0, 1)):
        constant = view.value(here)
        if not isinstance(constant, Constant):
            continue
        source = view.real(other)
        vector = channel_vector(source, constant)
        if vector is None:
            return (f"a constant of shape {list(constant.shape)} for {list(source.shape)}; "
                    "accepted is one number, or one a channel")
        return as_product(view, source), vector, other == 0
    return "both operands are computed"


def _taken_over(view: View) -> bool:
    """Does a product stand before the constant, whose scales and bias take it over?"""
    return any(isinstance(view.value(at), Product) for at in (0, 1))


def _added(view: View, sign: float) -> Value:
    """The first operand plus ``sign`` times the second."""
    if not _taken_over(view) and not isinstance(found := tabulated(view), str):
        return found
    joined = _with_constant(view)
    if isinstance(joined, str):
        if any(isinstance(view.value(at), Constant) for at in (0, 1)):
            raise view.fail(joined)
        second, quant = view.real(1), view.own(1)
        if sign < 0:
            second, quant = negated(view, second, quant)
        return sum_of(view, view.real(0), second, (view.own(0), quant))
    product, vector, first = joined
    ones = np.ones_like(vector.values)
    vector = vector.affine(sign * ones if first else ones, Bias(np.zeros_like(ones)))
    return product.affine(ones if first else sign * ones, vector)


def add(view: View) -> Value:
    """Add: of two feature maps, or a bias.

    Two quantized tensors of equal shapes; a constant, one number or one a channel.

    Runs on the chip: part of the operator that computes the later operand; constants in the
    bias of the product before them, in a table, or as a convolution of each channel.
    """
    return _added(view, 1.0)


def sub(view: View) -> Value:
    """Sub: of two feature maps, or a constant.

    As Add.

    Runs on the chip, as Add.
    """
    return _added(view, -1.0)


def mul(view: View) -> Value:
    """Mul by a constant, of functions of one tensor, or by a computed value for each channel.

    A constant, one number or one a channel; two functions of one quantized tensor (SiLU,
    hard-swish); a quantized tensor and one with a value for each of its channels (gates,
    squeeze-and-excite).

    Runs on the chip: in the scales of the product before it, in a table, or as a convolution
    of each channel, into whose weights the chip stores computed values.
    """
    return _scaled(view)


def div(view: View) -> Value:
    """Div by a constant, or of functions of one tensor.

    As Mul; a constant is the divisor.

    Runs on the chip, as Mul.
    """
    return _scaled(view)


def _scaled(view: View) -> Value:
    if not _taken_over(view) and not isinstance(found := tabulated(view), str):
        return found
    joined = _with_constant(view)
    if isinstance(joined, str) and view.op == "Mul" and (gate := _gate(view)) is not None:
        return _gated(view, 1 - gate, gate)
    if isinstance(joined, str):
        raise view.fail(f"{joined}; the chip has products of a feature map and one value a "
                        "channel, and a table where both are computed from one, value by value")
    product, vector, first = joined
    factor = vector.values
    if view.op == "Div":
        if not first or not factor.all():
            raise view.fail("divides by a computed tensor or by 0; accepted is a constant divisor")
        factor = 1 / factor
    return product.affine(factor, Bias(np.zeros_like(factor)))


def _gate(view: View) -> int | None:
    """Which operand has one value for each channel of the other, both computed."""
    shapes = [value.shape for value in map(view.value, (0, 1)) if isinstance(value, Real)]
    if len(shapes) != 2:
        return None
    for side in (1, 0):
        axes = canonical_axes(len(shapes[side]))
        if len(shapes[0]) == len(shapes[1]) > 1 and all(
                shapes[side][axis] == (shapes[1 - side][axis] if axis == axes[-1] else 1)
                for axis in axes):
            return side
    return None


def _gated(view: View, main: int, gate: int) -> Real:
    """A feature map times one value for each of its channels."""
    sources, quants = [view.real(main), view.real(gate)], [view.own(main), view.own(gate)]

    def make(quant: Quant, bounds: Bounds) -> Placed:
        placed = [view.feature_map(source, own) for source, own in zip(sources, quants,
                                                                      strict=True)]
        attrs = Multiply(
            input_zeros=(quants[0].zero_point, quants[1].zero_point), least=bounds[0],
            most=bounds[1], output_zero=quant.zero_point,
            scale=scale_of(quants[0].scale * quants[1].scale / quant.scale))
        return view.emit(attrs, placed, placed[0].stored, quant)

    return Real(sources[0].shape, None, make)


def prelu(view: View) -> Value:
    """PRelu: one slope by a table, one a channel as a sum of the halves.

    A quantized tensor; constant slopes, one number or one a channel.

    Runs on the chip: a table; with a slope a channel one pass, two if any is below 0.
    """
    found = tabulated(view)
    if not isinstance(found, str):
        return found
    source, slopes = view.real(0), view.constant(1, "slope")
    own, vector = view.own(0), channel_vector(source, slopes)
    if vector is None:
        raise view.fail(f"slopes of shape {list(slopes.shape)}; accepted is one number, or one a "
                        f"channel of {list(source.shape)}")

    def half(least: int, most: int) -> Real:
        return Real(source.shape, own, lambda quant, bounds: view.bounded(
            view.feature_map(source, own), own, (least, most)))

    # Slopes that turn up what is below 0 must not turn down what is above.
    turned = vector.values.min() < 0
    below: Real = as_product(view, half(-128, own.zero_point) if turned else source).affine(
        vector.values, Bias(np.zeros_like(vector.values)))
    if not turned:
        below = _clamped(below, -math.inf, 0.0)

    def make(quant: Quant, bounds: Bounds) -> Placed:
        # What is below 0 is in the output's steps already, one half is 0: nothing rounds twice.
        return sum_of(view, below, half(own.zero_point, 127), (quant, own)).place(quant, bounds)

    return Real(source.shape, None, make)


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
    """Concat.

    Any axis but the batch; inputs of different scales.

    Runs on the chip: copies.
    """
    return concatenated(view, [view.real(at) for at in range(len(view.node.input))],
                        int(view.attribute("axis", 1)))


def pad(view: View) -> Value:
    """Pad with a constant, or with what is there.

    Modes constant, reflect, edge, wrap; below 0 it crops.

    Runs on the chip: part of the convolution behind it where the value is 0, else copies.
    """
    source, mode = view.real(0), view.attribute("mode", "constant")
    if mode not in PAD_MODES:
        raise view.fail(f"mode {mode}; accepted are {', '.join(PAD_MODES)}")
    rank, numbers = len(source.shape), view.numbers("pads", 1) or ()
    given = view.constant(3, "axes").data.ravel() if view.has(3) else range(rank)
    axes = [int(axis) % rank for axis in given]
    if len(numbers) != 2 * len(axes):
        raise view.fail(f"pads {numbers}; accepted are two numbers for each of {len(axes)} axes")
    pairs = [(0, 0)] * rank
    for number, axis in enumerate(axes):
        pairs[axis] = numbers[number], numbers[len(axes) + number]
    if pairs[0] != (0, 0):
        raise view.fail(f"pads {numbers} enlarge the batch")
    cut = [np.arange(max(-before, 0), size - max(-after, 0))
           for size, (before, after) in zip(source.shape, pairs, strict=True)]
    pairs = [(max(before, 0), max(after, 0)) for before, after in pairs]
    if mode != "constant" and all(len(inside) for inside in cut):
        return taken(view, source, [_REPEATING[mode](inside, pair) for inside, pair in zip(
            cut, pairs, strict=True)])
    part = taken(view, source, cut)
    assert isinstance(part, Real)
    source, value = part, _limit(view, "value", 2, 0.0)
    shape = tuple(size + sum(pair) for size, pair in zip(source.shape, pairs, strict=True))
    order = canonical_axes(rank)

    def make(quant: Quant, bounds: Bounds) -> Placed:
        ordered = view.arranged(source.place(quant, bounds), source.shape,
                                canonical(source.shape))
        least, most = bounds
        attrs = Pad(pads=tuple(pairs[axis] for axis in order),
                    value=min(max(code(value, quant), least), most))
        return view.emit(attrs, [ordered], canonical(shape), quant)

    own = source.own
    if own is not None and np.float32(value) != (
            np.float32(code(value, own) - own.zero_point) * np.float32(own.scale)):
        own = None  # the value would be rounded, to steps that need not be the output's
    return Real(shape, own, make)


def quantized_float(view: View, floating: Placed, quant: Quant,
                    bounds: Bounds) -> Placed:
    """A float32 tensor of the graph, quantized by the host."""
    attrs = QuantizeLinear(scale=quant.scale, zero=quant.zero_point, least=bounds[0],
                           most=bounds[1])
    name = view.name if view.op == "QuantizeLinear" else view.build.beside(view.name, "quantize")
    tensor = view.build.node(name, attrs, [floating.tensor],
                             output=f"{floating.tensor}_quantized", quant=quant)
    return Placed(tensor, floating.stored)
