"""Parts, repetitions and other orders of feature maps, and transposed convolution."""

import numpy as np
import pytest

from golden.graph import Concat, Pad
from golden.movement import DepthToSpace, SpaceToDepth, Take
from golden.resize import ResizeLinear
from golden.spec.config import preset
from golden.transposed import TransposedConv2D
from sw.compiler.lower import lower
from sw.frontend.onnx import load
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import check, placed
from tb.sw.test_onnx_operators import feature_map, int8, save
from tb.sw.test_onnx_pointwise import conv, kinds

pytest.importorskip("onnxruntime")


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def numbers(build, *values):
    return build.constant(values, np.int64)


def reshaped(build, data, *shape):
    return build.node("Reshape", data, numbers(build, *shape))


def shuffle(build, data):
    """As ShuffleNet writes it: 8 channels of 2 groups."""
    parts = reshaped(build, data, 1, 2, 4, 6, 8)
    return reshaped(build, build.node("Transpose", parts, perm=[0, 2, 1, 3, 4]), 1, 8, 6, 8)


def pixel_shuffle(build, data):
    parts = reshaped(build, data, 1, 2, 2, 2, 6, 8)
    return reshaped(build, build.node("Transpose", parts, perm=[0, 1, 4, 2, 5, 3]), 1, 2, 12, 16)


def focus(build, data):
    """As YOLO begins: every second pixel, four times."""
    parts = [build.node("Slice", data, numbers(build, y, x), numbers(build, 999, 999),
                        numbers(build, 2, 3), numbers(build, 2, 2))
             for x in (0, 1) for y in (0, 1)]
    return build.node("Concat", *parts, axis=1)


def resize(scales=(), sizes=(), region=None, **attributes):
    def make(build, data):
        part = "" if region is None else build.constant(region, np.float32)
        factors = build.constant(scales, np.float32) if scales else ""
        return build.node("Resize", data, part, factors,
                          *([numbers(build, *sizes)] if sizes else []), mode="nearest",
                          **attributes)
    return make


# What becomes of 8 x 6 x 8 (channels, rows, columns), its shape, and the operators.
MOVES = {
    "slice": (lambda b, x: b.node("Slice", x, numbers(b, 1, 0, -1), numbers(b, 7, 5, -10),
                                  numbers(b, 1, 2, 3), numbers(b, 2, 1, -2)), 3, (Take,)),
    "shuffle": (shuffle, 8, (Take,)),
    "pixel shuffle": (pixel_shuffle, 2, (Take, DepthToSpace)),
    "twice": (resize((1, 1, 2, 2), coordinate_transformation_mode="asymmetric",
                     nearest_mode="floor"), 8, (Take,)),
    "empty region": (resize((1, 1, 2, 2), region=()), 8, (Take,)),
    "sizes": (resize(sizes=(1, 8, 12, 24)), 8, (Take,)),
    "odd scales": (resize((1, 1, 1.5, 0.5), coordinate_transformation_mode="half_pixel"), 8,
                   (Take,)),
    "DCR": (lambda b, x: b.node("DepthToSpace", x, blocksize=2), 2, (DepthToSpace,)),
    "CRD": (lambda b, x: b.node("DepthToSpace", x, blocksize=2, mode="CRD"), 2,
            (Take, DepthToSpace)),
    "space to depth": (lambda b, x: b.node("SpaceToDepth", x, blocksize=2), 32, (SpaceToDepth,)),
    "focus": (focus, 32, (Take,) * 4 + (Concat,)),
    "reflected": (lambda b, x: b.node("Pad", x, numbers(b, 0, 0, 2, 1, 0, 0, 1, 2),
                                      mode="reflect"), 8, (Take,)),
    "edges": (lambda b, x: b.node("Pad", x, numbers(b, 0, 0, 2, 0, 0, 0, 0, 2), mode="edge"), 8,
              (Take,)),
    "cropped and padded": (lambda b, x: b.node("Pad", x, numbers(b, 0, 0, -2, 1, 0, 1, 1, -2)),
                           9, (Take, Pad)),
    "gather": (lambda b, x: b.node("Gather", x, numbers(b, 3, -1, 3), axis=1), 3, (Take,)),
}


@pytest.mark.parametrize("move", MOVES)
def test_moves(move, rng, tmp_path):
    """Between two convolutions, on the chip."""
    build = OnnxBuilder()
    make, channels, wanted = MOVES[move]
    data = conv(build, rng, feature_map(build, 8, (6, 8)), 8, 8)
    output = conv(build, rng, make(build, data), 4, channels)
    path = save(tmp_path, build, output)
    imported = check(path, samples=2, config="base")
    assert tuple(type(node.attrs) for node in kinds(imported, *set(wanted))) == wanted
    places = ["chip" if hasattr(op, "post") else "host" for op in lower(
        load(path), preset("base")).ops]
    assert "chip, host, chip" not in ", ".join(places)


@pytest.mark.parametrize("opset", [13, 18])
def test_split(opset, rng, tmp_path):
    """Halves of one feature map, one of them clamped: that stays its own affair."""
    build = OnnxBuilder(opset)
    data = conv(build, rng, feature_map(build, 8, (6, 8)), 8, 8)
    extra = {"num_outputs": 2} if opset == 18 else {}
    first = build.node("Split", data, axis=1, outputs=2, **extra)
    second = build.nodes[-1].output[1]
    outputs = [conv(build, rng, build.node("Relu", first), 4, 4), conv(build, rng, second, 4, 4)]
    imported = check(save(tmp_path, build, *outputs), config="base")
    assert [node.op for node in imported.graph.nodes].count("Conv2D") == 3
    assert len(kinds(imported, Take)) == 2


def test_parts_of_integers(rng, tmp_path):
    """Between QuantizeLinear and DequantizeLinear, and one row left out of the shape."""
    build = OnnxBuilder()
    scale, zero = build.parameters(0.03, 5, np.uint8)
    codes = build.node("QuantizeLinear", build.input([1, 4, 5, 6]), scale, zero)
    codes = build.node("Slice", codes, numbers(build, 1), numbers(build, 3), numbers(build, 1))
    row = build.node("Gather", build.node("DequantizeLinear", codes, scale, zero),
                     build.constant(2, np.int64), axis=2)
    found = build.node("MatMul", row, build.weights(int8(rng, 6, 4), 0.01))
    check(save(tmp_path, build, build.pair(found, 0.05), rank=3))


TRANSPOSED = {
    "twice": {"strides": [2, 2]},
    "padded": {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    "odd": {"strides": [3, 2], "pads": [0, 1, 2, 0]},
    "grouped": {"strides": [2, 2], "group": 2},
    "depthwise": {"strides": [2, 2], "group": 8},
    "same": {"strides": [2, 3], "auto_pad": "SAME_UPPER"},
    "stated": {"strides": [2, 2], "output_shape": [13, 12]},
    "without stride": {"pads": [1, 1, 1, 1]},
}


@pytest.mark.parametrize("kind", TRANSPOSED)
def test_transposed_convolution(kind, rng, tmp_path):
    build = OnnxBuilder()
    attributes = TRANSPOSED[kind]
    outputs = 8 // attributes.get("group", 1)
    data = conv(build, rng, feature_map(build, 8, (6, 6)), 8, 8)
    kernel = build.weights(int8(rng, 8, outputs, 3, 3), rng.uniform(0.003, 0.006, outputs), axis=1)
    found = build.node("ConvTranspose", data, kernel,
                       build.constant(rng.standard_normal(8), np.float32), **attributes)
    found = build.node("BatchNormalization", found, *(
        build.constant(values, np.float32) for values in (
            rng.uniform(-1.5, 1.5, 8), rng.standard_normal(8), rng.standard_normal(8),
            rng.uniform(0.5, 2, 8))))
    path = save(tmp_path, build, build.pair(build.node("Relu", found), 0.03, -20))
    assert len(kinds(check(path, samples=2, config="base"), TransposedConv2D)) == 1


# Scales, where they are counted from, and windows that this becomes on the chip.
LINEAR = {
    "twice": ((2, 2), "half_pixel", 12), "thrice": ((3, 3), "half_pixel", 15),
    "rows": ((4, 1), "half_pixel", 8), "sixteen": ((1, 16), "pytorch_half_pixel", 3),
    "asymmetric": ((2, 3), "asymmetric", 6), "corners": ((16 / 6, 22 / 8), "align_corners", 11),
    "halves": ((0.5, 0.5), "half_pixel", 1), "three halves": ((1.5, 0.5), "half_pixel", 5),
}


@pytest.mark.parametrize("kind", LINEAR)
def test_linear_interpolation(kind, rng, tmp_path):
    (tall, wide), place, windows = LINEAR[kind]
    build = OnnxBuilder()
    data = conv(build, rng, feature_map(build, 8, (6, 8)), 8, 8)
    found = build.node("Resize", data, "", build.constant((1, 1, tall, wide), np.float32),
                       mode="linear", coordinate_transformation_mode=place)
    path = save(tmp_path, build, build.pair(build.node("Relu", found), 0.02, -60))
    # Halves are common where weights are eighths or so; ONNX Runtime takes them to even ones.
    imported = check(path, samples=1, config="base", share=0.1,
                     chip=kind in ("twice", "corners", "sixteen"))
    assert len(kinds(imported, ResizeLinear)) == 1
    ops = lower(imported.graph, preset("base")).ops
    assert sum(op.operator.startswith("ResizeLinear") for op in ops) == windows


ON_HOST = {
    "cubic": (lambda b, x: b.node("Resize", x, "", b.constant([1, 1, 2, 2], np.float32),
                                  mode="cubic"), "mode cubic"),
    "no parts": (lambda b, x: b.node("Resize", x, "", "", numbers(b, 1, 5, 7, 1009),
                                     mode="linear"), "no whole parts of a pixel"),
    "channels": (lambda b, x: b.node("Resize", x, "", b.constant([1, 2, 2, 2], np.float32),
                                     mode="linear"), "other axes"),
    "batch": (lambda b, x: b.node("Gather", x, numbers(b, 0, 0), axis=0), "the batch"),
    "table": (lambda b, x: b.node("Gather", x, b.constant([[0, 1]], np.int64), axis=1),
              "accepted are one or a list"),
    "dilated": (lambda b, x: b.node("ConvTranspose", x, b.weights(np.ones((5, 2, 2, 2), np.int8),
                                                                  0.01), dilations=[2, 2]),
                "dilations (2, 2)"),
    "scales by input": (lambda b, x: b.node("ConvTranspose", x, b.weights(
        np.ones((5, 2, 2, 2), np.int8), np.full(5, 0.01))), "scales along axis 0"),
}


@pytest.mark.parametrize("kind", ON_HOST)
def test_left_to_the_host(kind, tmp_path):
    build = OnnxBuilder()
    make, text = ON_HOST[kind]
    rank = 5 if kind == "table" else 4
    path = save(tmp_path, build, build.pair(make(build, feature_map(build)), 0.03), rank=rank)
    placed(path, text)
