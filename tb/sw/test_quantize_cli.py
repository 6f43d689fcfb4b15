"""sentei quantize and sentei debug: files in, files and figures out, and what is refused."""

import json
import os

import numpy as np
import onnx
import pytest
from onnxsim import simplify
from PIL import Image

from golden import executor
from sw.cli import main
from sw.frontend.onnx import import_model
from sw.reference_onnx import OnnxReference, node_differences
from tb.lib.float_networks import FloatBuilder, relu_network, silu_network


@pytest.fixture
def folder(tmp_path):
    """A network, eight samples, and one more."""
    rng = np.random.default_rng(5)
    onnx.save(relu_network(3), tmp_path / "m.onnx")
    (tmp_path / "calib").mkdir()
    np.save(tmp_path / "calib" / "x.npy",
            rng.standard_normal((8, 1, 3, 12, 10)).astype(np.float32))
    np.save(tmp_path / "one.npy", rng.standard_normal((1, 3, 12, 10)).astype(np.float32))
    return tmp_path


def quantized(*options):
    return main(["quantize", "m.onnx", "--calib", "calib", "-o", "q.onnx", *options])


def refused(capsys, code, *texts, command=()):
    arguments = command or ("quantize", "m.onnx", "--calib", "calib", "-o", "q.onnx")
    assert main([*map(str, arguments)]) == code
    error = capsys.readouterr().err
    assert "internal error" not in error
    for text in texts:
        assert text in error, error


def test_what_is_written_runs_like_onnx_runtime(files, capsys):
    """Node for node within 1 of ONNX Runtime, and near the float network."""
    assert quantized("--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["samples"], facts["held_out"], facts["products"]) == (6, 2, 4)
    assert min(facts["decibels"].values()) > 25
    assert [item["operator"] for item in facts["float_nodes"]] == ["Softmax"]
    imported = import_model("q.onnx")
    reference = OnnxReference("q.onnx", keep_all=True)
    inputs = {"x": np.load("one.npy")}
    differences = node_differences(imported, inputs, reference.run(inputs))
    assert len(differences) > 6 and max(item.largest for item in differences) <= 1
    wanted = OnnxReference("m.onnx").run(inputs)
    found = executor.run(imported.graph, inputs)
    (name,) = wanted
    np.testing.assert_allclose(found[name], wanted[name], atol=0.05)
    assert main(["run", "q.onnx", "--engine", "machine", "--check", "--input", "one.npy"]) == 0


@pytest.mark.parametrize("opset", [9, 11, 13, 21])
def test_opsets(opset, files, capsys):
    onnx.save(relu_network(3, opset), "m.onnx")
    assert quantized("--method", "minmax", "--no-equalize", "--no-correct", "--json") == 0
    (trial,) = json.loads(capsys.readouterr().out)["trials"]
    assert (trial["method"], trial["equalized"], trial["corrected"]) == ("minmax", False, False)
    versions = [item.version for item in onnx.load("q.onnx").opset_import if item.domain == ""]
    assert versions == [17 if opset < 13 else opset]


def test_pictures_and_text(files, capsys):
    (files / "pictures").mkdir()
    rng = np.random.default_rng(1)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(
            files / "pictures" / f"{number}.png")
    assert main(["quantize", "m.onnx", "--calib", "pictures", "--std", "255", "--crops", "1",
                 "--equalize", "--correct", "--method", "mse", "-o", "q.onnx"]) == 0
    text = capsys.readouterr().out
    assert "cross-layer equalization with bias correction, chosen from 6 samples" in text
    assert "held out" in text and "float: 1 x Softmax" in text


def test_hint_where_much_is_lost(files, capsys, monkeypatch):
    """It names the way to find out; not where little is lost."""
    assert quantized("--method", "minmax", "--no-split") == 0
    assert "hint" not in capsys.readouterr().out
    monkeypatch.setattr("sw.commands.quantize._POOR", 100)
    np.save("calib/x.npy", np.load("calib/x.npy")[:1])
    assert quantized("--method", "minmax", "--no-equalize", "--no-correct") == 0
    text = capsys.readouterr()
    assert "chosen from 1 sample\n" in text.out and "quantizing on 1 sample …" in text.err
    assert "sentei debug m.onnx --quantized q.onnx --inputs calib" in text.out
    assert "; more samples that differ or --method auto may help\n" in text.out


def test_open_shapes(files, capsys):
    onnx.save(relu_network(3, shape=(1, 3, "rows", 10)), "m.onnx")
    refused(capsys, 3, "dynamic shape [1, 3, rows, 10]", "--shape x=1,3,224,10")
    assert quantized("--shape", "x=1,3,12,10", "--method", "minmax") == 0


def test_refuses_files(files, capsys):
    whole = (files / "m.onnx").read_bytes()
    (files / "m.onnx").write_bytes(whole[:-40])
    refused(capsys, 3, "damaged, truncated or no ONNX file")
    (files / "m.onnx").unlink()
    refused(capsys, 2, "m.onnx: no such file; accepted is a file named *.onnx or *.tflite")
    model = relu_network(3)
    onnx.save(model, "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (files / "w.bin").unlink()
    refused(capsys, 3, "external weights can't be read", "w.bin")
    model = relu_network(3)
    model.graph.node[1].domain = "mine"
    model.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    onnx.save(model, "m.onnx")
    refused(capsys, 3, "m.onnx", "mine")
    build = FloatBuilder()
    data = build.node("Cast", build.input("x", (1, 3, 12, 10), onnx.TensorProto.BFLOAT16), to=1)
    onnx.save(build.model(build.conv(data, 4, 3)), "m.onnx")
    refused(capsys, 3, "input 'x' is bfloat16; accepted are float32 and, for the host alone, int8")
    onnx.save(relu_network(3, shape=(2, 3, 12, 10)), "m.onnx")
    refused(capsys, 3, "input 'x' has batch 2; accepted is 1: --shape x=1,3,12,10")
    for name, wrong in (("kernel", np.nan), ("bias", np.inf)):
        build = FloatBuilder()
        kernel, bias = np.ones((4, 3, 1, 1), np.float32), np.ones(4, np.float32)
        (kernel if name == "kernel" else bias).flat[2] = wrong
        source = build.input("x", (1, 3, 12, 10))
        data = build.node("Conv", source, build.constant(kernel, "kernel"),
                          build.constant(bias, "bias"))
        onnx.save(build.model(data), "m.onnx")
        refused(capsys, 3, "node 0 (Conv 'conv0')", f"{name!r} holds NaN or infinity")
    build = FloatBuilder()
    data = build.conv(build.input("x", (1, 3, 12, 10)), 4, 3)
    found = build.node("Cast", build.node("NonZero", data), to=onnx.TensorProto.FLOAT)
    onnx.save(build.model(found), "m.onnx")
    refused(capsys, 3, "known only when it runs")
    build = FloatBuilder()
    kernel = build.constant(np.ones((4, 3, 3, 3, 3), np.float32))
    source = build.input("x", (1, 3, 4, 4, 4))
    onnx.save(build.model(build.node("Conv", source, kernel)), "m.onnx")
    np.save("calib/x.npy", np.random.default_rng(0).random((4, 1, 3, 4, 4, 4), np.float32))
    refused(capsys, 3, "nothing to quantize", "of up to two spatial axes")


def test_refuses_quantized_networks(files, capsys):
    assert quantized("--method", "minmax") == 0
    capsys.readouterr()
    refused(capsys, 3, "q.onnx: quantized already: node 0 is QuantizeLinear",
            command=("quantize", "q.onnx", "--calib", "calib", "-o", "r.onnx"))


def test_refuses_scales_computed_as_it_runs(files, capsys):
    build = FloatBuilder()
    build.nodes.append(onnx.helper.make_node("DynamicQuantizeLinear", [
        build.input("x", (1, 3, 12, 10))], ["codes", "scale", "zero"], "quantize"))
    onnx.save(build.model(build.node("DequantizeLinear", "codes", "scale", "zero")), "m.onnx")
    refused(capsys, 3, "m.onnx: quantized already, with scales that it computes as it runs: node 0 "
            "is DynamicQuantizeLinear 'quantize'; accepted is the float network")


def test_outputs_with_a_wrong_number_of_axes(files, capsys):
    """Some files state it where only folding tells the sizes."""
    build = FloatBuilder()
    data = build.conv(build.input("x", (1, 3, 12, 10)), 4, 3)
    count = build.node("Div", build.node("Size", data), build.constant(np.array([160])))
    shape = build.node("Slice", *map(build.constant, (np.array([1, 4, -1, 1]), np.array([0]))),
                       count)  # as many as no inference tells
    model = build.model(build.node("Reshape", data, shape))
    (output,) = model.graph.output
    for _ in range(2 - len(output.type.tensor_type.shape.dim)):
        output.type.tensor_type.shape.dim.add()
    del output.type.tensor_type.shape.dim[2:]
    onnx.save(model, "m.onnx")
    assert quantized("--method", "minmax") == 0
    capsys.readouterr()


def test_refuses_samples(files, capsys):
    data = np.load("calib/x.npy")
    data[3, 0, 1, 2, 3] = np.inf
    np.save("calib/x.npy", data)
    refused(capsys, 4, "x.npy: holds NaN or infinity")
    np.save("calib/x.npy", np.zeros_like(data))
    refused(capsys, 4, "'x' of the inputs is 0 everywhere on all 6 calibration samples")
    np.save("calib/x.npy", data[:0])
    refused(capsys, 4, "x.npy", "[0, 1, 3, 12, 10] holds no sample")
    np.save("calib/x.npy", data[:, :, :2])
    refused(capsys, 4, "x.npy", "[8, 1, 2, 12, 10]")
    (files / "calib" / "x.npy").write_bytes(b"no array")
    refused(capsys, 4, "not a readable .npy")
    (files / "calib" / "x.npy").unlink()
    refused(capsys, 4, "calib: no samples")
    (files / "calib").rmdir()
    refused(capsys, 4, "calib: No such file")


def test_refuses_arguments(files, capsys):
    refused(capsys, 2, "--exclude nothing: no node of m.onnx", command=(
        "quantize", "m.onnx", "--calib", "calib", "-o", "q.onnx", "--exclude", "nothing"))
    refused(capsys, 2, "--scores nothing: no output of m.onnx", command=(
        "quantize", "m.onnx", "--calib", "calib", "-o", "q.onnx", "--scores", "nothing"))
    refused(capsys, 2, "is MODEL itself", command=(
        "quantize", "m.onnx", "--calib", "calib", "-o", "m.onnx"))
    refused(capsys, 2, "q.tflite: accepted is an .onnx file", command=(
        "quantize", "m.onnx", "--calib", "calib", "-o", "q.tflite"))
    refused(capsys, 2, "calib: accepted is a file named *.onnx or *.tflite", command=(
        "quantize", "calib", "--calib", "calib", "-o", "q.onnx"))
    refused(capsys, 2, "--crops -1", command=(
        "quantize", "m.onnx", "--calib", "calib", "-o", "q.onnx", "--crops", "-1"))


def test_several_inputs(files, capsys):
    build = FloatBuilder(1)
    parts = [build.conv(build.input(name, (1, 3, 6, 6)), 4, 3) for name in ("left", "right")]
    onnx.save(build.model(build.conv(build.node("Add", *parts), 4, 4)), "m.onnx")
    refused(capsys, 4, "no such folder", "left, right")
    rng = np.random.default_rng(0)
    for name, count in (("left", 5), ("right", 4)):
        (files / "calib" / name).mkdir()
        np.save(files / "calib" / name / "x.npy",
                rng.standard_normal((count, 1, 3, 6, 6)).astype(np.float32))
    refused(capsys, 4, "left: 5, right: 4")
    np.save("calib/left/x.npy", np.load("calib/left/x.npy")[:4])
    assert quantized("--json") == 0
    assert min(json.loads(capsys.readouterr().out)["decibels"].values()) > 20


def test_inputs_of_the_host(files, capsys):
    """Integers, a state without batch and large strides stay with the host; a lone sample of an
    input belongs to all, and one input's size holds for the others."""
    build = FloatBuilder(1)
    source = build.input("x", ("n", 3, "rows", 6))
    rate = build.input("rate", (), onnx.TensorProto.INT64)
    state = build.input("state", (2, "n", "rows"))
    far = build.node("Conv", source, build.weights(4, 3, 1, 1), strides=[64, 64])
    data = build.conv(build.conv(source, 8, 3, size=3), 4, 8)
    data = build.node("Add", data, build.node("Mul", far, build.node("Cast", rate, to=1)))
    onnx.save(build.model(data, build.node("ReduceMax", state, axes=[2])), "m.onnx")
    rng = np.random.default_rng(0)
    for name, values in (("x", rng.standard_normal((4, 1, 3, 6, 6)).astype(np.float32)),
                         ("rate", np.array(2)), ("state", np.ones((2, 1, 6), np.float32))):
        (files / "calib" / name).mkdir()
        np.save(files / "calib" / name / "x.npy", values)
    assert quantized("--shape", "x=1,3,6,6", "--method", "minmax", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert min(facts["decibels"].values()) > 20 and facts["products"] == 2
    names = [f"{name}=calib/{name}/x.npy" for name in ("rate", "state")]
    np.save("one.npy", np.load("calib/x/x.npy")[0])
    assert main(["run", "q.onnx", "--check", "--input", "x=one.npy", *names]) == 0


def test_simplifier_is_quiet(files, capfd, monkeypatch):
    """It complains from C++, past Python's stderr, of nodes that it can't fold."""
    def loud(model, **options):
        os.write(2, b"WARNING: failed to run")
        return simplify(model, **options)

    monkeypatch.setattr("sw.quantize.source.simplify", loud)
    assert quantized("--method", "minmax") == 0
    error = capfd.readouterr().err
    assert "WARNING" not in error and "quantizing on 8 samples" in error


def debugged(capsys, *options):
    assert main(["debug", "m.onnx", "--quantized", "q.onnx", "--inputs", "calib", "--json",
                 *options]) == 0
    return json.loads(capsys.readouterr().out)["layers"]


def changed(tensor, scale):
    """q.onnx with another scale for a tensor."""
    model = onnx.load("q.onnx")
    for item in model.graph.initializer:
        if item.name == f"{tensor}_scale":
            value = onnx.numpy_helper.to_array(item) * np.float32(scale)
            item.CopyFrom(onnx.numpy_helper.from_array(value, item.name))
    onnx.save(model, "q.onnx")


@pytest.mark.parametrize("scale, cause", [(0.2, "clipped range"), (60, "coarse step")])
def test_debug_finds_the_layer_and_why(scale, cause, files, capsys):
    assert quantized("--method", "minmax", "--no-equalize", "--no-correct") == 0
    capsys.readouterr()
    layers = debugged(capsys)
    assert [item["own"] for item in layers] == sorted(item["own"] for item in layers)
    assert all(item["own"] > 25 and not item["causes"] for item in layers)
    victim = layers[-1]["tensor"]
    changed(victim, scale)
    layers = debugged(capsys, "--plot", "layers.png")
    assert layers[0]["tensor"] == victim and cause in layers[0]["causes"][0]
    assert (files / "layers.png").stat().st_size > 1000
    assert all(item["own"] > 25 for item in layers[1:])


def test_debug_equalized(files, capsys):
    """It is held against the equalized float network, so nothing is lost by that alone."""
    onnx.save(relu_network(3, spread=4.0), "m.onnx")
    assert quantized("--method", "minmax", "--equalize") == 0
    capsys.readouterr()
    assert all(item["own"] > 20 for item in debugged(capsys))


def test_debug_before_curves(files, capsys):
    """Quantizes by itself; errors before a SiLU count as they are behind it."""
    onnx.save(silu_network(), "m.onnx")
    np.save("calib/x.npy", np.load("calib/x.npy")[:, :, :, :8, :8])
    assert main(["debug", "m.onnx", "--inputs", "calib", "--method", "mse", "--worst", "3"]) == 0
    text = capsys.readouterr().out
    assert "likely cause" in text and "more lose less" in text
    assert main(["debug", "m.onnx", "--inputs", "calib", "--method", "mse", "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert {item["operator"]: item["curved"] for item in layers}["Mul"] is False
    assert sum(item["curved"] for item in layers) == 2


def test_debug_shows_the_files_names(files, capsys):
    """Those of nodes that a row was put in for are those of the tensors."""
    build = FloatBuilder(1)
    data = build.node("Conv", build.input("x", (1, 3, 12)), build.weights(8, 3, 3))
    onnx.save(build.model(build.node("Conv", data, build.weights(4, 8, 3))), "m.onnx")
    np.save("calib/x.npy", np.load("calib/x.npy")[..., 0].reshape(8, 1, 3, 12))
    assert quantized("--method", "minmax") == 0
    capsys.readouterr()
    assert {item["name"] for item in debugged(capsys)} == {"x", "conv0", "conv1"}


def test_debug_of_scores(files, capsys):
    """Scores end where a sigmoid is 0 or 1; that is no clipping."""
    build = FloatBuilder(1)
    data = build.conv(build.input("x", (1, 3, 12, 10)), 8, 3, size=3)
    data = build.node("Mul", build.conv(data, 4, 8), build.constant(np.float32(20)))
    onnx.save(build.model(build.node("Sigmoid", data)), "m.onnx")
    assert quantized("--method", "minmax") == 0
    capsys.readouterr()
    (scores,) = (item for item in debugged(capsys) if item["curved"])
    assert scores["clipped"] > 0.1 and not scores["causes"] and scores["own"] > 25


def test_debug_refuses(files, capsys):
    assert quantized("--method", "minmax") == 0
    command = ("debug", "m.onnx", "--quantized", "q.onnx", "--inputs", "calib")
    refused(capsys, 2, "--quantized and --method", command=(*command, "--method", "mse"))
    refused(capsys, 2, "r.onnx: no such file; accepted is a file named *.onnx", command=(
        "debug", "m.onnx", "--quantized", "r.onnx", "--inputs", "calib"))
    refused(capsys, 2, "r.onnx: no such file", command=("debug", "r.onnx", "--inputs", "calib"))
    refused(capsys, 2, "accepted are .png", command=(*command, "--plot", "x.txt"))
    onnx.save(relu_network(4), "other.onnx")
    command = ("debug", "m.onnx", "--quantized", "other.onnx", "--inputs", "calib")
    refused(capsys, 3, "accepted is a quantized form of it", command=command)
    for name, channels, text in (
            ("y", 8, "its inputs are y, this one's x"),
            ("x", 9, "tensor 't0' of node 0 (Conv 'conv0') has sizes [1, 9, 12, 10], here [1, 8,")):
        build = FloatBuilder()
        data = build.conv(build.input(name, (1, 3, 12, 10)), channels, 3, size=3)
        onnx.save(build.model(build.conv(data, 4, channels)), "other.onnx")
        refused(capsys, 3, f"other.onnx: not a quantized form of this network: {text}",
                command=command)
