"""Weights to weight streams and back: nothing lost, no row too many."""

import numpy as np
import pytest

from golden.spec.config import preset
from golden.spec.layout import BlockFormat, block_beats
from golden.weights import unpack
from sw.compiler.pack import pack_op, select_blocks
from sw.compiler.taps import conv_taps, sparse_taps
from sw.compiler.window import Post, Taps, WindowOp

CONFIGS = {"tiny": preset("tiny"), "base": preset("base"),
           "wide": preset("base", lanes=32, drp="none")}
configs = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def draw_taps(config, rng, entries=6):
    """Taps of one lane block, each entry with its own density; some weights don't exist."""
    shape = (entries, config.group, config.lanes)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    weights[rng.random(shape) >= rng.random((entries, 1, 1)) ** 2] = 0
    if rng.integers(2):
        weights[rng.integers(entries)] = 0
    present = (rng.random(shape) < rng.random((entries, 1, 1)) * 2) | (weights != 0)
    where = np.stack([np.zeros(entries, int), rng.permutation(entries), rng.integers(0, 3, entries),
                      rng.integers(0, 3, entries)], axis=1)
    return Taps(where, weights, present)


def draw_op(config, rng, blocks=3, height=4, width=4):
    channels = blocks * config.lanes - int(rng.integers(config.lanes))
    taps = [draw_taps(config, rng) for _ in range(blocks)]
    for item in taps[-1].weights, taps[-1].present:
        item[..., channels - (blocks - 1) * config.lanes:] = 0
    post = Post(rng.integers(-1000, 1000, channels), rng.integers(0, 1 << 31, channels),
                rng.integers(0, 8, channels), rng.integers(0, 32, channels), 0, -128, 127)
    return WindowOp("op", "Conv2D", ["in"], "out", height, width, 1, 1, 0, 0, taps, post, 0)


def dense(config, values, indices):
    """The (M, L) matrix that rows of values and indices mean."""
    matrix = np.zeros((config.group, config.lanes), int)
    np.add.at(matrix, (indices, np.arange(config.lanes)), values)
    return matrix


@configs
@pytest.mark.parametrize("mode", ["zero skipping", "dense", "single tile"])
def test_streams_mean_the_weights(config, mode):
    """unpack(stream) is every weight, bias and scale, at the right offsets."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        op = draw_op(config, rng)
        packed = pack_op(config, op, dense=mode == "dense", single_tile=mode == "single tile")
        plane, pitch = int(rng.integers(1, 40)), int(rng.integers(1, 9))
        found = unpack(config, packed.stream(config, [0], [plane], pitch))
        assert len(found) == len(op.blocks), seed
        for number, (block, taps) in enumerate(zip(found, op.blocks, strict=True)):
            chosen = slice(number * config.lanes, (number + 1) * config.lanes)
            for name in ("bias", "multiplier", "pre", "post"):
                channels = getattr(op.post, name)[chosen]
                assert np.array_equal(getattr(block, name)[:len(channels)], channels), seed
                assert not getattr(block, name)[len(channels):].any(), seed
            expected = {
                ((group * plane + dy * pitch + dx) % config.words, dy, dx): taps.weights[e]
                for e, (_, group, dy, dx) in enumerate(taps.where.tolist())}
            assert len(expected) == len(taps.where)
            for entry in block.blocks:
                matrix = expected.pop((entry.offset, entry.dy, entry.dx))
                assert np.array_equal(dense(config, entry.values, entry.indices), matrix), seed
            assert not any(matrix.any() for matrix in expected.values()), seed


@configs
def test_rows_of_each_block(config):
    """N is the most weights of any lane: nonzero ones, or with dense those that exist."""
    for seed in range(40):
        taps = draw_taps(config, np.random.default_rng(seed))
        for every in (False, True):
            used = taps.present if every else taps.weights != 0
            n = used.sum(axis=1).max(axis=1)
            block = select_blocks(config, taps, dense=every, single_tile=False)
            assert block.counts.tolist() == n[n > 0].tolist(), seed
            assert np.array_equal(block.where, taps.where[n > 0]), seed
            assert block.real == used.sum(), seed
            assert [len(rows) for rows in block.values] == n[n > 0].tolist(), seed


@configs
def test_single_tile_takes_the_shorter_form(config):
    """With one tile beats count, not rows; with more tiles rows count."""
    group = config.group
    beats = block_beats(config, BlockFormat.DENSE, group)
    for n in range(1, group + 1):
        weights = np.zeros((1, group, config.lanes), np.int8)
        weights[0, group - n:] = 5  # the last channels: DENSE needs all rows
        taps = Taps(np.zeros((1, 4), int), weights, np.ones_like(weights, bool))
        one = select_blocks(config, taps, dense=False, single_tile=True)
        many = select_blocks(config, taps, dense=False, single_tile=False)
        longer = block_beats(config, BlockFormat.PAIRS, n) >= beats
        assert one.counts.tolist() == [group if longer else n]
        assert many.counts.tolist() == [n]


def test_an_empty_lane_block_still_drains():
    config = preset("tiny")
    op = draw_op(config, np.random.default_rng(1), blocks=2)
    op.blocks[0].weights[:] = 0
    packed = pack_op(config, op, dense=False, single_tile=False)
    assert packed.rows[0] == 0 and packed.entries[0] == 1
    (empty,) = unpack(config, packed.stream(config, [0], [1], 1))[0].blocks
    assert len(empty.values) == 0


def test_sources_at_their_places():
    """Entries of a second source are moved by its offset and counted in its planes."""
    config = preset("tiny")
    ones = np.ones((2, config.group, config.lanes), np.int8)
    taps = Taps(np.array([[0, 2, 0, 0], [1, 3, 0, 0]]), ones, ones.astype(bool))
    post = Post(*(np.zeros(4, int) for _ in range(4)), 0, -128, 127)
    op = WindowOp("op", "Concat", ["a", "b"], "out", 1, 1, 1, 1, 0, 0, [taps], post, 0)
    packed = pack_op(config, op, dense=False, single_tile=False)
    (block,) = unpack(config, packed.stream(config, [0, -50], [10, 6], 3))
    assert [entry.offset for entry in block.blocks] == [20, (-50 + 18) % config.words]
    assert op.groups("a") == (2, 3) and op.groups("b") == (3, 4) and op.groups("out") == (0, 1)


@configs
def test_convolution_taps(config):
    """Every weight of a kernel lies where its input channel and output channel are."""
    rng = np.random.default_rng(7)
    group, lanes = config.group, config.lanes
    kernel = rng.integers(-127, 128, (lanes + 3, 2, 3, 2 * group - 1)).astype(np.int8)
    blocks = conv_taps(config, kernel, (2, 3))
    found, real = np.zeros_like(kernel), 0
    for number, taps in enumerate(blocks):
        real += taps.present.sum()
        for e, (source, g, dy, dx) in enumerate(taps.where.tolist()):
            assert source == 0 and dy % 2 == 0 and dx % 3 == 0
            part = found[number * lanes:(number + 1) * lanes, dy // 2, dx // 3,
                         g * group:(g + 1) * group]
            part += taps.weights[e].T[:part.shape[0], :part.shape[1]]
    assert np.array_equal(found, kernel) and real == kernel.size


@configs
def test_depthwise_is_one_row_a_tap(config):
    kernel = np.full((2 * config.lanes, 3, 3, 1), 3, np.int8)
    channels = np.arange(len(kernel))
    op = WindowOp("op", "DepthwiseConv2D", ["in"], "out", 4, 4, 1, 1, 0, 0, sparse_taps(
        config, kernel, np.zeros(len(kernel), int), channels),
        Post(*(np.zeros(len(kernel), int) for _ in range(4)), 0, -128, 127), 0)
    for every in (False, True):
        packed = pack_op(config, op, dense=every, single_tile=False)
        assert packed.rows == [9, 9] and packed.entries == [9, 9]
