"""Dataflow graph of one iteration of a kernel's loop: what is mapped onto the fabric."""

import dataclasses
import enum
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from golden.drp.stream import TapAt
from golden.spec.drp.operations import OPERATIONS, Kind, Op, Subword
from golden.spec.drp.streams import GATHER_CYCLES

__all__ = ["Edge", "Graph", "Node", "Role"]


_HERE = TapAt()
# Steps for what is at a position to come without a stall: lanes may lie in a word each.
GATHER_LATENCY = GATHER_CYCLES + 3


class Role(enum.Enum):
    """What a node is to the fabric."""

    OPERATION = "operation"  # of an element
    ROUTE = "route"  # operand c handed on by an element; only the mapper makes these
    POP = "pop"  # a vector of an input stream
    PUSH = "push"  # a vector of an output stream


@dataclass(frozen=True)
class Edge:
    """A value: node ``source``'s, of ``distance`` iterations ago."""

    source: int
    distance: int = 0


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node.

    Parameters
    ----------
    role : Role
    op : Op
        Of an OPERATION.
    operands : tuple of Edge or None
        Operands a, b, c; None for what isn't a value: not read or, of b, the immediate. A PUSH
        has a only.
    immediate : int
        As in the element's context, 32 bits; of a LOOKUP without the place of its table.
    subword : Subword
    when : int
        Condition, as in contexts.
    port : int
        Of a POP or PUSH: which of the kernel's arrays.
    tap : TapAt
        Of a POP: displacement. Several POPs of a port are its stream's taps.
    table : int
        Of memory operations: which of the kernel's tables, else -1.
    indirect : bool
        Of a PUSH: positions of an indirect input; of a POP: of that input, its one operand the
        PUSH.
    name : str
        For reports.
    """

    role: Role
    op: Op = Op.PASS
    operands: tuple[Edge | None, ...] = ()
    immediate: int = 0
    subword: Subword = Subword.X1
    when: int = 0
    port: int = 0
    tap: TapAt = _HERE
    table: int = -1
    indirect: bool = False
    name: str = ""

    @property
    def latency(self) -> int:
        """Steps until the value may be on a link; of a position, until what is there may be
        taken without waiting long."""
        if self.role is Role.PUSH and self.indirect:
            return GATHER_LATENCY
        return OPERATIONS[self.op].latency if self.role is Role.OPERATION else 1

    @property
    def kind(self) -> Kind:
        """What an OPERATION needs of its element."""
        return OPERATIONS[self.op].kind

    @property
    def staged(self) -> bool:
        """Looks at valid or conditions, so that its stage must exist."""
        return self.role in (Role.POP, Role.PUSH) or bool(self.when) or (
            self.role is Role.OPERATION and OPERATIONS[self.op].effect)

    def edges(self) -> Iterator[tuple[int, Edge]]:
        """(operand number, edge) of each value read."""
        for number, edge in enumerate(self.operands):
            if edge is not None:
                yield number, edge


@dataclass(frozen=True)
class Graph:
    """Nodes of one loop body.

    Parameters
    ----------
    nodes : tuple of Node
        Edges of distance 0 make no cycle.
    tables : tuple of int
        Words of each table.
    """

    nodes: tuple[Node, ...]
    tables: tuple[int, ...] = ()

    def consumers(self) -> dict[int, list[tuple[int, int, int]]]:
        """By node: (consumer, operand number, distance) of each use."""
        found: dict[int, list[tuple[int, int, int]]] = {n: [] for n in range(len(self.nodes))}
        for number, node in enumerate(self.nodes):
            for operand, edge in node.edges():
                found[edge.source].append((number, operand, edge.distance))
        return found

    def order(self) -> list[int]:
        """Nodes, sources first (edges of distance 0)."""
        found: list[int] = []
        state = [0] * len(self.nodes)
        for root in range(len(self.nodes)):
            stack = [root]
            while stack:
                node = stack[-1]
                if state[node] == 0:
                    state[node] = 1
                    for _, edge in self.nodes[node].edges():
                        if edge.distance == 0 and state[edge.source] != 2:
                            if state[edge.source] == 1:
                                raise ValueError(f"node {node} depends on itself")
                            stack.append(edge.source)
                else:
                    stack.pop()
                    if state[node] == 1:
                        state[node] = 2
                        found.append(node)
        return found

    def shape(self) -> str:
        """Digest of all that the mapping depends on: constants and displacements left out."""
        text = [repr((node.role.value, int(node.op), node.operands, node.operands[1:2] == (None,),
                      bool(node.when), node.port, node.table, node.indirect))
                for node in self.nodes]
        return hashlib.sha256("\n".join([*text, repr(self.tables)]).encode()).hexdigest()

    def replace(self, nodes: dict[int, Node]) -> "Graph":
        """A copy with some nodes exchanged."""
        return dataclasses.replace(self, nodes=tuple(
            nodes.get(number, node) for number, node in enumerate(self.nodes)))
