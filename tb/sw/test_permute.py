"""Channels in another order: the same results, never more rows, and what must stay stays."""

import dataclasses

import numpy as np
import pytest

from golden import executor
from golden.attributes import Concat, Conv2D, FullyConnected, MaxPool, Mean, Weighted
from golden.graph import Graph
from golden.spec.config import preset
from golden.spec.numerics import quantize_multiplier
from sw.compiler import compile_graph
from sw.compiler.permute import permute_channels
from sw.engines.machine import MachineTransport
from sw.session import open_model
from tb.lib.compare import check_graph
from tb.lib.graph_builder import Builder
from tb.lib.quick import quick
from tb.lib.random_networks import RandomNetwork

BASE, TINY = preset("base"), preset("tiny")


def thinned(graph: Graph, density: float, seed: int) -> Graph:
    """Weights of which ``density`` remain, anywhere."""
    rng = np.random.default_rng(seed)

    def thin(attrs):
        if not isinstance(attrs, Weighted):
            return attrs
        return dataclasses.replace(
            attrs, kernel=np.where(rng.random(attrs.kernel.shape) < density, attrs.kernel, 0
                                   ).astype(np.int8))

    return dataclasses.replace(graph, nodes=[
        dataclasses.replace(node, attrs=thin(node.attrs)) for node in graph.nodes])


def equal(one: Graph, two: Graph, inputs) -> bool:
    expected, found = executor.run(one, inputs), executor.run(two, inputs)
    return all(np.array_equal(expected[name], found[name]) for name in one.outputs)


def rows(graph: Graph, config=BASE) -> int:
    return sum(row["ideal_cycles"] for row in compile_graph(graph, config).layers)


def network(seed: int, density: float = 0.3) -> Builder:
    """Wide enough for several groups: residual, depthwise, pooling, flattened and mean heads."""
    built = Builder((1, 6, 6, 8))
    first = built.conv("t0", 40, 3, 1)
    depth = built.depthwise(first, (3, 3), pads=(1, 1, 1, 1))
    joined = built.sum(built.conv(depth, 40), first)
    pooled = built.add(MaxPool(window=(2, 2), stride=(2, 2)), joined)
    flat = built.fc(built.conv(pooled, 24, 1), 3 * 3 * 24, 20)
    mean = built.add(Mean(axes=(1, 2), input_zero=4, output_zero=5,
                          scale=quantize_multiplier(1 / 9)), pooled)
    built.finish(built.fc(flat, 20, 7), built.fc(mean, 40, 5))
    built.graph = thinned(built.graph, density, seed)
    return built


@pytest.mark.parametrize("seed", range(4))
def test_same_results_in_fewer_rows(seed, monkeypatch):
    built = network(seed)
    ordered = permute_channels(built.graph, BASE)
    assert equal(built.graph, ordered, built.inputs), seed
    changed = sum(not np.array_equal(a.attrs.kernel, b.attrs.kernel)
                  for a, b in zip(built.graph.nodes, ordered.nodes, strict=True)
                  if isinstance(a.attrs, Weighted))
    assert changed >= 5, seed
    with_order = rows(built.graph)
    monkeypatch.setattr("sw.compiler.compile.permute_channels", lambda graph, config: graph)
    assert with_order < rows(built.graph), seed


@pytest.mark.parametrize("seed", quick(10, *range(30)))
def test_random_networks(seed):
    drawn = RandomNetwork(seed, TINY.lanes)
    graph = thinned(drawn.graph, 0.4, seed)
    assert equal(graph, permute_channels(graph, TINY), drawn.inputs), seed


@pytest.mark.parametrize("config", [BASE, TINY], ids=["base", "tiny"])
def test_compiled(config):
    built = network(9)
    check_graph(config, built, MachineTransport(config, memory_bytes=1 << 22), None)


def test_what_stays():
    """Graph inputs and outputs, both sides of a concatenation, grouped convolutions."""
    built = Builder((1, 4, 4, 24))
    left, right = built.conv("t0", 24), built.conv("t0", 24)
    joined = built.add(Concat(axis=3), left, right)
    kernel = built.rng.integers(-9, 9, (48, 1, 1, 24)).astype(np.int8)
    grouped = built.add(Conv2D(kernel=kernel, window=(1, 1), groups=2, **built.weighted(48)),
                        joined)
    built.finish(built.conv(grouped, 24))
    graph = thinned(built.graph, 0.3, 0)
    for before, after in zip(graph.nodes, permute_channels(graph, BASE).nodes, strict=True):
        if isinstance(before.attrs, Weighted):
            assert np.array_equal(before.attrs.kernel, after.attrs.kernel), before.name


def test_dense_weights_are_left_alone():
    graph = open_model("resnet8").graph
    ordered = permute_channels(graph, BASE)
    assert all(a.attrs is b.attrs for a, b in zip(graph.nodes, ordered.nodes, strict=True))


def test_published_network():
    """The wake-word network's own zeros take at least a twentieth fewer rows."""
    graph = open_model("vww").graph
    ordered = permute_channels(graph, BASE)
    inputs = {graph.inputs[0]: np.random.default_rng(0).integers(
        -128, 128, (4, 96, 96, 3)).astype(np.int8)}
    assert equal(graph, ordered, inputs)

    def fixed(graph):
        return sum(_rows(node.attrs) for node in graph.nodes if isinstance(
            node.attrs, Conv2D | FullyConnected))

    assert fixed(ordered) < 0.95 * fixed(graph)


def _rows(attrs) -> int:
    """Weight rows of a layer: the most weights of any lane, block by block."""
    kernel = attrs.kernel.reshape(len(attrs.kernel), -1, attrs.kernel.shape[-1]) != 0
    kernel = np.pad(kernel, ((0, -len(kernel) % 16), (0, 0), (0, -kernel.shape[2] % 16)))
    counts = kernel.reshape(len(kernel) // 16, 16, kernel.shape[1], -1, 16).sum(axis=4)
    return int(counts.max(axis=1).sum())
