"""sentei estimate and --rate: figures that the engines confirm, and refusals."""

import json

import numpy as np
import pytest

from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.machine import MachineTransport
from sw.session import open_model
from sw.session.estimate import estimate
from tb.lib.command_line import run
from tb.lib.onnx_builder import OnnxBuilder

BASE = preset("base")


def facts(capsys, *arguments):
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


@pytest.mark.parametrize("name", ["resnet8", "vww"])
def test_rates(capsys, name):
    """The JSON of the issue; each rate is what a run at that rate takes."""
    found = facts(capsys, "estimate", name, "--prune", "0,0.5,0.75")
    assert (found["network"], found["preset"]) == (name, "base")
    rates = found["rates"]
    assert [(item["rate"], item["dense"]) for item in rates] == [
        (0, True), (0, False), (0.5, False), (0.75, False)]
    cycles = [item["cycles"] for item in rates]
    assert cycles == sorted(cycles, reverse=True) or name == "resnet8"  # which has no zeros
    assert cycles[3] < cycles[2] < cycles[1]
    for item in rates:
        assert item["speedup"] == pytest.approx(cycles[0] / item["cycles"])
        assert sum(layer["cycles"] for layer in item["layers"]) == item["cycles"]
        assert sum(layer["ideal_cycles"] for layer in item["layers"]) == item["ideal_cycles"]
        assert {layer["bound"] for layer in item["layers"]} <= {
            "MACs", "drain", "weights", "feature maps", "banks", "program", "host", ""}
    for options, item in zip((("--dense",), (), ("--rate", "0.5"), ("--rate", "0.75")), rates,
                             strict=True):
        told = facts(capsys, "run", name, "--samples", "1", *options)
        assert told["cycles"] == item["cycles"], options
        assert told["bytes_read"] + told["bytes_written"] == item["bytes"], options


def test_text_and_plot(capsys, tmp_path):
    plot = tmp_path / "gain.png"
    code, out, _ = run(capsys, "estimate", "dscnn", "--prune", "0.5", "--plot", plot)
    assert code == 0
    assert "dense" in out and "0.5" in out and "1.00x" in out and str(plot) in out
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_compile_at_a_rate(capsys, tmp_path):
    """A program at a rate runs like the network at that rate."""
    path = tmp_path / "half.sentei"
    assert run(capsys, "compile", "dscnn", "--rate", "0.5", "-o", path)[0] == 0
    one, other = (facts(capsys, "run", *what, "--samples", "2") for what in (
        (path,), ("dscnn", "--rate", "0.5")))
    assert one["cycles"] == other["cycles"]
    assert [answer["text"] for answer in one["answers"]] == [
        answer["text"] for answer in other["answers"]]


@pytest.mark.parametrize("name", ["resnet8", "dscnn"])
def test_cycles_without_results(name):
    """What an estimate leaves out, the arithmetic, changes no counter."""
    graph = open_model(name).graph
    program = compile_graph(graph, BASE)
    inputs = {item: np.zeros(graph.tensors[item].shape, np.int8) for item in graph.inputs}
    counters = []
    for computes in (True, False):
        device = Device(MachineTransport(BASE, check_races=False, computes=computes))
        device.load(program)
        counters.append(device.run(inputs).counters)
    assert counters[0] == counters[1] and counters[0]["cycles"] > 0


def test_memory_matters():
    """A slower memory shows in cycles, and in what binds."""
    graph = open_model("autoencoder").graph
    slow = BASE.replace(dram_bytes=2)
    assert estimate(graph, slow, 0.0).cycles > 4 * estimate(graph, BASE, 0.0).cycles


@pytest.mark.parametrize("arguments, text", [
    (("estimate", "dscnn", "--prune", "0.5,1.5"), "rate is 1.5, accepted are 0"),
    (("estimate", "dscnn", "--prune", "half"), "is not a number"),
    (("estimate", "dscnn", "--plot", "gain.txt"), "--plot gain.txt: accepted is"),
    (("estimate", "dscnn", "--plot", "/nowhere/gain.png"), "a folder that exists"),
    (("estimate", "dscnn", "--prune", "nan"), "'nan' is not a number"),
    (("estimate", "dscnn", "--prune", "-0.1"), "rate is -0.1, accepted are 0"),
    (("estimate", "dscnn", "--shape", "input_1=1,49,10,1"), "is no .onnx file"),
    (("estimate", "dscnn", "--shape", "input_1"), "accepted is name=sizes"),
    (("compile", "dscnn", "--rate", "1.01", "-o", "x.sentei"), "rate is 1.01, accepted are 0"),
    (("run", "dscnn", "--rate", "nan"), "rate is nan, accepted are 0"),
    (("estimate", "no_such_model"), "no such file"),
    (("run", "dscnn", "--rate", "-1"), "rate is -1.0"),
    (("run", "dscnn", "--rate", "0.5", "--check"), "--check with --rate"),
    (("run", "dscnn", "--rate", "much"), "invalid float value"),
])
def test_refusals(capsys, arguments, text):
    code, out, err = run(capsys, *arguments)
    assert code == 2 and not out
    assert text in err.splitlines()[-1]


@pytest.fixture
def models(tmp_path, monkeypatch):
    """ONNX files of all kinds, in the working directory."""
    monkeypatch.chdir(tmp_path)

    def save(name, make, shape=(1, 8, 12, 12)):
        build = OnnxBuilder()
        found = make(build, build.pair(build.input(list(shape)), 0.03))
        build.output(build.pair(found, 0.05))
        build.save(f"{name}.onnx")

    def conv(groups=1, scale=0.01):
        kernel = np.ones((8, 8 // groups, 3, 3), np.int8)
        return lambda build, data: build.node("Conv", data, build.weights(kernel, scale),
                                              group=groups)

    save("pool", lambda build, data: build.node("MaxPool", data, kernel_shape=[2, 2]))
    save("depthwise", conv(groups=8))
    save("nan", conv(scale=np.nan))
    save("open", conv(), (1, 8, "height", "width"))


@pytest.mark.parametrize("arguments, code, text", [
    (("estimate", "pool.onnx"), 2, "pool: no weights to prune"),
    (("estimate", "depthwise.onnx", "--prune", "0.5"), 2, "depthwise: no weights to prune"),
    (("compile", "pool.onnx", "--rate", "0.5", "-o", "x.sentei"), 2, "pool: no weights to prune"),
    (("estimate", "nan.onnx"), 3, "has scales that are not float32 above 0"),
    (("estimate", "open.onnx"), 3, "has dynamic shape [1, 8, height, width]"),
    (("estimate", "open.onnx", "--shape", "y=1,8,9,9"), 2, "--shape y: no input"),
    (("estimate", "open.onnx", "--shape", "x=1,9,9,9"), 2, "size 9 of axis 1, the file says 8"),
])
def test_refused_models(models, capsys, arguments, code, text):
    found, out, err = run(capsys, *arguments)
    last = err.splitlines()[-1]
    assert (found, out) == (code, "") and last.startswith("sentei: error: ") and text in last


def test_onnx(models, capsys):
    """A network without weights as it is; one with open sizes at two of them."""
    assert len(facts(capsys, "estimate", "pool.onnx", "--prune", "0")["rates"]) == 2
    small, large = (facts(capsys, "estimate", "open.onnx", "--prune", "0.5", "--shape",
                          f"x=1,8,{size},{size}")["rates"][0]["cycles"] for size in (8, 32))
    assert large > 5 * small


def test_programs_are_refused(capsys, tmp_path):
    path = tmp_path / "d.sentei"
    run(capsys, "compile", "dscnn", "-o", path)
    for command in (("estimate", path), ("run", path, "--rate", "0.5")):
        code, _, err = run(capsys, *command)
        assert code == 2 and "not a compiled program" in err
