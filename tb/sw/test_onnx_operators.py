"""Every ONNX operator accepted, within 1 of ONNX Runtime, and on the chip as in golden."""

import numpy as np
import pytest
from onnx import TensorProto

from golden.graph import Clamp, Conv2D, DepthwiseConv2D, MaxPool
from golden.spec.config import preset
from sw.compiler import compile_graph
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import check

pytest.importorskip("onnxruntime")
MICROSOFT = "com.microsoft"


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def save(tmp_path, build, *outputs, rank=4):
    for name in outputs:
        build.output(name, rank=rank)
    return build.save(tmp_path / "m.onnx")


def int8(rng, *shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def feature_map(build, channels=5, size=(7, 6), scale=0.03, zero=3, dtype=np.int8):
    return build.pair(build.input([1, channels, *size]), scale, zero, dtype)


CONVS = {
    "plain": ((6, 5, 3, 3), {}),
    "padded": ((6, 5, 3, 2), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    "dilated": ((4, 5, 3, 2), {"dilations": [2, 3], "pads": [2, 1, 2, 2]}),
    "same upper": ((6, 5, 4, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": ((6, 5, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [3, 2]}),
    "valid": ((6, 5, 2, 2), {"auto_pad": "VALID"}),
    "depthwise": ((5, 1, 3, 3), {"group": 5, "pads": [1, 1, 1, 1]}),
    "multiplied": ((15, 1, 3, 2), {"group": 5}),
    "pointwise": ((9, 5, 1, 1), {"strides": [2, 2]}),
}


@pytest.mark.parametrize("kind", CONVS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_conv(kind, dtype, rng, tmp_path):
    shape, attributes = CONVS[kind]
    build = OnnxBuilder()
    data = feature_map(build, zero=3 if dtype is np.int8 else 130, dtype=dtype)
    scales = rng.uniform(0.001, 0.01, shape[0])
    kernel = build.weights(int8(rng, *shape), scales)
    bias = build.weights(rng.integers(-3000, 3000, shape[0]).astype(np.int32), 0.03 * scales)
    found = build.node("Conv", data, kernel, bias, **attributes)
    output = build.pair(found, 0.02, -7 if dtype is np.int8 else 100, dtype)
    check(save(tmp_path, build, output))


def test_windows_of_padding_only(rng, tmp_path):
    """A convolution gives its bias there; only ceil_mode leaves such windows out."""
    build = OnnxBuilder()
    kernel = build.weights(int8(rng, 4, 5, 1, 1), 0.006)
    found = build.node("Conv", feature_map(build), kernel, pads=[0, 2, 3, 1])
    graph = check(save(tmp_path, build, build.pair(found, 0.05))).graph
    assert graph.tensors[graph.outputs[0]].shape == (1, 4, 10, 9)


def test_grouped_conv(rng, tmp_path):
    build = OnnxBuilder()
    kernel = build.weights(int8(rng, 6, 2, 3, 3), 0.004)
    found = build.node("Conv", feature_map(build, 4), kernel, group=2, pads=[1, 1, 1, 1])
    check(save(tmp_path, build, build.pair(found, 0.02)))


@pytest.mark.parametrize("activation", ["Relu", "Clip", "reduced range"])
def test_clamps_are_fused(activation, rng, tmp_path):
    build = OnnxBuilder()
    scale, zero = build.parameters(0.02, 10, np.uint8)
    found = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 3, 3), 0.004),
                       build.constant(rng.standard_normal(6), np.float32))
    if activation == "Relu":
        found = build.node("Relu", found)
    if activation == "Clip":
        found = build.node("Clip", found, build.constant(np.float32(0.5)),
                           build.constant(np.float32(2.25)))
    codes = build.node("QuantizeLinear", found, scale, zero)
    if activation == "reduced range":
        codes = build.node("Clip", codes, build.constant(np.uint8(0)),
                           build.constant(np.uint8(127)))
    (_, node, *rest) = [node for node in check(save(
        tmp_path, build, build.node("DequantizeLinear", codes, scale, zero))).graph.nodes
        if node.op not in ("Transpose", "DequantizeLinear")]
    assert not rest and isinstance(node.attrs, Conv2D)
    assert (node.attrs.least, node.attrs.most) == {
        "Relu": (-118, 127), "Clip": (-93, -6), "reduced range": (-128, -1)}[activation]


def test_batch_normalization_and_mul(rng, tmp_path):
    build = OnnxBuilder()
    found = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 3, 3), 0.004))
    statistics = [build.constant(values, np.float32) for values in (
        rng.uniform(-1.5, 1.5, 6), rng.standard_normal(6), rng.standard_normal(6),
        rng.uniform(0.5, 2, 6))]
    found = build.node("BatchNormalization", found, *statistics)
    found = build.node("Mul", build.constant(rng.uniform(-2, 2, (6, 1, 1)), np.float32), found)
    found = build.node("Add", found, build.constant(rng.standard_normal((1, 6, 1, 1)), np.float32))
    imported = check(save(tmp_path, build, build.pair(build.node("Relu", found), 0.05, -128)))
    assert [node.op for node in imported.graph.nodes].count("Conv2D") == 1


def test_dead_channels_and_large_biases(rng, tmp_path):
    """No weights, a factor of 0, and a bias beyond int32 in steps of the products."""
    build = OnnxBuilder()
    kernel = int8(rng, 4, 5, 1, 1)
    kernel[0] = 0
    scales = np.array([1e-12, 0.004, 1e-13, 0.004], np.float32)
    found = build.node("Conv", feature_map(build), build.weights(kernel, scales),
                       build.constant([0.7, -0.3, 0.9, 0.1], np.float32))
    found = build.node("Mul", found, build.constant(np.array([1, 0, 1, 1]).reshape(4, 1, 1),
                                                    np.float32))
    check(save(tmp_path, build, build.pair(found, 0.02)))


def test_weights_quantized_in_the_file(rng, tmp_path):
    """As PyTorch exports: float weights, QuantizeLinear and DequantizeLinear behind them."""
    build = OnnxBuilder()
    data = feature_map(build, 5, (1, 1))
    flat = build.node("Flatten", data)
    scales, zeros = build.constant(rng.uniform(0.01, 0.02, 7), np.float32), build.constant(
        np.zeros(7), np.int8)
    weights = build.constant(rng.standard_normal((7, 5)), np.float32)
    codes = build.node("QuantizeLinear", weights, scales, zeros, axis=0)
    kernel = build.node("DequantizeLinear", codes, scales, zeros, axis=0)
    turned = build.node("Transpose", kernel, perm=[1, 0])
    found = build.node("Add", build.node("MatMul", flat, turned),
                       build.constant(rng.standard_normal(7), np.float32))
    check(save(tmp_path, build, build.pair(found, 0.05, 4), rank=2))


def test_unsigned_symmetric_weights(rng, tmp_path):
    build = OnnxBuilder()
    values = rng.integers(1, 256, (6, 5, 3, 3)).astype(np.uint8)
    found = build.node("Conv", feature_map(build), build.weights(values, 0.004, zero=128))
    check(save(tmp_path, build, build.pair(found, 0.02)))


@pytest.mark.parametrize("turned", [0, 1])
def test_gemm_behind_flatten(turned, rng, tmp_path):
    """The kernel's columns follow the feature map's bytes, channels last."""
    build = OnnxBuilder()
    found = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 3, 3), 0.004))
    flat = build.node("Flatten", build.pair(found, 0.03, 5))
    scales = rng.uniform(0.002, 0.004, 11)
    kernel = int8(rng, 11, 6 * 5 * 4)
    kernel = build.weights(kernel if turned else kernel.T, scales, axis=0 if turned else 1)
    bias = build.constant(rng.standard_normal(11), np.float32)
    found = build.node("Gemm", flat, kernel, bias, transB=turned, alpha=0.5, beta=2.0)
    imported = check(save(tmp_path, build, build.pair(found, 0.08), rank=2))
    assert [node.op for node in imported.graph.nodes if node.op == "Transpose"] == ["Transpose"]


def test_matmul_of_rows(rng, tmp_path):
    build = OnnxBuilder()
    data = build.pair(build.input([1, 4, 6]), 0.03)
    found = build.node("MatMul", data, build.weights(int8(rng, 6, 5), 0.01))
    found = build.node("Add", build.constant(rng.standard_normal(5), np.float32), found)
    check(save(tmp_path, build, build.pair(found, 0.03), rank=3))


@pytest.mark.parametrize("activation", [False, True])
def test_add(activation, rng, tmp_path):
    build = OnnxBuilder()
    data = feature_map(build)
    found = build.node("Conv", data, build.weights(int8(rng, 5, 5, 1, 1), 0.004))
    total = build.node("Add", data, build.pair(found, 0.011, -20))
    total = build.node("Relu", total) if activation else total
    check(save(tmp_path, build, build.pair(total, 0.025, -30)))


@pytest.mark.parametrize("shared", [False, True])
def test_relu_alone_keeps_its_quantization(shared, rng, tmp_path):
    """Fused in front of a QuantizeLinear that nothing else reads, else an operator of its own."""
    build = OnnxBuilder()
    found = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 1, 1), 0.004))
    data = build.pair(found, 0.03, -5)
    pooled = build.node("MaxPool", build.node("Relu", data), kernel_shape=[2, 2])
    last = build.pair(build.node("Conv", pooled, build.weights(int8(rng, 3, 6, 1, 1), 0.004)), 0.03)
    graph = check(save(tmp_path, build, last, *([data] if shared else []))).graph
    if shared:
        node = next(node for node in graph.nodes if isinstance(node.attrs, Clamp))
    else:
        node = next(node for node in graph.nodes if isinstance(node.attrs, Conv2D))
        assert not any(isinstance(node.attrs, Clamp) for node in graph.nodes)
    assert (node.attrs.least, node.attrs.most) == (-5, 127)


def test_requantization(tmp_path):
    build = OnnxBuilder()
    check(save(tmp_path, build, build.pair(build.pair(build.input([1, 3, 4, 4]), 0.03, 3), 0.017,
                                           -40)), samples=8)


@pytest.mark.parametrize("attributes", [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 0, 0, 1]},
], ids=str)
@pytest.mark.parametrize("place", ["reals", "integers", "before"])
def test_max_pool(attributes, place, rng, tmp_path):
    """Of dequantized values, of integers, and in front of the only QuantizeLinear."""
    build = OnnxBuilder()
    scale, zero = build.parameters(0.03, 3, np.int8)
    found = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 1, 1), 0.004))
    if place == "before":
        found = build.node("Relu", build.node("MaxPool", found, **attributes))
        output = build.pair(found, 0.03, 3)
    else:
        codes = build.node("QuantizeLinear", found, scale, zero)
        codes = build.node("MaxPool", codes, **attributes) if place == "integers" else codes
        output = build.node("DequantizeLinear", codes, scale, zero)
        if place == "reals":
            output = build.node("MaxPool", output, **attributes)
    imported = check(save(tmp_path, build, output))
    assert any(type(node.attrs) is MaxPool for node in imported.graph.nodes)


@pytest.mark.parametrize("attributes", [
    {"kernel_shape": [2, 3]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [7, 6]},
    {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [2, 1]},
], ids=str)
@pytest.mark.parametrize("scale", [0.03, 0.035])
def test_average_pool(attributes, scale, tmp_path):
    build = OnnxBuilder(19 if "dilations" in attributes else 17)
    data = feature_map(build, zero=3)
    found = build.node("AveragePool", data, **attributes)
    check(save(tmp_path, build, build.pair(found, scale, 3 if scale == 0.03 else -9)), share=0.05)


def averages(rng, tmp_path):
    """A product of averages of averages, and one of averages, none of them quantized."""
    build = OnnxBuilder()
    found = build.node("Conv", feature_map(build, size=(8, 8)),
                       build.weights(int8(rng, 6, 5, 1, 1), 0.004))
    pooled = build.node("AveragePool", build.pair(found, 0.02), kernel_shape=[2, 2], strides=[2, 2])
    flat = build.node("Flatten", build.node("GlobalAveragePool", pooled))
    first = build.node("Gemm", flat, build.weights(int8(rng, 3, 6), 0.01), transB=1)
    flat = build.node("Flatten", build.node("Transpose", pooled, perm=[0, 3, 1, 2]))
    second = build.node("Gemm", flat, build.weights(int8(rng, 7, 96), 0.01), transB=1)
    return save(tmp_path, build, build.pair(first, 0.003), build.pair(second, 0.02), rank=2)


def test_averages_without_a_quantization(rng, tmp_path):
    """The product behind takes them over: nothing is rounded in between, as in float."""
    imported = check(averages(rng, tmp_path), samples=8)
    assert [node.op for node in imported.graph.nodes].count("FullyConnected") == 2
    assert not imported.graph.notes and not imported.rounded


def test_averages_too_large_to_take_over(rng, tmp_path, monkeypatch):
    """They are kept in 8 bits, and the user is told."""
    from sw.frontend.onnx import weighted

    monkeypatch.setattr(weighted, "LARGEST_WIDENED", 0)
    graph = check(averages(rng, tmp_path)).graph
    assert [node.op for node in graph.nodes].count("Mean") == 1
    assert len(graph.notes) == 2 and all("PyTorch" in note for note in graph.notes)


@pytest.mark.parametrize(("op", "attributes"), [
    ("GlobalAveragePool", {}), ("ReduceMean", {"axes": [2, 3]}),
    ("ReduceMean", {"axes": [-1], "keepdims": 0}), ("ReduceMean", {"axes": [1]}),
    ("ReduceMean", {"axes": [1, 2], "keepdims": 0}), ("GlobalMaxPool", {}),
    ("ReduceMax", {"axes": [-2, -1], "keepdims": 0})], ids=str)
def test_means(op, attributes, tmp_path):
    build = OnnxBuilder()
    found = build.node("Relu", build.node(op, feature_map(build), **attributes))
    rank = 4 if attributes.get("keepdims", 1) else 4 - len(attributes["axes"])
    check(save(tmp_path, build, build.pair(found, 0.004, -100), rank=rank))


def test_sums(tmp_path):
    build = OnnxBuilder()
    found = build.node("ReduceSum", feature_map(build), build.constant([2, 3], np.int64))
    check(save(tmp_path, build, build.pair(found, 0.3, -10)))


def test_reduce_mean_of_later_opsets(tmp_path):
    build = OnnxBuilder(18)
    found = build.node("ReduceMean", feature_map(build), build.constant([2, 3], np.int64))
    check(save(tmp_path, build, build.pair(found, 0.004, -100)))


@pytest.mark.parametrize("axis", [1, -2])
def test_concat_of_different_scales(axis, rng, tmp_path):
    build = OnnxBuilder()
    data = feature_map(build)
    found = build.node("Conv", data, build.weights(int8(rng, 5, 5, 1, 1), 0.004))
    joined = build.node("Concat", data, found, axis=axis)
    check(save(tmp_path, build, build.pair(build.node("Relu", joined), 0.041, -3)))


def test_pad(tmp_path):
    build = OnnxBuilder()
    found = build.node("Pad", feature_map(build), build.constant([0, 1, 2, 0, 0, 0, 1, 3],
                                                                 np.int64),
                       build.constant(np.float32(0.3)))
    check(save(tmp_path, build, build.pair(found, 0.03, 3)))


def test_layouts(rng, tmp_path):
    """NHWC in and out: transpositions that only undo the difference are gone."""
    build = OnnxBuilder()
    data = build.pair(build.node("Transpose", build.input([1, 7, 6, 5]), perm=[0, 3, 1, 2]), 0.03)
    found = build.node("Conv", data, build.weights(int8(rng, 6, 5, 3, 3), 0.004))
    output = build.node("Transpose", build.pair(found, 0.02), perm=[0, 2, 3, 1])
    imported = check(save(tmp_path, build, output))
    assert [node.op for node in imported.graph.nodes] == ["QuantizeLinear", "Conv2D",
                                                          "DequantizeLinear"]


def test_reshapes(rng, tmp_path):
    """Shapes computed in the graph from shapes, as PyTorch exports view(x.size(0), -1)."""
    build = OnnxBuilder()
    data = feature_map(build)
    batch = build.node("Gather", build.node("Shape", data), build.constant(np.int64(0)), axis=0)
    batch = build.node("Unsqueeze", batch, build.constant([0], np.int64))
    shape = build.node("Concat", batch, build.constant([-1], np.int64), axis=0)
    flat = build.node("Reshape", data, shape)
    found = build.pair(build.node("Gemm", flat, build.weights(int8(rng, 12, 210), 0.003),
                                  transB=1), 0.05)
    square = build.node("Reshape", found, build.constant([0, 3, 2, -1], np.int64))
    found = build.node("Conv", square, build.weights(int8(rng, 4, 3, 2, 2), 0.01))
    found = build.pair(found, 0.05)
    squeezed = build.node("Squeeze", found, build.constant([2, 3], np.int64))
    check(save(tmp_path, build, build.node("Dropout", build.node("Identity", squeezed)), rank=2))


def test_softmax_of_float(tmp_path):
    """float32 on the host; quantized again there, too."""
    build = OnnxBuilder()
    data = build.pair(build.input([1, 9]), 0.05)
    found = build.node("Softmax", data)
    imported = check(save(tmp_path, build, found, build.pair(found, 1 / 256, -128), rank=2))
    assert [node.op for node in imported.graph.nodes].count("FloatSoftmax") == 1


@pytest.mark.parametrize(("axis", "scale", "zero", "dtype"), [
    (1, 1 / 256, -128, np.int8), (3, 0.01, 5, np.uint8), (-2, 0.002, -100, np.int8)])
def test_softmax(axis, scale, zero, dtype, rng, tmp_path):
    """In integers between convolutions, on the DRP."""
    build = OnnxBuilder()
    found = build.node("Conv", feature_map(build), build.weights(int8(rng, 6, 5, 3, 3), 0.004))
    found = build.node("Softmax", build.pair(found, 0.04, 3), axis=axis)
    found = build.node("Conv", build.pair(found, scale, zero, dtype), build.weights(
        int8(rng, 3, 6, 1, 1), 0.004))
    imported = check(save(tmp_path, build, build.pair(found, 0.002)), config="base")
    (node,) = [node for node in imported.graph.nodes if node.op == "QuantizedSoftmax"]
    assert node.attrs.axis == {1: 3, 3: 2, -2: 1}[axis]
    layers = compile_graph(imported.graph, preset("base")).layers
    assert [row["operator"] for row in layers if row["unit"] == "drp"] == ["QuantizedSoftmax"]


def test_softmax_of_many(tmp_path):
    """Equal values: what the sum drops counts most. One more is done in float."""
    for count in (2048, 2049):
        build = OnnxBuilder()
        found = build.node("Softmax", build.pair(build.input([1, count]), 0.02))
        imported = check(save(tmp_path, build, build.pair(found, 2.0 ** -12, -128), rank=2))
        ops = [node.op for node in imported.graph.nodes]
        assert ("QuantizedSoftmax" in ops) == (count == 2048)


@pytest.mark.parametrize(("axis", "bias", "dtype"), [(-1, True, np.int8), (1, False, np.uint8)])
def test_layer_normalization(axis, bias, dtype, rng, tmp_path):
    """Between products, on the DRP; of rows, and of all there is."""
    build = OnnxBuilder(17)
    data = build.pair(build.input([1, 6, 20]), 0.03, 4)
    found = build.node("MatMul", data, build.weights(int8(rng, 20, 24), 0.004))
    shape = (6, 24)[axis % 3 - 1:]
    constants = [build.weights(int8(rng, *shape), 0.02)]
    if bias:
        constants.append(build.constant(rng.standard_normal(shape), np.float32))
    found = build.node("LayerNormalization", build.pair(found, 0.02, -9), *constants, axis=axis,
                       epsilon=1e-6)
    found = build.node("MatMul", build.pair(found, 0.04, 5 if dtype is np.int8 else 120, dtype),
                       build.weights(int8(rng, 24, 7), 0.003))
    imported = check(save(tmp_path, build, build.pair(found, 0.03), rank=3), config="base")
    assert "QuantizedLayerNorm" in [node.op for node in imported.graph.nodes]
    layers = compile_graph(imported.graph, preset("base")).layers
    assert [row["operator"] for row in layers if row["unit"] == "drp"] == ["QuantizedLayerNorm"]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integer_edges(dtype, rng, tmp_path):
    kind = TensorProto.INT8 if dtype is np.int8 else TensorProto.UINT8
    build = OnnxBuilder()
    scale, zero = build.parameters(0.03, 100, dtype)
    data = build.node("DequantizeLinear", build.input([1, 5, 7, 6], kind), scale, zero)
    found = build.node("Conv", data, build.weights(int8(rng, 6, 5, 3, 3), 0.004))
    build.output(build.quantize(found, 0.02, 90, dtype), kind)
    imported = check(build.save(tmp_path / "m.onnx"))
    tensors = imported.graph.tensors
    assert tensors[imported.graph.outputs[0]].dtype == np.dtype(dtype).name
    assert tensors[imported.graph.inputs[0]].shape == (1, 5, 7, 6)


def test_qlinear(rng, tmp_path):
    """The operators that ONNX Runtime's quantizer writes in its own format."""
    build = OnnxBuilder(12)
    def wide():
        return build.parameters(0.03, 130, np.uint8)

    data = build.node("QuantizeLinear", build.input([1, 5, 8, 6]), *wide())
    weights = (build.constant(int8(rng, 5, 5, 3, 3)), build.constant(
        rng.uniform(0.002, 0.004, 5), np.float32), build.constant(np.zeros(5), np.int8))
    fine = build.parameters(0.02, 120, np.uint8)
    conv = build.node("QLinearConv", data, *wide(), *weights, *fine,
                      build.constant(rng.integers(-999, 999, 5), np.int32), pads=[1, 1, 1, 1])
    total = build.node("QLinearAdd", data, *wide(), conv, *fine, *wide(), domain=MICROSOFT)
    joined = build.node("QLinearConcat", *wide(), total, *wide(), conv, *fine, domain=MICROSOFT,
                        axis=1)
    small = build.parameters(0.01, 128, np.uint8)
    pooled = build.node("QLinearGlobalAveragePool", joined, *wide(), *small, domain=MICROSOFT,
                        channels_last=0)
    flat = build.node("Reshape", pooled, build.constant([1, 10], np.int64))
    product = build.node("QLinearMatMul", flat, *small, build.constant(int8(rng, 10, 7)),
                         *build.parameters(0.01, 0, np.int8), *small)
    last = build.node("QGemm", product, *small, build.constant(int8(rng, 7, 4)),
                      *build.parameters(0.01, 0, np.int8),
                      build.constant(rng.integers(-999, 999, 4), np.int32), *small,
                      domain=MICROSOFT, alpha=1.0, transB=0)
    output = build.node("DequantizeLinear", last, *small)
    check(save(tmp_path, build, output, rank=2))


def test_open_sizes(rng, tmp_path):
    """An open batch is 1; other sizes are asked for."""
    build = OnnxBuilder()
    data = build.pair(build.input(["n", 5, "h", "w"]), 0.03)
    found = build.node("Conv", data, build.weights(int8(rng, 5, 1, 3, 3), 0.004), group=5)
    path = save(tmp_path, build, build.pair(found, 0.02))
    imported = check(path, shapes={"x": (1, 5, 6, 9)})
    (node,) = [node for node in imported.graph.nodes if node.op == "DepthwiseConv2D"]
    assert isinstance(node.attrs, DepthwiseConv2D)
    assert imported.graph.tensors[imported.graph.outputs[0]].shape == (1, 5, 4, 7)
