"""Weights that go and weights that make up for them: masks exact, zeros kept, errors never above
those of magnitude."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.prune.surgeon import Problem, saliency


def problem(seed, outputs=12, inputs=40, group=16, samples=90, zeros=0.2, moved=0.0, depth=0):
    """Correlated inputs, as layers have them."""
    rng = np.random.default_rng(seed)
    kernel = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    kernel[rng.random(kernel.shape) < zeros] = 0
    mixed = rng.standard_normal((samples, depth or inputs)) @ rng.standard_normal(
        (depth or inputs, inputs)) + 0.1 * rng.standard_normal((samples, inputs))
    moments = mixed.T @ mixed
    moments += 0.01 * np.diag(moments).mean() * np.eye(inputs)
    target = kernel + moved * rng.standard_normal(kernel.shape)
    blocks = [slice(at, min(at + group, inputs)) for at in range(0, inputs, group)]
    return Problem(kernel, target, moments, blocks), rng


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(1, 50), st.sampled_from([4, 16]),
       st.sampled_from([0.0, 0.4, 1.0]), st.sampled_from([0.0, 20.0]))
def test_never_worse_than_magnitude(seed, outputs, inputs, group, zeros, moved):
    found, rng = problem(seed, outputs, inputs, group, zeros=zeros, moved=moved)
    rows = rng.integers(0, group + 1, (outputs, len(found.blocks)))
    kernel = found.solve(rows)
    assert (found.error(kernel) <= found.error(found.by_magnitude(rows)) * (1 + 1e-9) + 1e-6).all()
    assert (kernel == np.rint(kernel)).all() and np.abs(kernel).max(initial=0) <= 127
    assert not kernel[found.kernel == 0].any()
    for number, block in enumerate(found.blocks):
        assert ((kernel[:, block] != 0).sum(axis=1) <= rows[:, number]).all()


def test_clearly_better_where_inputs_resemble_each_other():
    found, _ = problem(3, inputs=32, depth=6)
    rows = np.full((12, 2), 8)
    assert found.error(found.solve(rows)).sum() < 0.1 * found.error(found.by_magnitude(rows)).sum()


def test_nothing_goes_where_all_may_stay():
    found, _ = problem(4)
    np.testing.assert_array_equal(found.solve(np.full((12, 3), 16)), found.kernel)


def test_nothing_stays_where_none_may():
    found, _ = problem(5)
    assert not found.solve(np.zeros((12, 3), int)).any()


def test_best_pair_by_hand():
    """Two inputs that are the same: one weight goes, the other takes its part."""
    moments = np.array([[1.0, 1.0], [1.0, 1.0]]) + 1e-6 * np.eye(2)
    found = Problem(np.array([[30, 40]], np.int8), np.array([[30.0, 40.0]]), moments,
                    [slice(0, 2)])
    kernel = found.solve(np.array([[1]]))
    assert sorted(kernel[0]) == [0, 70]


@pytest.mark.parametrize("seed", range(3))
def test_close_to_the_best_weights_of_its_mask(seed):
    """Least squares on the weights that stay, not rounded: a bound for any descent."""
    found, _ = problem(seed, samples=2000, depth=400)
    kernel = found.solve(np.full((12, 3), 8))
    bound = np.zeros(kernel.shape)
    for row, weights in enumerate(kernel):
        on = np.flatnonzero(weights)
        bound[row, on] = np.linalg.solve(found.moments[np.ix_(on, on)],
                                         found.moments[on] @ found.target[row])
    inside = (np.abs(bound) <= 127).all(axis=1)  # others are cut off
    assert inside.sum() >= 3 and (found.error(kernel)[inside]
                                  <= 1.1 * found.error(bound)[inside] + 1).all(), seed


def test_saliency_lies_between_none_and_all_making_up():
    found, _ = problem(6, zeros=0)
    worth = saliency(found.kernel, found.moments)
    weights = found.kernel.astype(float) ** 2
    assert (worth <= weights * np.diag(found.moments) * (1 + 1e-9)).all()
    assert (worth >= weights / np.diag(np.linalg.inv(found.moments)) * (1 - 1e-9)).all()
