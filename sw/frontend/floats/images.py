"""Operators on images: windows, pools, sizes."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import tflite

from sw.frontend.floats.activations import finish
from sw.frontend.floats.network import Step
from sw.frontend.scales import same_pads

__all__ = ["TRANSLATORS"]

_VALID, _SAME = tflite.Padding.VALID, tflite.Padding.SAME
_PADDED, _UNPADDED = 1, 2  # the same in C


def _image(step: Step, position: int = 0) -> tuple[int, int]:
    """(height, width) of an input."""
    shape = step.shape(position)
    if len(shape) != 4:
        raise step.fail(f"input has shape {list(shape)}, must be [1, height, width, channels]")
    return shape[1], shape[2]


def _pads(step: Step, padding: int, size: tuple[int, int], window: tuple[int, int],
          stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> list[int]:
    """Pads in ONNX's order: top, left, bottom, right."""
    if min(window + stride + dilation) < 1:
        raise step.fail(f"window {window}, stride {stride} and dilation {dilation} must be at "
                        "least 1")
    if padding == _VALID:
        return [0, 0, 0, 0]
    if padding != _SAME:
        raise step.fail(f"padding {padding}, must be SAME or VALID")
    (top, bottom), (left, right) = (
        same_pads(*axis) for axis in zip(size, window, stride, dilation, strict=True))
    return [top, left, bottom, right]


def _weighted(step: Step, kernel: np.ndarray, groups: int, options: object) -> None:
    """A convolution; the kernel is (O, I, y, x)."""
    given = vars(options)
    window = kernel.shape[2], kernel.shape[3]
    stride = given["StrideH"], given["StrideW"]
    dilation = given["DilationHFactor"], given["DilationWFactor"]
    inputs = [step.value(0, True), step.constant(kernel, "kernel")]
    if step.has(2):
        inputs.append(step.constant(step.real(2, "bias"), "bias"))
    finish(step, "Conv", inputs, given["FusedActivationFunction"], True, kernel_shape=window,
           strides=stride, dilations=dilation, group=groups,
           pads=_pads(step, given["Padding"], _image(step), window, stride, dilation))


def _kernel(step: Step) -> np.ndarray:
    kernel = step.real(1, "kernel")
    if kernel.ndim != 4:
        raise step.fail(f"kernel has shape {list(kernel.shape)}, must have 4 dimensions")
    return kernel


def _conv_2d(step: Step) -> None:
    kernel = _kernel(step).transpose(0, 3, 1, 2)
    groups, rest = divmod(step.shape()[-1], kernel.shape[1])
    if rest or not groups:
        raise step.fail(f"kernel {list(kernel.shape)} does not divide {step.shape()[-1]} input "
                        "channels into groups")
    _weighted(step, kernel, groups, step.options(tflite.Conv2DOptions))


def _depthwise_conv_2d(step: Step) -> None:
    _weighted(step, _kernel(step).transpose(3, 0, 1, 2), step.shape()[-1],
              step.options(tflite.DepthwiseConv2DOptions))


def _transpose_conv(step: Step) -> None:
    options = step.options(tflite.TransposeConvOptions)
    _transposed(step, 2, options.Padding == _SAME, (options.StrideH, options.StrideW),
                options.FusedActivationFunction)


def _transpose_conv_bias(step: Step) -> None:
    """MediaPipe's; its options are the C structure of those of TRANSPOSE_CONV."""
    try:
        padding, across, down = struct.unpack_from("<3i", step.operator.custom)
    except struct.error:
        raise step.fail(f"{len(step.operator.custom)} bytes of options, must be 12") from None
    if padding not in (_PADDED, _UNPADDED) or min(across, down) < 1:
        raise step.fail(f"padding {padding}, strides {down} and {across}; accepted are padding "
                        f"{_PADDED} or {_UNPADDED} and strides of at least 1")
    _transposed(step, 0, padding == _PADDED, (down, across),
                tflite.ActivationFunctionType.NONE)


def _transposed(step: Step, source: int, same: bool, stride: tuple[int, int],
                activation: int) -> None:
    """A transposed convolution of input ``source``; the bias comes behind it or the kernel."""
    kernel = step.real(1, "kernel")  # (O, y, x, I)
    window = kernel.shape[1:3]
    out = step.result[1], step.result[2]
    size = _image(step, source)
    total = [(size[axis] - 1) * stride[axis] + window[axis] - out[axis] for axis in (0, 1)]
    before = [max(item, 0) // 2 if same else 0 for item in total]
    pads = [*before, *(item - first for item, first in zip(total, before, strict=True))]
    if min(pads) < 0 and same:
        raise step.fail(f"window {window} is smaller than stride {stride}")
    extra = [max(-item, 0) for item in pads[2:]]
    inputs = [step.value(source, True), step.constant(kernel.transpose(3, 0, 1, 2), "kernel")]
    bias = max(source, 1) + 1
    if step.has(bias):
        inputs.append(step.constant(step.real(bias, "bias"), "bias"))
    finish(step, "ConvTranspose", inputs, activation, True, kernel_shape=window, strides=stride,
           pads=[max(item, 0) for item in pads], output_padding=extra)


def _pool(op: str, **attributes: int) -> Callable[[Step], None]:
    def translate(step: Step) -> None:
        options = step.options(tflite.Pool2DOptions)
        window = options.FilterHeight, options.FilterWidth
        stride = options.StrideH, options.StrideW
        pads = _pads(step, options.Padding, _image(step), window, stride)
        finish(step, op, [step.value(0, True)], options.FusedActivationFunction, True,
               kernel_shape=window, strides=stride, pads=pads, **attributes)

    return translate


def _resize(op: str, table: type, round_mode: dict[str, str]) -> Callable[[Step], None]:
    def translate(step: Step) -> None:
        options = step.options(table)
        step.numbers(1, "size")
        mode = ("align_corners" if options.AlignCorners else
                "half_pixel" if options.HalfPixelCenters else "asymmetric")
        _, height, width, channels = step.result
        sizes = step.constant(np.array([1, channels, height, width], np.int64), "sizes")
        extra: dict[str, Any] = {"nearest_mode": round_mode[mode]} if round_mode else {}
        step.emit("Resize", [step.value(0, True), "", "", sizes], True, mode=op,
                  coordinate_transformation_mode=mode, **extra)

    return translate


def _depth_to_space(step: Step) -> None:
    step.emit("DepthToSpace", [step.value(0, True)], True, mode="DCR",
              blocksize=step.options(tflite.DepthToSpaceOptions).BlockSize)


def _space_to_depth(step: Step) -> None:
    step.emit("SpaceToDepth", [step.value(0, True)], True,
              blocksize=step.options(tflite.SpaceToDepthOptions).BlockSize)


TRANSLATORS: dict[str, Callable[[Step], None]] = {
    "CUSTOM Convolution2DTransposeBias": _transpose_conv_bias,
    "AVERAGE_POOL_2D": _pool("AveragePool", count_include_pad=0),
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEPTH_TO_SPACE": _depth_to_space,
    "MAX_POOL_2D": _pool("MaxPool"),
    "RESIZE_BILINEAR": _resize("linear", tflite.ResizeBilinearOptions, {}),
    "RESIZE_NEAREST_NEIGHBOR": _resize("nearest", tflite.ResizeNearestNeighborOptions, {
        "align_corners": "round_prefer_ceil", "half_pixel": "round_prefer_ceil",
        "asymmetric": "floor"}),
    "SPACE_TO_DEPTH": _space_to_depth,
    "TRANSPOSE_CONV": _transpose_conv,
}
