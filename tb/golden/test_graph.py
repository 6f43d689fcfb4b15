"""Graph checks: what is wrong is refused by name."""

import dataclasses

import numpy as np
import pytest

from golden.graph import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Graph,
    GraphError,
    MaxPool,
    Mean,
    Node,
    Pad,
    Quant,
    Reshape,
    Softmax,
    Tensor,
)
from golden.spec.numerics import IDENTITY

CLAMP = Clamp(input_zero=0, scale=IDENTITY, output_zero=0)


def lanes(channels, **settings):
    values = {key: np.zeros(channels, np.int32) for key in ("bias", "multiplier", "pre", "post")}
    return {**values, "input_zero": 0, "output_zero": 0, **settings}


def conv(kernel=(4, 3, 3, 2), window=(3, 3), channels=4, **settings):
    return Conv2D(kernel=np.zeros(kernel, np.int8), window=window, **lanes(channels, **settings))


def chain():
    """x -> a -> b."""
    graph = Graph("chain", inputs=("x",), outputs=("b",))
    for name in "xab":
        graph.add(Tensor(name, (1, 4), quant=Quant(0.5, 3)))
    graph.nodes = [Node("first", ("x",), ("a",), CLAMP), Node("second", ("a",), ("b",), CLAMP)]
    return graph


def test_a_good_graph():
    graph = chain()
    graph.validate()
    assert graph.producer("a").name == "first" and graph.producer("x") is None
    assert [node.name for node in graph.consumers("a")] == ["second"]
    assert str(graph).splitlines() == [
        "graph chain: 2 nodes", "  input x: int8[1, 4] scale 0.5 zero 3",
        "  first = Clamp(x): int8[1, 4] scale 0.5 zero 3",
        "  second = Clamp(first): int8[1, 4] scale 0.5 zero 3", "  output second"]
    assert graph.nodes[0].op == "Clamp"


def wrong(change):
    graph = chain()
    change(graph)
    with pytest.raises(GraphError) as caught:
        graph.validate()
    return str(caught.value)


def test_order_and_names():
    assert "'second' reads 'a' before" in wrong(lambda g: g.nodes.reverse())
    assert "input 'y'" in wrong(lambda g: setattr(g, "inputs", ("x", "y")))
    assert "input 'x'" in wrong(lambda g: setattr(g, "inputs", ("x", "x")))
    assert "output 'c' is never written" in wrong(lambda g: setattr(g, "outputs", ("c",)))
    assert "written twice" in wrong(lambda g: g.nodes.append(Node("n", ("x",), ("b",), CLAMP)))
    assert "'n' writes 'q'" in wrong(lambda g: g.nodes.append(Node("n", ("x",), ("q",), CLAMP)))
    assert "filed under" in wrong(lambda g: g.tensors.update(a=g.tensors["b"]))
    assert "2 tensors" in wrong(lambda g: g.nodes.__setitem__(
        0, Node("first", ("x",), ("a", "b"), CLAMP)))
    for attrs in (CLAMP, conv(), Reshape(to=(1, 4))):
        assert "can't take 2 inputs" in wrong(lambda g, attrs=attrs: g.nodes.__setitem__(
            1, Node("second", ("x", "a"), ("b",), attrs)))
    with pytest.raises(GraphError, match="'x' exists twice"):
        chain().add(Tensor("x", (1,)))


def test_tensors():
    def replaced(name, **fields):
        return lambda g: g.tensors.update(
            {name: dataclasses.replace(g.tensors[name], **fields)})

    assert "gives (1, 4), its output 'b' is (1, 5)" in wrong(replaced("b", shape=(1, 5)))
    assert "'a' is float32, must be int8" in wrong(replaced("a", dtype="float32"))
    assert "float64" in wrong(replaced("a", dtype="float64"))
    assert "at least 1" in wrong(replaced("x", shape=(1, 0)))
    assert "holds int8(4,)" in wrong(replaced("a", data=np.zeros(4, np.int8)))
    assert "is a constant" in wrong(replaced("x", data=np.zeros((1, 4), np.int8)))


@pytest.mark.parametrize(("attrs", "shapes", "output"), [
    (conv(), [(1, 5, 6, 2)], (1, 3, 4, 4)),
    (conv(pads=(1, 1, 1, 1), stride=(2, 1)), [(1, 5, 6, 2)], (1, 3, 6, 4)),
    (conv(dilation=(2, 2)), [(1, 5, 6, 2)], (1, 1, 2, 4)),
    (conv(groups=2), [(1, 5, 6, 4)], (1, 3, 4, 4)),
    (DepthwiseConv2D(kernel=np.zeros((1, 1, 1, 6), np.int8), window=(1, 1), channel_multiplier=2,
                     **lanes(6)), [(1, 2, 2, 3)], (1, 2, 2, 6)),
    (FullyConnected(kernel=np.zeros((5, 6), np.int8), **lanes(5)), [(1, 2, 1, 3)], (1, 5)),
    (FullyConnected(kernel=np.zeros((5, 6), np.int8), keep_dims=True, **lanes(5)), [(2, 3, 6)],
     (2, 3, 5)),
    (MaxPool(window=(2, 2), stride=(2, 2)), [(1, 5, 6, 2)], (1, 2, 3, 2)),
    (AveragePool(window=(3, 3), pads=(1, 1, 0, 2)), [(1, 5, 6, 2)], (1, 5, 6, 2)),
    (Mean(axes=(1, 2), input_zero=0, scale=IDENTITY, output_zero=0), [(1, 5, 6, 2)], (1, 2)),
    (Mean(axes=(2,), keep_dims=True, input_zero=0, scale=IDENTITY, output_zero=0), [(1, 5, 6, 2)],
     (1, 5, 1, 2)),
    (Reshape(to=(2, 3)), [(1, 6)], (2, 3)),
    (Pad(pads=((0, 0), (1, 2)), value=0), [(1, 6)], (1, 9)),
    (Concat(axis=1), [(1, 6), (1, 2)], (1, 8)),
])
def test_shapes(attrs, shapes, output):
    assert attrs.shape(*shapes) == output


ADD = Add(input_zeros=(0, 0), input_scales=(IDENTITY, IDENTITY), output_scale=IDENTITY,
          output_zero=0)


@pytest.mark.parametrize(("attrs", "shapes", "words"), [
    (conv(), [(2, 5, 6, 2)], "batch 2, must be 1"),
    (conv(), [(5, 6, 2)], "must be .1, y, x, channels"),
    (conv(), [(1, 2, 6, 2)], "window of 3 does not fit into 2"),
    (conv(), [(1, 5, 6, 3)], "does not fit 3 input channels"),
    (conv(window=(2, 3)), [(1, 5, 6, 2)], "differs from the kernel"),
    (conv(stride=(0, 1)), [(1, 5, 6, 2)], "at least 1"),
    (conv(pads=(-1, 0, 0, 0)), [(1, 5, 6, 2)], "at least 0"),
    (conv(channels=3), [(1, 5, 6, 2)], "bias is int32.3,., must be int32.4,."),
    (FullyConnected(kernel=np.zeros((5, 6), np.int8), **lanes(5)), [(1, 7)], "rows of 6"),
    (ADD, [(1, 4), (1, 1)], "broadcasting"),
    (MaxPool(window=(2, 2), pads=(2, 0, 0, 0)), [(1, 5, 5, 1)], "empty"),
    (Mean(axes=(0,), input_zero=0, scale=IDENTITY, output_zero=0), [(1, 5)], "axes"),
    (Reshape(to=(2, 3)), [(1, 7)], "different numbers"),
    (Softmax(multiplier=1, pre=0, least_difference=0), [(1, 4096)], "at most 4095"),
    (Pad(pads=((1, 0), (0, 0)), value=0), [(1, 6)], "enlarge the batch"),
    (Pad(pads=((0, 0),), value=0), [(1, 6)], "2 pairs"),
    (Concat(axis=0), [(1, 6), (1, 2)], "axis 0"),
    (Concat(axis=1), [(1, 6), (2, 2)], "differ beyond axis 1"),
])
def test_wrong_shapes(attrs, shapes, words):
    with pytest.raises(GraphError, match=words):
        attrs.shape(*shapes)


@pytest.mark.parametrize(("kernel", "words"), [
    (np.zeros((5, 6), np.int32), "kernel is int32, must be int8, or int16 within ±255"),
    (np.full((5, 6), -256, np.int16), "a weight of magnitude 256, must be at most 255"),
])
def test_kernels_have_nine_bits_at_most(kernel, words):
    graph = Graph("one", inputs=("x",), outputs=("y",))
    graph.add(Tensor("x", (1, 6)))
    graph.add(Tensor("y", (1, 5)))
    attrs = FullyConnected(kernel=kernel, **lanes(5))
    graph.nodes = [Node("n", ("x",), ("y",), attrs)]
    with pytest.raises(GraphError, match=words):
        graph.validate()
