"""One rate for the whole network, by magnitude: what speed it would have, before any training."""

import dataclasses

import numpy as np

from golden.attributes import Weighted
from golden.graph import Graph
from golden.spec.config import Config
from sw.errors import UsageError
from sw.prune.pattern import Pattern, prunable

__all__ = ["prune_to_rate", "rows_at"]


def rows_at(config: Config, rate: float) -> int:
    """N of every block at a rate: round(M (1 - rate)).

    Raises
    ------
    UsageError
        For a rate outside 0 to 1.
    """
    if not 0 <= rate <= 1:  # NaN too
        raise UsageError(f"rate is {rate}, accepted are 0 (keep all weights) to 1 (keep none)")
    return int(np.floor(config.group * (1 - rate) + 0.5))


def prune_to_rate(graph: Graph, config: Config, rate: float) -> Graph:
    """The network with only the N largest weights of each lane in every block.

    Depthwise layers, whose blocks have one row as it is, stay.

    Raises
    ------
    UsageError
        For a rate outside 0 to 1, or if there is nothing to prune.
    """
    n = rows_at(config, rate)
    if rate and not any(prunable(node.attrs) for node in graph.nodes):
        raise UsageError(f"{graph.name}: no weights to prune; accepted at a rate above 0 are "
                         "networks with convolutions, other than depthwise, or fully connected "
                         "layers")
    nodes = []
    for node in graph.nodes:
        attrs = node.attrs
        if prunable(attrs):
            assert isinstance(attrs, Weighted)
            size = np.abs(attrs.kernel.astype(np.int16))
            mask = Pattern.of(config, attrs).keep(size, n)
            attrs = dataclasses.replace(attrs, kernel=np.where(mask, attrs.kernel, 0).astype(
                attrs.kernel.dtype))
        nodes.append(dataclasses.replace(node, attrs=attrs))
    return dataclasses.replace(graph, nodes=nodes)
