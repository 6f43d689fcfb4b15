"""Weight stream: packing and reading back."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.spec import layout
from golden.spec.config import preset
from golden.spec.layout import BlockFormat, ItemKind
from golden.weights import (
    Block,
    LaneBlock,
    WeightStreamError,
    block_from_dense,
    pack,
    unpack,
)

CONFIGS = [preset("tiny"), preset("tiny", lanes=8, drain=2), preset("base"),
           preset("base", lanes=32, drp="none", drain=8)]


def random_block(rng, config, kind=None):
    n = int(rng.integers(0, config.group + 1))
    kind = rng.integers(3) if kind is None else kind
    indices = {BlockFormat.DENSE: np.repeat(np.arange(n)[:, None], config.lanes, 1),
               BlockFormat.DIAGONAL: np.repeat(np.arange(config.lanes)[None], n, 0),
               BlockFormat.PAIRS: rng.integers(0, config.group, (n, config.lanes))}[kind]
    return Block(int(rng.integers(1 << 16)), int(rng.integers(256)), int(rng.integers(256)),
                 rng.integers(-128, 128, (n, config.lanes)).astype(np.int8), indices)


def random_lane_block(rng, config, blocks):
    size = config.lanes
    return LaneBlock(rng.integers(-1 << 31, 1 << 31, size).astype(np.int32),
                     rng.integers(0, 1 << 31, size), rng.integers(0, 32, size),
                     rng.integers(0, 32, size), blocks)


def smallest(config, block):
    n = len(block.values)
    dense = np.array_equal(block.indices, np.repeat(np.arange(n)[:, None], config.lanes, 1))
    diagonal = np.array_equal(block.indices, np.repeat(np.arange(config.lanes)[None], n, 0))
    kinds = [BlockFormat.PAIRS] + dense * [BlockFormat.DENSE] + diagonal * [BlockFormat.DIAGONAL]
    return min(layout.block_beats(config, kind, n) for kind in kinds)


@settings(max_examples=60, deadline=None)
@given(config=st.sampled_from(CONFIGS), seed=st.integers(0, 2**32 - 1),
       counts=st.lists(st.integers(0, 6), max_size=4))
def test_round_trip_and_size(config, seed, counts):
    rng = np.random.default_rng(seed)
    given_blocks = [random_lane_block(rng, config, [random_block(rng, config) for _ in range(n)])
                    for n in counts]
    raw = pack(config, given_blocks)
    for item in given_blocks:
        if not item.blocks:
            empty = np.zeros((0, config.lanes))
            item.blocks.append(Block(0, 0, 0, empty, empty))
    assert unpack(config, raw) == given_blocks
    beats = sum(layout.parameter_item_beats(config)
                + sum(smallest(config, block) for block in item.blocks) for item in given_blocks)
    assert len(raw) == beats * config.group


def dense_run(rng, config, *, count, n, step, start=65000):
    """Dense blocks that differ in weights, and in offset by ``step``, modulo 2**16."""
    index = np.repeat(np.arange(n)[:, None], config.lanes, 1)
    return [Block((start + number * step) % (1 << 16), 3, 4,
                  rng.integers(-128, 128, (n, config.lanes)).astype(np.int8), index)
            for number in range(count)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.name}{config.lanes}")
@pytest.mark.parametrize("count, step, headers", [
    (1, 0, 1), (2, 7, 1), (5, 40000, 1), (16, 600, 1), (17, 600, 2), (40, 0, 3)])
def test_runs_share_a_header(config, count, step, headers):
    rng = np.random.default_rng(count)
    blocks = dense_run(rng, config, count=count, n=config.group, step=step)
    lane_block = random_lane_block(rng, config, blocks)
    raw = pack(config, [lane_block])
    assert unpack(config, raw) == [lane_block]
    assert len(raw) == config.group * (
        layout.parameter_item_beats(config) + headers * layout.header_beats(config)
        + count * config.group)


def test_runs_end_where_blocks_differ():
    """Another N, place, step or format, no rows, or the next lane block: a header of its own."""
    config, rng = preset("base"), np.random.default_rng(0)
    one, two = (dense_run(rng, config, count=2, n=16, step=9, start=start)
                for start in (100, 118))
    run = one + two  # four in one run
    other = [
        [run[0], Block(109, 3, 4, run[1].values[:9], run[1].indices[:9])],
        [run[0], Block(109, 4, 4, run[1].values, run[1].indices)],
        [run[0], Block(109, 3, 5, run[1].values, run[1].indices)],
        [run[0], run[1], run[3]],
        [run[0], Block(109, 3, 4, run[1].values, run[1].indices[::-1])],
        [Block(100 + i * 9, 3, 4, run[i].values[:0], run[i].indices[:0]) for i in (0, 1)],
    ]

    def headers(lane_blocks):
        raw = pack(config, lane_blocks)
        assert unpack(config, raw) == lane_blocks
        rows = sum(len(block.values) for item in lane_blocks for block in item.blocks)
        pairs = sum(-(-(len(block.values) - 1) // 2) for item in lane_blocks
                    for block in item.blocks if (block.indices[:, 0] != np.arange(
                        len(block.indices))).any())
        return (len(raw) // 16 - rows - pairs
                - len(lane_blocks) * layout.parameter_item_beats(config))

    assert headers([random_lane_block(rng, config, run)]) == 1
    for blocks in other:
        assert headers([random_lane_block(rng, config, blocks)]) == 2
    assert headers([random_lane_block(rng, config, one),
                    random_lane_block(rng, config, two)]) == 2


def test_bytes_of_a_small_stream():
    """The stream of one lane block of `tiny`, byte by byte."""
    config = preset("tiny")
    values = np.arange(8, dtype=np.int8).reshape(2, 4) - 4
    indices = np.array([[3, 2, 1, 0], [0, 1, 2, 3]])
    lane = LaneBlock(np.array([1, -2, 3, 4]), np.array([5, 6, 7, 8]), np.array([9, 10, 11, 12]),
                     np.array([13, 14, 15, 16]), [Block(0x1234, 5, 6, values, indices)])
    word = ItemKind.PARAMETERS | 1 << 8 | 2 << 28
    want = word.to_bytes(12, "little")
    want += b"".join(item.to_bytes(4, "little", signed=True)
                     for item in (1, 5, -2, 6, 3, 7, 4, 8))
    want += bytes([9, 13, 10, 14, 11, 15, 12, 16])
    word = ItemKind.BLOCK | BlockFormat.PAIRS << 2 | 2 << 8 | 5 << 16 | 6 << 24 | 0x1234 << 32
    word |= 0b00_01_10_11 << 64
    want += word.to_bytes(12, "little")
    want += values[0].tobytes() + bytes([0b11_10_01_00, 0, 0, 0]) + values[1].tobytes()
    assert pack(config, [lane]) == want


@settings(max_examples=60, deadline=None)
@given(size=st.sampled_from([4, 16]), seed=st.integers(0, 2**32 - 1), density=st.floats(0, 1))
def test_block_from_dense(size, seed, density):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-128, 128, (size, size)) * (rng.random((size, size)) < density)
    values, indices = block_from_dense(matrix)
    assert len(values) == (matrix != 0).sum(axis=0).max()
    again = np.zeros((size, size), np.int64)
    for row, index in zip(values, indices, strict=True):
        np.add.at(again, (index, np.arange(size)), row)
    np.testing.assert_array_equal(again, matrix)


def test_block_from_dense_finds_formats():
    diagonal = np.diag([1, 0, -3, 4])
    values, indices = block_from_dense(diagonal)
    np.testing.assert_array_equal(values, [[1, 0, -3, 4]])
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3]])
    thin = np.array([[1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0], [0, 0, 0, 0]])
    thin[0, 1] = 5
    values, indices = block_from_dense(thin)
    np.testing.assert_array_equal(values, thin[:3])
    np.testing.assert_array_equal(indices, np.repeat([[0], [1], [2]], 4, axis=1))


@pytest.mark.parametrize("change, text", [
    (dict(offset=1 << 16), "BLOCK_HEADER.offset is 65536, accepted are 0 to 65535"),
    (dict(dy=-1), "BLOCK_HEADER.dy is -1"),
    (dict(indices=np.full((1, 4), 4)), "weight index is 4, accepted are 0 to 3"),
    (dict(values=np.full((1, 4), 200)), "weight value is 200"),
    (dict(values=np.zeros((5, 4)), indices=np.zeros((5, 4), int)), "block rows is 5"),
    (dict(indices=np.zeros((2, 4), int)), "values"),
])
def test_refusals(change, text):
    config = preset("tiny")
    fields = dict(offset=0, dy=0, dx=0, values=np.zeros((1, 4), np.int8),
                  indices=np.zeros((1, 4), int)) | change
    lane = random_lane_block(np.random.default_rng(0), config, [Block(**fields)])
    with pytest.raises(ValueError, match=text):
        pack(config, [lane])


def test_unpack_refuses_nonsense():
    config = preset("tiny")
    lane = random_lane_block(np.random.default_rng(0), config,
                             [random_block(np.random.default_rng(1), config)])
    raw = pack(config, [lane])
    with pytest.raises(WeightStreamError, match="ends within"):
        unpack(config, raw[:-4])
    with pytest.raises(WeightStreamError, match="item kind 0"):
        unpack(config, raw + bytes(12))
    with pytest.raises(WeightStreamError, match="whole beats"):
        unpack(config, raw[:-1])
    with pytest.raises(WeightStreamError, match="a BLOCK where"):
        unpack(config, raw[layout.parameter_item_beats(config) * 4:])


def test_speed():
    config = preset("base")
    rng = np.random.default_rng(3)
    rows = np.zeros((4, 16), np.int8)
    blocks = [Block(i, 0, 0, rows, rng.integers(0, 16, (4, 16))) for i in range(4700)]
    lane = random_lane_block(rng, config, blocks)
    begin = time.perf_counter()
    pack(config, [lane])
    assert time.perf_counter() - begin < 1.0  # about 0.05 s on an idle core
