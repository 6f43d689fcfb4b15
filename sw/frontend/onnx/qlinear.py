"""The QLinear operators: integers in, integers out, each with its scale and zero point."""

import numpy as np

from golden.graph import Quant
from sw.frontend.onnx.elementwise import concatenated, sum_of
from sw.frontend.onnx.origin import Bias, Place, Weights
from sw.frontend.onnx.pooling import mean_over
from sw.frontend.onnx.quantization import activation_quant, dequantized, quantized
from sw.frontend.onnx.values import Constant, Integers, Real, Value
from sw.frontend.onnx.view import View
from sw.frontend.onnx.weighted import (
    as_product,
    channel_vector,
    convolution,
    matrix_product,
)

__all__ = ["qgemm", "qlinear_add", "qlinear_concat", "qlinear_conv", "qlinear_global_average_pool",
           "qlinear_matmul"]


def _real(view: View, position: int) -> tuple[Real, Quant]:
    """(reals, quantization) of an input, its scale and its zero point."""
    integers = view.integers(position)
    quant, unsigned = activation_quant(view, position + 1, position + 2)
    if unsigned != integers.unsigned:
        raise view.fail(f"{view.what(position)} and its zero point are of different types")
    found = dequantized(view, Integers(integers.shape, integers.unsigned, integers.place), quant,
                        view.build.beside(view.name, "input"))
    return found, quant


def _constant(view: View, position: int) -> Constant:
    """The reals that a constant of integers means."""
    quant, unsigned = activation_quant(view, position + 1, position + 2)
    codes = view.constant(position, "operand").data.astype(np.int32)
    zero = quant.zero_point + (128 if unsigned else 0)
    return Constant((codes - zero).astype(np.float32) * np.float32(quant.scale))


def _weights(view: View, position: int, axis: int) -> Weights:
    """Weights, scales and zero points, in ONNX's order."""
    constant = view.constant(position, "weights")
    data, scales, zeros = (view.constant(position + at, what).data
                           for at, what in enumerate(("weights", "scale", "zero point")))
    channels = data.shape[axis]
    if scales.size not in (1, channels) or zeros.size not in (1, channels):
        raise view.fail(f"weights have {scales.size} scales and {zeros.size} zero points, must be "
                        f"1 or {channels}")
    if scales.dtype != np.float32 or not (np.isfinite(scales).all() and (scales > 0).all()):
        raise view.wrong("weights have scales that are not float32 above 0")
    if data.dtype not in (np.int8, np.uint8) or zeros.dtype != data.dtype:
        raise view.fail(f"weights are {data.dtype}, their zero point {zeros.dtype}; accepted are "
                        "int8 and uint8, the same for both")
    shape = [1] * data.ndim
    shape[axis] = -1
    offsets = zeros.astype(np.int64).reshape(shape)
    values = data.astype(np.int64) - offsets
    if values.min(initial=0) < -128 or values.max(initial=0) > 127:
        raise view.fail(f"weights less their zero point are {values.min()} to {values.max()}; "
                        "accepted are -128 to 127 (symmetric weights)")
    return Weights(values, np.broadcast_to(scales.astype(np.float64).ravel(), (channels,)).copy(),
                   constant.origin and constant.origin.raised(offsets))


def _bias(view: View, position: int, unit: np.ndarray) -> Bias:
    """Real bias; the file's is int32, in steps of the products."""
    if not view.has(position):
        return Bias(np.zeros(unit.size))
    constant = view.constant(position, "bias")
    data = constant.data
    if data.dtype != np.int32 or data.size != unit.size:
        raise view.fail(f"bias is {data.dtype}{list(data.shape)}, must be int32[{unit.size}]")
    values = data.ravel() * unit
    if constant.origin is None or not unit.all():
        return Bias(values)
    return Bias(values, Place(constant.origin.moved(np.ravel), values, unit, np.ones(unit.size)))


def qlinear_conv(view: View) -> Value:
    """QLinearConv.

    As Conv; int32 bias.

    Runs on the chip.
    """
    source, own = _real(view, 0)
    weights = _weights(view, 3, 0)
    quant, unsigned = activation_quant(view, 6, 7)
    found = convolution(view, source, own, weights,
                        _bias(view, 8, own.scale * weights.scales))
    return quantized(view, found, quant, unsigned)


def qlinear_matmul(view: View) -> Value:
    """QLinearMatMul with constant weights.

    As MatMul.

    Runs on the chip.
    """
    source, own = _real(view, 0)
    if view.constant(3, "second operand").data.ndim != 2:
        raise view.fail("second operand must have 2 axes")
    weights = _weights(view, 3, 1).turned
    quant, unsigned = activation_quant(view, 6, 7)
    found = matrix_product(view, source, own, weights, Bias(np.zeros(weights.scales.size)))
    return quantized(view, found, quant, unsigned)


def qgemm(view: View) -> Value:
    """com.microsoft.QGemm.

    As Gemm, with an output that is quantized.

    Runs on the chip.
    """
    if view.attribute("transA", 0) or not view.has(7):
        raise view.fail("accepted is transA 0 and an output that is quantized")
    source, own = _real(view, 0)
    turned = bool(view.attribute("transB", 0))
    weights = _weights(view, 3, 0) if turned else _weights(view, 3, 1).turned
    alpha = np.full(weights.scales.size, float(view.attribute("alpha", 1.0)))
    quant, unsigned = activation_quant(view, 7, 8)
    found = matrix_product(view, source, own, weights, Bias(np.zeros(alpha.size)))
    scaled = found.affine(alpha, _bias(view, 6, own.scale * weights.scales * alpha))
    return quantized(view, scaled, quant, unsigned)


def qlinear_add(view: View) -> Value:
    """com.microsoft.QLinearAdd.

    As Add.

    Runs on the chip.
    """
    quant, unsigned = activation_quant(view, 6, 7)
    for here, other in ((0, 3), (3, 0)):
        if isinstance(view.value(here), Constant):
            source, vector = _real(view, other)[0], channel_vector(
                _real(view, other)[0], _constant(view, here))
            if vector is None:
                raise view.fail(f"{view.what(here)} is a constant of shape "
                                f"{list(view.value(here).shape)}; accepted is one number, or one "
                                "a channel")
            found = as_product(view, source).affine(np.ones_like(vector.values), vector)
            return quantized(view, found, quant, unsigned)
    (first, left), (second, right) = _real(view, 0), _real(view, 3)
    return quantized(view, sum_of(view, first, second, (left, right)), quant, unsigned)


def qlinear_concat(view: View) -> Value:
    """com.microsoft.QLinearConcat.

    As Concat.

    Runs on the chip.
    """
    quant, unsigned = activation_quant(view, 0, 1)
    sources = [_real(view, at)[0] for at in range(2, len(view.node.input), 3)]
    return quantized(view, concatenated(view, sources, int(view.attribute("axis", 1))), quant,
                     unsigned)


def qlinear_global_average_pool(view: View) -> Value:
    """com.microsoft.QLinearGlobalAveragePool.

    channels_last 0.

    Runs on the chip.
    """
    if view.attribute("channels_last", 0):
        raise view.fail("channels_last 1, must be 0")
    source, own = _real(view, 0)
    if len(source.shape) != 4:
        raise view.fail(f"input has shape {list(source.shape)}, must have 4 axes")
    quant, unsigned = activation_quant(view, 3, 4)
    return quantized(view, mean_over(view, source, own, (2, 3), True), quant, unsigned)
