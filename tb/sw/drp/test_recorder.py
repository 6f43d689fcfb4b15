"""Recorded kernels in one program of the chip, alone and beside a network."""

import itertools

import numpy as np
import pytest

from golden.graph import Graph
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.compiler.beside import Beside
from sw.drp.cache import default_cache
from sw.drp.library import LIBRARY
from sw.drp.library.pipelines import describe, match
from sw.drp.recorder import Recorder
from sw.drp.streamed import Streamed
from sw.errors import InputError
from sw.report.figures import intervals, layer_figures
from sw.report.timeline import TimeLine
from sw.session import open_model
from sw.session.engines import open_engine

CONFIG = preset("base")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def recorder():
    return Recorder(CONFIG.fabric, default_cache())


def edges(engine, picture):
    """Two kernels, of which the second one takes rows of what the first one makes."""
    return engine(LIBRARY["threshold"], engine(LIBRARY["sobel"], picture)[4:20], level=100)


def run(graph, kernels, **inputs):
    program = compile_graph(graph, CONFIG, kernels=kernels)
    engine = open_engine("machine", CONFIG, program)
    result = engine.run({**inputs, **kernels.inputs})
    engine.close()
    for name, wanted in kernels.outputs.items():
        np.testing.assert_array_equal(result.outputs[name], wanted)
    return program, result


def test_arrays_are_recognized(rng):
    """A part of an array is no copy; what isn't contiguous is new."""
    kernels = recorder()
    picture = rng.integers(0, 256, (24, 40), np.uint8)
    edges(kernels, picture)
    first, second = kernels.recorded
    assert first.inputs == (("0.sobel.p", 0),) and second.inputs == (("0.sobel.result0", 160),)
    assert list(kernels.inputs) == ["0.sobel.p"]
    assert list(kernels.outputs) == ["1.threshold.result0"]
    kernels(LIBRARY["threshold"], picture[:, ::2])
    kernels(LIBRARY["threshold"], picture[2:])
    assert [call.inputs for call in kernels.recorded[2:]] == [
        (("2.threshold.p", 0),), (("0.sobel.p", 80),)]


def test_one_program(rng):
    kernels = recorder()
    edges(kernels, rng.integers(0, 256, (24, 40), np.uint8))
    program, result = run(Graph("kernels"), kernels)
    assert [row["kernels"] for row in program.layers] == [["sobel"], ["threshold"]]
    assert not any(row["beside"] for row in program.layers)
    assert [record.tag for record in result.log] == [0, 1]


def test_beside_a_network(rng):
    """The array doesn't notice; the time line has both units at once, and names the kernels."""
    model = open_model("dscnn")
    (sample,) = model.network.samples(1, model.inputs[0])
    bare = compile_graph(model.graph, CONFIG)
    alone = open_engine("machine", CONFIG, bare).run(sample.inputs)
    kernels = recorder()
    edges(kernels, rng.integers(0, 256, (24, 40), np.uint8))
    program, result = run(model.graph, kernels, **sample.inputs)
    (output,) = model.graph.outputs
    np.testing.assert_array_equal(result.outputs[output], alone.outputs[output])
    assert result.cycles < alone.cycles + 100 and result.counters["drp_busy"] > 700
    assert [row["name"] for row in program.layers if row.get("beside")] == [
        "0.sobel", "1.threshold"]

    line = TimeLine.of(program, "machine", result.cycles, result.occupied)
    names = [span.kernel for span in line.lanes["drp"]]
    assert names == ["sobel", "threshold", "softmax_largest", "softmax_sum", "softmax_inverse",
                     "softmax_scale"]
    for lane, counter in (("load", "load_busy"), ("drp", "drp_busy"), ("store", "store_busy")):
        assert abs(line.busy(lane) - result.counters[counter]) <= 4 * len(line.lanes[lane])
    for kernel in line.lanes["drp"][:2]:  # while the array works
        assert any(span.start <= kernel.start and kernel.end <= span.end
                   for span in line.lanes["array"])
    for spans in line.lanes.values():
        assert all(one.end <= two.start for one, two in itertools.pairwise(spans))
        assert all(span.end <= result.cycles for span in spans)

    # Cycles are the layers' of the array, as without kernels beside it.
    beside = {row["tag"] for row in program.layers if row["unit"] == "drp" and row["beside"]}
    rows = layer_figures(CONFIG, program.layers, intervals(result, beside), timeline=line)
    assert sum(row.cycles for row in rows) == result.cycles
    assert [row.cycles for row in rows[:2]] == [0, 0] and all(row.drp for row in rows[:2])
    before = layer_figures(CONFIG, bare.layers, intervals(alone))
    for one, two in zip(rows[2:], before, strict=True):
        assert abs(one.cycles - two.cycles) <= 80, one.name


def test_descriptors_in_parts(rng):
    """Bands of a picture, and few descriptors at once, on the chip."""
    picture = rng.integers(0, 256, (40, 48), np.uint8)
    points = np.array([[0, 3], [7, 47], [8, 20], [33, 9]], np.int16)
    pattern = rng.integers(-6, 7, (2, 32, 4), np.int8)
    kernels = recorder()
    found = describe.run(kernels, picture, points, pattern, rows=8)
    np.testing.assert_array_equal(found, LIBRARY["brief"](
        picture, points, np.ascontiguousarray(pattern.swapaxes(0, 1))))
    assert [call.picture.height for call in kernels.recorded] == [14, 20, 14]
    np.testing.assert_array_equal(match.run(kernels, found, found, rows=3)[:, 0], range(4))
    run(Graph("kernels"), kernels)
    with pytest.raises(InputError, match="in order of their rows"):
        describe(picture, points[::-1], pattern)


def test_wide_rows_beside_a_network(rng):
    """A quarter of the scratchpad isn't enough for two strips of four rows: then it is half."""
    config = preset("base", bank_words=256)
    kernels = Recorder(config.fabric, default_cache())
    kernels(LIBRARY["sobel"], rng.integers(0, 256, (6, 1400), np.uint8))
    (call,) = kernels.recorded
    streamed = Streamed(call.compiled, call.domain, call.inputs, call.outputs, call.tables,
                        most=config.words // 4)
    with pytest.raises(InputError, match="strips take turns"):
        streamed.strips(config)
    program = compile_graph(open_model("dscnn").graph, config, kernels=kernels)
    engine = open_engine("machine", config, program)
    (sample,) = open_model("dscnn").network.samples(1, open_model("dscnn").inputs[0])
    result = engine.run({**sample.inputs, **kernels.inputs})
    engine.close()
    for name, wanted in kernels.outputs.items():
        np.testing.assert_array_equal(result.outputs[name], wanted)


def test_refusals(rng):
    kernels = recorder()
    edges(kernels, rng.integers(0, 256, (24, 40), np.uint8))
    with pytest.raises(InputError, match="preset base has no DRP"):
        compile_graph(Graph("kernels"), preset("base", drp="none"), kernels=kernels)
    wide = recorder()
    wide(LIBRARY["sobel"], rng.integers(0, 256, (2, 60000), np.uint8))
    with pytest.raises(InputError, match="sobel: one row of results needs"):
        compile_graph(Graph("kernels"), CONFIG, kernels=wide)


def strips(beside, left):
    return [(layer, *part, last) for layer, part, last in beside.due(left)]


def test_strips_spread_over_the_array_s_work():
    """Where the array takes longer they are spread over it; where they do, by their own time."""
    beside = Beside()
    beside.add(0, iter([["a"], ["b"]]), [10, 10], 100)
    beside.add(1, iter([["c"], ["d"]]), [10, 10], 100)
    assert strips(beside, 90) == [(0, "a", False)]
    assert strips(beside, 75) == [] and strips(beside, 74) == [(0, "b", True)]
    assert strips(beside, 10) == [(1, "c", False), (1, "d", True)] and strips(beside, 0) == []
    beside = Beside()
    beside.add(0, iter([["a"], ["b"], ["c"]]), [60, 60, 60], 100)
    assert strips(beside, 99) == [(0, "a", False)]
    assert strips(beside, 40) == [] and strips(beside, 39) == [(0, "b", False)]
    assert strips(beside, 0) == [(0, "c", True)]
