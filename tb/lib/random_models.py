"""Random TensorFlow Lite files of one operator, for comparison with LiteRT."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from tb.lib.tflite_builder import ModelBuilder

__all__ = ["MAKERS", "RandomModel", "random_model"]


@dataclass(frozen=True, eq=False)
class RandomModel:
    """A file and inputs for it, 8 samples each."""

    raw: bytes
    inputs: list[np.ndarray]


class _Maker:
    """One random file; ``legacy`` ones are uint8, with asymmetric kernels."""

    samples = 8

    def __init__(self, seed: int, legacy: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.legacy = legacy
        self.model = ModelBuilder()
        self.inputs: list[int] = []

    def pick(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))

    def scale(self, least: float = 0.005, most: float = 1.0) -> float:
        return float(np.exp(self.rng.uniform(np.log(least), np.log(most))))

    def quant(self) -> dict[str, Sequence]:
        zero = int(self.rng.choice([-128, 127, 0, self.pick(-128, 127)]))
        return {"scales": (self.scale(),), "zeros": (zero,)}

    def input(self, shape: Sequence[int], **settings: Any) -> int:
        index = self.model.tensor(shape, **(settings or self.quant()))
        self.inputs.append(index)
        return index

    def image(self, channels: int = 9) -> int:
        return self.input((1, self.pick(1, 9), self.pick(1, 9), self.pick(1, channels)))

    def shape(self, index: int) -> Sequence[int]:
        return self.model.tensors[index].shape

    def activation(self) -> int:
        return self.pick(0, 3)  # NONE, RELU, RELU_N1_TO_1, RELU6

    def window(self, data: int, dilated: bool) -> tuple[dict[str, int], tuple[int, int],
                                                        tuple[int, int]]:
        """Options, window and output size of a window operator; draws until one fits."""
        _, height, width, _ = self.shape(data)
        while True:
            window = self.pick(1, 4), self.pick(1, 4)
            stride = self.pick(1, 3), self.pick(1, 3)
            dilation = (self.pick(1, 2), self.pick(1, 2)) if dilated else (1, 1)
            padding = self.pick(0, 1)
            extent = [(size - 1) * step + 1 for size, step in zip(window, dilation, strict=True)]
            if padding == tflite.Padding.SAME:
                size = -(-height // stride[0]), -(-width // stride[1])
            else:
                size = ((height - extent[0]) // stride[0] + 1, (width - extent[1]) // stride[1] + 1)
            if min(size) >= 1:
                break
        options = {"Padding": padding, "StrideH": stride[0], "StrideW": stride[1],
                   "FusedActivationFunction": self.activation()}
        if dilated:
            options |= {"DilationHFactor": dilation[0], "DilationWFactor": dilation[1]}
        return options, window, size

    def weights(self, data: int, shape: tuple[int, ...], axis: int,
                per_channel: bool) -> tuple[list[int], float]:
        """[data, kernel, bias] and a sensible output scale."""
        channels, depth = shape[axis], int(np.prod(shape)) // shape[axis]
        count = channels if per_channel and not self.legacy else 1
        scales = [self.scale(0.001, 0.1) for _ in range(count)]
        kernel = self.rng.integers(-127 - self.legacy, 128, shape).astype(np.int8)
        zeros = (int(self.rng.choice([-128, 127, self.pick(-128, 127)])),) if self.legacy else (
            (0,) * count)
        inputs = [data, self.model.constant(kernel, scales=scales, zeros=zeros, axis=axis)]
        input_scale = self.model.tensors[data].scales[0]
        if self.pick(0, 3):
            bias = self.rng.integers(-5000, 5000, channels).astype(np.int32)
            inputs.append(self.model.constant(
                bias, scales=[input_scale * scale for scale in scales], zeros=(0,) * count))
        return inputs, input_scale * float(np.mean(scales)) * 60 * depth ** 0.5 / self.pick(1, 3)

    def unsigned(self) -> None:
        """Every int8 tensor as uint8."""
        for tensor in self.model.tensors:
            if tensor.type == "INT8":
                tensor.type, tensor.zeros = "UINT8", [zero + 128 for zero in tensor.zeros]
                if tensor.data is not None:
                    tensor.data = tensor.data.view(np.uint8) ^ 128

    def finish(self, output: int) -> RandomModel:
        if self.legacy:
            self.unsigned()
        arrays = []
        for index in self.inputs:
            rows, *rest = self.shape(index)
            if self.model.tensors[index].type == "FLOAT32":
                # Halves of the steps that a QUANTIZE makes, and what lies between.
                step = np.float32(self.model.tensors[output].scales[0] / 2)
                arrays.append(step * np.where(
                    self.rng.integers(2, size=(self.samples * rows, *rest)),
                    self.rng.integers(-300, 300, (self.samples * rows, *rest)),
                    self.rng.normal(0, 200, (self.samples * rows, *rest))).astype(np.float32))
                continue
            least = 0 if self.model.tensors[index].type == "UINT8" else -128
            arrays.append(self.rng.integers(least, least + 256, (self.samples * rows, *rest))
                          .astype(np.int8 if least else np.uint8))
        return RandomModel(self.model.finish(self.inputs, [output]), arrays)


def _conv(make: _Maker) -> int:
    groups = int(make.rng.choice([1, 1, 2, 3]))
    inner, outer = make.pick(1, 6), make.pick(1, 5) * groups
    data = make.input((1, make.pick(1, 9), make.pick(1, 9), inner * groups))
    options, window, size = make.window(data, True)
    inputs, scale = make.weights(data, (outer, *window, inner), 0, bool(make.pick(0, 3)))
    output = make.model.tensor((1, *size, outer), **(make.quant() | {"scales": (scale,)}))
    make.model.operator("CONV_2D", inputs, [output], table="Conv2DOptions", **options)
    return output


def _depthwise(make: _Maker) -> int:
    data, multiplier = make.image(), make.pick(1, 3)
    channels = make.shape(data)[3] * multiplier
    options, window, size = make.window(data, True)
    inputs, scale = make.weights(data, (1, *window, channels), 3, bool(make.pick(0, 3)))
    output = make.model.tensor((1, *size, channels), **(make.quant() | {"scales": (scale,)}))
    make.model.operator("DEPTHWISE_CONV_2D", inputs, [output], table="DepthwiseConv2DOptions",
                        DepthMultiplier=multiplier, **options)
    return output


def _fully_connected(make: _Maker) -> int:
    rows, depth, outer = make.pick(1, 3), make.pick(1, 1500), make.pick(1, 40)
    data = make.input((rows, depth))
    inputs, scale = make.weights(data, (outer, depth), 0, not make.pick(0, 2))
    output = make.model.tensor((rows, outer), **(make.quant() | {"scales": (scale,)}))
    make.model.operator("FULLY_CONNECTED", inputs, [output], table="FullyConnectedOptions",
                        FusedActivationFunction=make.activation())
    return output


def _add(make: _Maker) -> int:
    first = make.image()
    second = make.input(make.shape(first))
    output = make.model.tensor(make.shape(first), **make.quant())
    make.model.operator("ADD", [first, second], [output], table="AddOptions",
                        FusedActivationFunction=make.activation())
    return output


def _pool(code: str) -> Callable[[_Maker], int]:
    def make_pool(make: _Maker) -> int:
        data = make.image()
        options, window, size = make.window(data, False)
        tensor = make.model.tensors[data]
        output = make.model.tensor((1, *size, tensor.shape[3]), scales=tensor.scales,
                                   zeros=tensor.zeros)
        make.model.operator(code, [data], [output], table="Pool2DOptions",
                            FilterHeight=window[0], FilterWidth=window[1], **options)
        return output

    return make_pool


def _mean(make: _Maker) -> int:
    data, code = make.image(20), ("MEAN", "SUM")[make.pick(0, 1) * (not make.legacy)]
    keep, same = bool(make.pick(0, 1)), bool(make.pick(0, 1))
    axes = [(1, 2), (2, 1), (1,), (2,), (-3, 2), (3,)][make.pick(0, 5)]
    chosen = {axis % 4 for axis in axes}
    shape = [1 if axis in chosen else size for axis, size in enumerate(make.shape(data))
             if keep or axis not in chosen]
    quant = {"scales": make.model.tensors[data].scales, "zeros": make.model.tensors[data].zeros}
    output = make.model.tensor(shape, **(quant if same and code == "MEAN" else make.quant()))
    make.model.operator(code, [data, make.model.constant(np.array(axes, np.int32))], [output],
                        table="ReducerOptions", KeepDims=keep)
    return output


def _softmax(make: _Maker) -> int:
    data = make.input((make.pick(1, 3), make.pick(1, 50)), scales=(make.scale(0.0005, 3),),
                      zeros=(make.pick(-128, 127),))
    output = make.model.tensor(make.shape(data), scales=(1 / 256,), zeros=(-128,))
    make.model.operator("SOFTMAX", [data], [output], table="SoftmaxOptions",
                        Beta=float(make.rng.choice([1.0, 0.5, 2.5])))
    return output


def _pad(make: _Maker) -> int:
    data = make.image()
    tensor = make.model.tensors[data]
    quant = {"scales": tensor.scales, "zeros": tensor.zeros}
    pairs = np.array([(0, 0)] + [(make.pick(0, 3), make.pick(0, 3)) for _ in range(3)], np.int32)
    inputs = [data, make.model.constant(pairs)]
    code = ["PAD", "PADV2"][make.pick(0, 1)]
    if code == "PADV2":
        value = make.rng.integers(-128, 128, (1,)).astype(np.int8)
        inputs.append(make.model.constant(value, **quant))
    shape = [int(size + pair.sum()) for size, pair in zip(tensor.shape, pairs, strict=True)]
    output = make.model.tensor(shape, **quant)
    make.model.operator(code, inputs, [output], table=f"{code.title().replace('v', 'V')}Options")
    return output


def _concat(make: _Maker) -> int:
    first, axis = make.image(), make.pick(1, 3)
    tensor = make.model.tensors[first]
    quant = {"scales": tensor.scales, "zeros": tensor.zeros}
    sizes = [make.pick(1, 5) for _ in range(make.pick(0, 3))]
    rest = [make.input([*tensor.shape[:axis], size, *tensor.shape[axis + 1:]], **quant)
            for size in sizes]
    shape = [*tensor.shape[:axis], tensor.shape[axis] + sum(sizes), *tensor.shape[axis + 1:]]
    output = make.model.tensor(shape, **quant)
    make.model.operator("CONCATENATION", [first, *rest], [output], table="ConcatenationOptions",
                        Axis=int(make.rng.choice([axis, axis - 4])))
    return output


def _elementwise(make: _Maker) -> int:
    data = make.image()
    code = ["RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE"][make.pick(0, 3)]
    output = make.model.tensor(make.shape(data), **make.quant())
    options = {"table": "QuantizeOptions"} if code == "QUANTIZE" else {}
    make.model.operator(code, [data], [output], **options)
    return output


def _quantize(make: _Maker) -> int:
    """Between the 8-bit types; half of them with one scale, and zero points 128 apart."""
    kinds = [["UINT8", "INT8"], ["INT8", "UINT8"], ["UINT8", "UINT8"]][make.pick(0, 2)]
    shape, scale, zero = (1, make.pick(1, 9), make.pick(1, 9)), make.scale(), make.pick(0, 255)
    alike = make.pick(0, 1)
    settings = [{"scales": (scale if alike else make.scale(),),
                 "zeros": ((zero if alike else make.pick(0, 255)) - 128 * (kind == "INT8"),)}
                for kind in kinds]
    data = make.input(shape, type=kinds[0], **settings[0])
    output = make.model.tensor(shape, kinds[1], **settings[1])
    make.model.operator("QUANTIZE", [data], [output], table="QuantizeOptions")
    return output


def _reshape(make: _Maker) -> int:
    data = make.image()
    tensor = make.model.tensors[data]
    shape = (1, int(np.prod(tensor.shape)))
    output = make.model.tensor(shape, scales=tensor.scales, zeros=tensor.zeros)
    wanted = make.model.constant(np.array(shape, np.int32))
    make.model.operator("RESHAPE", [data, wanted], [output], table="ReshapeOptions",
                        NewShape=shape)
    return output


def _real_edge(make: _Maker) -> int:
    """From real numbers to 8 bits, or back."""
    shape = (1, make.pick(1, 9), make.pick(1, 9), make.pick(1, 9))
    if make.pick(0, 1):
        data = make.input(shape, type="FLOAT32", scales=(), zeros=())
        output = make.model.tensor(shape, **make.quant())
        make.model.operator("QUANTIZE", [data], [output], table="QuantizeOptions")
        return output
    data = make.input(shape)
    output = make.model.tensor(shape, "FLOAT32", scales=(), zeros=())
    make.model.operator("DEQUANTIZE", [data], [output], table="DequantizeOptions")
    return output


def _same(make: _Maker, data: int) -> dict[str, Sequence]:
    tensor = make.model.tensors[data]
    return {"scales": tensor.scales, "zeros": tensor.zeros}


def _table(make: _Maker) -> int:
    data = make.image()
    code, output = [("LOGISTIC", (1 / 256, -128)), ("TANH", (1 / 128, 0)), ("GELU", None),
                    ("HARD_SWISH", None), ("LEAKY_RELU", None), ("ELU", None)][
                        make.pick(0, 5 - make.legacy)]
    quant = {"scales": output[:1], "zeros": output[1:]} if output else make.quant()
    if code == "HARD_SWISH":
        scale = make.model.tensors[data].scales[0]
        quant["scales"] = (max(quant["scales"][0], scale / 64),)
    options = {"GELU": {"table": "GeluOptions", "Approximate": bool(make.pick(0, 1))},
               "LEAKY_RELU": {"table": "LeakyReluOptions", "Alpha": float(make.rng.uniform(0, 2))}}
    result = make.model.tensor(make.shape(data), **quant)
    make.model.operator(code, [data], [result], **options.get(code, {}))
    return result


def _prelu(make: _Maker) -> int:
    data = make.image()
    channels = make.shape(data)[-1]
    slopes = make.rng.integers(-128 * make.pick(0, 1), 128, (1, 1, channels)).astype(np.int8)
    zero = -128 if make.pick(0, 1) and slopes.min() >= 0 else 0
    result = make.model.tensor(make.shape(data), **make.quant())
    make.model.operator("PRELU", [data, make.model.constant(
        slopes, scales=(make.scale(0.001, 0.02),), zeros=(zero,))], [result])
    return result


def _packed(make: _Maker) -> int:
    """Joined along a new axis, or one part along one that goes."""
    data, axis = make.image(), make.pick(1, 3)
    shape = list(make.shape(data))
    if make.pick(0, 1):
        others = [make.input(list(shape), **_same(make, data)) for _ in range(make.pick(0, 2))]
        shape.insert(axis, 1 + len(others))
        result = make.model.tensor(shape, **_same(make, data))
        make.model.operator("PACK", [data, *others], [result], table="PackOptions", Axis=axis,
                            ValuesCount=1 + len(others))
        return result
    count = shape.pop(axis)
    parts = [make.model.tensor(shape, **_same(make, data)) for _ in range(count)]
    make.model.operator("UNPACK", [data], parts, table="UnpackOptions", Axis=axis - 4, Num=count)
    return parts[make.pick(0, count - 1)]


def _largest(make: _Maker) -> int:
    data, keep = make.image(), bool(make.pick(0, 1))
    if make.pick(0, 2) == 0:
        shape, axis, kind = list(make.shape(data)), make.pick(1, 3), make.pick(0, 1)
        del shape[axis]
        result = make.model.tensor(shape, ("INT32", "INT64")[kind], scales=())
        make.model.operator("ARG_MAX", [data, make.model.constant(np.array(axis - 4, np.int32))],
                            [result], table="ArgMaxOptions", OutputType=(2, 4)[kind])
        return result
    axes = [(1, 2), (2, 1), (1,), (2,), (-3, 2), (3,)][make.pick(0, 5)]
    chosen = {axis % 4 for axis in axes}
    shape = [1 if axis in chosen else size for axis, size in enumerate(make.shape(data))
             if keep or axis not in chosen]
    result = make.model.tensor(shape, **_same(make, data))
    make.model.operator("REDUCE_MAX", [data, make.model.constant(np.array(axes, np.int32))],
                        [result], table="ReducerOptions", KeepDims=keep)
    return result


def _two(make: _Maker) -> int:
    code = ["SUB", "MUL", "MAXIMUM", "MINIMUM"][make.pick(0, 3)]
    first = make.image()
    quant = _same(make, first) if code.endswith("IMUM") else {}
    second = make.input(make.shape(first), **quant)
    output = make.model.tensor(make.shape(first), **(quant or make.quant()))
    options = {"SUB": {"table": "SubOptions", "FusedActivationFunction": make.activation()},
               "MUL": {"table": "MulOptions", "FusedActivationFunction": make.activation()}}
    make.model.operator(code, [first, second], [output], **options.get(
        code, {"table": "MaximumMinimumOptions"}))
    return output


def _moved(make: _Maker) -> int:
    """TRANSPOSE, MIRROR_PAD, resizing and the like."""
    data = make.image()
    shape, quant = list(make.shape(data)), _same(make, data)
    code = ["TRANSPOSE", "MIRROR_PAD", "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR",
            "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "SLICE", "STRIDED_SLICE", "GATHER"][make.pick(0, 8)]
    extra, options = [], {}
    if code == "TRANSPOSE":
        order = [0, *(1 + make.rng.permutation(3)).tolist()]
        extra, shape = [order], [shape[axis] for axis in order]
        options = {"table": "TransposeOptions"}
    elif code == "MIRROR_PAD":
        mode = make.pick(0, 1)
        pads = [[0, 0]] + [[make.pick(0, min(size - 1 + mode, 3)) for _ in range(2)]
                           for size in shape[1:]]
        extra, shape = [pads], [size + sum(pair) for size, pair in zip(shape, pads, strict=True)]
        options = {"table": "MirrorPadOptions", "Mode": mode}
    elif code.startswith("RESIZE"):
        size, mode = [make.pick(1, 13), make.pick(1, 13)], make.pick(0, 2)
        extra, shape = [size], [1, *size, shape[3]]
        options = {"table": "ResizeBilinearOptions" if "BILINEAR" in code
                   else "ResizeNearestNeighborOptions", "AlignCorners": mode == 1,
                   "HalfPixelCenters": mode == 2}
    elif code.endswith("TO_SPACE") or code.startswith("SPACE"):
        block = make.pick(1, 3)
        small = [1, make.pick(1, 4), make.pick(1, 4), make.pick(1, 4) * block ** 2]
        large = [1, small[1] * block, small[2] * block, small[3] // block ** 2]
        before, shape = (small, large) if code == "DEPTH_TO_SPACE" else (large, small)
        make.model.tensors[data].shape = before
        options = {"table": f"{code.title().replace('_', '')}Options",
                   "BlockSize": block}
    elif code == "SLICE":
        begin = [0, *(make.pick(0, size - 1) for size in shape[1:])]
        size = [make.pick(1, whole - first) for whole, first in zip(shape, begin, strict=True)]
        extra, shape = [begin, [-1 if make.pick(0, 3) == 0 and first + length == whole else length
                                for first, length, whole in zip(begin, size, shape,
                                                                strict=True)]], size
        options = {"table": "SliceOptions"}
    elif code == "STRIDED_SLICE":
        extra, shape, options = _strides(make, shape)
    else:
        chosen = [make.pick(0, shape[3] - 1) for _ in range(make.pick(1, 6))]
        extra, shape = [chosen], [*shape[:3], len(chosen)]
        options = {"table": "GatherOptions", "Axis": int(make.rng.choice([3, -1]))}
    output = make.model.tensor(shape, **quant)
    inputs = [data, *(make.model.constant(np.array(item, np.int32)) for item in extra)]
    make.model.operator(code, inputs, [output], **options)
    return output


def _strides(make: _Maker, shape: list[int]) -> tuple[list, list[int], dict[str, Any]]:
    """Numbers, output shape and options of a STRIDED_SLICE."""
    begin, end, strides, masks, sizes = [0], [1], [1], [0, 0, 0], [1]
    for axis, size in enumerate(shape[1:], start=1):
        step = make.pick(1, 3) * (1, -1)[make.pick(0, 1)]
        first, last = make.pick(-size, size - 1), make.pick(-size, size)
        kind = make.pick(0, 3)
        picked = range(size)[None if kind & 1 else first:None if kind & 2 else last:step]
        if axis == 2 and make.pick(0, 1):  # this axis goes
            masks[2] |= 1 << axis
            begin, end, strides = [*begin, first], [*end, first + 1], [*strides, 1]
            continue
        if not len(picked):
            first, last, step, picked, kind = 0, size, 1, range(size), 0
        masks[0] |= (kind & 1) << axis
        masks[1] |= (kind >> 1) << axis
        begin, end, strides = [*begin, first], [*end, last], [*strides, step]
        sizes.append(len(picked))
    return [begin, end, strides], sizes, {
        "table": "StridedSliceOptions", "BeginMask": masks[0], "EndMask": masks[1],
        "ShrinkAxisMask": masks[2]}


def _transposed(make: _Maker) -> int:
    inner, outer = make.pick(1, 6), make.pick(1, 5)
    data = make.input((1, make.pick(1, 6), make.pick(1, 6), inner))
    stride, window = (make.pick(1, 3), make.pick(1, 3)), (make.pick(1, 4), make.pick(1, 4))
    padding, size = make.pick(0, 1), make.shape(data)[1:3]
    shape = [(count * step if padding == tflite.Padding.SAME
              else (count - 1) * step + max(extent, step))
             for count, step, extent in zip(size, stride, window, strict=True)]
    inputs, scale = make.weights(data, (outer, *window, inner), 0, bool(make.pick(0, 3)))
    output = make.model.tensor((1, *shape, outer), **(make.quant() | {"scales": (scale,)}))
    wanted = make.model.constant(np.array([1, *shape, outer], np.int32))
    make.model.operator("TRANSPOSE_CONV", [wanted, inputs[1], data, *inputs[2:]], [output],
                        table="TransposeConvOptions", StrideH=stride[0], StrideW=stride[1],
                        Padding=padding)
    return output


MAKERS: dict[str, Callable[[_Maker], int]] = {
    "conv": _conv, "depthwise": _depthwise, "fully_connected": _fully_connected, "add": _add,
    "max": _pool("MAX_POOL_2D"), "average": _pool("AVERAGE_POOL_2D"), "mean": _mean,
    "softmax": _softmax, "pad": _pad, "concat": _concat, "elementwise": _elementwise,
    "quantize": _quantize, "reshape": _reshape, "table": _table, "two": _two, "moved": _moved,
    "transposed": _transposed, "real_edge": _real_edge, "prelu": _prelu, "packed": _packed,
    "largest": _largest,
}


def random_model(kind: str, seed: int, legacy: bool = False) -> RandomModel:
    """A random file whose one operator is of ``kind`` (a key of MAKERS), int8 or legacy uint8."""
    make = _Maker(seed, legacy)
    return make.finish(MAKERS[kind](make))
