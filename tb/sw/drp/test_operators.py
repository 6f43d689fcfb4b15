"""Operators of networks on the DRP: golden's bytes, and what is refused."""

import re

import numpy as np
import pytest

from golden import executor
from golden.attributes import Mean, Softmax
from golden.camera import CameraInput
from golden.edges import DequantizeLinear, Transpose
from golden.extreme import ArgMax, ReduceMax
from golden.graph import Graph, Node, Quant, Tensor
from golden.layer_norm import QuantizedLayerNorm
from golden.movement import Take
from golden.resize import ResizeLinear
from golden.softmax import QuantizedSoftmax
from golden.spec.config import preset
from golden.spec.numerics import ROUND_ONCE, quantize_multiplier
from sw.compiler import lower_movement, lower_resize
from sw.compiler.compile import compile_graph
from sw.drp.operators.places import steps
from sw.session.engines import open_engine
from tb.lib.graph_builder import Builder

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


@pytest.mark.parametrize(("shape", "axis", "output_scale", "zero"), [
    ((1, 10), 1, 1 / 256, -128), ((1, 6, 9, 2), 2, 0.02, -7), ((1, 3, 600), 2, 2.0 ** -14, -128),
    ((1, 700, 5), 1, 1 / 128, 0), ((1, 1, 1, 4), 2, 0.03, 90)])
def test_softmax(shape, axis, output_scale, zero):
    """Over any axis; sums of more than 8 bits, tables of two kinds."""
    check(QuantizedSoftmax(axis=axis, scale=0.043, output_scale=output_scale, output_zero=zero),
          shape)


def test_softmax_of_tensorflow_of_many():
    """More than shifters count to are shifted out."""
    multiplier, pre, _ = quantize_multiplier(0.0001 * (1 << 26))
    check(Softmax(multiplier=multiplier, pre=pre, least_difference=-255), (1, 2, 1000))


def normalized(count, seed=0):
    """A layer normalization of so many values."""
    rng = np.random.default_rng(seed)
    return QuantizedLayerNorm(
        gain=tuple(rng.normal(1, 0.5, count)), bias=tuple(rng.normal(0, 0.5, count)), scale=0.05,
        epsilon=1e-5, output_scale=0.03, output_zero=-7)


@pytest.mark.parametrize(("shape", "count"), [
    ((1, 5, 48), 48), ((1, 3, 4, 6), 24), ((1, 2, 700), 700), ((1, 30), 30)])
def test_layer_norm(shape, count):
    """Over one axis or more; variances of less than 32 bits and of more."""
    check(normalized(count), shape)


def test_a_large_softmax_beside_a_camera():
    """Together they don't fit: the camera then waits its turn."""
    frame = np.random.default_rng(1).integers(0, 256, (90, 80)).astype(np.uint8)
    multiplier, pre, _ = quantize_multiplier(0.05 * (1 << 26))
    rows = np.random.default_rng(2).integers(-128, 128, (1, 120, 48), np.int8)
    graph = Graph("both", {
        "frame": Tensor("frame", frame.shape, "uint8"),
        "x": Tensor("x", rows.shape, "int8", Quant(0.05, 0)),
        "picture": Tensor("picture", (1, 24, 24, 3), "int8", Quant(1.0, 0)),
        "y": Tensor("y", rows.shape, "int8", Quant(1 / 256, -128))},
        [Node("camera", ("frame",), ("picture",), CameraInput(height=24, width=24)),
         Node("softmax", ("x",), ("y",), Softmax(multiplier=multiplier, pre=pre,
                                                 least_difference=-200))],
        ("frame", "x"), ("picture", "y"))
    graph.validate()
    config = preset("base", bank_words=128)
    program = compile_graph(graph, config)
    assert [row["unit"] for row in program.layers] == ["drp", "drp"]
    found = open_engine("machine", config, program).run({"frame": frame, "x": rows}).outputs
    for name, wanted in executor.run(graph, {"frame": frame, "x": rows}).items():
        np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize(("attrs", "shape", "text"), [
    (Mean(axes=(1, 3), input_zero=0, scale=(1 << 30, 1, 0), output_zero=0), (1, 5, 6, 7),
     r"axes \(1, 3\) of \(1, 5, 6, 7\) don't follow one another"),
    (Transpose(perm=(0, 4, 3, 2, 1, 5)), (1, 2, 3, 4, 5, 6), "5 axes of .* change places"),
    (Transpose(perm=(0, 2, 1)), (1, 300, 301), "it can't be cut into strips"),
    (Take(indices=(None, (0, 2, 1), None, None, None)), (1, 3, 2, 3, 4), "steps of one length"),
    (Take(indices=(None, (1, 0), (1, 0), (1, 0), None)), (1, 2, 2, 2, 4), "more than two axes"),
    (Softmax(multiplier=1 << 30, pre=5, least_difference=-99), (1, 2000, 40),
     "its arrays take .* words, the scratchpad has 8192"),
    (QuantizedSoftmax(axis=1, scale=0.1, output_scale=1 / 256, output_zero=-128), (1, 40, 2000),
     "its arrays take .* words, the scratchpad has 8192"),
    (normalized(768), (1, 197, 768), "its arrays take .* words, the scratchpad has 8192"),
    (ArgMax(axis=2, output_type="int32"), (1, 2, 70000), "one row of results needs 70528 bytes"),
])
def test_left_to_the_host(attrs, shape, text):
    row = place_of(alone(attrs, shape), BASE)
    assert row["unit"] == "host" and re.search(f"on the DRP: .*{text}", row["why"]), row["why"]


def test_without_a_drp():
    attrs = ArgMax(axis=1, output_type="int32")
    row = place_of(alone(attrs, (1, 10)), preset("base", drp="none"))
    assert (row["unit"], row["why"]) == ("host", "ArgMax needs the DRP; chip base has no DRP")


@pytest.mark.parametrize("last", [False, True])
def test_moving_values_that_the_host_has(last):
    """Beside a conversion of the host's a transposition is the host's, too."""
    built = Builder((1, 4, 3, 6))
    edge, turn = DequantizeLinear(scale=0.5, zero=1), Transpose(perm=(0, 3, 1, 2))
    turned = built.add(turn, built.conv("t0", 6))
    built.finish(built.add(edge, turned) if last else turned)
    units = [row["unit"] for row in compile_graph(built.graph, BASE).layers]
    assert units == (["mac", "host", "host"] if last else ["mac", "drp"])


@pytest.mark.parametrize("seed", range(60))
def test_steps_meet_indices(seed):
    """Those made of steps are found again; others only if they are met."""
    rng = np.random.default_rng(seed)
    size, count = (int(value) for value in rng.integers(1, 200, 2))
    step = int(rng.integers(-3 << 16, 3 << 16))
    first = int(rng.integers(-2 << 16, (size + 2) << 16))
    chosen = np.clip((first + np.arange(count) * step) >> 16, 0, size - 1)
    if seed % 3 == 0:
        chosen[rng.integers(count)] = rng.integers(size)
    found = steps(chosen, size)
    assert found or seed % 3 == 0
    if found:
        again = np.clip((found[0] + np.arange(count) * found[1]) >> 16, 0, size - 1)
        assert again.tolist() == chosen.tolist()


def test_between_the_array_s():
    """Array, DRP and array hand on to each other in one step of the chip, softmax in between."""
    built = Builder((1, 6, 5, 8))
    turned = built.add(Transpose(perm=(0, 3, 1, 2)), built.conv("t0", 12, 3, 1))
    weights = built.softmax(built.conv(turned, 7))
    means = built.add(Mean(axes=(3,), keep_dims=True, input_zero=3, output_zero=-5,
                           scale=quantize_multiplier(1.3 / 7)), weights)
    last = built.fc(built.conv(means, 4), 12 * 6 * 4, 10)
    built.finish(built.add(ArgMax(axis=1, output_type="int32"), last), turned)
    program = compile_graph(built.graph, BASE)
    assert len(program.steps) == 1
    assert [row["operator"] for row in program.layers if row["unit"] == "drp"] == [
        "Transpose", "Softmax", "Mean", "ArgMax"]
    found = open_engine("machine", BASE, program).run(built.inputs).outputs
    for name, wanted in executor.run(built.graph, built.inputs).items():
        np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize("seed", range(16))
def test_random(monkeypatch, seed):
    """Operators of random shapes, in strips on a chip with a small scratchpad."""
    monkeypatch.setattr(lower_movement, "MOST_COPIES", 0)
    monkeypatch.setattr(lower_resize, "MOST_COPIES", 0)
    rng = np.random.default_rng(seed)
    shape = (1, *(int(size) for size in rng.integers(2, 12, 3)))
    axis = int(rng.integers(1, 4))

    def line(size):
        """Places of steps of one length, in fifths, kept inside."""
        step, first = (int(value) for value in rng.integers((1, -9), (12, 9)))
        places = first + step * np.arange(rng.integers(1, 30))
        return tuple(np.clip(places, 0, 5 * size - 5).tolist())

    rows, columns = line(shape[1]), line(shape[2])
    makers = {
        "mean": lambda: Mean(axes=(3,), input_zero=int(rng.integers(-128, 128)), output_zero=5,
                             scale=scale(float(rng.uniform(0.1, 2)) / shape[3], seed % 2)),
        "arg_max": lambda: ArgMax(axis=axis, output_type="int64"),
        "transpose": lambda: Transpose(perm=(0, *(int(p) + 1 for p in _moving(rng)))),
        "take": lambda: Take(indices=(None, tuple(at // 5 for at in rows),
                                      tuple(at // 5 for at in columns), None)),
        "resize": lambda: ResizeLinear(
            rows=rows, columns=columns, parts=(5, 5), input_zero=int(rng.integers(-128, 128)),
            scale=scale(float(rng.uniform(0.5, 2)) / 25, seed % 2), output_zero=-7)}
    check(makers[sorted(makers)[seed % len(makers)]](), shape,
          preset("base", bank_words=64), seed)


def _moving(rng):
    """An order of three axes that isn't theirs."""
    order = rng.permutation(3)
    return order if (order != np.arange(3)).any() else np.array([2, 0, 1])
