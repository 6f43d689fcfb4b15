"""Layers are called as the file calls its nodes."""

import json

import numpy as np
import onnx
import pytest

from sw.cli import main
from sw.frontend.onnx import load
from tb.lib.onnx_builder import OnnxBuilder


def network(tmp_path, **names):
    """Two convolutions, a pool, and a clamp that stays an operator; some nodes renamed."""
    rng, build = np.random.default_rng(0), OnnxBuilder()
    data = build.pair(build.input([1, 16, 8, 8]), 0.05)
    for _ in range(2):
        kernel = build.weights(rng.integers(-127, 128, (16, 16, 3, 3)).astype(np.int8), 0.001)
        data = build.pair(build.node("Conv", data, kernel, pads=[1] * 4), 0.05)
    pooled = build.pair(build.node("MaxPool", data, kernel_shape=[2, 2], strides=[2, 2]), 0.05)
    small = build.pair(build.node("Relu", pooled), 0.04)
    build.output(small)
    build.output(pooled)
    model = build.model()
    for node in model.graph.node:
        node.name = names.get(node.name, node.name)
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def layers(path):
    """Names of the operators that aren't the host's work at the edges."""
    return [node.name for node in load(path).nodes if not node.name.startswith(("input", "output"))]


OWN = ["conv3", "conv7", "maxpool10", "dequantizelinear12"]


@pytest.mark.parametrize("names, wanted", [
    ({}, OWN),
    ({"conv3": "/features/0/Conv [a]", "maxpool10": "Größe"},
     ["/features/0/Conv [a]", "conv7", "Größe", "dequantizelinear12"]),
    ({"conv3": "", "maxpool10": ""}, OWN),  # by the tensors that they give
    ({"conv7": "conv3"}, ["conv3", "conv3#2", *OWN[2:]]),
    ({"conv3": "", "conv7": "conv3"}, ["conv3#2", "conv3", *OWN[2:]]),  # a name comes first
])
def test_names(names, wanted, tmp_path):
    found = layers(network(tmp_path, **names))
    assert [name for name in found if "_" not in name] == wanted
    assert len(set(found)) == len(found)


def test_nodes_beside_take_no_name_of_the_file(tmp_path):
    """The one that brings the input into the chip's order comes before the node of its name."""
    first = next(name for name in layers(network(tmp_path)) if name.startswith("conv3_"))
    found = layers(network(tmp_path, conv7=first))
    assert found.index(f"{first}#2") < found.index("conv3") < found.index(first)


def test_a_clamp_before_an_operator_takes_no_name_from_it(tmp_path):
    """Of QLinear operators, whose inputs have their own scales."""
    build = OnnxBuilder(12)
    wide, fine = (build.parameters(scale, 0, np.int8) for scale in (0.05, 0.02))
    data = build.node("QuantizeLinear", build.input([1, 4, 4, 4]), *wide)
    pooled = build.node("MaxPool", data, kernel_shape=[1, 1])
    joined = build.node("QLinearConcat", *fine, pooled, *wide, pooled, *fine,
                        domain="com.microsoft", axis=1)
    build.output(build.node("DequantizeLinear", joined, *fine))
    kinds = {node.name: type(node.attrs).__name__
             for node in load(build.save(tmp_path / "m.onnx")).nodes}
    assert kinds["qlinearconcat2"] == "Concat" and kinds["qlinearconcat2_input"] == "Clamp"


def test_on_the_command_line(tmp_path, capsys):
    """Any name can be shown, asked for, and drawn."""
    path = str(network(tmp_path, conv3="a [bold]", conv7="b $x_{$", maxpool10="[/]"))
    assert main(["estimate", path, "--prune", "0", "--plot", str(tmp_path / "p.png")]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("a [bold]", "b $x_{$", "[/]"))
    (tmp_path / "calib").mkdir()
    np.save(tmp_path / "calib/x.npy", np.random.default_rng(1).standard_normal(
        (1, 16, 8, 8)).astype(np.float32))
    sample = ["--input", str(tmp_path / "calib/x.npy")]
    assert main(["run", path, *sample, "--engine", "machine"]) == 0
    assert "a [bold]" in capsys.readouterr().out
    assert main(["report", path, *sample, "-o", str(tmp_path / "r.html")]) == 0
    assert (tmp_path / "r.html").read_text().count("b $x_{$") >= 2  # table and plot
    capsys.readouterr()
    prune = ["prune", path, "--calib", str(tmp_path / "calib"), "--rate", "0.5", "-o",
             str(tmp_path / "o.onnx"), "--exclude", "b $x_{$"]
    assert main([*prune, "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["layers"]] == ["a [bold]"]
    assert main(prune) == 0
    assert "a [bold]" in capsys.readouterr().out
