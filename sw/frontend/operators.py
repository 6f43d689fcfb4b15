"""TensorFlow Lite operators to attributes of the graph, one function each."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tflite

from golden.broadcast import Maximum, Minimum, Multiply
from golden.edges import DequantizeLinear, QuantizeLinear
from golden.graph import (
    Add,
    Attributes,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool,
    Pad,
    Quantize,
    Reshape,
    Softmax,
)
from golden.slopes import PRelu
from golden.spec.numerics import quantize_multiplier
from golden.transposed import TransposedConv2D
from sw.frontend.operands import Operand, Operands
from sw.frontend.scales import (
    LEAST,
    add_scales,
    channel_scales,
    same_pads,
    softmax_parameters,
)

__all__ = ["CONVERTERS", "EDGE_TYPES"]

# Attributes, and which of the operator's inputs are data: the first ones, or those at places.
Converted = tuple[Attributes, int | tuple[int, ...]]
SOFTMAX_OUTPUT = (1 / 256, -128)
EDGE_TYPES = ("INT8", "UINT8")  # of the tensors that QUANTIZE converts
NO_ACTIVATION = tflite.ActivationFunctionType.NONE


def _pads(view: Operands, padding: int, data: Operand, window: tuple[int, int],
          stride: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int, int, int]:
    """Explicit pads (top, bottom, left, right)."""
    if len(data.shape) != 4:
        raise view.fail(f"input has shape {list(data.shape)}, must be [1, height, width, channels]")
    if data.shape[0] != 1:
        raise view.fail(f"input has batch {data.shape[0]}, must be 1")
    if min(window + stride + dilation) < 1:
        raise view.fail(f"window {window}, stride {stride} and dilation {dilation} must be at "
                        "least 1")
    if padding == tflite.Padding.VALID:
        return (0, 0, 0, 0)
    if padding != tflite.Padding.SAME:
        raise view.fail(f"padding {padding}, must be SAME or VALID")
    top, bottom = same_pads(data.shape[1], window[0], stride[0], dilation[0])
    left, right = same_pads(data.shape[2], window[1], stride[1], dilation[1])
    return top, bottom, left, right


def _conv_2d(view: Operands) -> Converted:
    data, output = view.input(), view.output()
    options = view.options(tflite.Conv2DOptions)
    kernel, scales = view.kernel(4, 0)
    window = kernel.shape[1], kernel.shape[2]
    stride = options.StrideH, options.StrideW
    dilation = options.DilationHFactor, options.DilationWFactor
    pads = _pads(view, options.Padding, data, window, stride, dilation)
    groups, rest = divmod(data.shape[3], kernel.shape[3])
    if rest or not groups or kernel.shape[0] % groups:
        raise view.fail(f"kernel {list(kernel.shape)} does not divide {data.shape[3]} input "
                        "channels into groups")
    multiplier, pre, post = channel_scales(data.quant.scale, scales, output.quant.scale,
                                           kernel.shape[0])
    least, most = view.clamp(options.FusedActivationFunction, output.quant)
    return Conv2D(
        kernel=kernel, bias=view.bias(kernel.shape[0]), multiplier=multiplier, pre=pre, post=post,
        input_zero=data.quant.zero_point, output_zero=output.quant.zero_point, window=window,
        stride=stride, dilation=dilation, pads=pads, groups=groups, least=least, most=most), 1


def _depthwise_conv_2d(view: Operands) -> Converted:
    data, output = view.input(), view.output()
    options = view.options(tflite.DepthwiseConv2DOptions)
    kernel, scales = view.kernel(4, 3)
    window = kernel.shape[1], kernel.shape[2]
    stride = options.StrideH, options.StrideW
    dilation = options.DilationHFactor, options.DilationWFactor
    pads = _pads(view, options.Padding, data, window, stride, dilation)
    channels = kernel.shape[3]
    if kernel.shape[0] != 1 or channels % data.shape[3]:
        raise view.fail(f"kernel {list(kernel.shape)} is not [1, height, width, a multiple of "
                        f"{data.shape[3]}]")
    multiplier, pre, post = channel_scales(data.quant.scale, scales, output.quant.scale, channels)
    least, most = view.clamp(options.FusedActivationFunction, output.quant)
    return DepthwiseConv2D(
        kernel=kernel, bias=view.bias(channels), multiplier=multiplier, pre=pre, post=post,
        input_zero=data.quant.zero_point, output_zero=output.quant.zero_point, window=window,
        stride=stride, dilation=dilation, pads=pads, channel_multiplier=channels // data.shape[3],
        least=least, most=most), 1


def _fully_connected(view: Operands) -> Converted:
    data, output = view.input(), view.output()
    options = view.options(tflite.FullyConnectedOptions)
    if options.WeightsFormat != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise view.fail("shuffled weights are not supported")
    kernel, scales = view.kernel(2, 0)
    multiplier, pre, post = channel_scales(data.quant.scale, scales, output.quant.scale,
                                           kernel.shape[0], once=True)
    least, most = view.clamp(options.FusedActivationFunction, output.quant)
    return FullyConnected(
        kernel=kernel, bias=view.bias(kernel.shape[0]), multiplier=multiplier, pre=pre, post=post,
        input_zero=data.quant.zero_point, output_zero=output.quant.zero_point,
        keep_dims=bool(options.KeepNumDims), least=least, most=most), 1


def _add(view: Operands) -> Converted:
    first, second, output = view.input(0), view.input(1), view.output()
    input_scales, output_scale = add_scales(first.quant.scale, second.quant.scale,
                                            output.quant.scale)
    if output_scale[1]:
        raise view.fail(f"output scale {output.quant.scale} is too fine for inputs of "
                        f"{first.quant.scale} and {second.quant.scale}")
    activation = view.options(tflite.AddOptions).FusedActivationFunction
    least, most = view.clamp(activation, output.quant)
    return Add(input_zeros=(first.quant.zero_point, second.quant.zero_point),
               input_scales=input_scales, output_scale=output_scale,
               output_zero=output.quant.zero_point, least=least, most=most), 2


def _sub(view: Operands) -> Converted:
    attrs, count = _add(view)
    return dataclasses.replace(attrs, minus=True), count  # type: ignore[call-arg]


def _mul(view: Operands) -> Converted:
    first, second, output = view.input(0), view.input(1), view.output()
    # As LiteRT does it: float32 throughout.
    product = np.float32(first.quant.scale) * np.float32(second.quant.scale)
    scale = quantize_multiplier(float(product / np.float32(output.quant.scale)))
    least, most = view.clamp(view.options(tflite.MulOptions).FusedActivationFunction,
                             output.quant)
    return Multiply(input_zeros=(first.quant.zero_point, second.quant.zero_point), scale=scale,
                    output_zero=output.quant.zero_point, least=least, most=most), 2


def _extreme(kind: type[Maximum]) -> Callable[[Operands], Converted]:
    def convert(view: Operands) -> Converted:
        for position in (0, 1):
            view.same_quant(view.input(position), view.output())
        return kind(), 2

    return convert


def _transpose_conv(view: Operands) -> Converted:
    data, output = view.input(2), view.output()
    options = view.options(tflite.TransposeConvOptions)
    kernel, scales = view.kernel(4, 0)
    window, stride = kernel.shape[1:3], (options.StrideH, options.StrideW)
    if len(data.shape) != 4 or len(output.shape) != 4 or min(stride) < 1:
        raise view.fail(f"input {list(data.shape)}, output {list(output.shape)} and stride "
                        f"{stride} must be images and at least 1")
    if options.Padding not in (tflite.Padding.SAME, tflite.Padding.VALID):
        raise view.fail(f"padding {options.Padding}, must be SAME or VALID")
    pads: list[int] = []
    for axis in (0, 1):
        total = ((data.shape[axis + 1] - 1) * stride[axis] + window[axis]
                 - output.shape[axis + 1])
        before = max(total, 0) // 2 if options.Padding == tflite.Padding.SAME else 0
        pads += before, total - before
    multiplier, pre, post = channel_scales(data.quant.scale, scales, output.quant.scale,
                                           kernel.shape[0])
    least, most = view.clamp(options.FusedActivationFunction, output.quant)
    return TransposedConv2D(
        kernel=kernel, bias=view.bias(kernel.shape[0], 3), multiplier=multiplier, pre=pre,
        post=post, input_zero=data.quant.zero_point, output_zero=output.quant.zero_point,
        stride=stride, pads=(pads[0], pads[1], pads[2], pads[3]), least=least, most=most), (2,)


def _pool(kind: type[MaxPool]) -> Callable[[Operands], Converted]:
    def convert(view: Operands) -> Converted:
        data, output = view.input(), view.output()
        view.same_quant(data, output)
        options = view.options(tflite.Pool2DOptions)
        window = options.FilterHeight, options.FilterWidth
        stride = options.StrideH, options.StrideW
        pads = _pads(view, options.Padding, data, window, stride, (1, 1))
        least, most = view.clamp(options.FusedActivationFunction, output.quant)
        attrs = kind(window=window, stride=stride, pads=pads, least=least, most=most)
        if isinstance(attrs, AveragePool) and view.legacy:
            # Averages of uint8 round their halves up.
            attrs = dataclasses.replace(attrs, origin=LEAST)
        return attrs, 1

    return convert


def _activation(kind: int) -> Callable[[Operands], Converted]:
    def convert(view: Operands) -> Converted:
        data, output = view.input(), view.output()
        # Divided in float32, unlike QUANTIZE.
        ratio = np.float32(data.quant.scale) / np.float32(output.quant.scale)
        least, most = view.clamp(kind, output.quant)
        return Clamp(input_zero=data.quant.zero_point, output_zero=output.quant.zero_point,
                     scale=quantize_multiplier(float(ratio)), least=least, most=most), 1

    return convert


def _prelu(view: Operands) -> Converted:
    data, output = view.input(), view.output()
    slopes, scale = view.slopes(data.shape[-1])
    scales = [np.float32(data.quant.scale), np.float32(data.quant.scale) * np.float32(scale)]
    above, below = (quantize_multiplier(float(given / np.float32(output.quant.scale)))
                    for given in scales)
    return PRelu(slopes=slopes, input_zero=data.quant.zero_point, above=above, below=below,
                 output_zero=output.quant.zero_point), 1


def _dequantize(view: Operands) -> Converted:
    data = view.input()
    if not view.real(view.operator.outputs[0]):
        raise view.fail("gives no FLOAT32 output of the network")
    return DequantizeLinear(scale=data.quant.scale, zero=data.quant.zero_point), 1


def _quantize(view: Operands) -> Converted:
    if view.real(view.operator.inputs[0]):
        quant = view.output().quant
        return QuantizeLinear(scale=quant.scale, zero=quant.zero_point, away=True), 1
    data, output = view.input(types=EDGE_TYPES), view.output(types=EDGE_TYPES)
    zeros, scale = (data.quant.zero_point, output.quant.zero_point), quantize_multiplier(
        data.quant.scale / output.quant.scale)
    if data.type == output.type == "INT8":
        return Clamp(input_zero=zeros[0], scale=scale, output_zero=zeros[1]), 1
    for operand, edge, place in ((data, view.model.inputs, "an input"),
                                 (output, view.model.outputs, "an output")):
        if operand.type != "INT8" and operand.index not in edge:
            raise view.fail(f"{view.model.tensors[operand.index].label} is {operand.type} within "
                            f"the network; accepted is INT8, or {operand.type} as {place} of the "
                            "network")
    return Quantize(input_type=data.type.lower(), output_type=output.type.lower(),
                    input_zero=zeros[0], scale=scale, output_zero=zeros[1]), 1


def _reshape(view: Operands) -> Converted:
    view.input()
    return Reshape(to=view.output().shape), 1


def _softmax(view: Operands) -> Converted:
    data, output = view.input(), view.output()
    if (output.quant.scale, output.quant.zero_point) != SOFTMAX_OUTPUT:
        raise view.fail(f"output has {output.quant}, must be scale 1/256 and zero point -128")
    beta = view.options(tflite.SoftmaxOptions).Beta
    multiplier, pre, least = softmax_parameters(data.quant.scale, beta)
    return Softmax(multiplier=multiplier, pre=pre, least_difference=least), 1


def _pad(view: Operands) -> Converted:
    data, output = view.input(), view.output()
    pairs = view.constant(1, "pads", "INT32", "INT64")
    if pairs.shape != (len(data.shape), 2):
        raise view.fail(f"pads have shape {list(pairs.shape)}, must be [{len(data.shape)}, 2]")
    value = output.quant.zero_point
    if view.operator.name == "PADV2":
        values = view.constant(2, "pad value", "INT8")
        if values.size != 1:
            raise view.fail(f"{values.size} pad values, must be 1")
        value = int(values.ravel()[0])
    return Pad(pads=tuple((int(before), int(after)) for before, after in pairs), value=value), 1


def _concatenation(view: Operands) -> Converted:
    inputs, output = view.all_inputs(), view.output()
    options = view.options(tflite.ConcatenationOptions)
    if options.FusedActivationFunction != NO_ACTIVATION:
        raise view.fail("fused activations are not supported here")
    for operand in inputs:
        view.same_quant(operand, output)
    rank = len(output.shape)
    axis = options.Axis + (rank if options.Axis < 0 else 0)
    return Concat(axis=axis), len(inputs)


CONVERTERS: dict[str, Callable[[Operands], Converted]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool(AveragePool),
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _reshape,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool(MaxPool),
    "MAXIMUM": _extreme(Maximum),
    "MINIMUM": _extreme(Minimum),
    "MUL": _mul,
    "PAD": _pad,
    "PADV2": _pad,
    "PRELU": _prelu,
    "QUANTIZE": _quantize,
    "RELU": _activation(tflite.ActivationFunctionType.RELU),
    "RELU6": _activation(tflite.ActivationFunctionType.RELU6),
    "RELU_N1_TO_1": _activation(tflite.ActivationFunctionType.RELU_N1_TO_1),
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
    "SQUEEZE": _reshape,
    "SUB": _sub,
    "TRANSPOSE_CONV": _transpose_conv,
}
