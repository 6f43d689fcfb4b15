"""Channels left out: the same results, and only where whole groups can go."""

import dataclasses

import numpy as np
import pytest

from golden import executor
from golden.attributes import AveragePool, Concat, Conv2D, MaxPool, Reshape, Weighted
from golden.lookup import Lookup
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.compiler.drop import drop_channels
from sw.engines.machine import MachineTransport
from sw.session import open_model
from tb.lib.compare import check_graph
from tb.lib.graph_builder import Builder
from tb.lib.quick import quick
from tb.lib.random_networks import RandomNetwork

BASE, TINY = preset("base"), preset("tiny")


def holed(graph, seed, unread=0.5, still=0.3):
    """Whole input channels without weights, and whole outputs."""
    rng = np.random.default_rng(seed)

    def holes(node):
        attrs = node.attrs
        if not isinstance(attrs, Weighted):
            return node
        kernel = attrs.kernel.copy()
        kernel[..., rng.random(kernel.shape[-1]) < unread] = 0
        kernel[rng.random(len(kernel)) < still] = 0
        return dataclasses.replace(node, attrs=dataclasses.replace(attrs, kernel=kernel))

    return dataclasses.replace(graph, nodes=[holes(node) for node in graph.nodes])


def network(seed, **shares):
    """Padded and unpadded readers of constants, depthwise, residual, pooled, reshaped."""
    built = Builder((1, 6, 6, 8))
    first = built.conv("t0", 48, 3, 1)
    depth = built.depthwise(first, (3, 3), pads=(1, 1, 1, 1))
    joined = built.sum(built.conv(depth, 48), first)
    wide = built.conv(built.depthwise(built.conv(joined, 64), (2, 2)), 40, 3, 1)
    pooled = built.add(MaxPool(window=(2, 2), stride=(2, 2)), wide)
    mean = built.add(AveragePool(window=(2, 2)), built.conv(pooled, 64))
    flat = built.fc(built.add(Reshape(to=(1, 64)), mean), 64, 20)
    built.finish(built.fc(flat, 20, 7), built.fc(pooled, 160, 5))
    built.graph = holed(built.graph, seed, **shares)
    return built


def channels(graph):
    return {node.name: graph.tensors[node.outputs[0]].shape[-1] for node in graph.nodes}


def same(one, two, inputs):
    expected, found = executor.run(one, inputs), executor.run(two, inputs)
    return all(np.array_equal(expected[name], found[name]) for name in one.outputs)


@pytest.mark.parametrize("seed", quick(5, *range(12)))
def test_same_results_with_fewer_channels(seed):
    built = network(seed)
    for config in (BASE, TINY):
        fewer = drop_channels(built.graph, config)
        fewer.validate()
        assert same(built.graph, fewer, built.inputs), seed
        before, after = channels(built.graph), channels(fewer)
        assert sum(after.values()) < sum(before.values()), seed
        for name, count in after.items():
            assert count == before[name] or count % config.group == 0, (seed, name)


@pytest.mark.parametrize("seed", quick(10, *range(30)))
def test_random_networks(seed):
    drawn = RandomNetwork(seed, TINY.lanes)
    graph = holed(drawn.graph, seed)
    fewer = drop_channels(graph, TINY)
    fewer.validate()
    assert same(graph, fewer, drawn.inputs), seed


@pytest.mark.parametrize("config", [BASE, TINY], ids=["base", "tiny"])
def test_constants_before_a_table_of_512_entries(config):
    """They lie beyond int8, where the table still has entries of their own."""
    built = Builder((1, 6, 6, 8))
    kernel = built.rng.integers(-127, 128, (48, 1, 1, 8)).astype(np.int8)
    wide = built.add(Conv2D(kernel=kernel, window=(1, 1), **built.weighted(48) | {
        "output_zero": -200, "least": -256, "most": 255, "output_type": "int16"}), "t0")
    table = built.rng.integers(-128, 128, 512).astype(np.int8)
    built.finish(built.conv(built.add(Lookup(table=table), wide), 20))
    built.graph = holed(built.graph, 5, unread=0.0, still=0.5)
    fewer = drop_channels(built.graph, config)
    fewer.validate()
    assert fewer.tensors[wide].shape[-1] < 48
    assert same(built.graph, fewer, built.inputs)
    check_graph(config, built, MachineTransport(config, memory_bytes=1 << 22), None)


def test_nothing_left():
    """A network whose weights are all zero keeps a group of each feature map."""
    built = network(0, still=1.0)
    fewer = drop_channels(built.graph, BASE)
    assert same(built.graph, fewer, built.inputs)
    assert set(channels(fewer).values()) == {16, 7, 5}


@pytest.mark.parametrize("config", [BASE, TINY], ids=["base", "tiny"])
def test_compiled(config):
    check_graph(config, network(3), MachineTransport(config, memory_bytes=1 << 22), None)


def test_what_stays():
    """Dense weights, and feature maps that are read other than channel by channel."""
    graph = open_model("resnet8").graph
    assert drop_channels(graph, BASE) is graph
    built = Builder((1, 4, 4, 24))
    left, right = built.conv("t0", 40), built.conv("t0", 40)
    built.finish(built.add(Concat(axis=3), left, right))
    graph = holed(built.graph, 0)
    assert drop_channels(graph, BASE) is graph


def test_published_network():
    """The wake-word network loses most of its deep channels, an eighth of its cycles and nothing
    else; reports count the products of the network as it is."""
    graph = open_model("vww").graph
    fewer = drop_channels(graph, BASE)
    inputs = {graph.inputs[0]: np.random.default_rng(0).integers(
        -128, 128, (4, 96, 96, 3)).astype(np.int8)}
    assert same(graph, fewer, inputs)
    assert channels(fewer)["25_depthwise_conv_2d"] == 32
    sparse, dense = (compile_graph(graph, BASE, dense=dense).layers for dense in (False, True))
    assert [row["macs"] for row in sparse] == [row["macs"] for row in dense]
    assert sum(row["ideal_cycles"] for row in sparse) < 38_000
