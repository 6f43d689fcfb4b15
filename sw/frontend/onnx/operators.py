"""ONNX operators by domain and name."""

from collections.abc import Callable

from sw.frontend.onnx import (
    elementwise,
    movement,
    normalization,
    parts,
    pointwise,
    pooling,
    qlinear,
    quantization,
    weighted,
)
from sw.frontend.onnx.values import Value
from sw.frontend.onnx.view import View

__all__ = ["CONVERTERS", "MICROSOFT", "POINTWISE", "QUANTIZING"]

MICROSOFT = "com.microsoft"
_ONNX: dict[str, Callable[[View], Value | list[Value]]] = {
    "Add": elementwise.add, "AveragePool": pooling.average_pool,
    "BatchNormalization": weighted.batch_normalization, "Clip": elementwise.clip,
    "Concat": elementwise.concat, "Conv": weighted.conv,
    "ConvTranspose": weighted.conv_transpose, "DepthToSpace": movement.depth_to_space,
    "DequantizeLinear": quantization.dequantize_linear, "Div": elementwise.div,
    "Dropout": movement.identity,
    "Flatten": movement.flatten, "Gather": parts.gather, "Gemm": weighted.gemm,
    "GlobalAveragePool": pooling.global_average_pool, "GlobalMaxPool": pooling.largest,
    "Identity": movement.identity,
    "LayerNormalization": normalization.layer_normalization,
    "MatMul": weighted.matmul, "MaxPool": pooling.max_pool, "Mul": elementwise.mul,
    "Pad": elementwise.pad, "PRelu": elementwise.prelu, "QLinearConv": qlinear.qlinear_conv,
    "QLinearMatMul": qlinear.qlinear_matmul, "QuantizeLinear": quantization.quantize_linear,
    "ReduceMax": pooling.largest, "ReduceMean": pooling.reduce_mean,
    "ReduceSum": pooling.reduce_mean, "Relu": elementwise.relu, "Reshape": movement.reshape,
    "Resize": parts.resize, "Slice": parts.slice_, "SpaceToDepth": movement.space_to_depth,
    "Split": parts.split,
    "Softmax": normalization.softmax, "Squeeze": movement.squeeze, "Sub": elementwise.sub,
    "Transpose": movement.transpose,
    "Unsqueeze": movement.unsqueeze,
}
# Of one value each, by ONNX's own definition.
POINTWISE = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Elu",
    "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Max", "Min",
    "Mish", "Neg", "Pow", "Reciprocal", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu")
_ONNX |= dict.fromkeys(POINTWISE, pointwise.pointwise)
_MICROSOFT: dict[str, Callable[[View], Value | list[Value]]] = {
    "DequantizeLinear": quantization.dequantize_linear, "Gelu": pointwise.microsoft,
    "QGemm": qlinear.qgemm, "QuickGelu": pointwise.microsoft,
    "QLinearAdd": qlinear.qlinear_add, "QLinearConcat": qlinear.qlinear_concat,
    "QLinearGlobalAveragePool": qlinear.qlinear_global_average_pool,
    "QuantizeLinear": quantization.quantize_linear,
}
CONVERTERS = {("", name): convert for name, convert in _ONNX.items()} | {
    (MICROSOFT, name): convert for name, convert in _MICROSOFT.items()}
# Operators without which a network is a float one.
QUANTIZING = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm")
