"""Rough places: springs between bounds, and room for everything."""

from itertools import pairwise

import numpy as np
import pytest

from fpga.analytic import Analytic, Region, spread

NEAR = 1  # springs shorter than that are as strong as those that are as long


def solved(at, count, nets, weights, targets, pull):
    """Where springs hold each other, by elimination."""
    matrix, right = np.zeros((count, count)), np.zeros(count)

    def spring(one, other, strength):
        strength /= max(abs(at[one] - at[other]), NEAR)
        for here, there in ((one, other), (other, one)):
            if here < count:
                matrix[here, here] += strength
                if there < count:
                    matrix[here, there] -= strength
                else:
                    right[here] += strength * at[there]

    for net, weight in zip(nets, weights, strict=True):
        *low, high = sorted(net, key=lambda item: at[item])
        first, inner = low[0], low[1:]
        weight *= 2 / (len(net) - 1)
        spring(first, high, weight)
        for item in inner:
            spring(item, first, weight)
            spring(item, high, weight)
    for item in range(count):
        own = pull[item] / max(abs(at[item] - targets[item]), NEAR)
        matrix[item, item] += own
        right[item] += own * targets[item]
    return np.linalg.solve(matrix, right)


def test_a_chain_between_two_ends_is_even():
    count = 9
    x = np.concatenate((np.random.default_rng(1).uniform(0, 1, count), [0, 1]))
    nets = [(count, 0), *pairwise(range(count)), (count - 1, count + 1)]
    analytic = Analytic(nets, x, np.zeros(count + 2), count)
    analytic.solve(x, 100)
    assert x[:count] == pytest.approx(np.arange(1, count + 1) / (count + 1), abs=1e-3)
    assert list(x[count:]) == [0, 1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_springs_are_in_balance(seed, weighted):
    random = np.random.default_rng(seed)
    count, objects = 12, 16
    nets = [tuple(random.choice(objects, random.integers(2, 7), replace=False))
            for _ in range(30)]
    at = random.uniform(0, 40, objects)
    targets, pull = random.uniform(0, 40, count), random.uniform(0.1, 2, count)
    fixed = at[count:].copy()
    analytic = Analytic(nets, at, np.zeros(objects), count)
    analytic.weights *= random.uniform(1, 5, len(nets)) if weighted else 1
    wanted = solved(at, count, nets, analytic.weights, targets, pull)
    analytic.solve(at, 200, targets, pull)
    assert at[:count] == pytest.approx(wanted, abs=1e-2)
    assert list(at[count:]) == list(fixed)


def test_an_object_without_nets_stays():
    x = np.array([3.5, 7.0, 9.0])
    Analytic([(1, 2)], x, np.zeros(3), 2).solve(x, 50)
    assert x == pytest.approx([3.5, 9.0, 9.0])


def test_a_pull_leads_to_its_target():
    x, y = np.array([1.0, 5.0]), np.array([2.0, 5.0])
    analytic = Analytic([(0, 1)], x, y, 1)
    analytic.solve(x, 50, np.array([30.0]), np.array([1e6]))
    analytic.solve(y, 50)
    assert x[0] == pytest.approx(30, abs=1e-2) and y[0] == pytest.approx(5)


def test_wire_is_that_of_half_perimeters():
    random = np.random.default_rng(3)
    x, y = (random.integers(0, 50, 20).astype(float) for _ in range(2))
    nets = [tuple(random.choice(20, random.integers(2, 6), replace=False)) for _ in range(15)]
    assert Analytic(nets, x, y, 10).wire() == sum(
        max(at[item] for item in net) - min(at[item] for item in net)
        for net in nets for at in (x, y))


def crowd(seed, count=400):
    """Objects of sizes up to 8 in a heap."""
    random = np.random.default_rng(seed)
    return (*random.normal(5, 1, (2, count)), random.choice([0.5, 1, 2, 4, 8], count, p=[
        0.3, 0.5, 0.1, 0.06, 0.04]))


REGION, CAPACITY, FILL = Region(0, 16, 0, 16), 8, 0.85


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [8, 4])
def test_no_part_is_too_full(seed, size):
    x, y, area = crowd(seed)
    assert area.sum() < FILL * CAPACITY * 16 * 16
    x, y = spread(x, y, area, REGION, CAPACITY, FILL)
    assert 0 <= x.min() and x.max() <= 16 and 0 <= y.min() and y.max() <= 16
    found = np.zeros((16 // size, 16 // size))
    np.add.at(found, tuple(np.minimum(at // size, 16 // size - 1).astype(int) for at in (y, x)),
              area)
    # One of the largest is over a border, in each step of bisection at most.
    assert found.max() <= FILL * CAPACITY * size ** 2 + 8


def test_more_than_the_fill_is_spread_over_all():
    x, y = np.full((2, 1000), 3.0)
    x, y = spread(x, y, np.ones(1000), Region(0, 8, 0, 16), CAPACITY, FILL)
    found = np.zeros((4, 2))
    np.add.at(found, tuple(np.minimum(at // 4, last).astype(int) for at, last in ((y, 3), (x, 1))),
              1)
    assert found.max() <= CAPACITY * 16 and found.sum() == 1000


@pytest.mark.parametrize("seed", range(3))
def test_order_along_a_line_is_kept(seed):
    x = np.random.default_rng(seed).normal(5, 2, 60)
    found, _ = spread(x, np.full(60, 0.5), np.ones(60), Region(0, 16, 0, 1), CAPACITY, FILL)
    order = np.argsort(x, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert np.abs(found - x).max() > 1  # some had to move


@pytest.mark.parametrize("seed", range(3))
def test_what_has_room_stays(seed):
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, 120, (2, 50))
    now = spread(x, y, np.ones(50), Region(0, 120, 0, 120), 1000, FILL)
    assert now[0] == pytest.approx(x, abs=1) and now[1] == pytest.approx(y, abs=1)


def test_nothing_given_changes_and_the_result_is_the_same_every_time():
    given = crowd(7)
    kept = [array.copy() for array in given]
    first, again = (spread(*given, REGION, CAPACITY, FILL) for _ in range(2))
    assert all((one == other).all() for one, other in zip(given, kept, strict=True))
    assert all((one == other).all() for one, other in zip(first, again, strict=True))


def test_what_lies_at_one_point_is_spread_too():
    x, y = spread(*np.full((2, 640), 8.0), np.ones(640), REGION, CAPACITY, FILL)
    found = np.zeros((4, 4))
    np.add.at(found, tuple(np.minimum(at // 4, 3).astype(int) for at in (y, x)), 1)
    assert found.max() <= FILL * CAPACITY * 16 + 8


def test_none_to_spread():
    x, y = spread(*np.zeros((3, 0)), REGION, CAPACITY, FILL)
    assert len(x) == len(y) == 0
