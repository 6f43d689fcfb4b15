"""The executor, and what operators do where the recorded cases don't reach."""

import numpy as np
import pytest

from golden.executor import run
from golden.graph import Add, Clamp, Conv2D, FullyConnected, Graph, Node, Reshape, Tensor
from golden.ops.convolution import conv2d, fully_connected
from golden.spec.numerics import IDENTITY, requantize

CLAMP = Clamp(input_zero=0, scale=IDENTITY, output_zero=10)


def two_inputs(shape=(1, 4)):
    """(x + y, x + 10)"""
    graph = Graph("two", inputs=("x", "y"), outputs=("sum", "more"))
    for name in ("x", "y", "sum", "more"):
        graph.add(Tensor(name, shape))
    half = (1 << 30, 0, 0)
    attrs = Add(input_zeros=(0, 0), input_scales=(half, half), output_scale=(1 << 30, 0, 18),
                output_zero=0)
    graph.nodes = [Node("sum", ("x", "y"), ("sum",), attrs),
                   Node("more", ("x",), ("more",), CLAMP)]
    graph.validate()
    return graph


@pytest.mark.parametrize("shape", [(1, 4), (3, 4), (5,)])
@pytest.mark.parametrize("samples", [1, 2, 9])
def test_samples(shape, samples):
    graph = two_inputs(shape)
    rng = np.random.default_rng(3)
    x, y = rng.integers(-60, 60, (2, samples * shape[0], *shape[1:])).astype(np.int8)
    found = run(graph, {"x": x, "y": y})
    assert set(found) == {"sum", "more"}
    assert np.array_equal(found["sum"], x + y)
    assert np.array_equal(found["more"], x + 10)


def test_keep_all():
    graph = two_inputs()
    graph.outputs = ("sum",)
    data = {"x": np.zeros((1, 4), np.int8), "y": np.zeros((1, 4), np.int8)}
    assert set(run(graph, data)) == {"sum"}
    assert set(run(graph, data, keep_all=True)) == {"sum", "more"}


@pytest.mark.parametrize(("inputs", "words"), [
    ({"x": np.zeros((1, 4), np.int8)}, "must be .'x', 'y'."),
    ({"x": np.zeros((1, 4), np.int8), "y": np.zeros((1, 4), np.uint8)}, "'y' is uint8"),
    ({"x": np.zeros((1, 4), np.int8), "y": np.zeros((1, 5), np.int8)}, "'y' is int8"),
    ({"x": np.zeros((1, 4), np.int8), "y": np.zeros((0, 4), np.int8)}, "'y' is int8"),
    ({"x": np.zeros((1, 4), np.int8), "y": np.zeros((2, 4), np.int8)}, "different numbers"),
])
def test_wrong_inputs(inputs, words):
    with pytest.raises(ValueError, match=words):
        run(two_inputs(), inputs)


def test_rows_that_become_one():
    """A tensor whose leading axis isn't 1 runs sample by sample."""
    graph = Graph("rows", inputs=("x",), outputs=("y",))
    graph.add(Tensor("x", (1, 6)))
    graph.add(Tensor("y", (2, 3)))
    graph.nodes = [Node("n", ("x",), ("y",), Reshape(to=(2, 3)))]
    x = np.arange(18, dtype=np.int8).reshape(3, 6)
    assert np.array_equal(run(graph, {"x": x})["y"], x.reshape(6, 3))


def lanes(channels, scale, **settings):
    names = ("multiplier", "pre", "post")
    return {**{name: np.full(channels, value, np.int32)
               for name, value in zip(names, scale, strict=True)}, **settings}


def expected(sums, scale, zero):
    return np.clip([[requantize(int(value), *scale) + zero for value in row] for row in sums],
                   -128, 127)


@pytest.mark.parametrize("depth", [1, 1023, 1024, 1025, 5000])
def test_deep_products_are_exact(depth):
    """The largest sums, and rows where they cancel but for one."""
    rng = np.random.default_rng(depth)
    kernel = np.full((3, depth), -128, np.int8)
    kernel[1] = rng.integers(-128, 128, depth)
    kernel[2, ::2] = 127
    x = np.full((4, depth), -128, np.int8)
    x[1] = rng.integers(-128, 128, depth)
    x[2, 0] = -127
    scale = (1 << 30, 0, 16)
    attrs = FullyConnected(kernel=kernel, bias=np.array([5, -7, 1 << 20], np.int32), input_zero=-3,
                           output_zero=2, **lanes(3, scale))
    sums = (x.astype(np.int64) + 3) @ kernel.T.astype(np.int64) + attrs.bias
    assert np.array_equal(fully_connected(x, attrs), expected(sums, scale, 2))


def test_sums_wrap_to_32_bits():
    attrs = FullyConnected(kernel=np.array([[127]], np.int8), input_zero=0, output_zero=0,
                           bias=np.array([(1 << 31) - 1], np.int32), **lanes(1, (1 << 30, 0, 23)))
    assert fully_connected(np.array([[100]], np.int8), attrs).tolist() == [[-128]]


def test_padding_reads_the_zero_point():
    """Where the window leaves the input it adds nothing."""
    attrs = Conv2D(kernel=np.ones((1, 3, 3, 1), np.int8), window=(3, 3), pads=(1, 1, 1, 1),
                   bias=np.zeros(1, np.int32), input_zero=-5, output_zero=0, **lanes(1, IDENTITY))
    x = np.zeros((1, 2, 4, 1), np.int8)
    assert conv2d(x, attrs)[0, :, :, 0].tolist() == [[20, 30, 30, 20]] * 2
