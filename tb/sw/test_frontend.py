"""The TensorFlow Lite reader: what it makes of good files."""

import numpy as np
import pytest

from golden.executor import run
from golden.graph import Conv2D, Reshape
from golden.spec.numerics import ROUND_ONCE
from sw.errors import ModelError, ReferenceError_
from sw.frontend.scales import activation_range, mean_scale, same_pads
from sw.frontend.tflite import SUPPORTED, load
from tb.lib.quick import quick
from tb.lib.random_models import MAKERS, random_model
from tb.lib.record_networks import MODELS
from tb.lib.tflite_builder import ModelBuilder

SEEDS = quick(1, range(2, 6), [0, 1, *range(6, 12)])  # conv 0 and 1: no bias


def written(tmp_path, raw):
    path = tmp_path / "model.tflite"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("legacy", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_random_operators(kind, legacy, seeds, tmp_path):
    """One operator with everything random, against LiteRT's reference kernels."""
    pytest.importorskip("ai_edge_litert")
    from sw.reference import run_litert

    compared = 0
    for seed in seeds:
        model = random_model(kind, seed, legacy)
        path = written(tmp_path, model.raw)
        try:
            graph = load(path)
        except ModelError as error:
            assert legacy and "RESIZE_BILINEAR): of UINT8" in str(error), seed
            continue
        try:
            (expected,) = run_litert(path, model.inputs)
        except ReferenceError_ as error:
            assert kind == "conv" and "has_bias" in str(error), seed  # convolutions without bias
            continue
        inputs = dict(zip(graph.inputs, model.inputs, strict=True))
        (got,) = run(graph, inputs).values()
        assert got.shape == expected.shape, seed
        assert np.array_equal(got, expected), (kind, seed, int((got != expected).sum()))
        compared += 1
    assert compared >= len(seeds) // 2


@pytest.mark.parametrize(("name", "count", "output"), [
    ("resnet8", 16, (1, 10)), ("dscnn", 13, (1, 12)), ("vww", 31, (1, 2)),
    ("autoencoder", 10, (1, 640)),
])
def test_bundled_networks(name, count, output):
    graph = load(MODELS[name])
    assert len(graph.nodes) == count
    assert graph.tensors[graph.outputs[0]].shape == output
    text = str(graph)
    assert all(node.name in text for node in graph.nodes)
    assert max(map(len, text.splitlines())) < 160


def test_fully_connected_rounds_once():
    (node, *_), posts = load(MODELS["autoencoder"]).nodes, []
    posts = node.attrs.post
    assert (posts > ROUND_ONCE).all()


def test_missing_bias_is_zero(tmp_path):
    model = ModelBuilder()
    data, output = model.tensor((1, 2, 2, 3)), model.tensor((1, 2, 2, 4))
    kernel = model.constant(np.ones((4, 1, 1, 3), np.int8))
    model.operator("CONV_2D", [data, kernel, -1], [output], table="Conv2DOptions", StrideH=1,
                   StrideW=1)
    attrs = load(written(tmp_path, model.finish([data], [output]))).nodes[0].attrs
    assert isinstance(attrs, Conv2D)
    assert not attrs.bias.any() and attrs.bias.shape == (4,)


@pytest.mark.parametrize("code", ["RESHAPE", "SQUEEZE", "EXPAND_DIMS"])
def test_reshapes(code, tmp_path):
    model = ModelBuilder()
    data, output = model.tensor((1, 1, 6)), model.tensor((1, 6))
    model.operator(code, [data, model.constant(np.array([1, 6], np.int32))], [output])
    attrs = load(written(tmp_path, model.finish([data], [output]))).nodes[0].attrs
    assert isinstance(attrs, Reshape)
    assert attrs.to == (1, 6)


def test_names_are_made_unique(tmp_path):
    model = ModelBuilder()
    data, middle = model.tensor((1, 4), name="x"), model.tensor((1, 4), name="x")
    output = model.tensor((1, 4), name="")
    model.operator("RELU", [data], [middle])
    model.operator("RELU6", [middle], [output])
    graph = load(written(tmp_path, model.finish([data], [output])))
    assert (graph.inputs, graph.outputs) == (("x#0",), ("#2",))
    assert [node.name for node in graph.nodes] == ["0_relu", "1_relu6"]


def test_constant_operand(tmp_path):
    """A sum with a constant of the same shape."""
    model = ModelBuilder()
    data, output = model.tensor((1, 3), scales=(0.25,)), model.tensor((1, 3), scales=(0.5,))
    model.operator("ADD", [data, model.constant(np.array([[2, 4, 6]], np.int8), scales=(0.25,),
                                                zeros=(0,))], [output], table="AddOptions")
    graph = load(written(tmp_path, model.finish([data], [output])))
    x = np.array([[2, 0, -100], [20, 40, 60]], np.int8)
    assert run(graph, {graph.inputs[0]: x})[graph.outputs[0]].tolist() == [[2, 2, -47],
                                                                          [11, 22, 33]]


def test_dynamic_batch_is_one(tmp_path):
    model = ModelBuilder()
    data, output = (model.tensor((1, 4), signature=(-1, 4)) for _ in range(2))
    model.operator("RELU", [data], [output])
    assert load(written(tmp_path, model.finish([data], [output]))).tensors["t0"].shape == (1, 4)


@pytest.mark.parametrize(("size", "window", "stride", "dilation", "pads"), [
    (32, 3, 1, 1, (1, 1)), (32, 3, 2, 1, (0, 1)), (49, 10, 2, 1, (4, 5)), (5, 1, 3, 1, (0, 0)),
    (7, 3, 1, 2, (2, 2)), (4, 2, 1, 1, (0, 1)), (3, 5, 4, 1, (1, 1)),
])
def test_same_pads(size, window, stride, dilation, pads):
    assert same_pads(size, window, stride, dilation) == pads


def test_activation_range():
    from golden.graph import Quant
    assert activation_range(0, Quant(0.1, 5)) == (-128, 127)
    assert activation_range(1, Quant(0.1, 5)) == (5, 127)
    assert activation_range(2, Quant(0.1, 5)) == (-5, 15)
    assert activation_range(3, Quant(0.1, 5)) == (5, 65)
    assert activation_range(3, Quant(0.01, -128)) == (-128, 127)


def test_mean_scale_keeps_the_ratio():
    for count in (1, 2, 3, 49, 64, 1000):
        multiplier, pre, post = mean_scale(0.5, 0.25, count)
        assert multiplier * 2.0 ** (pre - post - 31) == pytest.approx(2 / count, rel=1e-8)


def test_supported_operators_are_those_named():
    for code in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MAX_POOL_2D",
                 "AVERAGE_POOL_2D", "MEAN", "RELU", "RELU6", "RESHAPE", "SQUEEZE", "SOFTMAX",
                 "PAD", "PADV2", "CONCATENATION", "QUANTIZE"):
        assert code in SUPPORTED
