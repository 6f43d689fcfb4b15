"""Networks of legacy uint8 with asymmetric weights: bytes as LiteRT's, and files pruned."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sw.zoo
from golden.executor import run
from golden.graph import AveragePool, Quantize, Weighted
from golden.spec.config import preset
from sw.compiler.lower import lower
from sw.compiler.window import HostOp
from sw.errors import ModelError
from sw.frontend.rewrite import open_weights
from sw.frontend.tflite import load
from sw.prune.rate import prune_to_rate
from tb.lib.tflite_builder import ModelBuilder

MODEL = Path(__file__).parents[1] / "data" / "tflite" / "mobilenet_v1_0.25_128_quant.tflite"


@pytest.fixture(scope="module")
def graph():
    return load(MODEL)


def pictures():
    """Bundled photographs and noise."""
    rng = np.random.default_rng(0)
    photos = sorted((Path(sw.zoo.__file__).parent / "samples" / "vww").glob("*.png"))
    found = [np.asarray(Image.open(path).convert("RGB").resize((128, 128))) for path in photos[:2]]
    return np.stack([*found, rng.integers(0, 256, (128, 128, 3))]).astype(np.uint8)


def test_network_is_that_of_litert_layer_by_layer(graph):
    pytest.importorskip("ai_edge_litert")
    from sw.reference import trace_litert
    inputs = pictures()
    expected = trace_litert(MODEL, [inputs])
    found = run(graph, {graph.inputs[0]: inputs}, keep_all=True)
    for node in graph.nodes:
        (name,) = node.outputs
        array = found[name]
        if array.dtype == np.int8:
            array = array.view(np.uint8) ^ 128
        wanted = expected[name.removesuffix(" (int8)")]
        assert np.array_equal(array, wanted.reshape(array.shape)), node.name
    assert len(graph.nodes) == 33


def test_what_its_graph_is(graph):
    """The file's names and types outside, int8 inside; only edges and softmax on the host."""
    assert [graph.tensors[name].dtype for name in graph.inputs + graph.outputs] == ["uint8"] * 2
    assert (graph.inputs, graph.outputs) == (("input",), ("MobilenetV1/Predictions/Reshape_1",))
    ends = [node for node in graph.nodes if isinstance(node.attrs, Quantize)]
    assert [node.name for node in ends] == ["input_0", "output_88"]
    kernels = [node.attrs.kernel for node in graph.nodes if isinstance(node.attrs, Weighted)]
    assert {kernel.dtype for kernel in kernels} == {np.dtype(np.int16)}
    assert max(int(np.abs(kernel).max()) for kernel in kernels) == 203
    (pool,) = [node.attrs for node in graph.nodes if isinstance(node.attrs, AveragePool)]
    assert pool.origin == -128
    for drp, hosts in (("base", []), ("none", ["Softmax"])):
        ops = lower(graph, preset("base", drp=drp)).ops
        assert [op.operator for op in ops if isinstance(op, HostOp)] == [
            "Quantize", *hosts, "Quantize"]


def test_pruned_file_has_its_zero_points(graph, tmp_path):
    """A pruned weight is the zero point in the file, every other byte as it was."""
    pruned = prune_to_rate(graph, preset("base"), 0.5)
    path = tmp_path / "pruned.tflite"
    path.write_bytes(open_weights(MODEL, graph.nodes).replaced(pruned.nodes))
    again = load(path)
    zeros = 0
    for found, wanted in zip(again.nodes, pruned.nodes, strict=True):
        if isinstance(wanted.attrs, Weighted):
            assert np.array_equal(found.attrs.kernel, wanted.attrs.kernel), wanted.name
            zeros += np.count_nonzero(wanted.attrs.kernel == 0)
    assert zeros > 200_000
    nodes = [dataclasses.replace(node, attrs=dataclasses.replace(
        node.attrs, kernel=np.full_like(node.attrs.kernel, 250)))
        if isinstance(node.attrs, Weighted) else node for node in graph.nodes]
    with pytest.raises(ModelError, match=r"weights of 250 to 250 don't fit its uint8 kernel, which "
                                         r"holds -157 to 98"):
        open_weights(MODEL, graph.nodes).replaced(nodes)


def test_averages_of_uint8_round_up(tmp_path):
    """(1 + 2) / 2 is 2 on both sides of 128."""
    model = ModelBuilder()
    data = model.tensor((1, 1, 2, 3), "UINT8", zeros=(0,))
    output = model.tensor((1, 1, 1, 3), "UINT8", zeros=(0,))
    model.operator("AVERAGE_POOL_2D", [data], [output], table="Pool2DOptions", Padding=1, StrideW=1,
                   StrideH=1, FilterWidth=2, FilterHeight=1)
    (tmp_path / "a.tflite").write_bytes(model.finish([data], [output]))
    graph = load(tmp_path / "a.tflite")
    x = np.array([1, 127, 200, 2, 128, 201], np.uint8).reshape(1, 1, 2, 3)
    assert run(graph, {"t0": x})["t1"].ravel().tolist() == [2, 128, 201]
