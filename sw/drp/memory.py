"""A memory that a kernel adds to: in the body, and the states that clear it and read it out."""

from typing import Any

import numpy as np

from golden.drp.stream import TapAt
from golden.spec.drp.contexts import FIRST
from golden.spec.drp.operations import Op
from golden.spec.drp.streams import Tap
from sw.drp.expression import Expression, Tracer
from sw.drp.graph import Edge, Graph, Node, Role
from sw.drp.intervals import interval
from sw.drp.types import Memory
from sw.drp.window import Window

__all__ = ["ArrayMemory", "MemoryInBody", "TracedMemory", "clearing", "reading"]


class MemoryInBody:
    """Base of memories in a body."""

    def add(self, index: Any, amount: Any = 1) -> None:
        """memory[index] += amount, for every element of the streams.

        Parameters
        ----------
        index : value
            Taken modulo the memory's words.
        amount : value or int
        """
        raise NotImplementedError


class ArrayMemory(MemoryInBody):
    """In the reference.

    Parameters
    ----------
    spec : Memory
    shape : tuple of int
        What indices are broadcast to: one for every element of the streams.
    """

    def __init__(self, spec: Memory, shape: tuple[int, ...]) -> None:
        self.words, self._shape = np.zeros(spec.words, np.int32), shape

    def add(self, index: Any, amount: Any = 1) -> None:
        """memory[index] += amount."""
        index, amount = (item.value if isinstance(item, Window) else item
                         for item in (index, amount))
        places = np.broadcast_to(np.asarray(index) % len(self.words), self._shape)
        np.add.at(self.words, places, np.broadcast_to(np.asarray(amount, np.int32), self._shape))


class TracedMemory(MemoryInBody):
    """While tracing.

    Parameters
    ----------
    spec : Memory
    tracer : Tracer
    mask : int
        Port whose column is negative inside the streams.

    Members
    -------
    added : list of (Expression, Expression)
        Index and amount of every addition.
    """

    def __init__(self, spec: Memory, tracer: Tracer, mask: int) -> None:
        self._spec, self._tracer, self._mask = spec, tracer, mask
        self.added: list[tuple[Expression, Expression]] = []

    def add(self, index: Any, amount: Any = 1) -> None:
        """memory[index] += amount."""
        tracer = self._tracer
        index = index.value if isinstance(index, Window) else index
        if not isinstance(index, Expression) or index.dtype != "int32":
            raise tracer.error("a memory's index must be a 32-bit value from a stream")
        column = tracer.leaf("tap", port=self._mask, dtype="int32", bytes=4, tap=TapAt(Tap.COLUMN))
        index, amount = tracer.operands(index, amount)
        if amount.dtype != "int32":
            raise tracer.error(f"what is added to a memory is {amount.dtype}, accepted is a 32-bit "
                               "value; write where(condition, 1, 0)")
        inside = tracer.binary(Op.LT, column, 0)
        # Lanes past the end of a row add nothing.
        least, most = interval(index)
        if least < 0 or most >= self._spec.words:  # the fabric's memory may be larger
            index = tracer.make(Op.AND, index, tracer.constant(self._spec.words - 1, index))
        self.added.append((index, tracer.where(inside, amount, 0)))


def _counter() -> list[Node]:
    """Node 0: 0, 1, 2, ... by iterations."""
    return [Node(role=Role.OPERATION, op=Op.PASS_B, operands=(None, Edge(1, 1)), when=FIRST),
            Node(role=Role.OPERATION, op=Op.ADD, operands=(Edge(0), None), immediate=1)]


def clearing(tables: tuple[int, ...], table: int) -> Graph:
    """Makes a word 0 in every iteration."""
    store = Node(role=Role.OPERATION, op=Op.STORE, operands=(Edge(0), None), table=table)
    return Graph((*_counter(), store), tables)


def reading(tables: tuple[int, ...], table: int, lanes: int) -> Graph:
    """Pushes a word, summed over the lanes, in every iteration."""
    nodes = [*_counter(), Node(role=Role.OPERATION, op=Op.LOOKUP, operands=(Edge(0), None),
                               table=table)]
    distance = 1
    while distance < lanes:
        value = Edge(len(nodes) - 1)
        nodes.append(Node(role=Role.OPERATION, op=Op.LANE, operands=(value, value),
                          immediate=distance))
        nodes.append(Node(role=Role.OPERATION, op=Op.ADD,
                          operands=(value, Edge(len(nodes) - 1))))
        distance *= 2
    nodes.append(Node(role=Role.PUSH, operands=(Edge(len(nodes) - 1),)))
    return Graph(tuple(nodes), tables)
