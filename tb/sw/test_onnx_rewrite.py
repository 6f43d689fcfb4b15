"""ONNX files with other weights and biases: read again they are the network asked for."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from golden import executor
from golden.attributes import DepthwiseConv2D
from sw.errors import ModelError
from sw.frontend.onnx import import_model, load
from sw.frontend.onnx.rewrite import OnnxWeights
from sw.frontend.rewrite import TfliteWeights, open_weights
from sw.onnx_runtime import run_external
from sw.zoo import NETWORKS
from tb.fuzz.onnx.network import draw
from tb.lib.onnx_builder import OnnxBuilder
from tb.lib.quick import quick
from tb.sw.onnx_check import random_inputs

FILES = sorted((Path(__file__).parents[1] / "data" / "onnx").glob("*.onnx"))
U8 = np.uint8


def changed(graph, weights, rng, *, dead=True):
    """Nodes with some weights gone, others another value, and other biases where they may be."""
    nodes = []
    for node in graph.nodes:
        if node.name in weights._slots:
            attrs = node.attrs
            kernel, bias = attrs.kernel, attrs.bias
            axis = -1 if isinstance(attrs, DepthwiseConv2D) else 0
            live = np.moveaxis(kernel, axis, 0).reshape(len(bias), -1).any(axis=1)
            if node.name not in weights.fixed:
                kernel = np.where(rng.random(kernel.shape) < 0.5, 0, kernel)
                kernel = np.where(rng.random(kernel.shape) < 0.2, kernel // 2, kernel)
                if dead:
                    np.moveaxis(kernel, axis, 0)[0] = 0
            if node.name not in weights.no_bias:
                bias = bias + live * rng.integers(-300, 300, bias.shape)
            node = dataclasses.replace(node, attrs=dataclasses.replace(
                attrs, kernel=kernel.astype(np.int8), bias=bias.astype(np.int32)))
        nodes.append(node)
    return nodes


def rewritten(path, seed=0, *, dead=True, shapes=None):
    """Change, write, read again; the graph asked for and the one that was written.

    Biases of the file may have coarser steps than those asked for: then they are near.
    """
    rng = np.random.default_rng(seed)
    graph, weights = load(path, shapes), OnnxWeights(path, shapes)
    nodes = changed(graph, weights, rng, dead=dead)
    raw = weights.replaced(nodes)
    wanted, found = dataclasses.replace(graph, nodes=nodes), import_model(path, shapes, raw).graph
    exact = True
    for one, other in zip(wanted.nodes, found.nodes, strict=True):
        assert (one.name, one.inputs, one.outputs) == (other.name, other.inputs, other.outputs)
        if one.name in weights._slots:
            np.testing.assert_array_equal(one.attrs.kernel, other.attrs.kernel, err_msg=one.name)
            axes = tuple(range(one.attrs.kernel.ndim))
            axis = axes[-1] if isinstance(one.attrs, DepthwiseConv2D) else 0
            live = one.attrs.kernel.any(axis=tuple(at for at in axes if at != axis))
            for name in ("multiplier", "pre", "post"):
                np.testing.assert_array_equal(getattr(one.attrs, name)[live],
                                              getattr(other.attrs, name)[live], (seed, one.name))
            steps = weights._slots[one.name].bias.place
            fine = steps is None or (steps.spacing <= weights._slots[one.name].unit)
            exact &= bool(np.all((one.attrs.bias == other.attrs.bias) | ~live))
            assert np.all((one.attrs.bias == other.attrs.bias) | ~live | ~fine), (seed, one.name)
    if exact:
        inputs = random_inputs(graph, rng)
        given = executor.run(found, inputs, external=run_external)
        for name, value in executor.run(wanted, inputs, external=run_external).items():
            np.testing.assert_array_equal(value, given[name], (seed, name))
    return weights, raw


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_networks(path):
    weights, raw = rewritten(path)
    onnx.checker.check_model(onnx.load_model_from_string(raw), full_check=True)
    assert not weights.fixed and not weights.no_bias
    assert len(raw) == path.stat().st_size and raw != path.read_bytes()
    assert weights.replaced(load(path).nodes) == path.read_bytes()


@pytest.mark.parametrize("seed", quick(12, *range(40)))
def test_random_networks(seed, tmp_path):
    drawn = draw(seed, "pairs", steps=4)
    onnx.save(drawn.model, tmp_path / "m.onnx")
    rewritten(tmp_path / "m.onnx", seed, shapes=drawn.shapes)


class Layer:
    """A quantized input, one layer of 6 by 3 weights or 6 by 3 by 3 by 3, a quantized output."""

    def __init__(self, opset=17, dtype=np.int8):
        self.rng, self.build, self.dtype = np.random.default_rng(1), OnnxBuilder(opset), dtype
        self.zero = 128 if dtype == U8 else 0
        self.scales = self.rng.uniform(0.01, 0.02, 6)

    def data(self, *shape):
        return self.build.pair(self.build.input(list(shape)), 0.03, self.zero, self.dtype)

    def values(self, *shape, axis=0):
        return (self.rng.integers(-127, 128, shape) + self.zero).astype(self.dtype)

    def save(self, tmp_path, found, rank):
        self.build.output(self.build.pair(found, 0.05), rank=rank)
        return self.build.save(tmp_path / "m.onnx")


def conv(layer, kernel, *bias, **attributes):
    return layer.build.node("Conv", layer.data(1, 3, 6, 6), kernel, *bias, **attributes)


def conv_int32_bias(layer):
    unit = 0.03 * layer.scales.astype(np.float32)
    bias = layer.build.weights(layer.rng.integers(-999, 999, 6).astype(np.int32), unit)
    return conv(layer, layer.build.weights(layer.values(6, 3, 3, 3), layer.scales), bias), 4


def conv_uint8(layer):
    layer.dtype, layer.zero = U8, 128
    kernel = layer.build.weights(layer.values(6, 3, 3, 3), layer.scales, zero=128)
    return conv(layer, kernel, layer.build.constant(np.ones(6), np.float32)), 4


def conv_float_weights(layer):
    """Weights in float, a quantizer behind them, transposed before it."""
    stored = layer.build.constant(layer.rng.normal(0, 0.5, (3, 6, 3, 3)), np.float32)
    turned = layer.build.node("Transpose", stored, perm=[1, 0, 2, 3])
    scales = layer.build.constant(layer.scales, np.float32)
    zeros = layer.build.constant(np.zeros(6), np.int8)
    codes = layer.build.node("QuantizeLinear", turned, scales, zeros, axis=0)
    return conv(layer, layer.build.node("DequantizeLinear", codes, scales, zeros, axis=0)), 4


def conv_normalized(layer):
    """No bias of its own: BatchNormalization's, with negative factors."""
    found = conv(layer, layer.build.weights(layer.values(6, 3, 3, 3), layer.scales))
    statistics = (layer.rng.uniform(-2, -0.5, 6), layer.rng.normal(0, 1, 6),
                  layer.rng.normal(0, 1, 6), layer.rng.uniform(0.5, 2, 6))
    return layer.build.node("BatchNormalization", found, *(
        layer.build.constant(item, np.float32) for item in statistics)), 4


def conv_constant_node(layer):
    """Weights in a node Constant; transposed behind the dequantizer."""
    codes = onnx.numpy_helper.from_array(layer.values(3, 6, 3, 3))
    name = layer.build.node("Constant", value=codes)
    zero = layer.build.constant(np.int8(0))
    kernel = layer.build.node("DequantizeLinear", name, layer.build.constant(np.float32(0.01)),
                              zero)
    kernel = layer.build.node("Transpose", kernel, perm=[1, 0, 2, 3])
    return conv(layer, kernel, layer.build.constant(np.zeros(6), np.float32)), 4


def gemm(transposed):
    def make(layer):
        shape, axis = ((6, 3), 0) if transposed else ((3, 6), 1)
        kernel = layer.build.weights(layer.values(*shape), layer.scales, axis)
        bias = layer.build.constant(layer.rng.normal(0, 1, 6), np.float32)
        return layer.build.node("Gemm", layer.data(1, 3), kernel, bias, transB=int(transposed),
                                alpha=0.5, beta=2.0), 2
    return make


def matmul(op):
    """MatMul and what adds or takes off a constant."""
    def make(layer):
        kernel = layer.build.weights(layer.values(3, 6), layer.scales, 1)
        found = layer.build.node("MatMul", layer.data(1, 3), kernel)
        constant = layer.build.constant(layer.rng.normal(0, 1, 6), np.float32)
        scale = layer.build.constant(layer.rng.uniform(-2, -1, 6), np.float32)
        found = layer.build.node("Mul", layer.build.node(op, found, constant), scale)
        return found, 2
    return make


@pytest.mark.parametrize("make", [
    conv_int32_bias, conv_uint8, conv_float_weights, conv_normalized, conv_constant_node,
    gemm(True), gemm(False), matmul("Add"), matmul("Sub")])
def test_layers(make, tmp_path):
    layer = Layer()
    found, rank = make(layer)
    weights, _ = rewritten(layer.save(tmp_path, found, rank))
    assert not weights.fixed
    assert bool(weights.no_bias) == (make is conv_float_weights)


@pytest.mark.parametrize("dtype", [np.int8, U8])
@pytest.mark.parametrize("op", ["QLinearConv", "QLinearMatMul", "QGemm"])
def test_integer_operators(op, dtype, tmp_path):
    layer = Layer(dtype=dtype)
    build, zero = layer.build, layer.zero
    shape = (1, 3, 6, 6) if op == "QLinearConv" else (1, 3)
    data = build.quantize(build.input(list(shape)), 0.03, zero, dtype)
    first, last = build.parameters(0.03, zero, dtype), build.parameters(0.05, zero, dtype)
    kernel = layer.values(6, 3, 3, 3) if op == "QLinearConv" else layer.values(3, 6)
    weights = [build.constant(kernel), build.constant(layer.scales, np.float32),
               build.constant(np.full(6, zero), dtype)]
    bias = build.constant(layer.rng.integers(-999, 999, 6), np.int32)
    if op == "QGemm":
        found = build.node(op, data, *first, *weights, bias, *last, domain="com.microsoft",
                           alpha=0.5)
    else:
        found = build.node(op, data, *first, *weights, *last,
                           *([bias] if op == "QLinearConv" else []))
    build.output(build.node("DequantizeLinear", found, *last), rank=len(shape))
    weights, _ = rewritten(build.save(tmp_path / "m.onnx"))
    assert bool(weights.no_bias) == (op == "QLinearMatMul") and not weights.fixed


def shared(tmp_path):
    """Two convolutions with the same weights."""
    layer = Layer()
    kernel = layer.build.weights(layer.values(3, 3, 3, 3), 0.01)
    data = layer.data(1, 3, 9, 9)
    for _ in range(2):
        data = layer.build.pair(layer.build.node("Conv", data, kernel), 0.05)
    layer.build.output(data)
    return layer.build.save(tmp_path / "m.onnx")


def with_kernel(node, kernel):
    return dataclasses.replace(node, attrs=dataclasses.replace(node.attrs, kernel=kernel))


def test_shared_weights(tmp_path):
    path = shared(tmp_path)
    graph, weights = load(path), OnnxWeights(path)
    names = [node.name for node in graph.nodes if node.name in weights._slots]
    kernel = graph.nodes[[node.name for node in graph.nodes].index(names[0])].attrs.kernel
    both = [with_kernel(node, kernel // 2) if node.name in names else node
            for node in graph.nodes]
    again = import_model(path, None, weights.replaced(both)).graph
    assert all(np.array_equal(node.attrs.kernel, kernel // 2) for node in again.nodes
               if node.name in names)
    for chosen in names:
        one = [with_kernel(node, kernel // 2) if node.name == chosen else node
               for node in graph.nodes]
        with pytest.raises(ModelError, match=f"'{names[0]}' and '{names[1]}' share weights"):
            weights.replaced(one)


def test_weights_that_are_computed(tmp_path):
    """Reshaped at import: the file doesn't hold them as they are used."""
    layer = Layer()
    flat = layer.build.constant(layer.values(6, 27))
    kernel = layer.build.node("Reshape", flat, layer.build.constant([6, 3, 3, 3], np.int64))
    kernel = layer.build.node("DequantizeLinear", kernel, *layer.build.parameters(
        0.01, 0, np.int8))
    path = layer.save(tmp_path, conv(layer, kernel), 4)
    weights, graph = OnnxWeights(path), load(path)
    (name,) = weights.fixed
    assert weights.no_bias == {name}
    nodes = [with_kernel(node, node.attrs.kernel // 2) if node.name == name else node
             for node in graph.nodes]
    with pytest.raises(ModelError, match=r"node 4 \(Conv .*would give another kernel"):
        weights.replaced(nodes)


def test_biases_without_a_place(tmp_path):
    layer = Layer()
    kernel = layer.build.weights(layer.values(6, 3, 3, 3), layer.scales)
    bias = layer.build.constant(np.float32([0.5]))
    path = layer.save(tmp_path, layer.build.node("Add", conv(layer, kernel), bias), 4)
    weights, graph = OnnxWeights(path), load(path)
    (name,) = weights.no_bias
    nodes = [dataclasses.replace(node, attrs=dataclasses.replace(
        node.attrs, bias=node.attrs.bias + 1)) if node.name == name else node
        for node in graph.nodes]
    with pytest.raises(ModelError, match="would give another bias"):
        weights.replaced(nodes)


def test_values_beyond_the_type(tmp_path):
    """-128 behind a negative factor would be 128 in the file."""
    layer = Layer()
    path = layer.save(tmp_path, matmul("Add")(layer)[0], 2)
    weights, graph = OnnxWeights(path), load(path)
    nodes = [with_kernel(node, np.full_like(node.attrs.kernel, -128))
             if node.name in weights._slots else node for node in graph.nodes]
    with pytest.raises(ModelError, match=r"needs 128 to 128 in 'c.*', which is int8"):
        weights.replaced(nodes)


def test_channels_that_lose_all_weights(tmp_path):
    """Their results lie just below a half: other scales must not round them up."""
    layer = Layer()
    layer.scales /= 1000
    kernel = layer.build.weights(layer.values(6, 3, 3, 3), layer.scales)
    path = layer.save(tmp_path, conv(layer, kernel, layer.build.constant(
        np.zeros(6), np.float32)), 4)
    weights, graph = OnnxWeights(path), load(path)
    ((name, slots),) = weights._slots.items()
    steps = np.arange(-2, 4)
    bias = np.floor((steps + 0.5) * slots.step / slots.unit).astype(np.int32)
    nodes = [dataclasses.replace(node, attrs=dataclasses.replace(
        node.attrs, kernel=np.zeros_like(node.attrs.kernel), bias=bias))
        if node.name == name else node for node in graph.nodes]
    found = import_model(path, None, weights.replaced(nodes)).graph
    (output,) = graph.outputs
    value = executor.run(found, random_inputs(graph, layer.rng))[output]
    np.testing.assert_allclose(value[0, :, 0, 0], slots.step * steps, rtol=1e-6)


def test_weights_that_are_coarser(tmp_path):
    """A bias beyond 30 bits takes steps from the weights: the file's aren't the graph's."""
    layer = Layer()
    kernel = layer.build.weights(layer.values(6, 3, 3, 3), np.full(6, 1e-7))
    path = layer.save(tmp_path, conv(layer, kernel, layer.build.constant(
        np.full(6, 10), np.float32)), 4)
    weights, graph = OnnxWeights(path), load(path)
    assert weights.fixed == weights.no_bias == {"conv3"}
    assert weights.replaced(graph.nodes) == path.read_bytes()


def test_external_weights(tmp_path):
    """Weights in a file beside the model are in the new file itself."""
    path = tmp_path / "m.onnx"
    onnx.save(onnx.load(FILES[0]), path, save_as_external_data=True, size_threshold=100)
    _, raw = rewritten(path)
    assert len(raw) > 10 * path.stat().st_size


def test_format_by_name():
    assert isinstance(open_weights(FILES[0], []), OnnxWeights)
    assert isinstance(open_weights(NETWORKS["dscnn"].model, []), TfliteWeights)
