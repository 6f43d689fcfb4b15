"""MLPerf Tiny's networks as ONNX: against ONNX Runtime node by node, on the chip, on the RTL."""

from pathlib import Path

import numpy as np
import pytest

from golden import executor
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.frontend.onnx import import_model
from sw.reference_onnx import OnnxReference, node_differences, summed
from sw.session import open_engine, open_model

pytest.importorskip("onnxruntime")
FOLDER = Path(__file__).parents[1] / "data" / "onnx"
FILES = {"resnet8": "resnet8_qdq", "dscnn": "kws_qdq", "vww": "mobilenet_v1_qdq",
         "autoencoder": "deep_autoencoder_qdq"}
# Convolutions, products and so on that the chip runs, none of them reshaped by the host.
HOST = {"resnet8": ["QuantizeLinear", "DequantizeLinear", "FloatSoftmax"],
        "dscnn": ["QuantizeLinear", "DequantizeLinear", "FloatSoftmax"],
        "vww": ["QuantizeLinear", "Transpose", "DequantizeLinear", "FloatSoftmax"],
        "autoencoder": ["QuantizeLinear", "DequantizeLinear"]}
SAMPLES = 12
# Of all 8-bit values, how many may be 1 off; measured: 3e-6 at most.
SHARE = 2e-5


def samples(name, shape):
    """The bundled samples as the ONNX network's float32 input."""
    zoo = open_model(name)
    (spec,) = zoo.inputs
    found = zoo.network.samples(SAMPLES, spec)
    for sample in found:
        codes = sample.inputs[spec.name]
        real = spec.dequantize(codes)
        if name == "resnet8":  # pixels as they are
            real = codes + 128.0
        if name == "vww":  # to rows of red, green, blue
            real = ((codes + 128.0) / 255).transpose(0, 3, 1, 2)
        yield real.astype(np.float32).reshape(shape)


@pytest.mark.parametrize("name", FILES)
def test_nodes_and_answers(name):
    path = FOLDER / f"{FILES[name]}.onnx"
    imported = import_model(path)
    graph = imported.graph
    runtime = OnnxReference(path, keep_all=True)
    (given,), (asked,) = graph.inputs, graph.outputs
    found, agree = [], 0
    for data in samples(name, graph.tensors[given].shape):
        trace = runtime.run({given: data})
        found += node_differences(imported, {given: data}, trace)
        answer = executor.run(graph, {given: data})[asked]
        agree += int(answer.argmax() == trace[asked].argmax())
        assert answer.dtype == np.float32 and answer.shape == trace[asked].shape
    largest, different, compared = summed(found)
    assert agree == SAMPLES
    assert largest <= 1 and different <= SHARE * compared, (largest, different, compared)
    weighted = sum(node.op in ("Conv2D", "DepthwiseConv2D", "FullyConnected")
                   for node in graph.nodes)
    assert compared and len(found) >= SAMPLES * weighted


@pytest.mark.parametrize("name", FILES)
def test_machine(name):
    graph = import_model(FOLDER / f"{FILES[name]}.onnx").graph
    config = preset("base")
    program = compile_graph(graph, config)
    assert [row["operator"] for row in program.layers if row["unit"] == "host"] == HOST[name]
    (given,) = graph.inputs
    data = next(samples(name, graph.tensors[given].shape))
    found = open_engine("machine", config, program).run({given: data})
    for output, wanted in executor.run(graph, {given: data}).items():
        assert np.array_equal(found.outputs[output], wanted)


def test_rtl():
    """Keyword spotting on the Verilog."""
    graph = import_model(FOLDER / "kws_qdq.onnx").graph
    config = preset("base")
    (given,) = graph.inputs
    engine = open_engine("rtl", config, compile_graph(graph, config))
    try:
        for data in list(samples("dscnn", graph.tensors[given].shape))[:2]:
            found = engine.run({given: data})
            for output, wanted in executor.run(graph, {given: data}).items():
                assert np.array_equal(found.outputs[output], wanted)
            assert found.cycles < 28_000
    finally:
        engine.close()
