"""Weights of nine bits, which legacy uint8 networks have: two pairs of eight each."""

import dataclasses

import numpy as np
import pytest

from golden.executor import run
from golden.graph import Weighted
from golden.spec.config import preset
from golden.weights import unpack
from sw.compiler import compile_graph
from sw.compiler.pack import pack_op, select_blocks
from sw.compiler.pairs import int8_parts, most_pairs, pair_counts
from sw.compiler.permute import permute_channels
from sw.compiler.window import Taps
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from sw.prune.kernels import with_kernels
from tb.lib.compare import check_graph
from tb.lib.quick import quick
from tb.lib.random_graphs import RandomGraph
from tb.sw.test_pack import configs, dense, draw_op, draw_taps

MEMORY = 1 << 22
KINDS = ["conv", "depthwise", "grouped", "fc", "chain"]


def widened(values, rng):
    """int16 weights where int8 ones are not zero, a share of them beyond int8, some at the ends."""
    wide = values.astype(np.int16)
    chosen = rng.random(values.shape) < rng.choice([0.02, 0.3, 1.0])
    wide[chosen] *= 2
    ends = chosen & (rng.random(values.shape) < 0.1)
    wide[ends] = 255 * np.sign(wide[ends])
    return wide


def draw(seed, kind, config, pixels, channels):
    rng = np.random.default_rng(seed)
    drawn = RandomGraph(seed, kind, config.lanes, pixels, channels)
    drawn.graph = with_kernels(drawn.graph, {
        node.name: widened(node.attrs.kernel, rng) for node in drawn.graph.nodes
        if isinstance(node.attrs, Weighted)})
    drawn.graph.validate()
    return drawn


def test_every_weight_is_a_sum_of_few_pairs():
    weights = np.arange(-255, 256, dtype=np.int16)
    parts = int8_parts(weights)
    assert parts.dtype == np.int8 and len(parts) == 3
    assert np.array_equal(parts.sum(axis=0, dtype=np.int16), weights)
    counts = pair_counts(weights)
    assert [int((counts == n).sum()) for n in range(4)] == [1, 255, 254, 1]
    assert np.array_equal(pair_counts(weights[127:383].astype(np.int8)),
                          pair_counts(weights[127:383]))


@configs
@pytest.mark.parametrize("mode", ["zero skipping", "dense", "single tile"])
def test_streams_mean_the_weights(config, mode):
    """Blocks of one place add up to its weights; no more rows than the fullest lane has pairs,
    or than all channels and the fullest lane's second pairs."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        op = draw_op(config, rng)
        op.blocks = [dataclasses.replace(taps, weights=widened(taps.weights, rng))
                     for taps in op.blocks]
        packed = pack_op(config, op, dense=mode == "dense", single_tile=mode == "single tile")
        for block, taps in zip(unpack(config, packed.stream(config, [0], [10], 3)), op.blocks,
                               strict=True):
            left = {((group * 10 + dy * 3 + dx) % config.words, dy, dx): taps.weights[e].astype(int)
                    for e, (_, group, dy, dx) in enumerate(taps.where.tolist())}
            for entry in block.blocks:
                left[entry.offset, entry.dy, entry.dx] -= dense(config, entry.values, entry.indices)
            assert not any(matrix.any() for matrix in left.values()), seed
        if mode == "zero skipping":
            for rows, taps in zip(packed.rows, op.blocks, strict=True):
                assert rows == most_pairs(pair_counts(taps.weights)).sum(), seed


def test_second_pairs_are_counted_apart():
    config = preset("tiny")
    taps = draw_taps(config, np.random.default_rng(5))
    weights = np.where(taps.weights != 0, np.int16(200), np.int16(0))
    block = select_blocks(config, Taps(taps.where, weights, taps.present), dense=False,
                          single_tile=False)
    assert block.real == block.again == np.count_nonzero(weights)
    program = compile_graph(draw(3, "conv", config, 60, 12).graph, config)
    rows = [row for row in program.layers if row["unit"] == "mac"]
    assert any(row["macs_again"] for row in rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["tiny", "base"])
@pytest.mark.parametrize("seeds", quick(1, [0, 3], [1, 2]), ids=str)
def test_machine(name, kind, seeds):
    """golden = machine, every fourth one with zero skipping off."""
    config = preset(name)
    for seed in seeds:
        print(f"seed {seed} kind {kind}")
        pixels, channels = (60, 12) if name == "tiny" else (120, 50)
        drawn = draw(seed, kind, config, pixels, channels)
        check_graph(config, drawn, MachineTransport(config, memory_bytes=MEMORY), None,
                    dense=seed == 3)


def test_rtl():
    config = preset("tiny")
    for seed, kind in enumerate(KINDS[:4]):
        print(f"seed {seed} kind {kind}")
        drawn = draw(seed, kind, config, 60, 12)
        rtl = RtlTransport(config, memory_bytes=MEMORY, stall_percent=0, seed=seed)
        try:
            check_graph(config, drawn, rtl, MachineTransport(config, memory_bytes=MEMORY))
        finally:
            rtl.close()


def test_channels_are_ordered_for_their_pairs():
    config = preset("tiny")
    drawn = draw(11, "chain", config, 60, 24)
    ordered = permute_channels(drawn.graph, config)
    for found, wanted in zip(run(ordered, drawn.inputs).values(),
                             run(drawn.graph, drawn.inputs).values(), strict=True):
        assert np.array_equal(found, wanted)
