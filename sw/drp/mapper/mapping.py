"""A graph with its place in time and space."""

import enum
from dataclasses import dataclass

from golden.spec.drp.fabric import Fabric
from sw.drp.graph import Graph, Role

__all__ = ["Link", "Mapping"]


class Link(enum.IntEnum):
    """How a value reaches an operand."""

    ROW = 0
    COL = 1
    STREAM = 2


@dataclass(frozen=True)
class Mapping:
    """Every node of a graph on the fabric.

    Parameters
    ----------
    graph : Graph
        With the copies and routes the mapper added, and operands in their final order.
    fabric : Fabric
    ii : int
        Initiation interval in steps.
    units : tuple of int
        By node: element, input stream or output stream.
    times : tuple of int
        By node: step of iteration 0 in which it is issued.
    links : dict
        Link by (consumer, operand number).
    tables : dict of int
        By (element, table): its first word.
    """

    graph: Graph
    fabric: Fabric
    ii: int
    units: tuple[int, ...]
    times: tuple[int, ...]
    links: dict[tuple[int, int], Link]
    tables: dict[tuple[int, int], int]

    @property
    def latency(self) -> int:
        """Steps from an iteration's first to its last."""
        return max(time + node.latency for time, node in
                   zip(self.times, self.graph.nodes, strict=True)) - min(self.times)

    @property
    def stages(self) -> int:
        """Passes until the last effect of an iteration."""
        return 1 + max(time // self.ii for time, node in
                       zip(self.times, self.graph.nodes, strict=True) if node.staged)

    @property
    def utilization(self) -> float:
        """Part of the elements' steps in which an operation is issued."""
        issued = sum(node.role is Role.OPERATION for node in self.graph.nodes)
        return issued / (self.ii * self.fabric.elements)
