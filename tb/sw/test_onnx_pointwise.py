"""Functions of one tensor by table, in the forms exporters write, against ONNX Runtime."""

import numpy as np
import pytest

from golden.graph import Add, Conv2D, DepthwiseConv2D
from golden.lookup import Lookup
from golden.spec.config import preset
from golden.spec.isa import PostMode
from sw.compiler.lower import lower
from sw.frontend.onnx import load
from sw.frontend.onnx.operators import CONVERTERS, MICROSOFT
from sw.frontend.onnx.pointwise import pointwise
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import check, placed
from tb.sw.test_onnx_operators import feature_map, int8, save

pytest.importorskip("onnxruntime")
ATTRIBUTES = {"HardSigmoid": {"alpha": 0.3, "beta": 0.4}, "LeakyRelu": {"alpha": 0.2},
              "ThresholdedRelu": {"alpha": 0.3}, "Shrink": {"bias": 0.1, "lambd": 0.5},
              "Elu": {"alpha": 1.5}, "Selu": {}, "Celu": {"alpha": 0.7},
              "Gelu": {"approximate": "tanh"}}
CONSTANTS = {"Max": 0.25, "Min": 0.5, "Pow": 2.0}


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def conv(build, rng, data, outputs=6, inputs=5, scale=0.03, zero=-10, dtype=np.int8):
    kernel = build.weights(int8(rng, outputs, inputs, 1, 1), 0.006)
    return build.pair(build.node("Conv", data, kernel), scale, zero, dtype)


def windows(path, config="tiny"):
    """The array's operators after lowering."""
    return lower(load(path), preset(config)).ops


def kinds(imported, *kind):
    return [node for node in imported.graph.nodes if isinstance(node.attrs, kind)]


@pytest.mark.parametrize("op", sorted(name for (domain, name), convert in CONVERTERS.items()
                                      if convert is pointwise and not domain))
def test_each_operator(op, rng, tmp_path):
    """A table in the convolution that comes before it."""
    build = OnnxBuilder(24 if op == "Swish" else 21)
    data = conv(build, rng, feature_map(build, size=(4, 5)))
    given = [build.constant(np.float32(CONSTANTS[op]))] if op in CONSTANTS else []
    found = build.node(op, data, *given, **ATTRIBUTES.get(op, {}))
    path = save(tmp_path, build, build.pair(found, 0.02, -40))
    (table,) = kinds(check(path, samples=2, chip=False), Lookup)
    assert len(np.unique(table.attrs.table)) > 1
    (op,) = [item for item in windows(path) if "Lookup" in item.operator]
    assert op.operator == "Conv2D+Lookup" and op.post.mode == PostMode.TABLE


def silu(build, x, quantized):
    sigmoid = build.node("Sigmoid", x)
    if quantized:
        sigmoid = build.pair(sigmoid, 1 / 256, -128)
    return build.node("Mul", sigmoid, x)


def hard_swish(build, x, quantized):
    def step(name, scale):
        return build.pair(name, scale, -20) if quantized else name

    shifted = step(build.node("Add", x, build.constant([[[[3.0]]]], np.float32)), 0.05)
    clipped = step(build.node("Clip", shifted, build.constant(np.float32(0)),
                              build.constant(np.float32(6))), 0.05)
    product = step(build.node("Mul", x, clipped), 0.2)
    return build.node("Div", product, build.constant([6.0], np.float32))


def gelu(build, x, quantized):
    scaled = build.node("Div", x, build.constant(np.float32(2 ** 0.5)))
    error = build.node("Add", build.node("Erf", scaled), build.constant(np.float32(1)))
    error = build.pair(error, 0.01, -100) if quantized else error
    return build.node("Mul", build.node("Mul", x, error), build.constant(np.float32(0.5)))


def gelu_tanh(build, x, quantized):
    cube = build.node("Pow", x, build.constant(np.float32(3)))
    inner = build.node("Add", x, build.node("Mul", cube, build.constant(np.float32(0.044715))))
    tanh = build.node("Tanh", build.node("Mul", inner, build.constant(np.float32(0.79788456))))
    tanh = build.pair(tanh, 1 / 128, 0) if quantized else tanh
    return build.node("Mul", build.node("Mul", build.constant(np.float32(0.5)), x),
                      build.node("Add", tanh, build.constant(np.float32(1))))


def mish(build, x, quantized):
    soft = build.node("Softplus", x)
    soft = build.pair(soft, 0.02, -128) if quantized else soft
    return build.node("Mul", x, build.node("Tanh", soft))


def square(build, x, quantized):
    del quantized
    return build.node("Sub", build.node("Mul", x, x), build.node("Relu", x))


def limited(build, name, scale, zero, least=-256, most=255):
    """Clipped to the codes that an index of 9 bits has, in steps of int16."""
    low, high = (np.float32(scale) * np.float32(end - zero) for end in (least, most))
    name = build.node("Clip", name, build.constant(low), build.constant(high))
    return build.pair(name, scale, zero, np.int16)


@pytest.mark.parametrize("form", [silu, hard_swish, square])
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("zero", [0, -199])
def test_an_index_of_nine_bits(form, quantized, zero, rng, tmp_path):
    """In the convolution before it, whose 512 results between have entries of their own."""
    build = OnnxBuilder(21)
    data = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 1, 1), 0.006))
    data = limited(build, data, 0.011, zero)
    path = save(tmp_path, build, build.pair(form(build, data, quantized), 0.02, -90))
    imported = check(path)
    (before,), (table,) = kinds(imported, Conv2D), kinds(imported, Lookup)
    assert imported.graph.tensors[table.inputs[0]].dtype == before.attrs.output_type == "int16"
    assert table.attrs.table.shape == (512,)
    (op,) = [item for item in windows(path) if "Lookup" in item.operator]
    assert op.operator == "Conv2D+Lookup" and op.post.table.shape == (512,)
    assert (op.post.zero, op.post.least, op.post.most) == (zero, -256, 255)


def test_an_index_of_nine_bits_for_several(rng, tmp_path):
    """Each function has the products anew, a sum behind it is an operator of its own; a matrix
    product and a depthwise convolution give such an index too."""
    build = OnnxBuilder()
    image = feature_map(build)
    data = build.node("Conv", image, build.weights(int8(rng, 5, 1, 3, 3), 0.01), group=5,
                      pads=[1, 1, 1, 1])
    data = build.node("Clip", data, *(build.constant(np.float32(0.02) * np.float32(end - 30))
                                      for end in (-256, 255)))
    scale, zero = build.parameters(0.02, 30, np.int16)
    codes = build.node("QuantizeLinear", data, scale, zero, domain=MICROSOFT)
    first, second = (build.node("DequantizeLinear", codes, scale, zero, domain=MICROSOFT)
                     for _ in range(2))
    total = build.node("Add", build.pair(silu(build, first, False), 0.02, -90), image)
    other = build.pair(build.node("Tanh", second), 1 / 128)
    path = save(tmp_path, build, build.pair(total, 0.041), other)
    imported = check(path)
    assert len(kinds(imported, Lookup)) == len(kinds(imported, DepthwiseConv2D)) == 2
    assert [op.operator for op in windows(path) if hasattr(op, "post")] == [
        "DepthwiseConv2D+Lookup", "Add", "DepthwiseConv2D+Lookup"]


def test_int16_of_few_codes(rng, tmp_path):
    """What stays within int8 is an index of 8 bits, and that of nothing but int16 is one too."""
    build = OnnxBuilder(21)
    data = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 1, 1), 0.006))
    data = limited(build, data, 0.03, 7, -100, 120)
    imported = check(save(tmp_path, build, build.pair(data, 0.05, -10)))
    (table,) = kinds(imported, Lookup)
    assert table.attrs.table.shape == (256,)


@pytest.mark.parametrize("kind, words", [
    ("beyond", "of codes -300 to 255, zero point 0"), ("unclipped", "of codes -32768 to 32767"),
    ("sum", "clipped to codes of -256 to 255"), ("zero", "zero point 300"),
    ("transposed", "this is none of these"), ("kept", "dequantizes")])
def test_int16_elsewhere(kind, words, rng, tmp_path):
    """The host has it, which says why."""
    build = OnnxBuilder(21)
    image = feature_map(build)
    data = build.node("Conv", image, build.weights(int8(rng, 5, 5, 1, 1), 0.006))
    if kind == "transposed":
        data = build.node("ConvTranspose", image, build.weights(int8(rng, 5, 5, 2, 2), 0.006),
                          strides=[2, 2])
    if kind == "sum":
        data = build.node("Add", build.pair(data, 0.03), image)
    if kind == "unclipped":
        data = build.pair(data, 0.011, 0, np.int16)
    elif kind == "kept":
        scale, zero = build.parameters(0.011, 0, np.int16)
        data = build.node("Clip", data, *(build.constant(np.float32(end * 0.011))
                                          for end in (-256, 255)))
        data = build.node("QuantizeLinear", data, scale, zero)
        data = build.node("DequantizeLinear", build.node("Abs", data), scale, zero)
        words = "int16, read by"
    else:
        data = limited(build, data, 0.011, 300 if kind == "zero" else 0,
                       -300 if kind == "beyond" else -256)
    path = save(tmp_path, build, build.pair(build.node("Tanh", data), 1 / 128))
    placed(path, words)
    check(path)


@pytest.mark.parametrize("form", [silu, hard_swish, gelu, gelu_tanh, mish, square])
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_forms(form, quantized, dtype, rng, tmp_path):
    """One table, whether or not each step is quantized."""
    build = OnnxBuilder()
    data = conv(build, rng, feature_map(build), dtype=dtype,
                zero=-10 if dtype is np.int8 else 118)
    found = build.pair(form(build, data, quantized), 0.02, -90 if dtype is np.int8 else 38, dtype)
    imported = check(save(tmp_path, build, found))
    assert len(kinds(imported, Lookup)) == len(kinds(imported, Conv2D)) == 1


def test_a_dequantize_for_each_reader(rng, tmp_path):
    """As quantizers write that give each operator pairs of its own."""
    build = OnnxBuilder()
    found = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 1, 1), 0.006))
    scale, zero = build.parameters(0.03, 4, np.int8)
    codes = build.node("QuantizeLinear", found, scale, zero)
    first, second, third = (build.node("DequantizeLinear", codes, scale, zero) for _ in range(3))
    found = build.node("Mul", first, build.node("Sigmoid", second))
    output = build.node("Add", build.pair(found, 0.02, -90), third)
    imported = check(save(tmp_path, build, build.pair(output, 0.05)))
    assert len(kinds(imported, Lookup)) == 1  # x + silu(x) too


def test_intermediate_results_that_are_read(rng, tmp_path):
    build = OnnxBuilder()
    data = conv(build, rng, feature_map(build))
    sigmoid = build.pair(build.node("Sigmoid", data), 1 / 256, -128)
    found = build.pair(build.node("Mul", data, sigmoid), 0.02, -90)
    outputs = [conv(build, rng, name, 3, 6) for name in (sigmoid, found)]
    imported = check(save(tmp_path, build, *outputs, sigmoid))
    assert len(kinds(imported, Lookup)) == 2


def test_no_producer_to_join(rng, tmp_path):
    """Of an input, of a sum, and of what others read too: copies with a table."""
    build = OnnxBuilder()
    data = feature_map(build)
    other = build.pair(build.node("Tanh", data), 1 / 128)
    total = build.pair(build.node("Add", data, conv(build, rng, other, 5)), 0.041)
    output = build.pair(silu(build, total, True), 0.03, -100)
    path = save(tmp_path, build, output, total)
    check(path)
    assert [op.operator for op in windows(path) if hasattr(op, "post")] == [
        "Lookup", "Conv2D+Add", "Lookup"]


@pytest.mark.parametrize("both", [False, True])
def test_tables_before_a_sum_are_its_own(both, rng, tmp_path):
    build = OnnxBuilder()
    data = conv(build, rng, feature_map(build), 5)
    first = build.pair(silu(build, conv(build, rng, data, 5), True), 0.02, -90)
    second = build.pair(build.node("Tanh", data), 1 / 128, 3) if both else data
    path = save(tmp_path, build, build.pair(build.node("Add", second, first), 0.03))
    imported = check(path)
    assert len(kinds(imported, Lookup)) == 1 + both
    assert [op.operator for op in windows(path) if "Conv" in op.operator] == [
        "Conv2D", "Conv2D+Add"]


def test_behind_pools_and_concatenations(rng, tmp_path):
    build = OnnxBuilder()
    data = feature_map(build)
    pooled = build.node("MaxPool", data, kernel_shape=[2, 2])
    first = build.pair(build.node("Sigmoid", pooled), 1 / 256, -128)
    joined = build.pair(build.node("Concat", data, data, axis=2), 0.03)
    second = build.pair(build.node("HardSigmoid", joined), 1 / 256, -128)
    path = save(tmp_path, build, first, second)
    check(path)
    assert [op.operator for op in windows(path) if "Lookup" in op.operator] == [
        "MaxPool+Lookup", "Concat+Lookup", "Concat+Lookup"]


def test_requantization_joins_its_producer(rng, tmp_path):
    build = OnnxBuilder()
    path = save(tmp_path, build, build.pair(conv(build, rng, feature_map(build)), 0.0213, 5))
    check(path)
    assert "Conv2D+Clamp" in [op.operator for op in windows(path)]


def test_one_number_a_channel_without_a_product(rng, tmp_path):
    """Scaling, shifting and normalizing feature maps: a convolution of each channel."""
    build = OnnxBuilder()
    data = feature_map(build)
    vector = build.constant(rng.uniform(-1.5, 1.5, (1, 5, 1, 1)), np.float32)
    first = build.pair(build.node("Mul", data, vector), 0.03)
    second = build.pair(build.node("Sub", vector, first), 0.03)
    statistics = [build.constant(values, np.float32) for values in (
        rng.uniform(-1.5, 1.5, 5), rng.standard_normal(5), rng.standard_normal(5),
        rng.uniform(0.5, 2, 5))]
    third = build.pair(build.node("Relu", build.node("BatchNormalization", second, *statistics)),
                       0.03, -128)
    imported = check(save(tmp_path, build, third))
    assert len(kinds(imported, DepthwiseConv2D)) == 3


@pytest.mark.parametrize("slopes", ["one", "each", "some below 0"])
def test_prelu(slopes, rng, tmp_path):
    build = OnnxBuilder()
    least = -3.0 if slopes == "some below 0" else 0
    values = [0.2] if slopes == "one" else rng.uniform(least, 0.5, (5, 1, 1))
    found = build.node("PRelu", feature_map(build), build.constant(values, np.float32))
    path = save(tmp_path, build, build.pair(found, 0.03, -10))
    imported = check(path)
    assert len(kinds(imported, Add)) == (slopes != "one")
    assert len([op for op in windows(path) if hasattr(op, "post")]) == 1 + ("below" in slopes)


def test_difference(rng, tmp_path):
    build = OnnxBuilder()
    data = feature_map(build)
    found = build.node("Sub", data, conv(build, rng, data, 5))
    path = save(tmp_path, build, build.pair(found, 0.041, 3))
    imported = check(path)
    assert len(kinds(imported, Add)) == 1
    assert [op.operator for op in windows(path) if hasattr(op, "post")] == ["Conv2D+Add"]


@pytest.mark.parametrize("op", ["Gelu", "QuickGelu"])
def test_microsoft(op, rng, tmp_path):
    build = OnnxBuilder()
    found = build.node(op, conv(build, rng, feature_map(build)), domain=MICROSOFT)
    check(save(tmp_path, build, build.pair(found, 0.02, -100)))


ON_HOST = {
    "not quantized": (lambda b, rng: b.node("Sigmoid", b.node(
        "Conv", feature_map(b), b.weights(int8(rng, 5, 5, 1, 1), 0.004))),
        "float and not quantized"),
    "two tensors": (lambda b, rng: (lambda x: b.node("Mul", x, conv(b, rng, x, 5)))(
        feature_map(b)), "products of a feature map and one value a channel"),
    "a map of constants": (lambda b, rng: b.node("Mul", feature_map(b), b.constant(
        np.ones((1, 5, 7, 6)), np.float32)), "constant of shape [1, 5, 7, 6]"),
    "maximum of two": (lambda b, rng: (lambda x: b.node("Max", x, conv(b, rng, x, 5)))(
        feature_map(b)), "computed from different tensors"),
}


@pytest.mark.parametrize("kind", ON_HOST)
def test_left_to_the_host(kind, rng, tmp_path):
    build = OnnxBuilder()
    make, text = ON_HOST[kind]
    path = save(tmp_path, build, build.pair(make(build, rng), 0.03))
    placed(path, text)
