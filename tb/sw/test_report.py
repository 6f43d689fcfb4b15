"""Figures, answers, tables, page and disassembly of runs and programs."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from golden.spec.config import preset
from golden.spec.isa import Unit
from golden.spec.program import Program
from golden.spec.registers import COUNTERS
from sw.driver.device import Device, LogRecord, RunResult
from sw.driver.result import Occupied
from sw.engines.machine import MachineTransport
from sw.errors import InputError
from sw.inputs import TensorSpec
from sw.report.answers import Answer, Reader, read_labels
from sw.report.disassembly import disassemble
from sw.report.figures import STALLS, intervals, layer_figures
from sw.report.page import page
from sw.report.summary import SampleResult, Summary
from sw.report.tables import print_summary
from sw.report.timeline import Span, TimeLine
from sw.report.traffic import Traffic
from sw.session import compiled, open_model
from sw.zoo import NETWORKS

CONFIG = preset("base")
LAYERS = [
    {"tag": 0, "name": "first", "operator": "Conv2D", "unit": "mac", "macs": 9000,
     "macs_skipped": 1000, "ideal_cycles": 70},
    {"tag": 1, "name": "second <b>", "operator": "FullyConnected", "unit": "mac", "macs": 4000,
     "macs_skipped": 0, "ideal_cycles": 40},
    {"tag": 2, "name": "last", "operator": "Softmax", "unit": "host", "macs": 0,
     "ideal_cycles": 0},
]


def counters(**values):
    return {counter.name: values.get(counter.name, 0) for counter in COUNTERS}


OCCUPIED = [Occupied(Unit.LOAD, 0, 2, 9), Occupied(Unit.LOAD, 0, 5, 12),
            Occupied(Unit.MAC, 0, 12, 50), Occupied(Unit.LOAD, 1, 60, 70),
            Occupied(Unit.MAC, 1, 40, 110), Occupied(Unit.MAC, 0, 120, 140),
            Occupied(Unit.STORE, 1, 111, 118)]


def result():
    """Two layers, the first in two strips, then ten cycles to the end."""
    steps = [(0, counters(cycles=50, row_columns=320, mac_busy=40, mac_wait_weights=10,
                          beats_read=20, load_busy=30)),
             (1, counters(cycles=60, row_columns=240, mac_busy=30, mac_wait_words=30,
                          beats_read=5, beats_written=1)),
             (0, counters(cycles=30, row_columns=240, mac_busy=30))]
    total = counters()
    log = []
    for tag, delta in steps:
        total = {name: total[name] + delta[name] for name in total}
        log.append(LogRecord(tag, "", 0, dict(total), delta, 0, 0))
    total["cycles"] += 10
    total["mac_idle"] += 10
    return RunResult({}, total["cycles"], total, log, [("last", 0.002)], OCCUPIED)


def summary():
    run = result()
    spans = intervals(run)
    layers = layer_figures(CONFIG, LAYERS, spans, run.host_seconds)
    sample = SampleResult("a & b.png", Answer("person (97.7%)", 1, "person", 0.977, None, True),
                          run.cycles, 0.1, 0, 2)
    program = Program(network="net", config={}, digest=0, constants=b"", regions={}, inputs=[],
                      outputs=[], steps=[], layers=LAYERS)
    line = TimeLine.of(program, "machine", run.cycles, run.occupied)
    return Summary("net", "machine", CONFIG, [sample], layers, run.counters, timeline=line)


def test_intervals_cover_the_run():
    spans = intervals(result())
    assert [(span.tag, span.start, span.end) for span in spans] == [
        (0, 0, 50), (1, 50, 110), (0, 110, 150)]
    assert intervals(RunResult()) == []


def test_kernels_beside_take_no_interval():
    """What lies before a record of theirs is the next layer's, unless nothing follows."""
    spans = intervals(result(), {1})
    assert [(span.tag, span.start, span.end) for span in spans] == [(0, 0, 50), (0, 50, 150)]
    assert spans[1].counters["row_columns"] == 480 and spans[1].counters["mac_idle"] == 10
    spans = intervals(result(), {0})
    assert [(span.tag, span.start, span.end) for span in spans] == [(1, 0, 110), (0, 110, 150)]


def test_time_line():
    """Spans of a lane follow one another; neighbours of one layer are one."""
    line = summary().timeline
    assert line.lanes == {
        "load": [Span(2, 12, "first"), Span(60, 70, "second <b>")],
        "array": [Span(12, 50, "first"), Span(50, 110, "second <b>"), Span(120, 140, "first")],
        "drp": [], "store": [Span(111, 118, "second <b>")]}
    assert line.busy("array") == 118 and line.busy("array", "first") == 58
    data = json.loads(json.dumps(line.json()))
    assert data["cycles"] == 150 and list(data["lanes"]) == ["load", "array", "store"]
    assert data["lanes"]["store"] == [
        {"start": 111, "end": 118, "layer": "second <b>", "kernel": ""}]


def test_layers_add_up():
    rows = {row.name: row for row in summary().layers}
    first, second, last = rows["first"], rows["second <b>"], rows["last"]
    assert (first.cycles, second.cycles, last.cycles) == (90, 60, 0)
    assert first.macs == 560 * 16 and first.macs_skipped == 1000
    assert first.bytes_read == 20 * 16 and second.bytes_written == 16
    assert first.stalls == {**dict.fromkeys(STALLS, 0), "weights": 10, "idle": 10}
    for row in (first, second, last):
        assert row.issued + sum(row.stalls.values()) == row.cycles
    assert first.waited_for == "weights 10" and second.waited_for == "words 30"
    assert last.seconds == 0.002 and last.utilization(CONFIG) is None
    assert first.utilization(CONFIG) == pytest.approx(560 * 16 / (128 * 90))


def test_json_has_the_promised_fields():
    data = json.loads(json.dumps(summary().json()))
    for name in ("network", "preset", "engine", "digest", "samples", "correct", "mismatches",
                 "cycles", "ideal_cycles", "utilization", "effective_macs_per_cycle", "clock_mhz",
                 "inferences_per_second", "bytes_read", "bytes_written", "layers"):
        assert name in data
    for name in ("name", "operator", "unit", "cycles", "ideal_cycles", "macs", "macs_skipped",
                 "bytes_read", "bytes_written", "issued", "stalls"):
        assert all(name in layer for layer in data["layers"])
    assert data["cycles"] == sum(layer["cycles"] for layer in data["layers"]) == 150
    assert data["ideal_cycles"] == 110 and data["samples"] == 1 and data["correct"] == 1
    assert data["mismatches"] == 0 and data["bytes_read"] == 25 * 16
    assert data["utilization"] == pytest.approx(800 * 16 / (128 * 150))
    assert data["effective_macs_per_cycle"] == pytest.approx(13000 / 150)
    assert data["inferences_per_second"] == pytest.approx(100e6 / 150)
    assert data["digest"] == f"0x{CONFIG.digest():08x}"


@pytest.mark.parametrize("words", [1024, 64])
def test_traffic_is_what_the_counters_say(words):
    """By kind, in whole beats; a small scratchpad makes layers take turns."""
    config = preset("base", bank_words=words)
    program = compiled(open_model("vww"), config)
    found = Traffic.of(program)
    device = Device(MachineTransport(config))
    device.load(program)
    run = device.run({item.name: np.zeros(item.shape, item.dtype) for item in program.inputs})
    group = config.group
    read = found.feature_maps_read + found.weights + found.program
    written = found.feature_maps_written + found.log
    # Runs that begin or end within a beat take it whole.
    assert read <= run.counters["beats_read"] * group <= 1.02 * read
    assert written <= run.counters["beats_written"] * group <= 1.1 * written
    assert bool(found.chains) == (words == 64)
    assert all(chain.saved > 0 and len(chain.layers) > 1 for chain in found.chains)


def test_golden_has_no_cycles():
    run = Summary("net", "golden", CONFIG, [SampleResult("a", Answer("x"), None, 0.1)])
    data = run.json()
    assert data["cycles"] is data["utilization"] is data["mismatches"] is data["correct"] is None


def test_table(capsys):
    print_summary(summary())
    text = capsys.readouterr().out
    for part in ("first", "second <b>", "weights 10", "2.00 ms on the host", "150 cycles",
                 "110 ideal", "inferences/s at 100 MHz", "a & b.png: person (97.7%)",
                 "1 of 1 right", "2 of 2 output bytes equal"):
        assert part in text


def test_page_is_self_contained_and_well_formed():
    text = page(summary())
    assert text.count("<svg") == 3
    for content in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(content)
    assert "second &lt;b&gt;" in text and "second <b>" not in text
    assert not re.search(r"(src|href)=[\"']?https?:", text) and "<script" not in text
    assert page(summary()) == text  # the same run gives the same page


def test_answers_of_classes():
    inputs = [TensorSpec("x", (1, 4), np.dtype("int8"), 1.0, 0)]
    outputs = [TensorSpec("y", (1, 3), np.dtype("int8"), 1 / 256, -128)]
    values = {"y": np.array([[-128, 64, -64]], np.int8)}
    plain = Reader(inputs, outputs).read({}, values)
    assert (plain.index, plain.label, plain.confidence) == (1, None, 0.75)
    assert plain.text == "class 1 (75.0%)" and plain.right is None
    named = Reader(inputs, outputs, labels=("a", "b", "c"))
    assert named.read({}, values, 1).right is True
    wrong = named.read({}, values, 2)
    assert wrong.right is False and wrong.text == "b (75.0%), wrong: it is c"
    with pytest.raises(InputError, match="--labels has 2 names"):
        Reader(inputs, outputs, labels=("a", "b"))


def test_answers_of_other_outputs():
    inputs = [TensorSpec("x", (1, 4), np.dtype("int8"), 0.5, 1)]
    outputs = [TensorSpec("y", (1, 4), np.dtype("int8"), 0.25, 0)]
    values = {"y": np.array([[0, 4, 0, 4]], np.int8)}
    assert Reader(inputs, outputs).read({}, values).text == "y int8[1, 4]: 0 to 4"
    error = Reader(inputs, outputs, NETWORKS["autoencoder"]).read(
        {"x": np.array([[1, 1, 1, 1]], np.int8)}, values)
    assert error.score == pytest.approx(0.5)


def test_labels(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("cat\ndog\n\n")
    assert read_labels(path) == ("cat", "dog")
    for content in (b"", b"\n", b"\xff\xfe\x80"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="accepted is one class name a line"):
            read_labels(path)
    with pytest.raises(InputError, match="No such file"):
        read_labels(tmp_path / "none")


def test_disassembly_of_a_real_program():
    program = compiled(open_model("dscnn"), CONFIG)
    lines = [line for step in program.steps if hasattr(step, "offset")
             for line in disassemble(program, step)]
    names = [line.opcode.name for line in lines]
    assert names[-1] == "END" and {"LOAD", "MAC", "STORE", "LOG"} <= set(names)
    assert all(str(line).startswith(f"{line.address:08x}  {line.opcode.name}") for line in lines)
    mac = next(line for line in lines if line.opcode.name == "MAC")
    assert mac.operands["post_mode"] in ("PLAIN", "TABLE", "ADD")
    assert mac.waits and mac.json()["layer"] == program.layers[0]["name"]
