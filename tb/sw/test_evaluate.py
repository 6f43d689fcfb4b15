"""``sentei evaluate``: accuracy side by side, confusions, and the layers that lose most."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sw.cli import main
from sw.evaluate import layer_losses, open_form
from sw.frontend import tflite
from sw.frontend.rewrite import TfliteWeights
from sw.session import open_model
from sw.zoo import NETWORKS
from tb.lib.command_line import run
from tb.lib.onnx_builder import OnnxBuilder

FLOAT = Path(__file__).parents[3] / "shared/assets/mlperf_tiny/kws/kws_ref_model_float32.tflite"
MODEL = NETWORKS["dscnn"].model
WORDS = MODEL.parent.parent / "samples" / "dscnn"
PICTURES = MODEL.parent.parent / "samples" / "resnet8"


def changed(graph, name, change):
    return dataclasses.replace(graph, nodes=[
        dataclasses.replace(node, attrs=change(node.attrs)) if node.name == name else node
        for node in graph.nodes])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folders of all kinds, and a form of the network with two layers rounded."""
    folder = tmp_path_factory.mktemp("evaluate")
    graph = tflite.load(MODEL)
    for name, step in (("2_conv_2d", 2), ("6_conv_2d", 10)):
        graph = changed(graph, name, lambda attrs, step=step: dataclasses.replace(
            attrs, kernel=(attrs.kernel // step * step).astype(np.int8)))
    (folder / "rough.tflite").write_bytes(
        TfliteWeights(MODEL, tflite.load(MODEL).nodes).replaced(graph.nodes))
    rows = [line.split(",") for line in (PICTURES / "labels.csv").read_text().splitlines()[1:]]
    labels = NETWORKS["resnet8"].labels
    for file, label, *_ in rows:
        for kind, name in (("named", labels[int(label)]), ("numbered", label)):
            (folder / kind / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(PICTURES / file, folder / kind / name / file)
    for name, shape, scale in (("nan", (1, 1, 49, 10), np.nan),
                               ("open", (1, 1, "height", "width"), 0.01)):
        build = OnnxBuilder()
        kernel = build.weights(np.ones((12, 1, 3, 3), np.int8), scale)
        found = build.node("Conv", build.pair(build.input(list(shape)), 0.03), kernel)
        pooled = build.node("GlobalAveragePool", build.pair(found, 0.05))
        build.output(build.pair(build.node("Flatten", pooled), 0.05), rank=2)
        build.save(folder / f"{name}.onnx")
    build = OnnxBuilder()
    found = build.node("Conv", build.pair(build.input([1, 1, 9, 9]), 0.03),
                       build.weights(np.ones((12, 1, 3, 3), np.int8), 0.01))
    build.output(build.pair(found, 0.05))
    build.save(folder / "map.onnx")
    pooled = build.node("GlobalMaxPool", build.pair(found, 0.05))
    build.output(build.pair(pooled, 0.05))
    build.save(folder / "detector.onnx")
    (folder / "empty").mkdir()
    (folder / "bare").mkdir()
    np.save(folder / "bare/words.npy", np.zeros((2, 49, 10), np.int8))
    tables = {"header": "a,b\n1,2\n", "none": "", "norows": "file,label\n",
              "class": "index,label\n0,12\n", "word": "index,label\n0,frob\n",
              "short": "index,name,label\n0,x\n", "beyond": "index,label\n2,1\n",
              "file": "file,label\nhere.npy,1\nmissing.npy,1\n", "binary": None}
    for name, text in tables.items():
        (folder / name).mkdir()
        np.save(folder / name / "here.npy", np.zeros((2, 49, 10), np.int8))
        if text is None:
            (folder / name / "labels.csv").write_bytes(bytes(range(128, 256)))
        else:
            (folder / name / "labels.csv").write_text(text)
    (folder / "two").mkdir()
    (folder / "two/labels.csv").write_text("index,label\n0,1\n")
    for name in "ab":
        np.save(folder / f"two/{name}.npy", np.zeros((2, 49, 10), np.int8))
    (folder / "odd" / "class_a").mkdir(parents=True)
    (folder / "names.txt").write_text("a\nb\n")
    assert main(["compile", "dscnn", "-o", str(folder / "d.sentei")]) == 0
    return folder


@pytest.mark.parametrize(("arguments", "code", "text"), [
    (["dscnn"], 2, "--data"),
    (["dscnn", "--data", WORDS, "--limit", "0"], 2, "'0', accepted is an integer of 1 or more"),
    (["dscnn", "--data", WORDS, "--shape", "input_1=1,49,10,1"], 2, "is no .onnx file"),
    (["nan.onnx", "--data", WORDS], 3, "has scales that are not float32 above 0"),
    (["open.onnx", "--data", WORDS], 3, "has dynamic shape [1, 1, height, width]"),
    (["dscnn", "--data", WORDS, "--against", "nan.onnx"], 3, "has scales that are not float32"),
    (["d.sentei", "--data", WORDS], 2, "compiled; accepted is the model itself"),
    (["autoencoder", "--data", WORDS], 2, "accepted are networks that tell classes"),
    (["dscnn", "--data", WORDS, "--against", "vww"], 2, "12 classes"),
    (["dscnn", "--data", WORDS, "--against", "nonesuch"], 2, "nonesuch: no such file"),
    (["map.onnx", "--data", WORDS], 2, "map.onnx: 1 output, [1, 12, 7, 7]; accepted are networks"),
    (["detector.onnx", "--data", WORDS], 2, "2 outputs, [1, 12, 7, 7], [1, 12, 1, 1]; accepted"),
    (["dscnn", "--data", WORDS, "--labels", "names.txt"], 2, "2 class names, output has 12"),
    (["rough.tflite", "--data", WORDS, "--labels", "none.txt"], 4, "none.txt: No such file"),
    (["dscnn", "--data", "nowhere"], 4, "nowhere: no such folder; accepted is a folder with"),
    (["dscnn", "--data", "empty"], 4, "empty: no labels; accepted is"),
    (["dscnn", "--data", "bare"], 4, "bare: no labels; accepted is"),
    (["dscnn", "--data", "header"], 4, "1 rows, columns a, b; accepted is"),
    (["dscnn", "--data", "none"], 4, "labels.csv: empty; accepted is"),
    (["dscnn", "--data", "norows"], 4, "0 rows, columns file, label; accepted is"),
    (["dscnn", "--data", "class"], 4, "row 2: label '12'; accepted are 0 to 11, or one of down"),
    (["dscnn", "--data", "word"], 4, "row 2: label 'frob'; accepted are 0 to 11"),
    (["dscnn", "--data", "short"], 4, "row 2: no label"),
    (["dscnn", "--data", "beyond"], 4, "row 2: sample '2'; accepted are files"),
    (["dscnn", "--data", "file"], 4, "missing.npy: no such file, but"),
    (["dscnn", "--data", "binary"], 4, "can't be read"),
    (["dscnn", "--data", "two"], 4, "2 .npy fit the network's input"),
    (["dscnn", "--data", "odd"], 4, "label 'class_a'; accepted are 0 to 11"),
    (["rough.tflite", "--data", "odd"], 4, "1 folders for 12 classes; name them by number"),
    (["resnet8", "--data", "beyond"], 4, "0 .npy fit the network's input"),
])
def test_refusals(files, capsys, arguments, code, text):
    found, out, err = run(capsys, "evaluate", *arguments)
    last = err.splitlines()[-1]
    assert (found, out) == (code, "") and last.startswith("sentei: error: ") and text in last


def test_open_sizes(files, capsys, tmp_path):
    """An ONNX file takes its sizes from the command line, and reals."""
    np.save(tmp_path / "maps.npy", np.random.default_rng(0).standard_normal(
        (9, 1, 49, 10)).astype(np.float32))
    (tmp_path / "labels.csv").write_text("index,label\n" + "".join(f"{n},{n}\n" for n in range(9)))
    code, out, _ = run(capsys, "evaluate", "open.onnx", "--data", tmp_path, "--limit", "5",
                       "--json", "--shape", "x=1,1,49,10")
    facts = json.loads(out)
    assert code == 0 and facts["samples"] == 5 and len(facts["classes"]) == 12


def test_side_by_side(files, capsys):
    """A pruned-like form and the network it is from, on the samples that come with it."""
    code, out, err = run(capsys, "evaluate", "rough.tflite", "--data", WORDS, "--against", "dscnn",
                         "--json")
    facts = json.loads(out)
    assert code == 0 and "running 60 samples on dscnn …" in err
    rough, true = facts["forms"]
    assert facts["samples"] == 60 and true["correct"] >= 50 and true["form"] == "int8"
    assert true["accuracy"] == true["correct"] / 60 and rough["correct"] <= true["correct"]
    assert rough["cycles"] < true["cycles"] and 0.5 < true["agreement"] < 1
    matrix = np.array(facts["confusion"])
    assert matrix.sum() == 60 and np.trace(matrix) == rough["correct"]
    assert (matrix.sum(axis=1) == 5).all()
    assert facts["classes"] == list(NETWORKS["dscnn"].labels)
    assert [layer["name"] for layer in true["layers"]] == ["6_conv_2d", "2_conv_2d"]
    assert true["layers"][0]["decibels"] < 25 < true["layers"][1]["decibels"]


def test_table(files, capsys):
    code, out, _ = run(capsys, "evaluate", "rough.tflite", "--data", WORDS, "--against", "dscnn",
                       "--limit", 24)
    assert code == 0 and "of 24" in out and "same answer" in out
    assert "layers that lose most against dscnn" in out and "dB  6_conv_2d (Conv2D)" in out
    assert "answers of rough (columns) by class" in out


def test_float_onnx_form(capsys, tmp_path):
    """The same convolution, as it is and quantized finely, on reals."""
    rng = np.random.default_rng(1)
    kernel = rng.integers(-127, 128, (12, 1, 3, 3)).astype(np.int8)
    build = OnnxBuilder()
    found = build.node("Conv", build.pair(build.input([1, 1, 9, 9]), 0.03),
                       build.weights(kernel, 0.01))
    pooled = build.node("GlobalAveragePool", build.pair(found, 0.3))
    build.output(build.pair(build.node("Flatten", pooled), 0.03), rank=2)
    build.save(tmp_path / "int8.onnx")
    build = OnnxBuilder()
    found = build.node("Conv", build.input(["n", 1, 9, 9]),
                       build.constant((kernel * 0.01).astype(np.float32)))
    build.output(build.node("Flatten", build.node("GlobalAveragePool", found)), rank=2)
    build.save(tmp_path / "real.onnx")
    np.save(tmp_path / "maps.npy", rng.uniform(-3, 3, (30, 1, 9, 9)).astype(np.float32))
    (tmp_path / "labels.csv").write_text("index,label\n" + "".join(
        f"{n},{n % 12}\n" for n in range(30)))
    arguments = "--data", tmp_path, "--against", tmp_path / "real.onnx", "--json"
    code, out, _ = run(capsys, "evaluate", tmp_path / "int8.onnx", *arguments)
    row = json.loads(out)["forms"][1]
    assert code == 0 and row["form"] == "float" and row["zeros"] is row["cycles"] is None
    assert 0.5 < row["agreement"]
    code, _, err = run(capsys, "evaluate", tmp_path / "real.onnx", *arguments)
    assert code == 3 and "not quantized" in err
    code, _, err = run(capsys, "evaluate", "dscnn", *arguments)
    assert code != 0 and "real.onnx: input" in err


def test_folders_in_order(files, capsys, tmp_path):
    """Where only the order of the folders tells the class, that is said; a limit takes of all."""
    letters = "lkjihgfedcba"
    for number, letter in enumerate(letters):
        (tmp_path / letter).mkdir()
        for half in range(2):
            np.save(tmp_path / letter / f"{half}.npy", np.full((49, 10), number, np.int8))
    code, out, err = run(capsys, "evaluate", "rough.tflite", "--data", tmp_path, "--limit", 12,
                         "--json")
    facts = json.loads(out)
    assert code == 0 and facts["classes"] == sorted(letters)
    assert "classes are the folders in alphabetical order, from 0: a, b, c, d" in err
    assert np.array(facts["confusion"]).sum(axis=1).tolist() == [1] * 12


@pytest.mark.parametrize("kind", ["named", "numbered"])
def test_folders_of_classes(files, capsys, kind):
    """As the table of the same pictures."""
    results = [json.loads(run(capsys, "evaluate", "resnet8", "--data", data, "--json")[1])
               for data in (PICTURES, kind)]
    assert results[0]["confusion"] == results[1]["confusion"]
    assert results[0]["forms"][0]["correct"] == 12


@pytest.mark.skipif(not FLOAT.exists(), reason=f"{FLOAT.name} is not among the bundled files")
def test_float_form(files, capsys):
    """The float network on LiteRT, fed with what the int8 input means."""
    code, out, _ = run(capsys, "evaluate", "dscnn", "--data", WORDS, "--against", FLOAT, "--json")
    row = json.loads(out)["forms"][1]
    assert code == 0 and row["form"] == "float" and row["zeros"] is None
    assert row["agreement"] >= 0.95 and row["cycles"] is None and not row["layers"]


def test_layers_alone():
    """A layer's loss is that of its own weights: 20 dB for a tenth of each output off."""
    model = open_model("dscnn")
    samples = model.network.samples(4, model.inputs[0])
    name = model.inputs[0].name
    inputs = {name: np.concatenate([sample.inputs[name] for sample in samples])}
    graph = model.graph
    assert layer_losses(graph, graph, inputs) == []
    louder = changed(graph, "11_fully_connected", lambda attrs: dataclasses.replace(
        attrs, multiplier=attrs.multiplier, bias=attrs.bias * 2))
    (only,) = layer_losses(louder, graph, inputs)
    assert only.name == "11_fully_connected" and only.operator == "FullyConnected"
    other = open_model("resnet8").graph
    with pytest.raises(ValueError, match="other operators, shapes or scales"):
        layer_losses(graph, other, inputs)


def test_answers_in_batches():
    """Those of single runs, with signs of life."""
    form = open_form("dscnn")
    samples = np.random.default_rng(0).integers(-128, 128, (70, *form.spec.shape)).astype(np.int8)
    told = []
    found = form.answers(samples, told.append)
    assert told == [64, 70]
    assert [form.answers(sample[None])[0] for sample in samples[60:]] == found[60:].tolist()
