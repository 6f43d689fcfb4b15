"""``sentei prune``: a file that LiteRT runs too, and a clear word for all that can't be."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from golden.spec.config import preset
from sw.cli import main
from sw.errors import InputError, ModelError
from sw.frontend import tflite
from sw.frontend.rewrite import TfliteWeights
from sw.inputs import Pictures, read_folder, read_stack
from sw.prune.pattern import Pattern
from sw.session import open_model
from sw.zoo import NETWORKS
from tb.lib.command_line import run
from tb.lib.onnx_builder import OnnxBuilder

DSCNN = NETWORKS["dscnn"].model
SAMPLES = DSCNN.parent.parent / "samples" / "dscnn"
BASE = preset("base")


def network(path, shape, scale=0.01, weight=0.5):
    """An ONNX classifier of maps of 3x12x10: one layer with float weights, one without a bias."""
    rng, build = np.random.default_rng(2), OnnxBuilder()
    data = build.pair(build.input(shape, name="map"), 0.03)
    real = rng.normal(0, 0.5, (32, 3, 3, 3)).astype(np.float32)
    real[0, 0, 0, 0] = weight
    codes = build.quantize(build.constant(real), scale)
    kernel = build.node("DequantizeLinear", codes, build.constant(np.float32(scale)))
    found = build.node("Conv", data, kernel, build.constant(np.zeros(32), np.float32))
    data = build.pair(build.node("Relu", found), 0.05, -128)
    kernel = build.weights(rng.integers(-127, 128, (32, 32, 3, 3)).astype(np.int8), 0.002)
    data = build.pair(build.node("Relu", build.node("Conv", data, kernel)), 0.05, -128)
    flat = build.node("Flatten", build.node("GlobalAveragePool", data))
    kernel = build.weights(rng.integers(-127, 128, (4, 32)).astype(np.int8), 0.02)
    build.output(build.pair(build.node("Gemm", build.pair(flat, 0.05, -128), kernel, transB=1),
                            0.05), rank=2)
    return build.save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Calibration sets, good and bad, and models."""
    folder = tmp_path_factory.mktemp("prune")
    for name in ("good", "empty", "short", "nan", "shape", "text", "pictures", "damaged"):
        (folder / name).mkdir()
    mfcc = np.load(SAMPLES / "mfcc.npy")
    np.save(folder / "good/words.npy", mfcc[:24])
    np.save(folder / "good/one.npy", mfcc[24])
    (folder / "good/notes.txt").write_text("not a sample")
    (folder / "short/a.npy").write_bytes((folder / "good/words.npy").read_bytes()[:500])
    np.save(folder / "nan/a.npy", np.full((3, 49, 10), np.nan, np.float32))
    np.save(folder / "shape/a.npy", np.zeros((3, 10, 49), np.int8))
    (folder / "deep/train/yes").mkdir(parents=True)
    np.save(folder / "deep/train/yes/a.npy", mfcc[0])
    for number, name in enumerate(("classes/no", "classes/yes", "classes/.cache", "mixed/yes")):
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "words.npy", mfcc[number:number + 12 - number])
    np.save(folder / "mixed/words.npy", mfcc[20:24])
    (folder / "text/readme.txt").write_text("nothing here")
    rng = np.random.default_rng(0)
    for number, size in enumerate(((40, 60), (60, 40), (20, 20))):
        Image.fromarray(rng.integers(0, 256, (*size, 3)).astype(np.uint8)).save(
            folder / f"pictures/{number}.png")
    (folder / "damaged/a.png").write_bytes((folder / "pictures/0.png").read_bytes()[:900])
    (folder / "text.tflite").write_text("hello")
    graph = tflite.load(DSCNN)
    weights = TfliteWeights(DSCNN, graph.nodes)
    (folder / "zeros.tflite").write_bytes(weights.replaced([
        dataclasses.replace(node, attrs=dataclasses.replace(
            node.attrs, kernel=np.zeros_like(node.attrs.kernel)))
        if hasattr(node.attrs, "kernel") else node for node in graph.nodes]))
    shutil.copy(DSCNN, folder / "mine.tflite")
    network(folder / "small.onnx", [1, 3, 12, 10])
    network(folder / "open.onnx", [1, 3, "height", "width"])
    network(folder / "nan.onnx", [1, 3, 12, 10], scale=np.nan)
    network(folder / "nanweights.onnx", [1, 3, 12, 10], weight=np.nan)
    build = OnnxBuilder()
    build.output(build.node("Relu", build.input([1, 3, 12, 10])))
    build.save(folder / "float.onnx")
    (folder / "maps").mkdir()
    np.save(folder / "maps/a.npy", rng.standard_normal((30, 3, 12, 10)).astype(np.float32))
    assert main(["compile", "dscnn", "-o", str(folder / "d.sentei")]) == 0
    return folder


CALIB = ("--calib", "good")
RATE = ("--rate", "0.5")
OUT = ("-o", "out.tflite")


@pytest.mark.parametrize(("arguments", "code", "text"), [
    (["dscnn", *CALIB, *OUT], 2, "one of the arguments --rate --speedup is required"),
    (["dscnn", *CALIB, *RATE, "--speedup", "2", *OUT], 2, "not allowed with argument"),
    (["dscnn", *RATE, *OUT], 2, "--calib"),
    (["dscnn", *CALIB, *RATE], 2, "-o/--output"),
    (["dscnn", *CALIB, "--rate", "1.5", *OUT], 2, "rate is 1.5, accepted are 0"),
    (["dscnn", *CALIB, "--rate", "-0.1", *OUT], 2, "rate is -0.1, accepted are 0"),
    (["dscnn", *CALIB, "--rate", "nan", *OUT], 2, "rate is nan, accepted are 0"),
    (["dscnn", *CALIB, "--rate", "half", *OUT], 2, "invalid float value: 'half'"),
    (["dscnn", *CALIB, "--speedup", "0.5", *OUT], 2, "speed-up is 0.5, accepted are numbers of 1"),
    (["dscnn", *CALIB, "--speedup", "nan", *OUT], 2, "speed-up is nan, accepted are numbers of 1"),
    (["dscnn", *CALIB, "--speedup", "90", *OUT], 2, "can't be reached: of"),
    (["dscnn", *CALIB, *RATE, "--exclude", "frob", *OUT], 2, "'frob': no such layer to prune"),
    (["dscnn", *CALIB, *RATE, "--crops", "-1", *OUT], 2, "--crops -1: accepted is 0 or more"),
    (["dscnn", *CALIB, "--speedup", "2", "--spread", *OUT], 2, "--spread says how --rate is"),
    (["zeros.tflite", *CALIB, *RATE, *OUT], 2, "no weights to prune"),
    (["d.sentei", *CALIB, *RATE, *OUT], 2, "compiled; accepted is the model itself"),
    (["nonesuch", *CALIB, *RATE, *OUT], 2, "nonesuch: no such file"),
    (["dscnn", *CALIB, *RATE, "-o", "no/where.tflite"], 2, "no/where.tflite: can't be written"),
    (["dscnn", *CALIB, *RATE, "-o", "good"], 2, "good: can't be written"),
    (["mine.tflite", *CALIB, *RATE, "-o", "mine.tflite"], 2, "is MODEL itself"),
    (["dscnn", *CALIB, *RATE, "-o", "out.onnx"], 2, "out.onnx: accepted is the format of"),
    (["small.onnx", *CALIB, *RATE, *OUT], 2, "out.tflite: accepted is the format of small.onnx"),
    (["small.onnx", *CALIB, *RATE, "-o", "small.onnx"], 2, "is MODEL itself"),
    (["dscnn", *CALIB, *RATE, *OUT, "--shape", "input_1=1,49,10,1"], 2, "is no .onnx file"),
    (["open.onnx", *CALIB, *RATE, "-o", "out.onnx"], 3, "has dynamic shape"),
    (["open.onnx", *CALIB, *RATE, "-o", "out.onnx", "--shape", "frob=1,3,12,10"], 2,
     "--shape frob: no input"),
    (["nan.onnx", *CALIB, *RATE, "-o", "out.onnx"], 3, "scales that are not float32 above 0"),
    (["nanweights.onnx", *CALIB, *RATE, "-o", "out.onnx"], 3, "holds NaN or infinity"),
    (["float.onnx", *CALIB, *RATE, "-o", "out.onnx"], 3, "not quantized"),
    (["text.tflite", *CALIB, *RATE, *OUT], 3, "not a TensorFlow Lite file"),
    (["dscnn", "--calib", "none", *RATE, *OUT], 4, "none: No such file or directory"),
    (["dscnn", "--calib", "mine.tflite", *RATE, *OUT], 4, "accepted is a folder of samples"),
    (["dscnn", "--calib", "empty", *RATE, *OUT], 4, "empty: no samples; accepted are pictures"),
    (["dscnn", "--calib", "text", *RATE, *OUT], 4, "text: no samples; accepted are pictures"),
    (["dscnn", "--calib", "deep", *RATE, *OUT], 4,
     "deep/train: no samples of its own, and folders in it aren't read; accepted are pictures"),
    (["dscnn", "--calib", "short", *RATE, *OUT], 4, "short/a.npy: not a readable .npy file"),
    (["dscnn", "--calib", "nan", *RATE, *OUT], 4, "nan/a.npy: holds NaN or infinity"),
    (["dscnn", "--calib", "shape", *RATE, *OUT], 4, "int8[3, 10, 49], accepted for input input_1"),
    (["dscnn", "--calib", "pictures", *RATE, *OUT], 4, "not a recording"),
    (["vww", "--calib", "damaged", *RATE, *OUT], 4, "a.png: damaged picture"),
])
def test_refusals(files, capsys, arguments, code, text):
    found, out, err = run(capsys, "prune", *arguments)
    last = err.splitlines()[-1]
    assert (found, out) == (code, "") and last.startswith("sentei: error: ") and text in last
    assert not [*files.glob("out.*")] and not [*files.glob(".*.part")]


def test_a_rate_in_every_block(files, capsys, tmp_path):
    """Same file but for weights and biases; LiteRT gives the same bytes; zeros are N of 16."""
    out = tmp_path / "half.tflite"
    code, text, err = run(capsys, "prune", "dscnn", *CALIB, *RATE, "-o", out, "--json",
                          "--exclude", "11_fully_connected")
    facts = json.loads(text)
    assert code == 0 and err.startswith("reading dscnn and good …\n")
    assert facts["samples"] == 25 and facts["cycles"] < facts["cycles_before"]
    assert facts["speedup"] == facts["cycles_before"] / facts["cycles"] > 1.1
    assert 0.5 < facts["same_answer"] <= 1
    assert [row["name"] for row in facts["layers"]] == [f"{n}_conv_2d" for n in (0, 2, 4, 6, 8)]
    before, after = open_model("dscnn").graph, open_model(str(out)).graph
    for old, new in zip(before.nodes, after.nodes, strict=True):
        if any(row["name"] == old.name for row in facts["layers"]):
            assert Pattern.of(BASE, new.attrs).counts(new.attrs.kernel).max() <= 8
            assert not new.attrs.kernel[old.attrs.kernel == 0].any()
        elif hasattr(old.attrs, "kernel"):
            np.testing.assert_array_equal(old.attrs.kernel, new.attrs.kernel)
    assert out.stat().st_size == DSCNN.stat().st_size
    code, text, _ = run(capsys, "run", out, "--engine", "golden", "--check", "--json", "--input",
                        "good/one.npy")
    assert code == 0 and json.loads(text)["bytes_different"] == 0


@pytest.mark.parametrize("goal", [RATE, (*RATE, "--spread"), ("--speedup", "1.3")])
def test_onnx(files, capsys, tmp_path, goal):
    """The same ONNX file but for weights and biases; ONNX Runtime gives the same answers."""
    pytest.importorskip("onnxruntime")
    out = tmp_path / "out.onnx"
    shape = ("--shape", "map=1,3,12,10")
    code, text, _ = run(capsys, "prune", "open.onnx", "--calib", "maps", *goal, "-o", out,
                        "--json", *shape)
    facts = json.loads(text)
    assert code == 0 and facts["samples"] == 30
    assert facts["speedup"] == facts["cycles_before"] / facts["cycles"] > 1.2
    assert len(facts["layers"]) == 3
    assert all(row["zeros"] >= row["zeros_before"] for row in facts["layers"])
    before, after = (open_model(str(path), {"map": (1, 3, 12, 10)}).graph
                     for path in ("open.onnx", out))
    layers = {row["name"]: row for row in facts["layers"]}
    for old, new in zip(before.nodes, after.nodes, strict=True):
        if old.name in layers:
            assert int((new.attrs.kernel == 0).sum()) == layers[old.name]["zeros"]
            assert not new.attrs.kernel[old.attrs.kernel == 0].any()
    code, text, _ = run(capsys, "estimate", out, "--prune", "0", "--json", *shape)
    assert code == 0 and json.loads(text)["rates"][1]["cycles"] == facts["cycles"]
    np.save(tmp_path / "x.npy", np.load("maps/a.npy")[:1])
    code, text, _ = run(capsys, "run", out, "--engine", "golden", "--check", "--json", "--input",
                        tmp_path / "x.npy", *shape)
    assert code == 0 and json.loads(text)["mismatches"] == 0


def test_onnx_weights_that_stay(files, capsys, tmp_path):
    """A product that takes over an average isn't pruned, and the user is told."""
    rng, build = np.random.default_rng(2), OnnxBuilder()
    data = build.pair(build.input([1, 3, 12, 10], name="map"), 0.03)
    kernel = build.weights(rng.integers(-127, 128, (16, 3, 3, 3)).astype(np.int8), 0.002)
    data = build.pair(build.node("Conv", data, kernel), 0.05)
    flat = build.node("Flatten", build.node("GlobalAveragePool", data))
    kernel = build.weights(rng.integers(-127, 128, (4, 16)).astype(np.int8), 0.02)
    build.output(build.pair(build.node("Gemm", flat, kernel, transB=1), 0.05), rank=2)
    build.save(tmp_path / "in.onnx")
    code, text, err = run(capsys, "prune", tmp_path / "in.onnx", "--calib", "maps", *RATE, "-o",
                          tmp_path / "out.onnx", "--json")
    assert code == 0 and [row["name"] for row in json.loads(text)["layers"]] == ["conv3"]
    assert "note: gemm9 stays as it is: the file doesn't hold its weights one by one" in err


@pytest.mark.parametrize(("calib", "count", "note"), [
    ("good", 25, ""), ("classes", 12 + 11, ""),
    ("mixed", 4, "note: folders in mixed are not read, as it has samples of its own: yes")])
def test_folders_of_samples(files, capsys, calib, count, note):
    """With or without classes; what isn't read is said."""
    code, out, err = run(capsys, "prune", "dscnn", "--calib", calib, *RATE, *OUT, "--json")
    assert code == 0 and json.loads(out)["samples"] == count
    assert note in err and ("not read" in err) == bool(note)


def test_same_seed_same_file(files, capsys, tmp_path):
    for name in ("a", "b"):
        assert run(capsys, "prune", "dscnn", *CALIB, "--seed", 3, "--rate", "0.75", "-o",
                   tmp_path / name)[0] == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_pruned_already(files, capsys, tmp_path):
    """What has fewer weights than asked for is kept as it is, to the byte."""
    first, again = tmp_path / "first.tflite", tmp_path / "again.tflite"
    assert run(capsys, "prune", "dscnn", *CALIB, "--rate", "0.75", "-o", first)[0] == 0
    for goal in (RATE, (*RATE, "--spread"), ("--speedup", "1")):
        assert run(capsys, "prune", first, *CALIB, *goal, "-o", again)[0] == 0
        assert again.read_bytes() == first.read_bytes(), goal
    code, _, err = run(capsys, "prune", first, *CALIB, "--speedup", "40", "-o", again)
    assert code == 2 and "accepted are speed-ups up to 1." in err


def test_table(files, capsys, tmp_path):
    code, text, _ = run(capsys, "prune", "dscnn", *CALIB, "--speedup", "1.1", "-o", tmp_path / "o")
    assert code == 0 and "error of its sums" in text and "8_conv_2d" in text
    assert "cycles before" in text and "of 25 calibration samples" in text


def test_unchanged_weights_give_the_same_file():
    for network in NETWORKS.values():
        graph = tflite.load(network.model)
        weights = TfliteWeights(network.model, graph.nodes)
        assert weights.replaced(graph.nodes) == network.model.read_bytes()
        assert not weights.no_bias


def test_shared_and_missing_places(monkeypatch):
    graph = tflite.load(DSCNN)
    changed = [dataclasses.replace(node, attrs=dataclasses.replace(
        node.attrs, kernel=node.attrs.kernel // 2, bias=node.attrs.bias + 1))
        if hasattr(node.attrs, "kernel") else node for node in graph.nodes]
    place = TfliteWeights._place

    def shared(self, name, position):
        return place(self, "2_conv_2d" if name == "4_conv_2d" else name, position)

    monkeypatch.setattr(TfliteWeights, "_place", shared)
    weights = TfliteWeights(DSCNN, graph.nodes)
    with pytest.raises(ModelError, match="nodes '2_conv_2d' and '4_conv_2d' share"):
        weights.replaced(changed)

    def missing(self, name, position):
        return None if position == 2 else place(self, name, position)

    monkeypatch.setattr(TfliteWeights, "_place", missing)
    weights = TfliteWeights(DSCNN, graph.nodes)
    assert "2_conv_2d" in weights.no_bias
    with pytest.raises(ModelError, match="'0_conv_2d' has no bias in the file"):
        weights.replaced(changed)


def test_crops(files):
    """Parts of pictures have the input's shape, and come from the picture."""
    spec = open_model("resnet8").inputs[0]
    found = read_folder(files / "pictures", spec, Pictures(), crops=5, seed=1)
    assert found.shape == (18, 1, 32, 32, 3) and found.dtype == np.int8
    assert len(np.unique(found.reshape(18, -1), axis=0)) == 18
    np.testing.assert_array_equal(
        found, read_folder(files / "pictures", spec, Pictures(), crops=5, seed=1))
    np.testing.assert_array_equal(
        found[::6], read_folder(files / "pictures", spec, Pictures()))


def test_stacks(tmp_path):
    spec = open_model("dscnn").inputs[0]
    np.save(tmp_path / "reals.npy", np.linspace(-9, 9, 4 * 490, dtype=np.float32).reshape(
        4, 49, 10))
    found = read_stack(tmp_path / "reals.npy", spec)
    assert found.shape == (4, 1, 49, 10, 1) and found.dtype == np.int8
    np.save(tmp_path / "nan.npy", np.full((4, 49, 10), np.nan, np.float32))
    for kind in (np.int8, np.float32):  # of the network's own type too
        with pytest.raises(InputError, match="holds NaN or infinity"):
            read_stack(tmp_path / "nan.npy", dataclasses.replace(spec, dtype=np.dtype(kind)))
    np.save(tmp_path / "wide.npy", np.zeros((4, 49, 10), np.int32))
    with pytest.raises(InputError, match="type int32"):
        read_stack(tmp_path / "wide.npy", spec)
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    (tmp_path / "many.npz").rename(tmp_path / "many.npy")
    with pytest.raises(InputError, match="archive of several arrays"):
        read_stack(tmp_path / "many.npy", spec)
