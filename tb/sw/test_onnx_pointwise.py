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


@pytest.mark.parametrize("slopes", ["one", "each"])
def test_prelu(slopes, rng, tmp_path):
    build = OnnxBuilder()
    values = [0.2] if slopes == "one" else rng.uniform(0, 0.5, (5, 1, 1))
    found = build.node("PRelu", feature_map(build), build.constant(values, np.float32))
    path = save(tmp_path, build, build.pair(found, 0.03, -10))
    imported = check(path, share=0.02 if slopes == "one" else 0.5)
    assert len(kinds(imported, Add)) == (slopes == "each")
    assert len([op for op in windows(path) if hasattr(op, "post")]) == 1


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
        feature_map(b)), "no unit for products of computed tensors"),
    "a map of constants": (lambda b, rng: b.node("Mul", feature_map(b), b.constant(
        np.ones((1, 5, 7, 6)), np.float32)), "constant of shape [1, 5, 7, 6]"),
    "negative slopes": (lambda b, rng: b.node("PRelu", feature_map(b), b.constant(
        -np.ones((5, 1, 1)), np.float32)), "at least 0 a channel"),
    "maximum of two": (lambda b, rng: (lambda x: b.node("Max", x, conv(b, rng, x, 5)))(
        feature_map(b)), "computed from different tensors"),
}


@pytest.mark.parametrize("kind", ON_HOST)
def test_left_to_the_host(kind, rng, tmp_path):
    build = OnnxBuilder()
    make, text = ON_HOST[kind]
    path = save(tmp_path, build, build.pair(make(build, rng), 0.03))
    placed(path, text)
