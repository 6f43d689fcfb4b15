"""TensorFlow Lite Micro's example networks."""

from pathlib import Path

import numpy as np
import pytest

from golden.executor import run
from golden.spec.config import preset
from golden.spec.program import ChipStep
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.machine import MachineTransport
from sw.errors import ModelError
from sw.frontend.tflite import load

FOLDER = Path(__file__).parents[1] / "data" / "tflite"


@pytest.mark.parametrize(("name", "scores"), [("person", (-113, 113)), ("no_person", (77, -77))])
def test_person_detection(name, scores):
    """LiteRT refuses this file; the scores are TensorFlow Lite Micro's for its own pictures."""
    graph = load(FOLDER / "person_detect.tflite")
    raw = (FOLDER / f"{name}.bmp").read_bytes()
    pixels = np.frombuffer(raw[int.from_bytes(raw[10:14], "little"):], np.uint8)
    # Rows come from the bottom up; one of the pictures holds int8, the other uint8.
    rows = pixels.reshape(96, 96)[::-1] if int.from_bytes(
        raw[22:26], "little", signed=True) > 0 else pixels.reshape(96, 96)
    data = rows.view(np.int8) if name == "person" else (rows ^ 128).view(np.int8)
    (found,) = run(graph, {graph.inputs[0]: data.reshape(1, 96, 96, 1)}).values()
    assert tuple(found.ravel().tolist()) == scores


@pytest.mark.parametrize("name", ["micro_speech_quantized", "hello_world_int8"])
def test_bytes_are_litert_s(name):
    pytest.importorskip("ai_edge_litert")
    from sw.reference import run_litert
    graph = load(FOLDER / f"{name}.tflite")
    shape = graph.tensors[graph.inputs[0]].shape
    x = np.random.default_rng(0).integers(-128, 128, (16, *shape[1:])).astype(np.int8)
    expected = run_litert(FOLDER / f"{name}.tflite", [x])[0]
    assert np.array_equal(run(graph, {graph.inputs[0]: x})[graph.outputs[0]], expected)
    config = preset("base")
    device = Device(MachineTransport(config, memory_bytes=1 << 22))
    program = compile_graph(graph, config)
    assert any(isinstance(step, ChipStep) for step in program.steps)
    device.load(program)
    found = device.run({graph.inputs[0]: x[:1]}).outputs[graph.outputs[0]]
    assert np.array_equal(found, expected[:1])


def test_recurrent_layers_are_refused_by_name():
    with pytest.raises(ModelError, match=r"operator 0 \(UNIDIRECTIONAL_SEQUENCE_LSTM\) is not "
                                         r"supported; supported are ADD"):
        load(FOLDER / "trained_lstm_int8.tflite")
