"""Real numbers in and out: the definitions, bit for bit, and what graphs refuse."""

import numpy as np
import pytest

from golden.attributes import GraphError
from golden.edges import DequantizeLinear, FloatSoftmax, QuantizeLinear, Transpose
from golden.executor import run
from golden.graph import Graph, Node, Tensor
from golden.ops.edges import dequantize_linear, float_softmax, quantize_linear


def test_quantize_rounds_halves_to_even():
    x = np.array([0.25, 0.75, 1.25, -0.25, -0.75, 1e9, -1e9, np.inf, -np.inf, np.nan], np.float32)
    found = quantize_linear(x, QuantizeLinear(scale=0.5, zero=3))
    assert found.tolist() == [3, 5, 5, 3, 1, 127, -128, 127, -128, 3]
    assert quantize_linear(x, QuantizeLinear(scale=0.5, zero=3, least=3, most=4)).max() == 4


def test_dequantize_inverts():
    x = np.arange(-128, 128, dtype=np.int8)
    attrs = {"scale": 0.037, "zero": -11}
    real = dequantize_linear(x, DequantizeLinear(**attrs))
    assert real.dtype == np.float32
    assert np.array_equal(quantize_linear(real, QuantizeLinear(**attrs)), x)


def test_softmax_of_large_values():
    x = np.array([[1000, 1000, 0]], np.float32)
    found = float_softmax(x, FloatSoftmax(axis=1))
    assert found.dtype == np.float32 and found.tolist() == [[0.5, 0.5, 0.0]]


def graph_of(attrs, shape, output, dtypes=("int8", "int8")):
    graph = Graph("g", inputs=("x",), outputs=("y",))
    graph.add(Tensor("x", shape, dtypes[0]))
    graph.add(Tensor("y", output, dtypes[1]))
    graph.nodes.append(Node("n", ("x",), ("y",), attrs))
    return graph


@pytest.mark.parametrize("samples", [1, 5])
def test_transpose(samples):
    graph = graph_of(Transpose(perm=(0, 2, 3, 1)), (1, 2, 3, 4), (1, 3, 4, 2))
    graph.validate()
    x = np.arange(24 * samples, dtype=np.int8).reshape(samples, 2, 3, 4)
    assert np.array_equal(run(graph, {"x": x})["y"], x.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(("attrs", "shape", "words"), [
    (Transpose(perm=(1, 0)), (2, 3), "perm"), (Transpose(perm=(0, 1)), (2, 3, 4), "perm"),
    (FloatSoftmax(axis=2), (2, 3), "axis 2"), (QuantizeLinear(scale=0.0, zero=0), (2,), "scale"),
    (DequantizeLinear(scale=1.0, zero=128), (2,), "zero 128")])
def test_refusals(attrs, shape, words):
    with pytest.raises(GraphError, match=words):
        graph_of(attrs, shape, shape, attrs.types()).validate()


def test_types_are_held():
    graph = graph_of(QuantizeLinear(scale=1.0, zero=0), (2,), (2,))
    with pytest.raises(GraphError, match="'x' is int8, must be float32"):
        graph.validate()
