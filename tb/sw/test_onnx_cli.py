"""ONNX files on the command line: pictures in, answers out, programs, checks."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from sw.cli import main
from sw.errors import MismatchError
from sw.session.reference import OnnxNodesReference
from tb.lib.onnx_builder import OnnxBuilder

pytest.importorskip("onnxruntime")
FOLDER = Path(__file__).parents[1] / "data" / "onnx"
PICTURE = next((Path(__file__).parents[2] / "sw" / "zoo" / "samples" / "vww").glob("*.png"))


def network(tmp_path):
    """A classifier of pictures of 3x12x10 with an open batch."""
    rng = np.random.default_rng(2)
    build = OnnxBuilder()
    data = build.pair(build.input(["batch", 3, 12, 10], name="picture"), 0.008, -1)
    kernel = build.weights(rng.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8),
                           rng.uniform(0.005, 0.01, 8))
    found = build.node("Conv", data, kernel, strides=[2, 2], pads=[1, 1, 1, 1])
    data = build.pair(build.node("Relu", found), 0.03, -128)
    flat = build.node("Flatten", build.node("GlobalAveragePool", data))
    kernel = build.weights(rng.integers(-127, 128, (4, 8)).astype(np.int8), 0.02)
    logits = build.pair(build.node("Gemm", build.pair(flat, 0.02, -128), kernel, transB=1), 0.05)
    build.output(build.node("Softmax", logits), rank=2)
    return build.save(tmp_path / "small.onnx")


@pytest.mark.parametrize("engine", ["golden", "machine"])
def test_picture_to_answer(engine, tmp_path, capsys):
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)).save(tmp_path / "p.png")
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\n")
    code = main(["run", str(network(tmp_path)), "--engine", engine, "--input",
                 str(tmp_path / "p.png"), "--mean", "127.5", "--std", "127.5", "--labels",
                 str(tmp_path / "names.txt"), "--check", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["mismatches"], found["bytes_compared"]) == (0, 16)
    assert found["answers"][0]["label"] in "abcd"


def test_program_file(tmp_path, capsys):
    """The compiled program takes and gives what the ONNX file does."""
    path, program = network(tmp_path), tmp_path / "small.sentei"
    data = np.random.default_rng(4).standard_normal((1, 3, 12, 10)).astype(np.float32)
    np.save(tmp_path / "x.npy", data)
    assert main(["compile", str(path), "-o", str(program), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    hosts = [row["operator"] for row in facts["layers"] if row["unit"] == "host"]
    assert hosts == ["QuantizeLinear", "Transpose", "DequantizeLinear", "FloatSoftmax"]
    results = []
    for number, model in enumerate((path, program)):
        assert main(["run", str(model), "--input", str(tmp_path / "x.npy"), "--output",
                     str(tmp_path / str(number))]) == 0
        (file,) = (tmp_path / str(number)).iterdir()
        results.append(np.load(file))
    assert np.array_equal(*results)
    assert results[0].dtype == np.float32 and results[0].sum() == pytest.approx(1)
    assert main(["inspect", str(program)]) == 0
    assert "float32[1, 3, 12, 10]" in capsys.readouterr().out


def test_text_names_the_reference(capsys):
    assert main(["run", str(FOLDER / "mobilenet_v1_qdq.onnx"), "--input", str(PICTURE), "--std",
                 "255", "--engine", "golden", "--check"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "check against the golden model (" in text and "ONNX Runtime's, none more)" in text
    assert "Identity float32[1, 2]" in text


def test_report(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 12, 10), np.float32))
    page = tmp_path / "r.html"
    assert main(["report", str(network(tmp_path)), "--input", str(tmp_path / "x.npy"), "--check",
                 "-o", str(page)]) == 0
    assert "samples equal to the reference" in page.read_text()


def test_a_node_that_differs_is_named(tmp_path, monkeypatch):
    """Another scale in the graph than in the file."""
    path = network(tmp_path)
    reference = OnnxNodesReference(path, {})
    data = {"picture": np.ones((1, 3, 12, 10), np.float32)}
    reference.outputs(dict(data))
    model = onnx.load(path)
    scale = next(item for item in model.graph.initializer
                 if item.dims == [] and onnx.numpy_helper.to_array(item) == np.float32(0.03))
    scale.CopyFrom(onnx.numpy_helper.from_array(np.float32(0.02), scale.name))
    onnx.save(model, tmp_path / "other.onnx")
    other = OnnxNodesReference(tmp_path / "other.onnx", {})
    monkeypatch.setattr(reference, "_runtime", other._runtime)
    with pytest.raises(MismatchError, match=r"node conv3 .* differs from ONNX Runtime's by"):
        reference.outputs(dict(data))
