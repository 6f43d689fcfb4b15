"""N for every block against every possible choice."""

import itertools

import numpy as np
import pytest

from sw.errors import UsageError
from sw.prune.allocate import Layer, allocate, rows_kept
from sw.prune.pattern import Pattern


def layer(rng, name, lane_blocks, blocks, group, tiles, drain, live=1.0):
    scores = rng.random((lane_blocks, blocks, 2, group)) ** 3
    scores *= rng.random(scores.shape) < live
    return Layer(name, rows_kept(scores), tiles * np.arange(group + 1.0), tiles * drain)


def every_choice(layers, budget):
    """The most importance that any N keeps within the budget."""
    best = 0.0
    ranges = [itertools.product(range(item.gains.shape[2] + 1), repeat=item.gains[..., 0].size)
              for item in layers]
    for choice in itertools.product(*(list(each) for each in ranges)):
        counts = [np.reshape(part, item.gains.shape[:2])
                  for part, item in zip(choice, layers, strict=True)]
        if sum(item.cycles(n) for item, n in zip(layers, counts, strict=True)) <= budget:
            best = max(best, sum(item.kept(n) for item, n in zip(layers, counts, strict=True)))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_best_of_all_choices(seed):
    """At the cycles it stops at, nothing keeps more."""
    rng = np.random.default_rng(seed)
    layers = [layer(rng, "a", 2, 1, 4, 3, rng.integers(0, 4)),
              layer(rng, "b", 1, 2, 4, rng.integers(1, 9), rng.integers(0, 7), live=0.8)]
    floor = sum(item.floor * len(item.gains) for item in layers)
    full = sum(item.cycles(item.full) for item in layers)
    for share in (0, 0.2, 0.5, 0.8, 1):
        found = allocate(layers, floor + share * (full - floor))
        assert found.cycles <= floor + share * (full - floor) + 1e-6
        assert found.kept == pytest.approx(every_choice(layers, found.cycles + 1e-6)), seed


def test_rows_below_the_drain_are_free():
    gains = rows_kept(np.ones((3, 5, 4, 8)))
    item = Layer("a", gains, 10 * np.arange(9.0), 160)
    found = allocate([item], 3 * 160)
    assert found.cycles == 480 and (found.counts["a"].sum(axis=1) == 16).all()


def test_everything_and_nothing():
    rng = np.random.default_rng(0)
    item = layer(rng, "a", 3, 7, 16, 2, 0, live=0.3)
    full = allocate([item], 1e9)
    np.testing.assert_array_equal(full.counts["a"], item.full)
    assert full.kept == pytest.approx(item.gains.sum())
    assert not allocate([item], 0).counts["a"].any()
    assert allocate([], 5).counts == {}


def test_a_block_that_costs_as_much_dense_is_dense():
    """Where the last rows cost nothing, they are not left out."""
    cost = np.minimum(1.5 * np.arange(17), 16)
    rng = np.random.default_rng(1)
    item = Layer("a", rows_kept(rng.random((4, 6, 16, 16))), cost)
    counts = allocate([item], 200).counts["a"]
    assert counts.any() and not ((counts > 10) & (counts < 16)).any()


def test_layers_compete_by_cycles():
    """Of two equal layers the one whose rows cost more keeps fewer."""
    gains = rows_kept(np.random.default_rng(2).random((2, 9, 16, 16)))
    layers = [Layer("dear", gains, 8 * np.arange(17.0), 0), Layer("cheap", gains, np.arange(17.0))]
    found = allocate(layers, 1000)
    assert found.counts["dear"].sum() < found.counts["cheap"].sum()
    assert found.cycles <= 1000


def test_mask_keeps_what_was_counted():
    pattern = Pattern((20, 3, 3, 24), 16, 16)
    scores = np.random.default_rng(3).random(pattern.shape)
    item = Layer("a", rows_kept(pattern.split(scores)), np.arange(17.0))
    found = allocate([item], 150)
    mask = pattern.keep(scores, found.counts["a"])
    np.testing.assert_array_equal(pattern.counts(mask), found.counts["a"])
    assert (scores * mask).sum() == pytest.approx(found.kept)


@pytest.mark.parametrize("budget", [-1, 9, float("nan")])
def test_too_small_a_budget(budget):
    item = Layer("a", np.ones((1, 1, 4)), np.arange(5.0), 10)
    with pytest.raises(UsageError, match="accepted is 10 or more"):
        allocate([item], budget)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_importance_must_be_a_number(bad):
    gains = np.ones((1, 2, 4))
    gains[0, 1, 2] = bad
    with pytest.raises(UsageError, match="layer 'a'"):
        allocate([Layer("a", gains, np.arange(5.0))], 100)
