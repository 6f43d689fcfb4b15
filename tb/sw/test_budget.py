"""Masks for a number of cycles, by compiler and machine."""

import subprocess
import sys

import numpy as np
import pytest

from golden.attributes import Conv2D, DepthwiseConv2D
from golden.spec.config import preset
from sw.compiler.lower import lower
from sw.compiler.pack import pack_op
from sw.compiler.window import WindowOp
from sw.errors import UsageError
from sw.prune.budget import Budget
from sw.session import open_model
from tb.lib.graph_builder import Builder

BASE, TINY = preset("base"), preset("tiny")


@pytest.fixture(scope="module")
def budget():
    return Budget(open_model("dscnn").graph, BASE)


@pytest.fixture(scope="module")
def scores(budget):
    return magnitude(budget)


def magnitude(budget):
    """Squared weights, as shares of their layer's."""
    found = {}
    for node in budget.graph.nodes:
        if node.name in budget.sites:
            size = node.attrs.kernel.astype(float) ** 2
            found[node.name] = size / size.sum()
    return found


@pytest.mark.parametrize("speedup", [1.2, 1.5, 2, 2.2])
def test_speedup_is_met(budget, scores, speedup):
    """Cycles are within what was asked for, and not much less."""
    masks = budget.for_cycles(scores, budget.dense_cycles / speedup)
    found = budget.dense_cycles / budget.cycles(masks)
    assert speedup <= found <= 1.02 * speedup


def test_rows_are_the_chosen_ones(budget, scores):
    """What the compiler packs has N of the masks in every block."""
    masks = budget.for_cycles(scores, budget.dense_cycles / 2)
    graph = budget.masked(masks)
    packed = {op.name: pack_op(BASE, op, dense=False, single_tile=False)
              for op in lower(graph, BASE).ops if isinstance(op, WindowOp)}
    for name, site in budget.sites.items():
        counts = site.pattern.counts(masks[name])
        assert packed[name].rows == counts.sum(axis=1).tolist(), name
    assert any(len(np.unique(site.pattern.counts(masks[name]))) > 2
               for name, site in budget.sites.items())


def test_unreachable_says_what_is(budget, scores):
    least = budget.least_cycles(scores)
    with pytest.raises(UsageError, match="accepted are speed-ups up to ") as caught:
        budget.for_cycles(scores, budget.dense_cycles / 20)
    most = float(str(caught.value).split()[-1])
    assert most <= budget.dense_cycles / least < most + 0.01
    assert budget.cycles(budget.for_cycles(scores, least)) <= least


def test_a_pruned_network_stays_as_it_is(budget, scores):
    """It is fast enough: nothing more goes. It isn't: what is gone stays gone."""
    masks = budget.for_cycles(scores, budget.dense_cycles / 2)
    again = Budget(budget.masked(masks), BASE)
    same = again.for_cycles(scores, budget.dense_cycles / 1.9)
    for name, mask in same.items():
        np.testing.assert_array_equal(mask, masks[name] & (kernel(budget, name) != 0))
    for name, mask in again.for_rates(scores, 0.9).items():
        assert not (mask & ~masks[name]).any()


def kernel(budget, name):
    return next(node.attrs.kernel for node in budget.graph.nodes if node.name == name)


def test_excluded_and_depthwise_layers_stay(scores):
    graph = open_model("dscnn").graph
    kinds = {node.name: type(node.attrs) for node in graph.nodes}
    first = next(name for name, kind in kinds.items() if kind is Conv2D)
    part = Budget(graph, BASE, exclude=[first])
    masks = part.for_cycles(scores, part.dense_cycles / 1.5)
    assert first not in masks
    assert not any(kinds[name] is DepthwiseConv2D for name in masks)
    for before, after in zip(graph.nodes, part.masked(masks).nodes, strict=True):
        assert (before.attrs is after.attrs) == (before.name not in masks)


@pytest.mark.parametrize("rate", [0, 0.3, 0.8, 1])
def test_one_rate(budget, scores, rate):
    masks = budget.for_rates(scores, rate)
    kept = sum(int(budget.sites[name].pattern.counts(mask).sum()) for name, mask in masks.items())
    full = sum(int(budget.sites[name].pattern.counts(np.ones(mask.shape)).sum())
               for name, mask in masks.items())
    assert kept == pytest.approx((1 - rate) * full, abs=1 + 0.01 * full)


def test_rates_by_layer(budget, scores):
    first, second, *_ = budget.sites
    masks = budget.for_rates(scores, {first: 0.75, second: 0.5})
    for name, mask in masks.items():
        pattern = budget.sites[name].pattern
        rate = {first: 0.75, second: 0.5}.get(name)
        if rate is None:
            np.testing.assert_array_equal(mask, kernel(budget, name) != 0)
        else:
            full = pattern.counts(np.ones(pattern.shape)).sum()
            assert pattern.counts(mask).sum() == pytest.approx((1 - rate) * full, abs=1)


@pytest.mark.parametrize("rate", [-0.1, 1.01, float("nan")])
def test_rates_out_of_range(budget, scores, rate):
    with pytest.raises(UsageError, match=r"accepted are 0 .* to 1"):
        budget.for_rates(scores, rate)
    with pytest.raises(UsageError, match=r"accepted are 0 .* to 1"):
        budget.for_rates(scores, {next(iter(budget.sites)): rate})


def test_unknown_layer(budget, scores):
    with pytest.raises(UsageError, match="'nothing': no such layer"):
        budget.for_rates(scores, {"nothing": 0.5})


def test_layers_that_are_not_pruned():
    """Each with its reason; a rate for one says it."""
    build = Builder((1, 8, 8, 32))
    value = build.conv(*build.graph.inputs, 32)
    value = build.depthwise(value, (3, 3), pads=(1,) * 4)
    value = build.add(Conv2D(kernel=np.ones((32, 1, 1, 16), np.int8), window=(1, 1), groups=2,
                             **build.weighted(32)), value)
    graph = build.finish(build.conv(value, 16)).graph
    first, depthwise, grouped, last = (node.name for node in graph.nodes)
    budget = Budget(graph, BASE, exclude=[last])
    assert list(budget.sites) == [first]
    scores = {first: np.ones((32, 1, 1, 32))}
    for name, reason in ((depthwise, "depthwise"), (grouped, "grouped"), (last, "excluded")):
        with pytest.raises(UsageError, match=f"'{name}' isn't pruned: it is {reason}.*; layers "
                           f"that are: {first}$"):
            budget.for_rates(scores, {name: 0.5})


def test_nothing_to_prune():
    graph = open_model("dscnn").graph
    with pytest.raises(UsageError, match="no weights to prune"):
        Budget(graph, BASE, exclude=[node.name for node in graph.nodes])


def test_narrow_memory():
    """A chip whose weights' bytes count as much as their rows."""
    config = preset("ulx3s_85f")
    budget = Budget(open_model("dscnn").graph, config)
    masks = budget.for_cycles(magnitude(budget), budget.dense_cycles / 1.3)
    assert 1.3 <= budget.dense_cycles / budget.cycles(masks) <= 1.35


def test_small_chip():
    """Folded feature maps, thin inputs, an addition, on the smallest chip, whose weight ring
    holds less than a lane block: below that cycles fall at once, above they follow."""
    build = Builder((1, 8, 8, 3))
    first = build.conv(build.graph.inputs[0], 8, 3, 1)
    last = build.conv(build.conv(first, 8, 3, 1), 8, 3, 1)
    budget = Budget(build.finish(build.sum(last, first)).graph, TINY)
    for speedup, most in ((1.5, 2.5), (3.5, 3.7)):
        masks = budget.for_cycles(magnitude(budget), budget.dense_cycles / speedup)
        assert speedup <= budget.dense_cycles / budget.cycles(masks) <= most


def test_no_framework_needed():
    """The core imports with PyTorch and TensorFlow out of reach; the pruner says what it needs."""
    code = ("import sys\n"
            "sys.modules.update(dict.fromkeys(('torch', 'tensorflow', 'keras')))\n"
            "import sw.prune.allocate, sw.prune.budget, sw.prune.pattern, sw.prune.rate, sw.prune\n"
            "from sw.errors import ToolError\n"
            "try:\n    sw.prune.Pruner\nexcept ToolError as error:\n    print(error)\n")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           check=True)
    assert "sentei[torch]" in found.stdout
