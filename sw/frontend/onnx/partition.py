"""Which nodes of an ONNX graph the host runs together.

What it must run is known; what lies between, before or behind and only moves or converts, joins it,
so that bytes rather than floats cross. What is connected then becomes one section, unless a path
leads from one part to the other by way of the chip.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import onnx

__all__ = ["MOVERS", "Unit", "joined", "reads", "units"]

# Operators whose results are their inputs' values, in other places or forms.
MOVERS = ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout")
_BEFORE = (*MOVERS, "DequantizeLinear", "Softmax")  # join where only the host reads their result
_BEHIND = (*MOVERS, "QuantizeLinear", "Softmax", "Relu", "Clip")  # where they only read the host's


@dataclass(frozen=True)
class Unit:
    """Nodes converted together: one, or a section of the host's."""

    nodes: tuple[int, ...]
    host: bool


def reads(node: onnx.NodeProto) -> list[str]:
    """Tensors that a node reads, those that graphs among its attributes take from outside too."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
            own = {item.name for item in (*graph.input, *graph.initializer)}
            for inner in graph.node:
                names += [name for name in reads(inner) if name not in own]
                own |= set(inner.output)
            names += [item.name for item in graph.output if item.name not in own]
    return list(dict.fromkeys(names))


class _Edges:
    """Who reads whose results; constants connect nothing."""

    def __init__(self, nodes: Sequence[onnx.NodeProto], constants: Set[str]) -> None:
        self.makers = {name: index for index, node in enumerate(nodes) for name in node.output
                       if name and name not in constants}
        self.sources: list[list[int]] = []
        self.readers: list[list[int]] = [[] for _ in nodes]
        # Whether a node reads inputs of the network.
        self.given = [any(name not in self.makers and name not in constants
                          for name in reads(node)) for node in nodes]
        for index, node in enumerate(nodes):
            found = {self.makers[name] for name in reads(node) if name in self.makers}
            self.sources.append(sorted(found))
            for source in found:
                self.readers[source].append(index)


def joined(nodes: Sequence[onnx.NodeProto], host: Mapping[int, str], constants: Set[str],
           outputs: Set[str]) -> dict[int, str]:
    """The nodes of the host; why, for each, which is empty for those that only join others."""
    edges, found = _Edges(nodes, constants), dict(host)
    while True:
        before = len(found)
        for index in reversed(range(len(nodes))):
            users = edges.readers[index]
            if (nodes[index].op_type in _BEFORE and index not in found and users
                    and all(user in found for user in users)
                    and outputs.isdisjoint(nodes[index].output)):
                found[index] = ""
        for index, node in enumerate(nodes):
            sources = edges.sources[index]
            if (node.op_type in _BEHIND and index not in found and sources
                    and not edges.given[index] and all(source in found for source in sources)):
                found[index] = ""
        if len(found) == before:
            return found


def units(nodes: Sequence[onnx.NodeProto], host: Set[int], constants: Set[str]) -> list[Unit]:
    """All nodes, in an order in which they can be converted."""
    edges = _Edges(nodes, constants)
    levels = _levels(edges, host)
    group = list(range(len(nodes)))

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    touching = [(source, index) for index in sorted(host) for source in edges.sources[index]
                if source in host]
    for source, index in touching:
        if levels[source] == levels[index]:
            group[root(index)] = root(source)
    for source, index in touching:
        if not _detour(edges, [root(index) for index in range(len(nodes))], source, index):
            group[root(index)] = root(source)
    edges = _Edges(nodes, set())  # constants come first too
    members: dict[int, list[int]] = {}
    for index in range(len(nodes)):
        members.setdefault(root(index), []).append(index)
    order, done = [], set[int]()
    left = list(members)
    while left:
        ready = next(first for first in left if all(
            root(source) == first or root(source) in done for index in members[first]
            for source in edges.sources[index]))
        left.remove(ready)
        done.add(ready)
        order.append(Unit(tuple(members[ready]), ready in host))
    return order


def _detour(edges: _Edges, group: Sequence[int], source: int, index: int) -> bool:
    """Does a path from one node's group to another's lead through a third one, if they differ?"""
    first, last = group[source], group[index]
    if first == last:
        return True
    members: dict[int, list[int]] = {}
    for node, number in enumerate(group):
        members.setdefault(number, []).append(node)
    ahead = {group[reader] for node in members[first] for reader in edges.readers[node]}
    ahead -= {first, last}
    seen = set(ahead)
    while ahead:
        new = {group[reader] for node in members[ahead.pop()] for reader in edges.readers[node]}
        if last in new:
            return True
        ahead |= new - seen
        seen |= new
    return False


def _levels(edges: _Edges, host: Set[int]) -> list[int]:
    """How often the longest path to each node has come from the chip to the host.

    Two nodes of the host with one level have no node of the chip on any path between them.
    """
    levels: list[int] = []
    for index, sources in enumerate(edges.sources):
        on_host = index in host
        levels.append(max((levels[source] + (on_host and source not in host)
                           for source in sources), default=0))
        if on_host:
            levels[index] = max(levels[index], 1)
    # What no chip waits for may come later, with those that read it.
    for index in reversed(range(len(levels))):
        readers = edges.readers[index]
        if index in host and readers and all(reader in host for reader in readers):
            levels[index] = max(levels[index], min(levels[reader] for reader in readers))
    return levels
