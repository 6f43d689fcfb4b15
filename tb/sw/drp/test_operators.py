"""Operators of networks on the DRP: golden's bytes, and what is refused."""

import numpy as np
import pytest

from golden import executor
from golden.attributes import Mean
from golden.edges import Transpose
from golden.extreme import ArgMax, ReduceMax
from golden.graph import Graph, Node, Quant, Tensor
from golden.movement import Take
from golden.resize import ResizeLinear
from golden.spec.config import preset
from golden.spec.numerics import ROUND_ONCE, quantize_multiplier
from sw.compiler import lower_movement, lower_resize
from sw.compiler.compile import compile_graph
from sw.session.engines import open_engine

BASE = preset("base")


def alone(attrs, shape, dtype="int8"):
    """A network of one operator."""
    kind = attrs.types()[1]
    return Graph("alone", {"x": Tensor("x", shape, dtype, Quant(1.0, 0)),
                           "y": Tensor("y", attrs.shape(shape), kind, Quant(1.0, 0))},
                 [Node("n", ("x",), ("y",), attrs)], ("x",), ("y",))


def place_of(graph, config):
    (row,) = compile_graph(graph, config).layers
    return row


def check(attrs, shape, config=BASE, seed=0):
    """Golden's bytes on the machine, by way of the DRP; the cycles it took."""
    graph = alone(attrs, shape)
    graph.validate()
    program = compile_graph(graph, config)
    assert [row["unit"] for row in program.layers] == ["drp"], program.layers
    x = np.random.default_rng(seed).integers(-128, 128, shape, np.int8)
    engine = open_engine("machine", config, program)
    result = engine.run({"x": x})
    wanted = executor.run(graph, {"x": x})["y"]
    found = result.outputs["y"]
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    return result.cycles


def scale(real, once):
    multiplier, pre, post = quantize_multiplier(real)
    return multiplier, pre, post + ROUND_ONCE * (once and post > 0)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize(("shape", "axes"), [
    ((1, 7, 5, 9), (3,)), ((1, 7, 5, 9), (2, 3)), ((1, 3, 4, 6, 5), (2,)), ((1, 1, 7), (2,)),
    ((1, 300), (1,))])
def test_mean(shape, axes, once):
    count = int(np.prod([shape[axis] for axis in axes]))
    check(Mean(axes=axes, input_zero=-7, scale=scale(1.7 / count, once), output_zero=11), shape)


@pytest.mark.parametrize(("shape", "axes"), [((1, 7, 5, 9), (3,)), ((1, 6, 4, 5, 3), (1, 2))])
def test_largest(shape, axes):
    check(ReduceMax(axes=axes), shape)


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize(("shape", "axis"), [
    ((1, 10), 1), ((1, 5, 6, 21), 3), ((1, 5, 6, 7), 1), ((1, 1001), 1), ((1, 3, 1), 2)])
def test_arg_max(shape, axis, kind):
    check(ArgMax(axis=axis, output_type=kind), shape)


@pytest.mark.parametrize(("shape", "perm"), [
    ((1, 5, 6, 7), (0, 3, 1, 2)), ((1, 5, 6, 7), (0, 3, 2, 1)), ((1, 5, 6, 8), (0, 2, 1, 3)),
    ((1, 5, 6, 8), (0, 1, 3, 2)), ((1, 2, 3, 4, 5), (0, 4, 2, 3, 1)), ((1, 9, 1, 4), (0, 2, 3, 1)),
    ((1, 20, 50, 33), (0, 3, 1, 2))])
def test_transpose(shape, perm):
    check(Transpose(perm=perm), shape)


def nearest(size, wanted):
    return tuple(int((number + 0.5) * size / wanted) for number in range(wanted))


@pytest.mark.parametrize(("shape", "indices"), [
    ((1, 9, 7, 8), (None, nearest(9, 13), nearest(7, 5), None)),
    ((1, 9, 7, 5), (None, nearest(9, 31), nearest(7, 30), None)),
    ((1, 4, 3, 5, 6), (None, None, (2, 0), None, (5, 4, 3, 2))),
    ((1, 2, 3, 4, 4), (None, (1, 0), None, None, None)),
    ((1, 60, 40, 32), (None, nearest(60, 90), None, None))])
def test_take(monkeypatch, shape, indices):
    """Those that the array would copy as rectangles too."""
    monkeypatch.setattr(lower_movement, "MOST_COPIES", 0)
    check(Take(indices=indices), shape)


@pytest.mark.parametrize(("given", "wanted", "channels", "once"), [
    ((9, 7), (13, 10), 4, True), ((16, 16), (5, 23), 3, True), ((5, 4), (9, 7), 1, False)])
def test_resize_linear(monkeypatch, given, wanted, channels, once):
    """Half-pixel centers, any ratio."""
    monkeypatch.setattr(lower_resize, "MOST_COPIES", 0)
    places, parts = [], []
    for size, new in zip(given, wanted, strict=True):
        steps_of = 2 * new
        exact = [(2 * number + 1) * size - new for number in range(new)]  # in 1 / (2 new)
        places.append(tuple(min(max(at, 0), (size - 1) * steps_of) for at in exact))
        parts.append(steps_of)
    attrs = ResizeLinear(rows=places[0], columns=places[1], parts=tuple(parts), input_zero=3,
                         scale=scale(0.9 / (parts[0] * parts[1]), once), output_zero=-2,
                         least=-100, most=90)
    check(attrs, (1, *given, channels))
