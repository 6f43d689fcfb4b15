"""Lower bounds of a graph's initiation interval, from the graph and the fabric alone.

The mapper doesn't call this. Every bound holds for any mapping: *resource* counts what each
operation needs and what there is of it, streams and passes under way included; *recurrence* is
the largest ratio of latency to distance around a cycle; *memory* counts bytes against the
scratchpad port.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from golden.spec.drp.fabric import Fabric
from golden.spec.drp.operations import Kind
from sw.drp.graph import Graph, Role

__all__ = ["Bounds", "bounds"]


@dataclass(frozen=True)
class Bounds:
    """Steps an iteration needs at least, by cause."""

    resource: int
    recurrence: int
    memory: int

    @property
    def ii(self) -> int:
        """The largest."""
        return max(self.resource, self.recurrence, self.memory)


def bounds(graph: Graph, fabric: Fabric, read_bytes: Sequence[Fraction] = (),
           written_bytes: Sequence[Fraction] = ()) -> Bounds:
    """The bounds of a graph.

    Parameters
    ----------
    graph : Graph
    fabric : Fabric
    read_bytes, written_bytes : sequence of Fraction
        By array: bytes of memory an iteration comes to for the first time, on average.

    Raises
    ------
    ValueError
        Where no interval is enough: the fabric lacks what an operation needs.
    """
    return Bounds(max(_resource(graph, fabric), _depth(graph, fabric)), _recurrence(graph),
                  max(1, *(_ceil(sum(given, Fraction(0)) / fabric.word_bytes)
                           for given in (read_bytes, written_bytes))))


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _resource(graph: Graph, fabric: Fabric) -> int:
    needs = Counter(node.kind for node in graph.nodes if node.role is Role.OPERATION)
    found = 1
    # Hall's condition: kinds taken together share the elements that have any of them.
    for size in range(1, len(Kind) + 1):
        for kinds in itertools.combinations(Kind, size):
            count = sum(needs[kind] for kind in kinds)
            places = {place for kind in kinds for place in fabric.places(kind)}
            if count and not places:
                raise ValueError(f"{count} operations need a {kinds[0].value}, the fabric has none")
            if count:
                found = max(found, -(-count // len(places)))
    for role, streams in ((Role.POP, fabric.inputs), (Role.PUSH, fabric.outputs)):
        vectors = Counter(node.port for node in graph.nodes if node.role is role)
        if len(vectors) > streams:
            raise ValueError(f"{len(vectors)} arrays to {role.value}, the fabric has {streams} "
                             "such streams")
        while sum(-(-count // found) for count in vectors.values()) > streams:
            found += 1  # a stream serves one array, with one vector a step
        # Of positions, and of what is there, there is one stream.
        found = max(found, sum(node.indirect for node in graph.nodes if node.role is role))
    room = fabric.table_words * len(fabric.memories)
    for words in graph.tables:
        if words > fabric.table_words:
            raise ValueError(f"a table of {words} words, a memory holds {fabric.table_words}")
    if sum(graph.tables) > room:
        raise ValueError(f"tables of {sum(graph.tables)} words, the fabric's memories hold {room}")
    written = {node.table for node in graph.nodes if node.staged and node.table >= 0}
    for table in written:  # a table that changes exists once
        found = max(found, sum(node.table == table for node in graph.nodes))
    return found


def _depth(graph: Graph, fabric: Fabric) -> int:
    """Interval for which a chain from a POP to a PUSH ends within all passes under way."""
    longest = [-1] * len(graph.nodes)  # steps since the POP; -1: doesn't depend on one
    deepest = 0
    for number in graph.order():
        node = graph.nodes[number]
        longest[number] = 0 if node.role is Role.POP else max(
            (longest[edge.source] + graph.nodes[edge.source].latency for _, edge in node.edges()
             if edge.distance == 0 and longest[edge.source] >= 0), default=-1)
        if node.role is Role.PUSH:
            deepest = max(deepest, longest[number])
    return -(-(deepest + 1) // fabric.stages)


def _recurrence(graph: Graph) -> int:
    """Least interval for which no cycle's latency exceeds interval times distance."""
    edges = [(edge.source, number, graph.nodes[edge.source].latency, edge.distance)
             for number, node in enumerate(graph.nodes) for _, edge in node.edges()]
    interval = 1
    while True:
        at = [0] * len(graph.nodes)
        for _ in range(len(graph.nodes) + 1):
            changed = False
            for source, target, latency, distance in edges:
                if at[source] + latency - interval * distance > at[target]:
                    at[target], changed = at[source] + latency - interval * distance, True
            if not changed:
                return interval
        interval += 1
