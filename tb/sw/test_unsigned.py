"""Networks with uint8 inputs and outputs: QUANTIZE at the edges, pictures in, bytes as LiteRT's."""

import json

import numpy as np
import pytest
from PIL import Image

from golden.executor import run
from golden.graph import GraphError, Quantize
from golden.spec.config import preset
from golden.spec.numerics import IDENTITY
from golden.spec.program import ChipStep, HostStep
from sw.cli import main
from sw.compiler.compile import compile_graph
from sw.compiler.lower import lower
from sw.frontend.tflite import load
from tb.lib.tflite_builder import ModelBuilder

CLASSES = 5


def classifier(rescaled: bool) -> bytes:
    """uint8 picture to uint8 probabilities, as TensorFlow's converter writes it.

    With ``rescaled`` the edges change scale and zero point too.
    """
    rng = np.random.default_rng(3)
    model = ModelBuilder()
    edge = {"scales": (0.02,), "zeros": (101,)} if rescaled else {"scales": (1 / 128,),
                                                                  "zeros": (127,)}
    picture = model.tensor((1, 12, 10, 3), "UINT8", name="picture", **edge)
    data = model.tensor((1, 12, 10, 3), scales=(1 / 128,), zeros=(-1,))
    model.operator("QUANTIZE", [picture], [data], table="QuantizeOptions")
    kernel = model.constant(rng.integers(-127, 128, (20, 3, 3, 3)).astype(np.int8), scales=(0.01,))
    features = model.tensor((1, 6, 5, 20), scales=(0.05,), zeros=(-128,))
    bias = model.constant(rng.integers(-999, 999, 20).astype(np.int32), scales=(0.01 / 128,),
                          zeros=(0,))
    model.operator("CONV_2D", [data, kernel, bias], [features], table="Conv2DOptions", StrideH=2,
                   StrideW=2, FusedActivationFunction=1)
    pooled = model.tensor((1, 20), scales=(0.04,), zeros=(-128,))
    model.operator("MEAN", [features, model.constant(np.array([1, 2], np.int32))], [pooled],
                   table="ReducerOptions")
    weights = model.constant(rng.integers(-127, 128, (CLASSES, 20)).astype(np.int8),
                             scales=(0.02,))
    bias = model.constant(np.zeros(CLASSES, np.int32), scales=(0.0008,), zeros=(0,))
    logits = model.tensor((1, CLASSES), scales=(0.1,), zeros=(4,))
    model.operator("FULLY_CONNECTED", [pooled, weights, bias], [logits],
                   table="FullyConnectedOptions")
    answer = model.tensor((1, CLASSES), scales=(1 / 256,), zeros=(-128,))
    model.operator("SOFTMAX", [logits], [answer], table="SoftmaxOptions", Beta=1.0)
    settings = {"scales": (1 / 200,), "zeros": (3,)} if rescaled else {"scales": (1 / 256,),
                                                                       "zeros": (0,)}
    output = model.tensor((1, CLASSES), "UINT8", name="answer", **settings)
    model.operator("QUANTIZE", [answer], [output], table="QuantizeOptions")
    return model.finish([picture], [output])


@pytest.fixture(params=[False, True], ids=["same scale", "rescaled"])
def file(request, tmp_path):
    path = tmp_path / "classifier.tflite"
    path.write_bytes(classifier(request.param))
    return path


@pytest.mark.parametrize("engine", ["golden", "machine"])
def test_picture_to_answer(file, engine, tmp_path, capsys):
    """A photograph on the command line, every output byte held against LiteRT."""
    pytest.importorskip("ai_edge_litert")
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)).save(tmp_path / "p.png")
    (tmp_path / "names.txt").write_text("\n".join(f"thing{index}" for index in range(CLASSES)))
    code = main(["run", str(file), "--engine", engine, "--input", str(tmp_path / "p.png"),
                 "--labels", str(tmp_path / "names.txt"), "--check", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["bytes_different"], found["bytes_compared"]) == (0, CLASSES)
    assert found["answers"][0]["label"].startswith("thing")
    assert ("confidence" in found["answers"][0]) == (load(file).tensors["answer"].quant.scale
                                                     == 1 / 256)
    if engine == "machine":
        hosts = [row["name"] for row in found["layers"] if row["seconds"] is not None]
        assert hosts == ["0_quantize", "5_quantize"]


def test_pictures_keep_their_bytes(tmp_path):
    """Without --mean and --std pixels are a uint8 input's bytes."""
    from sw.inputs import Pictures, TensorSpec
    pixels = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    spec = TensorSpec("picture", (1, 12, 10, 3), np.dtype(np.uint8), 1 / 128, 127)
    assert np.array_equal(Pictures().convert(Image.fromarray(pixels), spec, "p")[0], pixels)


def test_host_converts_at_the_edges_only(file):
    """The chip runs once, and gathers its thin input from what the host has converted."""
    config = preset("base")
    graph = load(file)
    assert [tensor.channels for tensor in lower(graph, config).tensors.values()
            if tensor.gather] == [9]
    program = compile_graph(graph, config)
    steps = [step.op if isinstance(step, HostStep) else "chip" for step in program.steps]
    assert steps == ["Quantize", "chip", "Quantize"]
    assert isinstance(program.steps[1], ChipStep)
    assert [(b.dtype, b.zero_point) for b in program.inputs] == [("uint8", load(file).tensors[
        "picture"].quant.zero_point)]
    assert [b.dtype for b in program.outputs] == ["uint8"]


def test_same_scale_flips_the_top_bit(tmp_path):
    model = ModelBuilder()
    data, output = model.tensor((1, 256), "UINT8", zeros=(127,)), model.tensor((1, 256),
                                                                             zeros=(-1,))
    model.operator("QUANTIZE", [data], [output], table="QuantizeOptions")
    path = tmp_path / "q.tflite"
    path.write_bytes(model.finish([data], [output]))
    graph = load(path)
    assert isinstance(graph.nodes[0].attrs, Quantize)
    assert graph.nodes[0].attrs.scale == IDENTITY
    x = np.arange(256, dtype=np.uint8).reshape(1, 256)
    assert np.array_equal(run(graph, {"t0": x})["t1"].view(np.uint8), x ^ 0x80)


def test_graphs_hold_types_to_their_operators(file):
    graph = load(file)
    first = graph.nodes[0]
    graph.nodes[0] = type(first)(first.name, first.inputs, first.outputs, Quantize(
        input_type="int8", output_type="uint8", input_zero=0, scale=IDENTITY, output_zero=0))
    with pytest.raises(GraphError, match="'picture' is uint8, must be int8"):
        graph.validate()
