"""From expressions to the dataflow graph of an iteration.

A window's neighbours along the axis that the loop walks need not be read again: ``p[0, -1]`` is
``p[0, 0]`` of an iteration ago, and what is computed from one is what was computed from the
other. With *reuse* every expression is therefore made once, for its rightmost position, and read
at a distance; across SIMD lanes that lie along the same axis by a lane mover.
"""

from dataclasses import dataclass, replace

from golden.drp.stream import TapAt
from golden.spec.drp.contexts import FIRST, LAST
from golden.spec.drp.operations import OPERATIONS, Op, Subword
from golden.spec.drp.streams import Tap
from sw.drp.expression import Expression
from sw.drp.graph import Edge, Graph, Node, Role

__all__ = ["Lowered", "Reuse", "lower"]

_SUBWORDS = {4: Subword.X1, 2: Subword.X2, 1: Subword.X4}
_REFLECTED = {Op.SUB: Op.RSUB, Op.RSUB: Op.SUB, Op.LT: Op.GT, Op.GT: Op.LT, Op.LE: Op.GE,
              Op.GE: Op.LE, Op.LTU: Op.GTU, Op.GTU: Op.LTU, Op.LEU: Op.GEU, Op.GEU: Op.LEU}


@dataclass(frozen=True)
class Reuse:
    """How the loop walks along x.

    Parameters
    ----------
    lanes : int
        Results along x in one iteration.
    steps : tuple of int
        By input: columns from one result to the next.
    aligned : int, optional
        Taps are moved across lanes as soon as they are read, so that they all belong to that
        place of a lane; else every value is moved where it is needed.
    """

    lanes: int
    steps: tuple[int, ...]
    aligned: int | None = None


@dataclass(frozen=True)
class Lowered:
    """A graph, and how its iterations lie.

    Parameters
    ----------
    graph : Graph
    reuse : Reuse or None
    shifts : tuple of int
        By output: the value pushed in iteration n belongs to the result that many positions to
        the left.
    reach : int
        Iterations back on which the outputs depend.
    """

    graph: Graph
    reuse: Reuse | None
    shifts: tuple[int, ...]
    reach: int


@dataclass(frozen=True)
class _Value:
    """A node's value, ``shift`` positions to the right."""

    node: int
    shift: int = 0


def lower(outputs: tuple[tuple[Expression, ...], ...], tables: tuple[int, ...], reduced: int,
          widths: tuple[int, ...], reuse: Reuse | None = None,
          added: tuple[tuple[Expression, Expression], ...] = ()) -> Lowered:
    """The graph of traced outputs.

    Parameters
    ----------
    outputs : tuple of tuples of Expression
        By output: its channels.
    tables : tuple of int
        Words of the tables.
    reduced : int
        Loops that a result folds over.
    widths : tuple of int
        By output: bytes of a channel.
    reuse : Reuse, optional
        Without, every neighbour is read anew.
    added : tuple of (Expression, Expression)
        Index and amount of additions to a memory, the last of ``tables``.
    """
    return _Lowering(tables, reduced, widths, reuse).run(outputs, added)


class _Lowering:
    def __init__(self, tables: tuple[int, ...], reduced: int, widths: tuple[int, ...],
                 reuse: Reuse | None) -> None:
        self._tables, self._reduced, self._widths = tables, reduced, widths
        self._reuse = reuse
        self._nodes: list[Node] = []
        self._known: dict[object, int] = {}
        self._values: dict[int, _Value] = {}
        self._open: list[tuple[int, Expression]] = []  # nodes whose operand b is a phi's next value

    def run(self, outputs: tuple[tuple[Expression, ...], ...],
            added: tuple[tuple[Expression, Expression], ...]) -> Lowered:
        when = LAST + self._reduced - 1 if self._reduced else 0
        ends: list[tuple[int, _Value]] = []
        for port, channels in enumerate(outputs):
            for expression in channels:
                value = (_Value(self._constant(expression.constant)) if expression.is_constant
                         else self._value(expression))
                if self._nodes[value.node].role is Role.POP:
                    value = replace(value, node=self._node(Node(
                        role=Role.OPERATION, op=Op.PASS, operands=(Edge(value.node),))))
                ends.append((port, value))
        for index, amount in added:
            self._add(index, amount)
        while self._open:
            number, following = self._open.pop()
            node = self._nodes[number]
            back = self._value(following)
            self._nodes[number] = replace(node, operands=(node.operands[0], Edge(back.node, 1)))
        shifts = []
        for port in range(len(outputs)):
            shift = max(value.shift for at, value in ends if at == port)
            shifts.append(shift)
            for channel, value in enumerate(value for at, value in ends if at == port):
                self._nodes.append(Node(role=Role.PUSH, port=port, when=when,
                                        tap=TapAt(dbase=channel * self._widths[port]),
                                        operands=(self._at(value, shift),)))
        graph = Graph(tuple(self._nodes), self._tables)
        return Lowered(graph, self._reuse, tuple(shifts),
                       _reach(graph) if self._reuse is not None else 0)

    def _add(self, index: Expression, amount: Expression) -> None:
        places = [_Value(self._constant(item.constant)) if item.is_constant else self._value(item)
                  for item in (index, amount)]
        shift = max(place.shift for place in places)
        self._nodes.append(Node(
            role=Role.OPERATION, op=Op.ADD_TO, table=len(self._tables) - 1,
            operands=tuple(self._at(place, shift) for place in places)))

    def _node(self, node: Node) -> int:
        if node not in self._known:
            self._known[node] = len(self._nodes)
            self._nodes.append(node)
        return self._known[node]

    def _constant(self, word: int) -> int:
        return self._node(Node(role=Role.OPERATION, op=Op.PASS_B, operands=(None, None),
                               immediate=word))

    def _value(self, expression: Expression) -> _Value:
        """The value of an expression that isn't constant; deep ones without recursion."""
        stack = [expression]
        while stack:
            top = stack[-1]
            waiting = [arg for arg in top.args
                       if not arg.is_constant and arg.op != "phi"
                       and arg.number not in self._values]
            if top.number in self._values:
                stack.pop()
            elif waiting:
                stack.extend(waiting)
            else:
                self._values[top.number] = self._made(top)
                stack.pop()
        return self._values[expression.number]

    def _made(self, expression: Expression) -> _Value:
        if expression.op == "tap":
            return self._tap(expression)
        if expression.op == "gather":
            return self._gather(expression)
        if expression.op == "phi":
            return _Value(self._phi(expression))
        assert isinstance(expression.op, Op)
        op, args = expression.op, expression.args
        base = Node(role=Role.OPERATION, op=op, table=expression.table,
                    subword=_SUBWORDS[expression.args[0].bytes] if Subword(
                        _SUBWORDS[expression.args[0].bytes]) in OPERATIONS[op].subwords
                    else Subword.X1)
        phi = self._replaced(expression)
        if phi is not None:
            at = 1 if args[1] is phi else 0
            if at == 0 and not OPERATIONS[op].commutes:
                base = replace(base, op=_REFLECTED[op])
            other = self._operand(args[1 - at], 0)
            number = len(self._nodes)
            self._nodes.append(replace(base, operands=(other, Edge(number, 1)), when=FIRST
                                       + phi.level, immediate=phi.constant))
            assert phi.back is not None
            self._open.append((number, phi.back))
            return _Value(number)
        shift = max((self._values[arg.number].shift for arg in args
                     if arg.number in self._values), default=0)
        operands: list[Edge | None] = []
        for place, arg in enumerate(args):
            if arg.is_constant and place == 1:
                operands.append(None)
                base = replace(base, immediate=arg.constant)
            else:
                operands.append(self._operand(arg, shift))
        return _Value(self._node(replace(base, operands=tuple(operands))), shift)

    def _operand(self, arg: Expression, shift: int) -> Edge:
        if arg.is_constant:
            return Edge(self._constant(arg.constant))
        if arg.op == "phi":
            return Edge(self._phi(arg))
        return self._at(self._values[arg.number], shift)

    def _replaced(self, expression: Expression) -> Expression | None:
        """The phi that can be operand b of this operation, begun by the immediate."""
        args = expression.args
        if len(args) != 2:
            return None
        phis = [arg for arg in args if arg.op == "phi"]
        if len(phis) != 1 or any(arg.is_constant for arg in args):
            return None
        op = expression.op
        assert isinstance(op, Op)
        if args[0] is phis[0] and not OPERATIONS[op].commutes and op not in _REFLECTED:
            return None
        return phis[0]

    def _phi(self, phi: Expression) -> int:
        """A reduction's value so far as a node of its own."""
        key = ("phi", phi.number)
        if key not in self._known:
            number = self._known[key] = len(self._nodes)
            self._nodes.append(Node(role=Role.OPERATION, op=Op.PASS_B,
                                    operands=(None, Edge(number, 1)),
                                    when=FIRST + phi.level, immediate=phi.constant))
            assert phi.back is not None
            self._open.append((number, phi.back))
        return self._known[key]

    def _tap(self, expression: Expression) -> _Value:
        tap, shift = expression.tap, 0
        if self._reuse is not None and tap.what is Tap.DATA:
            step = self._reuse.steps[expression.port]
            shift, rest = divmod(tap.dx, step)
            tap = TapAt(tap.what, tap.dy, rest, tap.dbase)
        node = self._node(Node(role=Role.POP, port=expression.port, tap=tap))
        if self._reuse is None or self._reuse.aligned is None:
            return _Value(node, shift)
        lanes = (self._reuse.aligned - shift) % self._reuse.lanes
        return _Value(self._moved(node, lanes) if lanes else node, shift + lanes)

    def _gather(self, expression: Expression) -> _Value:
        place = expression.args[0]
        value = _Value(self._constant(place.constant)) if place.is_constant else self._values[
            place.number]
        if self._nodes[value.node].role is Role.POP:
            value = _Value(self._node(Node(role=Role.OPERATION, op=Op.PASS,
                                           operands=(Edge(value.node),))))
        push = self._node(Node(role=Role.PUSH, port=len(self._widths), indirect=True,
                               operands=(Edge(value.node),)))
        return _Value(self._node(Node(role=Role.POP, port=expression.port, indirect=True,
                                      operands=(Edge(push),))))

    def _at(self, value: _Value, shift: int) -> Edge:
        """A value as it is ``shift`` positions to the right."""
        if self._reuse is None:
            return Edge(value.node)
        iterations, lanes = divmod(shift - value.shift, self._reuse.lanes)
        if not lanes:
            return Edge(value.node, iterations)
        return Edge(self._moved(value.node, lanes), iterations)

    def _moved(self, node: int, lanes: int) -> int:
        """A value of ``lanes`` positions to the left, less than an iteration has."""
        assert self._reuse is not None
        return self._node(Node(
            role=Role.OPERATION, op=Op.LANE, operands=(Edge(node, 1), Edge(node)),
            immediate=self._reuse.lanes - lanes))


def _reach(graph: Graph) -> int:
    """Iterations back on which anything depends (no recurrences)."""
    found = [0] * len(graph.nodes)
    for number, node in enumerate(graph.nodes):  # nodes come after their sources
        for _, edge in node.edges():
            found[number] = max(found[number], found[edge.source] + edge.distance)
    return max(found)
