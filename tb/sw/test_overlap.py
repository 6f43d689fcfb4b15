"""Cuts for overlap: every output once, weights where they must be, no tile more, no gap."""

import numpy as np
import pytest

from golden.machine.timing import Timing
from golden.spec.config import preset
from sw.compiler.overlap import Pass, Ready, cut_passes
from sw.compiler.plan import Tile
from sw.compiler.window import Post, Taps, WindowOp

BASE = preset("base")


def _op(height, width, blocks, kernel=3, depthwise=False, stride=1):
    """An operator of ``blocks`` lane blocks with the taps of a square kernel."""
    taps = []
    for block in range(blocks):
        groups = [block] if depthwise else range(blocks)
        where = np.array([(0, g, y, x) for y in range(kernel) for x in range(kernel)
                          for g in groups])
        none = np.zeros((len(where), 16, 16), np.int8)
        taps.append(Taps(where, none, none.astype(bool)))
    post = Post(*(np.zeros(blocks * 16, int) for _ in range(4)), 0, -128, 127)
    pad = kernel // 2
    return WindowOp("op", "Conv2D", ["in"], "out", height, width, stride, stride, pad, pad, taps,
                    post, 0)


def _written(passes, blocks):
    """Times every (lane block, row) is written, with the weight store's order observed."""
    counts: dict[tuple[int, int], int] = {}
    position = 0
    for item in passes:
        assert item.first == position, passes
        for block in range(item.first, item.end):
            for row in range(item.tile.y, item.tile.y + item.tile.height):
                counts[block, row] = counts.get((block, row), 0) + 1
        position = item.first if item.keep else item.end
    return counts, position


@pytest.mark.parametrize("seed", range(200))
def test_random(seed):
    rng = np.random.default_rng(seed)
    height, width = (int(value) for value in rng.integers(1, 30, 2))
    blocks, y = int(rng.integers(1, 12)), int(rng.integers(0, 9))
    op = _op(y + height, width, blocks, int(rng.choice([1, 3, 5])), bool(rng.integers(2)),
             int(rng.integers(1, 3)))
    tile = Tile(y, 0, height, width)
    rows = rng.integers(1, 200, blocks).tolist()
    limit = int(rng.choice([1, 3, 99]))
    ready = Ready(str(rng.choice(["in", "other"])), int(rng.integers(0, blocks + 1)),
                  int(rng.integers(0, 60)))
    keep, ends = (bool(value) for value in rng.integers(0, 2, 2))
    passes, after = cut_passes(BASE, op, tile, rows, lambda first, end: end - first <= limit,
                               ready=ready if rng.integers(4) else None,
                               ends=ends and not keep, keep=keep)
    counts, position = _written(passes, blocks)
    assert counts == {(block, row): 1 for block in range(blocks)
                      for row in range(y, y + height)}, seed
    assert position == (0 if keep else blocks), seed
    for item in passes:
        assert item.tile.height > 0 and item.end > item.first, (seed, item)
        if item.keep and not keep:
            assert item.end - item.first <= limit, (seed, item)
    tiles = [0] * blocks
    for item in passes:
        for block in range(item.first, item.end):
            tiles[block] += -(-item.tile.height * width // BASE.columns)
    assert tiles == [-(-height * width // BASE.columns)] * blocks, seed
    if after:
        # The last pass alone writes what isn't announced as ready.
        assert ends and passes[-1].first == after.groups, seed
        assert passes[-1].tile.y == after.rows, seed


def test_consecutive_convolutions():
    """A pass ends each operator, and the next begins with rows that don't need it."""
    first = _op(16, 16, 1)
    passes, ready = cut_passes(BASE, first, Tile(0, 0, 16, 16), [144], lambda *_: True,
                               ready=None, ends=True, keep=False)
    assert passes == [Pass(Tile(0, 0, 15, 16), 0, 1, True), Pass(Tile(15, 0, 1, 16), 0, 1)]
    assert ready == Ready("out", 0, 15)
    passes, _ = cut_passes(BASE, first, Tile(0, 0, 16, 16), [144], lambda *_: True,
                           ready=Ready("in", 0, 15), ends=True, keep=False)
    # Row 13 reads rows 12 to 14; one row, two tiles of 144 cycles, is work enough.
    assert passes == [Pass(Tile(0, 0, 1, 16), 0, 1, True), Pass(Tile(1, 0, 14, 16), 0, 1, True),
                      Pass(Tile(15, 0, 1, 16), 0, 1)]


def test_depthwise_by_lane_blocks():
    """Lane blocks whose channel group is ready need no cut through rows."""
    op = _op(16, 16, 4, depthwise=True)
    passes, ready = cut_passes(BASE, op, Tile(0, 0, 16, 16), [9] * 4, lambda *_: True,
                               ready=Ready("in", 3, 15), ends=True, keep=False)
    assert passes[0] == Pass(Tile(0, 0, 16, 16), 0, 1)
    assert passes[1] == Pass(Tile(0, 0, 16, 16), 1, 3)
    assert ready is not None and ready.groups == 3
    tail = passes[-1].tile
    timing = Timing()
    assert tail.height * 2 * BASE.drain_cycles >= (timing.drain + BASE.drain_cycles + timing.post
                                                   + timing.semaphore + timing.mac_start)


def test_nothing_to_cut():
    """One pixel, or an operator that does not read what is late, is one pass."""
    op = _op(1, 1, 4, kernel=1)
    passes, ready = cut_passes(BASE, op, Tile(0, 0, 1, 1), [16] * 4, lambda *_: True,
                               ready=Ready("in", 3, 0), ends=True, keep=False)
    assert passes == [Pass(Tile(0, 0, 1, 1), 0, 4)] and ready is None
    op = _op(16, 16, 1)
    passes, _ = cut_passes(BASE, op, Tile(0, 0, 16, 16), [144], lambda *_: True,
                           ready=Ready("elsewhere", 0, 0), ends=False, keep=False)
    assert passes == [Pass(Tile(0, 0, 16, 16), 0, 1)]
