"""QuantizeLinear and DequantizeLinear, on constants, at the edges, and between operators."""

import dataclasses
import math

import numpy as np
import onnx

from golden.graph import Quant
from sw.frontend.onnx.origin import Weights
from sw.frontend.onnx.pointwise import CODES, curve_codes, curved
from sw.frontend.onnx.scales import FULL, WIDE, code
from sw.frontend.onnx.values import (
    Bounds,
    Codes,
    Constant,
    Curve,
    Index,
    Integers,
    Placed,
    Real,
    Value,
)
from sw.frontend.onnx.view import View

__all__ = ["activation_quant", "dequantize_linear", "dequantized", "quantize_linear", "quantized",
           "weight_codes"]

TYPES = ("int8", "uint8")
TYPE_NUMBERS = {0: "uint8", onnx.TensorProto.UINT8: "uint8", onnx.TensorProto.INT8: "int8",
                onnx.TensorProto.INT16: "int16"}
INT16 = (-1 << 15, (1 << 15) - 1)


def _scale(view: View, position: int) -> float:
    scales = view.constant(position, "scale").data
    if scales.size != 1:
        raise view.fail(f"{scales.size} scales for a computed tensor, must be 1 (only weights and "
                        "biases have one a channel)")
    if scales.dtype != np.float32:
        raise view.fail(f"scale is {scales.dtype}, must be float32")
    scale = float(scales.ravel()[0])
    if not (math.isfinite(scale) and scale > 0):
        raise view.fail(f"scale is {scale}, must be above 0")
    return scale


def _steps(view: View, scale_at: int, zero_at: int) -> tuple[Quant, str]:
    """(quantization, type) of a tensor quantized as a whole."""
    scale = _scale(view, scale_at)
    if not view.has(zero_at):
        kind, zero = TYPE_NUMBERS.get(view.attribute("output_dtype", 0), "another type"), 0
    else:
        zeros = view.constant(zero_at, "zero point").data
        if zeros.size != 1:
            raise view.fail(f"{zeros.size} zero points for a computed tensor, must be 1")
        kind, zero = str(zeros.dtype), int(zeros.ravel()[0])
    return Quant(scale, zero), kind


def activation_quant(view: View, scale_at: int, zero_at: int) -> tuple[Quant, bool]:
    """(quantization in int8, uint8 in ONNX?) of a tensor quantized as a whole."""
    quant, kind = _steps(view, scale_at, zero_at)
    if kind not in TYPES:
        raise view.fail(f"quantizes to {kind}; accepted are {' and '.join(TYPES)}")
    unsigned = kind == "uint8"
    return Quant(quant.scale, quant.zero_point - 128 if unsigned else quant.zero_point), unsigned


def _indexed(view: View, real: Real, quant: Quant) -> Index:
    """What is to index a table of 512 entries."""
    ends = real.ends and tuple(code(end, quant, INT16) for end in real.ends)
    codes = *(ends or INT16), quant.zero_point
    if min(codes) < WIDE[0] or max(codes) > WIDE[1]:
        what = "none of these" if ends is None else (
            f"of codes {ends[0]} to {ends[1]}, zero point {quant.zero_point}")
        raise view.fail("quantizes to int16; accepted are int8 and uint8, and int16 before "
                        f"functions of one tensor: a Conv, Gemm or MatMul clipped to codes of "
                        f"{WIDE[0]} to {WIDE[1]}, the zero point too; this is {what}")
    return Index(real.shape, real, quant)


def quantized(view: View, real: Real, quant: Quant, unsigned: bool) -> Integers:
    """A real's integers at a quantization."""
    curve = real.curve and dataclasses.replace(
        real.curve, values=curve_codes(real.curve.values, quant, FULL))
    return Integers(real.shape, unsigned, lambda bounds: real.place(quant, bounds), view.alone,
                    curve)


def dequantized(view: View, integers: Integers, quant: Quant, name: str = "") -> Real:
    """The reals that integers mean; ``name`` is that of a clamp, if not the node's."""
    def make(wanted: Quant, bounds: Bounds) -> Placed:
        if wanted != quant:
            return view.build.clamped(name or view.name, integers.place(), quant, wanted, bounds)
        if integers.alone and view.alone:
            return integers.place(bounds)
        return view.build.bounded(name or view.name, integers.place(), quant, bounds)

    found = Real(integers.shape, quant, make)
    # The same integers may be dequantized anew for every reader.
    given = integers.curve or Curve(found, quant, CODES, integers)
    found.curve = dataclasses.replace(given, values=(
        given.values.astype(np.int32) - quant.zero_point).astype(np.float32)
        * np.float32(quant.scale))
    return found


def _check_blocks(view: View) -> None:
    if view.attribute("block_size", 0):
        raise view.fail(f"block_size {view.attribute('block_size', 0)}; accepted is one scale for "
                        "all or for each channel")


def _along(view: View, values: np.ndarray, rank: int, axis: int) -> np.ndarray:
    """Scales or zero points in a shape that broadcasts over a tensor."""
    if values.size == 1:
        return values.reshape((1,) * rank)
    sizes = [1] * rank
    sizes[axis] = values.size
    return values.reshape(sizes)


def _parameters(view: View, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int, str]:
    """(scales, zero points, axis, type) of a constant."""
    _check_blocks(view)
    scales = view.constant(1, "scale").data
    zeros = view.constant(2, "zero point").data if view.has(2) else None
    axis = int(view.attribute("axis", 1))
    if not -len(shape) <= axis < len(shape) and scales.size > 1:
        raise view.fail(f"axis {axis} of a tensor of {len(shape)} axes")
    axis = axis % len(shape) if scales.size > 1 else 0
    if scales.size > 1 and scales.shape != (shape[axis],):
        raise view.fail(f"scales of shape {list(scales.shape)}, must be 1 or {shape[axis]} along "
                        f"axis {axis} of {list(shape)}")
    if zeros is not None and zeros.size != scales.size:
        raise view.fail(f"{zeros.size} zero points for {scales.size} scales")
    if scales.dtype != np.float32 or not (np.isfinite(scales).all() and (scales > 0).all()):
        raise view.wrong("has scales that are not float32 above 0")
    kind = "uint8" if zeros is None else str(zeros.dtype)
    return scales, np.zeros_like(scales, np.int32) if zeros is None else zeros, axis, kind


def quantize_linear(view: View) -> Value:
    """QuantizeLinear.

    int8 and uint8, float32 scales; one for each channel for constants. int16 between a Conv,
    Gemm or MatMul, clipped to codes of -256 to 255, and functions of it alone.

    Runs nowhere: it tells the operator before it how to round; at the network's edges on the
    host.
    """
    value = view.value(0)
    if isinstance(value, Constant):
        scales, zeros, axis, kind = _parameters(view, value.shape)
        if kind not in TYPES:
            raise view.fail(f"quantizes to {kind}; accepted are {' and '.join(TYPES)}")
        rank, limits = value.data.ndim, np.iinfo(kind)
        steps = np.rint(value.data.astype(np.float32) / _along(view, scales, rank, axis))
        steps = steps + _along(view, zeros.astype(np.float32), rank, axis)
        if not np.isfinite(steps).all():
            raise view.wrong("quantizes a constant that holds NaN or infinity")
        origin = None if value.codes is not None or value.origin is None else (
            value.origin.quantized(_along(view, scales, rank, axis),
                                   _along(view, zeros.astype(np.int64), rank, axis)))
        return Constant(np.clip(steps, limits.min, limits.max).astype(kind), origin=origin)
    _check_blocks(view)
    steps, kind = _steps(view, 1, 2)
    if kind == "int16":
        return _indexed(view, view.real(0), steps)
    quant, unsigned = activation_quant(view, 1, 2)
    return quantized(view, view.real(0), quant, unsigned)


def dequantize_linear(view: View) -> Value:
    """DequantizeLinear.

    int8 and uint8, float32 scales; one for each channel for constants, int32 too; int16 as
    QuantizeLinear.

    Runs nowhere; at the network's edges on the host.
    """
    value = view.value(0)
    if view.attribute("output_dtype", 0) not in (0, onnx.TensorProto.FLOAT):
        raise view.fail("dequantizes to another type than float32, which is the one accepted")
    if isinstance(value, Index):
        _check_blocks(view)
        steps, kind = _steps(view, 1, 2)
        if kind != "int16":
            raise view.fail(f"zero point is {kind}, {view.what(0)} is int16")
        values = np.arange(WIDE[0], WIDE[1] + 1) - steps.zero_point
        return curved(view, value.shape, Curve(
            value, steps, values.astype(np.float32) * np.float32(steps.scale), value))
    if not isinstance(value, Constant):
        _check_blocks(view)
        integers = view.integers(0)
        if not view.has(2):
            # Without a zero point it is 0 in the integers' own type.
            quant = Quant(_scale(view, 1), -128 if integers.unsigned else 0)
            return dequantized(view, integers, quant)
        quant, unsigned = activation_quant(view, 1, 2)
        if unsigned != integers.unsigned:
            raise view.fail(f"zero point is {'uint8' if unsigned else 'int8'}, "
                            f"{view.what(0)} is not")
        return dequantized(view, integers, quant)
    if str(value.data.dtype) not in (*TYPES, "int32"):
        raise view.fail(f"dequantizes {value.data.dtype}; accepted are int8, uint8, int32")
    scales, zeros, axis, _ = _parameters(view, value.shape)
    rank = value.data.ndim
    offsets = _along(view, zeros.astype(np.int64), rank, axis)
    steps = value.data.astype(np.int64) - offsets
    real = steps.astype(np.float32) * _along(view, scales, rank, axis)
    return Constant(real, Codes(steps, scales.astype(np.float64).ravel(), axis),
                    value.origin and value.origin.raised(offsets))


def weight_codes(view: View, position: int, channel_axis: int) -> Weights:
    """Weights, which are symmetric, in ONNX's order.

    The integers may be those of uint8 less their zero point; they must fit int8.
    """
    constant = view.constant(position, "weights")
    codes = constant.codes
    if codes is None:
        raise view.fail(f"weights, {view.what(position)}, are not quantized; accepted is what "
                        "DequantizeLinear gives")
    channels = constant.shape[channel_axis]
    if codes.scales.size > 1 and codes.axis != channel_axis:
        raise view.fail(f"weights have scales along axis {codes.axis}, must be along "
                        f"{channel_axis}, that of the output channels")
    least, most = int(codes.values.min(initial=0)), int(codes.values.max(initial=0))
    if least < -128 or most > 127:
        raise view.fail(f"weights less their zero point are {least} to {most}; accepted are -128 "
                        "to 127 (symmetric weights)")
    return Weights(codes.values, np.broadcast_to(codes.scales, (channels,)).copy(),
                   constant.origin)
