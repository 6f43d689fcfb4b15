"""The bundled networks, every layer, against LiteRT's reference kernels."""

import numpy as np
import pytest

from golden.executor import run
from sw.frontend.tflite import load
from sw.reference import trace_litert
from tb.lib.record_networks import MODELS, RECORD, checksums, inputs


@pytest.mark.parametrize("name", MODELS)
def test_recorded(name):
    """Needs no LiteRT: its outputs and the checksums of all its layers are on record."""
    graph = load(MODELS[name])
    with np.load(RECORD) as record:
        data, outputs, crc = (record[f"{name}/{key}"] for key in ("inputs", "outputs", "crc"))
    tensors = run(graph, {graph.inputs[0]: data}, keep_all=True)
    assert np.array_equal(tensors[graph.outputs[0]], outputs)
    wrong = checksums(tensors, [node.outputs[0] for node in graph.nodes]) != crc
    assert not wrong.any(), [str(node) for node, bad in zip(graph.nodes, wrong, strict=True) if bad]


@pytest.mark.parametrize("name", MODELS)
def test_live(name):
    """Other inputs than the recorded ones, on the LiteRT installed here."""
    pytest.importorskip("ai_edge_litert")
    graph = load(MODELS[name])
    data = inputs(name, random=3, real=9)
    expected = trace_litert(MODELS[name], [data])
    tensors = run(graph, {graph.inputs[0]: data}, keep_all=True)
    for node in graph.nodes:
        (output,) = node.outputs
        assert np.array_equal(tensors[output], expected[output]), node


def test_samples_do_not_meet():
    """Many samples at once give what each gives alone."""
    graph = load(MODELS["resnet8"])
    data = inputs("resnet8", random=11, real=0)
    together = run(graph, {graph.inputs[0]: data})
    for index, sample in enumerate(data):
        alone = run(graph, {graph.inputs[0]: sample[np.newaxis]})
        for name in graph.outputs:
            assert np.array_equal(alone[name][0], together[name][index]), index
