"""What the chip can't do runs on the host: sections, where they lie, what they cost."""

import json

import numpy as np
import onnx
import pytest
from onnx import helper

from golden import executor
from golden.spec.config import preset
from golden.spec.program import HostStep, Program, ProgramError
from sw.cli import main
from sw.compiler import compile_graph
from sw.errors import ModelError
from sw.frontend.onnx import import_model, load
from sw.frontend.onnx.partition import joined, units
from sw.onnx_runtime import run_external
from sw.reference_onnx import OnnxReference
from sw.report.placement import Placement, host_seconds, print_placement
from sw.session import open_engine
from tb.lib import host_networks
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import check, random_inputs

pytest.importorskip("onnxruntime")
NETWORKS = ("ends", "middle", "unsigned", "branch", "results", "blocks")


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def saved(name, rng, tmp_path):
    return getattr(host_networks, name)(rng).save(tmp_path / f"{name}.onnx")


def sections(graph):
    return [node for node in graph.nodes if node.op == "External"]


@pytest.mark.parametrize("name", NETWORKS)
def test_as_onnx_runtime(name, rng, tmp_path):
    """Nodes within 1 of ONNX Runtime's, the machine equal to golden, outputs those of the file."""
    path = saved(name, rng, tmp_path)
    imported = check(path)
    graph = imported.graph
    inputs = random_inputs(graph, rng)
    wanted = OnnxReference(path).run(inputs)
    found = executor.run(graph, inputs, external=run_external)
    assert list(found) == list(wanted)
    for output, values in found.items():
        scale = np.abs(wanted[output].astype(float)).max()
        # A step of the last quantized tensor at most, and rarely.
        assert np.abs(values.astype(float) - wanted[output]).max() <= 0.05 * max(scale, 1), output


def test_rtl_equals_golden(rng, tmp_path):
    pytest.importorskip("amaranth")
    graph, config = load(saved("middle", rng, tmp_path)), preset("tiny")
    inputs = random_inputs(graph, rng)
    engine = open_engine("rtl", config, compile_graph(graph, config))
    try:
        found = engine.run(inputs).outputs
    finally:
        engine.close()
    wanted = executor.run(graph, inputs, external=run_external)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_sections_are_as_large_as_can_be(rng, tmp_path):
    """Head, middle and tail are one node each, and only bytes cross."""
    graph = load(saved("ends", rng, tmp_path))
    head, tail = sections(graph)
    assert [part[0] for part in head.attrs.parts] == ["Sub", "Sin", "QuantizeLinear"]
    assert {part[0] for part in tail.attrs.parts} == {"Sinh", "TopK", "DequantizeLinear",
                                                      "Flatten", "Softmax"}
    assert head.attrs.given == (("int8", (1, 8, 7, 3)),)
    assert tail.attrs.taken == (("int8", (1, 4, 3, 6)),)
    assert tail.attrs.given == (("float32", (1, 3)), ("int64", (1, 3)))
    (node,) = sections(load(saved("middle", rng, tmp_path)))
    assert (node.attrs.taken, node.attrs.given) == ((("int8", (1, 6, 5, 4)),),) * 2
    assert [why for op, _, why in node.attrs.parts] == [
        "the chip has no operator LpNormalization", "", ""]
    (node,) = sections(load(saved("results", rng, tmp_path)))
    assert node.attrs.given == (("int8", (1, 6, 5, 16)),) * 2


def test_blocks_of_pixels_before_the_host(rng, tmp_path):
    """The chip makes the pixels, the host does what is left: no product moves there."""
    graph = load(saved("blocks", rng, tmp_path))
    assert {part[0] for node in sections(graph) for part in node.attrs.parts} == {
        "Transpose", "Reshape", "Sin"}
    assert sum(node.op == "DepthToSpace" for node in graph.nodes) == 2


def test_samples_together(rng, tmp_path):
    """A section takes one sample; many run one by one."""
    graph = load(saved("ends", rng, tmp_path))
    samples = [random_inputs(graph, rng)["x"] for _ in range(3)]
    together = executor.run(graph, {"x": np.concatenate(samples)}, external=run_external)
    for number, sample in enumerate(samples):
        alone = executor.run(graph, {"x": sample}, external=run_external)
        assert all(np.array_equal(together[name][number:number + 1], alone[name])
                   for name in alone)
    with pytest.raises(ValueError, match="run outside"):
        executor.run(graph, {"x": samples[0]})


def test_floats_without_scales_stay_on_the_host(rng, tmp_path):
    """A convolution whose result no QuantizeLinear follows, read by an operator of the host."""
    build = OnnxBuilder()
    data = host_networks.conv(build, build.pair(build.input([1, 3, 8, 7]), 0.03), rng, (4, 3))
    kernel = build.weights(rng.integers(-9, 10, (4, 4, 1, 1)).astype(np.int8), 0.02)
    data = build.node("Relu", build.node("Conv", data, kernel))
    build.output(build.node("Sin", data))
    graph = check(build.save(tmp_path / "m.onnx")).graph
    (node,) = sections(graph)
    reasons = {op: why for op, _, why in node.attrs.parts}
    assert "stays float: read by" in reasons["Conv"] and "stays float" in reasons["Relu"]
    assert node.attrs.macs == 4 * 4 * 6 * 5
    program = compile_graph(graph, preset("tiny"))
    placement = Placement.of(program)
    first = 4 * 3 * 9 * 6 * 5
    assert placement.share == first / (first + node.attrs.macs)


def test_integers_of_others(tmp_path):
    """An input that only the host reads, of a type that the chip hasn't."""
    build = OnnxBuilder()
    codes = build.quantize(build.input([1, 2, 4, 4]), 0.1)
    build.input([2], onnx.TensorProto.INT64, "which")
    data = build.node("DequantizeLinear", codes, *build.parameters(0.1, 0, np.int8))
    build.output(build.node("Gather", data, "which", axis=1))
    graph = load(build.save(tmp_path / "m.onnx"))
    assert graph.tensors["which"].dtype == "int64"
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4) / 10
    found = executor.run(graph, {"x": x, "which": np.array([1, 0])}, external=run_external)
    assert np.allclose(found[graph.outputs[0]], x[:, ::-1], atol=0.051)


# Graphs at random.


def random_graph(rng):
    """Nodes in order, some of them the host's."""
    nodes, count = [], int(rng.integers(2, 25))
    for index in range(count):
        inputs = {f"t{source}" for source in rng.integers(max(0, index - 6), max(index, 1),
                                                          int(rng.integers(1, 3)))}
        names = sorted(inputs) if index else ["x"]
        kind = rng.choice(["Conv", "Reshape", "QuantizeLinear", "DequantizeLinear", "Softmax"])
        nodes.append(helper.make_node(str(kind), names, [f"t{index}"]))
    return nodes, {int(index): "why" for index in rng.integers(0, count, int(rng.integers(1, 8)))}


def test_no_path_leaves_a_section_and_returns():
    """Sections at random: in order, none in a cycle, all of the host's in one, none needless."""
    joins = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        nodes, chosen = random_graph(rng)
        host = joined(nodes, chosen, set(), {f"t{len(nodes) - 1}"})
        assert all(host[index] == why for index, why in chosen.items())
        joins += len(host) - len(chosen)
        found = units(nodes, host.keys(), set())
        assert sorted(index for unit in found for index in unit.nodes) == list(range(len(nodes)))
        known = {"x"}
        for unit in found:
            made = {f"t{index}" for index in unit.nodes}
            assert unit.host == (unit.nodes[0] in host) and (unit.host or len(unit.nodes) == 1)
            for index in unit.nodes:
                assert set(nodes[index].input) <= known | made, seed
            known |= made
        # Of two sections that touch, the later one also waits for another unit behind the first.
        by_node = {index: number for number, unit in enumerate(found) for index in unit.nodes}
        reads = [{by_node[int(name[1:])] for index in unit.nodes for name in nodes[index].input
                  if name != "x"} - {number} for number, unit in enumerate(found)]
        behind = []  # what each unit waits for, itself among it
        for number, sources in enumerate(reads):
            behind.append({number}.union(*(behind[source] for source in sources)))
            for source in sources:
                if found[number].host and found[source].host:
                    assert any(source in behind[other] for other in sources - {source}), seed
    assert joins > 100


# The program and its file.


def test_program_file(rng, tmp_path):
    graph, config = load(saved("ends", rng, tmp_path)), preset("tiny")
    program = compile_graph(graph, config)
    again = Program.from_bytes(program.to_bytes())
    assert again == program and again.to_bytes() == program.to_bytes()
    steps = [step for step in again.steps if isinstance(step, HostStep) and step.blobs]
    assert [step.blobs["model"] for step in steps] == [node.attrs.model for node in sections(graph)]
    inputs = random_inputs(graph, rng)
    found = open_engine("machine", config, again).run(inputs).outputs
    wanted = executor.run(graph, inputs, external=run_external)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_damaged_section(rng, tmp_path):
    """A model in a program that ONNX Runtime refuses, and inputs or outputs that are others."""
    config = preset("tiny")
    program = compile_graph(load(saved("middle", rng, tmp_path)), config)
    step = next(step for step in program.steps if isinstance(step, HostStep) and step.blobs)
    model = step.blobs["model"]
    step.blobs["model"] = model[:100]
    x = np.zeros((1, 3, 8, 7), np.float32)
    with pytest.raises(ModelError):
        open_engine("machine", config, program).run({"x": x})
    step.blobs["model"] = 5
    with pytest.raises(ProgramError, match=r"blobs\.model"):
        program.to_bytes()
    step.blobs["model"] = model
    step.attrs["given"] = [["int8", [1, 6, 5, 5]]]
    with pytest.raises(ModelError, match="expected is"):
        open_engine("machine", config, program).run({"x": x})


# What users see.


def test_placement(rng, tmp_path, capsys):
    path, file = saved("middle", rng, tmp_path), str(tmp_path / "x.sentei")
    program = compile_graph(load(path), preset("tiny"))
    placement = Placement.of(program, host_seconds(program))
    by_name = {place.names[0]: place for place in placement.places}
    inner = by_name["lpnormalization6_host"]
    assert (inner.unit, inner.between, inner.bytes) == ("host", True, 2 * 6 * 5 * 4)
    assert inner.why == ("LpNormalization lpnormalization6: the chip has no operator "
                         "LpNormalization")
    assert inner.seconds > 0
    assert not by_name["input_quantize"].between and by_name["input_quantize"].bytes == 0
    assert sum(place.bytes for place in placement.places) == 3 * 8 * 7 + inner.bytes + 5 * 4 * 3
    assert placement.share == 1 and placement.between == ["lpnormalization6_host"]
    assert main(["compile", str(path), "--preset", "tiny", "-o", file]) == 0
    text = capsys.readouterr().out
    assert "conv3 and 1 more" in text and "the chip has no operator" in " ".join(text.split())
    assert ("warning: the chip waits for the host in the middle of its work: "
            "lpnormalization6_host") in text
    assert main(["compile", str(path), "--preset", "tiny", "-o", file, "--placement"]) == 0
    text = capsys.readouterr().out
    assert "and 1 more" not in text and "conv10" in text
    assert main(["compile", str(path), "--preset", "tiny", "-o", file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["placement"]
    assert told["between"] == ["lpnormalization6_host"] and told["share_of_macs_on_chip"] == 1
    assert [place["unit"] for place in told["places"]].count("array") == 2


def test_reasons_of_sections_are_grouped(capsys):
    """Those that differ in names and sizes only are one, without what would be accepted; a network
    that the host multiplies for is warned of."""
    row = {"name": "s", "operator": "External", "unit": "host", "macs": 0, "host_macs": 7,
           "why": "all", "parts": [
               *(("Concat", f"node {at} (Concat 'c{at}')",
                  f"read by node {at + 1} (Add 'a{at}'); accepted is none") for at in range(5)),
               ("Mul", "node 9 (Mul 'm')", "no constant"), ("Relu", "node 10 (Relu 'r')", "")]}
    placement = Placement.of(Program(
        network="n", config={}, digest=0, constants=b"", regions={}, inputs=[], outputs=[],
        steps=[], layers=[row, {**row, "name": "t"}]))
    print_placement(placement)
    text = capsys.readouterr().out
    assert "s and 1 more is on the host:\n" in text and "2 reasons, below" in text
    assert "\n  Concat c0, Concat c1, Concat c2 and 7 more: read by node 1 (Add 'a0')\n" in text
    assert "\n  Mul m, Mul m: no constant\n" in text and "accepted" not in text
    assert "warning: nothing is multiplied on the chip" in text and "0.00% of 14 MACs" in text


def test_ends_are_no_reason_to_warn(rng, tmp_path):
    program = compile_graph(load(saved("ends", rng, tmp_path)), preset("tiny"))
    placement = Placement.of(program)
    assert not placement.between and len(placement.summary()) == 1
    first, *_, last = placement.places
    assert (first.unit, last.unit) == ("host", "host")
    assert first.bytes == 3 * 8 * 7 and last.bytes == 6 * 4 * 3


def test_commands(rng, tmp_path, capsys):
    """Checked, reported, inspected and run from its file."""
    path, file = saved("ends", rng, tmp_path), str(tmp_path / "x.sentei")
    sample = tmp_path / "x.npy"
    np.save(sample, rng.standard_normal((1, 3, 8, 7)).astype(np.float32))
    chip = ["--preset", "tiny"]
    for engine in ("golden", "machine"):
        assert main(["run", str(path), *chip, "--engine", engine, "--input", str(sample),
                     "--check"]) == 0
        assert "1 of 1 samples exact" in capsys.readouterr().out
    page = tmp_path / "x.html"
    assert main(["report", str(path), *chip, "--input", str(sample), "-o", str(page)]) == 0
    assert "on the chip; for the host's" in capsys.readouterr().out
    assert "On the host" in page.read_text() and "TopK topk15: the chip has no" in page.read_text()
    assert main(["compile", str(path), *chip, "-o", file]) == 0
    assert main(["inspect", file, "--json"]) == 0
    capsys.readouterr()
    assert main(["inspect", file]) == 0
    text = capsys.readouterr().out
    assert "host, External" in text and "{" not in text and "parts" not in text
    assert "\n  TopK topk15: the chip has no operator TopK\n" in text
    assert main(["run", file, *chip, "--input", str(sample)]) == 0


# Refusals.


def refused(path, *words):
    with pytest.raises(ModelError) as caught:
        import_model(path)
    for word in (str(path), *words):
        assert word in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("domain", "op"), [("com.microsoft", "Nonsense"), ("mine", "Sin")])
def test_operators_nobody_has(domain, op, tmp_path):
    build = OnnxBuilder()
    data = build.pair(build.input([1, 3, 4, 4]), 0.03)
    found = build.node(op, data, domain=domain)
    build.output(build.node("Cos", found))
    refused(build.save(tmp_path / "m.onnx"), "ONNX Runtime can't run what the chip can't",
            f"node 2 ({op}", op)


def test_sizes_that_depend_on_data(tmp_path):
    build = OnnxBuilder()
    data = build.pair(build.input([1, 3, 4, 4]), 0.03)
    build.output(build.node("NonZero", data), onnx.TensorProto.INT64, 2)
    refused(build.save(tmp_path / "m.onnx"), "node 2 (NonZero", "known only when it runs",
            "fixed sizes")


def test_types_nobody_passes_on(tmp_path):
    build = OnnxBuilder(21)
    data = build.pair(build.input([1, 3, 4, 4]), 0.03)
    build.output(build.node("Cast", data, to=onnx.TensorProto.BFLOAT16),
                 onnx.TensorProto.BFLOAT16)
    refused(build.save(tmp_path / "m.onnx"), "node 2 (Cast", "bfloat16", "accepted are")


def test_outputs_that_are_inputs_or_each_other(rng, tmp_path):
    """Each is a tensor of its own."""
    build = OnnxBuilder()
    data = build.input([1, 3, 4, 4])
    found = build.node("Softmax", host_networks.conv(build, build.pair(data, 0.03), rng, (4, 3)))
    for name in (found, build.node("Identity", data), build.node("Identity", found)):
        build.output(name)
    assert len(check(build.save(tmp_path / "m.onnx")).graph.outputs) == 3


def test_the_newest_opset(tmp_path):
    """ONNX's may be newer than ONNX Runtime's: the host's part is said in an older one."""
    build = OnnxBuilder(onnx.defs.onnx_opset_version())
    found = build.node("LpNormalization", build.pair(build.input([1, 3, 4, 4]), 0.03), axis=1)
    build.output(build.pair(found, 0.01))
    check(build.save(tmp_path / "m.onnx"))


def test_parameters_that_the_host_computes(rng, tmp_path):
    """A scale computed in the section that reads it."""
    build = OnnxBuilder()
    data = host_networks.conv(build, build.pair(build.input([1, 3, 4, 4]), 0.03), rng, (4, 3))
    most = build.node("ReduceMax", build.node("Sin", data), keepdims=0)
    scale = build.node("Div", build.node("Abs", most), build.constant(np.float32(127)))
    zero = build.constant(np.int8(0))
    codes = build.node("QuantizeLinear", build.node("Sin", data), scale, zero)
    build.output(build.node("DequantizeLinear", codes, scale, zero))
    load(build.save(tmp_path / "m.onnx"))
