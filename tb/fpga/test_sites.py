"""Sites for blocks: no choice has a smaller sum of squares."""

from itertools import permutations

import numpy as np
import pytest

from fpga.geometry import geometry
from fpga.sites import nearest_sites
from sw.errors import ToolError

NEARLY = 0.02  # a site counts in hundredths


def moved(x, y, sites):
    return sum((left - site[0]) ** 2 + (top - site[1]) ** 2
               for left, top, site in zip(x, y, sites, strict=True))


@pytest.mark.parametrize("objects", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_none_is_better(objects, seed):
    random = np.random.default_rng(seed)
    sites = [(int(x), int(y), number) for number, (x, y) in
             enumerate(random.integers(0, 6, (6, 2)))]
    x, y = random.uniform(0, 6, (2, objects))
    found = nearest_sites(x, y, sites, "things")
    assert len(set(found)) == objects and set(found) <= set(sites)
    least = min(moved(x, y, chosen) for chosen in permutations(sites, objects))
    assert moved(x, y, found) <= least + NEARLY * objects


def test_one_that_is_nearest_to_two_goes_where_less_is_lost():
    x, y = np.array([0.0, 1.0]), np.zeros(2)
    assert nearest_sites(x, y, [(1, 0, 0), (20, 0, 1)], "things") == [(1, 0, 0), (20, 0, 1)]
    assert nearest_sites(x, y, [(1, 0, 0), (-2, 0, 1)], "things") == [(-2, 0, 1), (1, 0, 0)]


def test_the_same_every_time():
    sites = geometry("lfe5u_25f").memories
    x, y = np.random.default_rng(1).uniform(0, 70, (2, len(sites)))
    found = nearest_sites(x, y, sites, "block RAMs")
    assert sorted(found) == sorted(sites)
    assert found == nearest_sites(x.copy(), y.copy(), sites, "block RAMs")


def test_none_to_place():
    assert nearest_sites(np.zeros(0), np.zeros(0), [], "things") == []


def test_too_many():
    sites = geometry("lfe5u_25f").memories
    with pytest.raises(ToolError, match="57 block RAMs, the device has 56"):
        nearest_sites(np.zeros(57), np.zeros(57), sites, "block RAMs")
