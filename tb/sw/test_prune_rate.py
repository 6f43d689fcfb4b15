"""Blocks of kernels, and a rate for the whole network."""

import numpy as np
import pytest

from golden import executor
from golden.attributes import Conv2D, DepthwiseConv2D, FullyConnected
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.engines.machine import MachineTransport
from sw.errors import UsageError
from sw.prune.pattern import Pattern
from sw.prune.rate import prune_to_rate, rows_at
from sw.session import open_model
from tb.lib.compare import run_from_clean_memory

BASE, TINY = preset("base"), preset("tiny")
SHAPES = [(16, 3, 3, 16), (17, 1, 1, 33), (5, 3, 3, 3), (40, 10, 4, 1), (7, 64), (16, 5, 5, 20),
          (3, 1, 1, 4)]


@pytest.mark.parametrize("config", [BASE, TINY], ids=["base", "tiny"])
@pytest.mark.parametrize("shape", SHAPES)
def test_blocks(shape, config):
    """split and join are opposites; keep leaves N of every lane, the largest."""
    rng = np.random.default_rng(len(shape))
    pattern = Pattern(shape, config.lanes, config.group)
    values = rng.permutation(int(np.prod(shape))).reshape(shape) + 1
    apart = pattern.split(values)
    assert apart.shape == (*pattern.blocks, config.lanes, config.group)
    np.testing.assert_array_equal(pattern.join(apart), values)
    counts = rng.integers(0, config.group + 1, pattern.blocks)
    mask = pattern.keep(values, counts)
    kept, there = pattern.split(mask), apart > 0
    np.testing.assert_array_equal(
        kept.sum(axis=3), np.minimum(there.sum(axis=3), counts[:, :, None]))
    least = np.where(kept, apart, 1 << 30).min(axis=3)
    most = np.where(there & ~kept, apart, 0).max(axis=3)
    assert (least > most).all()
    assert (pattern.counts(mask) <= counts).all()


def test_thin_inputs_share_a_group():
    """Three channels by three columns are one group of nine, as they are gathered."""
    assert Pattern((16, 3, 3, 3), 16, 16).blocks == (1, 3)
    assert Pattern((64, 10, 4, 1), 16, 16).blocks == (4, 10)
    assert Pattern((16, 3, 3, 16), 16, 16).blocks == (1, 9)
    assert Pattern((16, 3, 3, 6), 16, 16).blocks == (1, 9)  # eighteen would be too many


@pytest.mark.parametrize("rate, n", [(0, 16), (0.5, 8), (0.75, 4), (0.875, 2), (0.9, 2),
                                     (0.97, 0), (1, 0), (0.03125, 16)])
def test_rows_at(rate, n):
    assert rows_at(BASE, rate) == n


@pytest.mark.parametrize("rate", [-0.1, 1.01, float("nan"), float("inf")])
def test_rates_out_of_range(rate):
    with pytest.raises(UsageError, match=r"accepted are 0 .* to 1"):
        rows_at(BASE, rate)


@pytest.mark.parametrize("rate", [0.5, 0.75, 1])
@pytest.mark.parametrize("name", ["resnet8", "dscnn"])
def test_networks(name, rate):
    """Golden and machine agree on the pruned network; every block has at most N rows."""
    graph = open_model(name).graph
    pruned = prune_to_rate(graph, BASE, rate)
    for before, after in zip(graph.nodes, pruned.nodes, strict=True):
        if isinstance(after.attrs, Conv2D | FullyConnected):
            pattern = Pattern.of(BASE, after.attrs)
            assert pattern.counts(after.attrs.kernel).max() <= rows_at(BASE, rate)
        elif isinstance(after.attrs, DepthwiseConv2D):
            assert after.attrs is before.attrs
    rng = np.random.default_rng(0)
    inputs = {key: rng.integers(-128, 128, graph.tensors[key].shape).astype(np.int8)
              for key in graph.inputs}
    program = compile_graph(pruned, BASE)
    found, _ = run_from_clean_memory(MachineTransport(BASE, memory_bytes=1 << 22), program, inputs)
    expected = executor.run(pruned, inputs)
    for key in graph.outputs:
        np.testing.assert_array_equal(found.outputs[key], expected[key])


def test_nothing_pruned_at_rate_0():
    graph = open_model("resnet8").graph
    for before, after in zip(graph.nodes, prune_to_rate(graph, BASE, 0).nodes, strict=True):
        if isinstance(before.attrs, Conv2D):
            np.testing.assert_array_equal(before.attrs.kernel, after.attrs.kernel)
