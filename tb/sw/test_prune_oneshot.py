"""One-shot pruning of whole networks: patterns kept, outputs close, goals met or refused."""

import dataclasses

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from golden import executor
from golden.attributes import Conv2D, DepthwiseConv2D, FullyConnected
from golden.spec.config import preset
from sw.errors import UsageError
from sw.prune.budget import Budget
from sw.prune.forward import Forward, agreement, distance
from sw.prune.goal import for_rate, for_speedup
from sw.prune.oneshot import OneShot
from sw.prune.pattern import Pattern
from sw.prune.rate import prune_to_rate
from sw.session import open_model
from sw.session.estimate import estimate
from tb.lib.graph_builder import Builder

BASE, TINY = preset("base"), preset("tiny")


def samples(model, count):
    found = model.network.samples(count, model.inputs[0])
    name = model.inputs[0].name
    return {name: np.concatenate([sample.inputs[name] for sample in found])}


@pytest.fixture(scope="module")
def words():
    model = open_model("dscnn")
    return model.graph, samples(model, 48)


def network():
    """Residual, depthwise, grouped, strided, flattened."""
    built = Builder((1, 8, 8, 8))
    first = built.conv("t0", 24, 3, 1)
    joined = built.sum(built.conv(built.depthwise(first, (3, 3), pads=(1, 1, 1, 1)), 24), first)
    kernel = built.rng.integers(-9, 9, (24, 3, 3, 12)).astype(np.int8)
    grouped = built.add(Conv2D(kernel=kernel, window=(3, 3), stride=(2, 2), groups=2,
                               pads=(1, 1, 1, 1), **built.weighted(24)), joined)
    built.finish(built.softmax(built.fc(grouped, 16 * 24, 10)))
    rng = np.random.default_rng(0)
    name = built.graph.inputs[0]
    return built.graph, {name: rng.integers(-128, 128, (20, 8, 8, 8)).astype(np.int8)}


@pytest.mark.parametrize("config", [BASE, TINY], ids=["base", "tiny"])
def test_pattern_and_what_stays(config):
    graph, inputs = network()
    surgery = OneShot(graph, config, inputs)
    pruned = surgery.prune(surgery.counts_at(0.5))
    for before, after in zip(graph.nodes, pruned.nodes, strict=True):
        if isinstance(before.attrs, Conv2D | FullyConnected) and before.name in surgery.patterns:
            pattern = Pattern.of(config, before.attrs)
            assert pattern.counts(after.attrs.kernel).max() <= config.group // 2
            assert not after.attrs.kernel[before.attrs.kernel == 0].any()
            assert 0 <= surgery.errors[before.name] < 1
        else:
            assert after.attrs is before.attrs
    assert [type(node.attrs) for node in graph.nodes if node.name not in surgery.patterns].count(
        Conv2D) == 1  # the grouped one


def test_closer_than_magnitude(words):
    """On samples that did not calibrate."""
    graph, inputs = words
    name = graph.inputs[0]
    held = {name: inputs[name][36:]}
    surgery = OneShot(graph, BASE, {name: inputs[name][:36]})
    ends = Forward(graph, held).ends
    reference = executor.run(graph, held, keep_all=True)

    def off(network):
        return distance(reference, {key: executor.run(network, held, keep_all=True)[key]
                                    for key in ends})

    pruned = surgery.prune(surgery.counts_at(0.5))
    assert off(pruned) < 0.5 * off(prune_to_rate(graph, BASE, 0.5))
    assert agreement(graph, graph, held) == 1 >= agreement(graph, pruned, held) > 0.5


def test_rate_0_changes_nothing(words):
    graph, inputs = words
    surgery = OneShot(graph, BASE, inputs)
    pruned = surgery.prune(surgery.counts_at(0))
    for before, after in zip(graph.nodes, pruned.nodes, strict=True):
        if hasattr(before.attrs, "kernel"):
            np.testing.assert_array_equal(before.attrs.kernel, after.attrs.kernel)
            np.testing.assert_allclose(before.attrs.bias, after.attrs.bias, atol=1)


def test_one_blas_thread(words):
    """While it works, whatever else is set; and not after."""
    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    graph, inputs = words
    seen = []
    with threadpool_limits(limits=2, user_api="blas"):
        surgery = OneShot(graph, BASE, inputs, progress=lambda text: seen.append(threads()))
        surgery.scores()
        surgery.prune(surgery.counts_at(0.5))
        assert threads() == {2}
    assert len(seen) == 2 * len(surgery.patterns) and all(item == {1} for item in seen)


def test_without_a_place_for_biases(words):
    graph, inputs = words
    surgery = OneShot(graph, BASE, inputs, no_bias={"2_conv_2d"},
                      exclude={"4_conv_2d", "1_depthwise_conv_2d"})  # the latter stays anyway
    pruned = {node.name: node.attrs for node in surgery.prune(surgery.counts_at(0.5)).nodes}
    before = {node.name: node.attrs for node in graph.nodes}
    np.testing.assert_array_equal(pruned["2_conv_2d"].bias, before["2_conv_2d"].bias)
    assert (pruned["2_conv_2d"].kernel == 0).mean() >= 0.5
    assert pruned["4_conv_2d"] is before["4_conv_2d"]
    assert (pruned["6_conv_2d"].bias != before["6_conv_2d"].bias).any()


def test_spread_keeps_more_where_it_matters(words):
    graph, inputs = words
    surgery, budget = OneShot(graph, BASE, inputs), Budget(graph, BASE)
    even, spread = (for_rate(surgery, budget, 0.5, spread=spread) for spread in (False, True))

    def rows(network):
        return {node.name: int(surgery.patterns[node.name].counts(node.attrs.kernel).sum())
                for node in network.nodes if node.name in surgery.patterns}

    assert sum(rows(spread).values()) <= 1.02 * sum(rows(even).values())
    assert rows(spread) != rows(even)


def test_speedup_is_met(words):
    graph, inputs = words
    surgery = OneShot(graph, BASE, inputs)
    pruned = for_speedup(surgery, Budget(graph, BASE), 1.2)
    before, after = (estimate(item, BASE, 0.0).cycles for item in (graph, pruned))
    assert 1.2 <= before / after < 1.26
    for old, new in zip(graph.nodes, pruned.nodes, strict=True):
        if isinstance(old.attrs, DepthwiseConv2D):
            assert new.attrs is old.attrs


def test_speedup_beyond_what_can_be(words):
    graph, inputs = words
    surgery, budget = OneShot(graph, BASE, inputs), Budget(graph, BASE)
    with pytest.raises(UsageError, match=(
            r"speed-up of 50 can't be reached: of [\d,]+ cycles, .* take [\d,]+; accepted are "
            r"speed-ups up to [\d.]+$")) as caught:
        for_speedup(surgery, budget, 50)
    most = float(str(caught.value).split()[-1])
    pruned = for_speedup(surgery, budget, most)
    assert estimate(graph, BASE, 0.0).cycles / estimate(pruned, BASE, 0.0).cycles >= most
    for wrong in (0.5, float("nan"), float("inf"), -1):
        with pytest.raises(UsageError, match="accepted are numbers of 1 or more"):
            for_speedup(surgery, budget, wrong)


def test_nothing_to_prune(words):
    graph, inputs = words
    empty = dataclasses.replace(graph, nodes=[
        dataclasses.replace(node, attrs=dataclasses.replace(
            node.attrs, kernel=np.zeros_like(node.attrs.kernel)))
        if hasattr(node.attrs, "kernel") else node for node in graph.nodes])
    with pytest.raises(UsageError, match="no weights to prune"):
        OneShot(empty, BASE, inputs)
    with pytest.raises(UsageError, match="'frob': no such layer to prune; layers are 0_conv_2d, 2"):
        OneShot(graph, BASE, inputs, exclude={"frob"})
    with pytest.raises(UsageError, match=r"accepted are 0 .* to 1"):
        OneShot(graph, BASE, inputs).counts_at(1.5)


def test_one_sample(words):
    """Fewer samples than inputs of a layer: damped, not singular."""
    graph, inputs = words
    surgery = OneShot(graph, BASE, {name: array[:1] for name, array in inputs.items()})
    executor.run(surgery.prune(surgery.counts_at(0.5)), inputs)
