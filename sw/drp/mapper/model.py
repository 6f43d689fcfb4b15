"""The constraint model: one graph, one fabric, one initiation interval.

Decisions, all booleans but stages: the site (unit, slot) of each node; whether operands of a
commuting operation are exchanged; for each edge which candidate of its value (the node itself or
one of its optional copies) is read over which link; for each copy whether it exists, is a PASS of
the element's ALU or a route through operand c, and what it copies. Constraints:

* a site issues one operation, retires one, and selects one operand c;
* a link goes along a row or a column (streams: into their row), and an operand that can't see
  its own element that way excludes it; operand c only sees columns and streams;
* a view (unit, link, slot) shows one value, of one iteration;
* a value waits history steps at most after it has retired, a route's not at all; a route is
  only seen along its row.
"""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ortools.sat.python import cp_model

from golden.spec.drp.fabric import Fabric
from golden.spec.drp.operations import OPERATIONS, Kind, Op
from golden.spec.drp.streams import PLACES, REQUESTS
from sw.drp.graph import Edge, Graph, Node, Role
from sw.drp.mapper.effort import Effort
from sw.drp.mapper.mapping import Link
from sw.drp.mapper.mapping import Mapping as Mapped
from sw.drp.mapper.sites import Sites
from sw.drp.mapper.tables import place_tables
from sw.drp.solver import solve

__all__ = ["Model"]


class Model:
    """A CP-SAT model of a graph at an interval.

    Parameters
    ----------
    graph : Graph
    fabric : Fabric
    ii : int
    effort : Effort
    pinned : mapping of int, optional
        Elements of tables, decided already.
    """

    def __init__(self, graph: Graph, fabric: Fabric, ii: int, effort: Effort,
                 pinned: Mapping[int, int] | None = None) -> None:
        self._graph, self._fabric, self._ii = graph, fabric, ii
        self._model = cp_model.CpModel()
        self._uses = graph.consumers()
        self._nodes: list[Node] = list(graph.nodes)
        self._copies: dict[int, list[int]] = {}
        for number in range(len(graph.nodes)):
            self._copies[number] = []
            for _ in range(self._copies_of(number, effort)):
                self._copies[number].append(len(self._nodes))
                self._nodes.append(Node(role=Role.OPERATION, op=Op.PASS))
        self._original = {copy: number for number, copies in self._copies.items()
                          for copy in copies}
        self._horizon(effort)
        self._at = Sites(self._model, fabric, self._nodes, self._original, ii,
                         self._earliest, self._latest)
        self._resources()
        self._streams()
        place_tables(self._model, graph, fabric, self._nodes, self._at, pinned or {})
        self._edges()
        self._views()
        self._effort = effort

    # ---- nodes

    def _copies_of(self, number: int, effort: Effort) -> int:
        uses, node = self._uses[number], self._graph.nodes[number]
        if not uses or node.role is Role.PUSH:
            return 0
        if node.role is Role.POP:  # a stream only reaches its row, by operands a and c
            return effort.copies + 1
        return effort.copies if len(uses) > 1 else effort.single

    def _horizon(self, effort: Effort) -> None:
        """Earliest times, and a latest one for all."""
        earliest = [0] * len(self._graph.nodes)
        for number in self._graph.order():
            for _, edge in self._graph.nodes[number].edges():
                if edge.distance == 0:
                    earliest[number] = max(earliest[number], earliest[edge.source]
                                           + self._graph.nodes[edge.source].latency)
        self._earliest = earliest
        self._latest = max(earliest) + self._ii + effort.slack

    # ---- resources

    def _resources(self) -> None:
        """One issue, one retirement and one operand c in each step of an element."""
        model, ii = self._model, self._ii
        # Implied, but the solver doesn't count as far: copies that are no routes fill what is free.
        free = self._fabric.elements * ii - sum(
            node.role is Role.OPERATION for node in self._graph.nodes)
        model.add(sum(self._at.active.values()) - sum(self._at.is_route.values()) <= free)
        for element in range(self._fabric.elements):
            for slot in range(ii):
                issued, retired, third = [], [], []
                for number, node in enumerate(self._nodes):
                    if node.role is not Role.OPERATION:
                        continue
                    site = self._at.site[number]
                    here = site.get((element, slot))
                    if here is not None:
                        issued.append(here)
                        if len(node.operands) > 2 and node.operands[2] is not None:
                            third.append(here)
                    late = site.get((element, (slot - node.latency + 1) % ii))
                    if late is not None:
                        retired.append(late)
                    if number in self._at.routed:
                        third.append(self._at.routed[number][element, slot])
                model.add_at_most_one(issued)
                model.add_at_most_one(retired)
                if len(third) > 1:
                    model.add_at_most_one(third)

    def _streams(self) -> None:
        """A stream serves one array, a vector a step, all in one stage."""
        model, ii = self._model, self._ii
        for role, count in ((Role.POP, self._fabric.inputs), (Role.PUSH, self._fabric.outputs)):
            nodes = [n for n, node in enumerate(self._nodes) if node.role is role]
            group = self._groups(nodes, count)
            ports = sorted(set(group.values()))
            self._indirect(role, nodes)
            for unit in range(count):
                for slot in range(ii):
                    model.add_at_most_one(self._at.site[n][unit, slot] for n in nodes)
                serves = {port: model.new_bool_var(f"{role.value}{unit}_{port}") for port in ports}
                model.add_at_most_one(serves.values())
                stage = model.new_int_var(0, self._fabric.stages - 1, f"{role.value}{unit}")
                for n in nodes:
                    model.add_implication(self._at.unit[n][unit], serves[group[n]])
                    model.add(self._at.stage[n] == stage).only_enforce_if(self._at.unit[n][unit])

    def _indirect(self, role: Role, nodes: list[int]) -> None:
        """Positions go to output 1 alone, what is there comes from one input, in their order, and
        no more are under way than there is room for."""
        model = self._model
        mine = [n for n in nodes if self._nodes[n].indirect]
        if not mine:
            return
        unit = 1 if role is Role.PUSH else self._fabric.gather
        assert unit is not None  # the bounds have counted the streams
        for n in nodes:
            model.add(self._at.unit[n][unit] == (n in mine))
        for first, second in itertools.pairwise(mine):
            model.add(self._at.time[first] < self._at.time[second])
        if role is Role.PUSH:
            return
        # Two less than there is room for, which it takes a moment to see.
        most = (PLACES + REQUESTS - 2) // len(mine) * self._ii - 1
        for n in mine:
            pushed = next(edge.source for _, edge in self._nodes[n].edges())
            model.add(self._at.time[n] - self._at.time[pushed] <= most)

    def _groups(self, nodes: list[int], streams: int) -> dict[int, tuple[int, int]]:
        """What may share a stream: vectors of an array, and if streams suffice, of one row.

        A stream that changes rows reads another word of memory each time.
        """
        found = {n: (self._nodes[n].port, self._nodes[n].tap.dy) for n in nodes}
        needed = sum(-(-count // self._ii) for count in Counter(found.values()).values())
        return found if needed <= streams else {n: (self._nodes[n].port, 0) for n in nodes}

    # ---- edges

    def _edges(self) -> None:
        """Every operand reads its value, or a copy of it, over one link."""
        model = self._model
        self._swap: dict[int, cp_model.IntVar] = {}
        # (consumer, operand) -> [(candidate, link, literal)]
        self._choice: dict[tuple[int, int], list[tuple[int, Link, cp_model.IntVar]]] = {}
        for number, node in enumerate(self._graph.nodes):
            if (node.role is Role.OPERATION and OPERATIONS[node.op].commutes
                    and not node.when and None not in node.operands):
                self._swap[number] = model.new_bool_var(f"swap{number}")
            for operand, edge in node.edges():
                if node.role is Role.POP:
                    model.add(self._at.time[number] >= self._at.time[edge.source]
                              + self._nodes[edge.source].latency)
                    continue
                self._choice[number, operand] = self._reach(
                    number, operand, [edge.source, *self._copies[edge.source]], edge.distance)
                model.add_exactly_one(lit for _, _, lit in self._choice[number, operand])
        for number, copies in self._copies.items():
            for index, copy in enumerate(copies):
                options = self._reach(copy, 0, [number, *copies[:index]], 0)
                self._choice[copy, 0] = options
                literals = [lit for _, _, lit in options]
                model.add(sum(literals) == self._at.active[copy])
                if index:
                    model.add_implication(self._at.active[copy], self._at.active[copies[index - 1]])
        for copy, active in self._at.active.items():  # a copy that nobody reads isn't made
            model.add_bool_or(lit for found in self._choice.values()
                              for candidate, _, lit in found
                              if candidate == copy).only_enforce_if(active)

    def _reach(self, consumer: int, operand: int, candidates: list[int],
               distance: int) -> list[tuple[int, Link, cp_model.IntVar]]:
        found = []
        for candidate in candidates:
            links = ((Link.STREAM,) if self._nodes[candidate].role is Role.POP
                     else (Link.ROW,) if self._nodes[consumer].role is Role.PUSH
                     else (Link.ROW, Link.COL))
            for link in links:
                literal = self._model.new_bool_var(f"e{consumer}_{operand}_{candidate}_{link}")
                self._link(consumer, operand, candidate, link, literal)
                self._wait(consumer, candidate, distance, literal)
                found.append((candidate, link, literal))
        return found

    def _link(self, consumer: int, operand: int, candidate: int, link: Link,
              literal: cp_model.IntVar) -> None:
        """What a link asks of both ends' places."""
        model = self._model
        if candidate in self._at.active:
            model.add_implication(literal, self._at.active[candidate])
            if link is Link.COL:
                model.add_implication(literal, ~self._at.is_route[candidate])
        if self._nodes[consumer].role is Role.PUSH:
            for row, var in enumerate(self._at.row[candidate]):
                output = self._fabric.output_of(row)
                model.add_bool_or(~literal, ~var, self._at.row[consumer][output])
            return
        lines = self._at.col if link is Link.COL else self._at.row
        pair = zip(lines[candidate], lines[consumer], strict=False)
        for mine, other in pair:
            model.add_bool_or(~literal, ~mine, other)
            model.add_bool_or(~literal, mine, ~other)
        if link is Link.STREAM:
            for other in self._at.row[consumer][self._fabric.inputs:]:
                model.add_bool_or(~literal, ~other)
            self._needs_first(consumer, operand, literal)
            return
        if link is Link.ROW and consumer in self._at.is_route:
            model.add_implication(literal, ~self._at.is_route[consumer])
        elif link is Link.ROW and consumer not in self._original and operand == 2:
            model.add(literal == 0)
        # Operand a sees its own element by row, b by col, c not at all.
        for element in set(self._at.unit[candidate]) & set(self._at.unit[consumer]):
            same = [~literal, ~self._at.unit[candidate][element], ~self._at.unit[consumer][element]]
            allowed = self._reads_own(consumer, operand, link)
            if allowed is not True:
                model.add_bool_or(*same, *allowed)

    def _reads_own(self, consumer: int, operand: int,
                   link: Link) -> Literal[True] | list[cp_model.LiteralT]:
        """Whether an operand sees its own element over a link, or literals one of which says so."""
        # Whether it becomes operand a; b.
        first: Literal[True] | list[cp_model.LiteralT]
        second: Literal[True] | list[cp_model.LiteralT]
        if consumer in self._at.is_route:
            route = self._at.is_route[consumer]
            first, second = [~route], []
        elif operand == 2:
            first, second = [], []
        elif consumer in self._swap:
            swap = self._swap[consumer]
            first, second = ([~swap], [swap])
            if operand:
                first, second = second, first
        else:
            first, second = ([], True) if operand else (True, [])
        return first if link is Link.ROW else second

    def _needs_first(self, consumer: int, operand: int, literal: cp_model.IntVar) -> None:
        """Streams are seen by operands a and c."""
        if consumer in self._original or operand == 2:
            return
        if consumer in self._swap:
            swap = self._swap[consumer]
            self._model.add_implication(literal, swap if operand else ~swap)
        elif operand == 1:
            self._model.add(literal == 0)

    def _wait(self, consumer: int, candidate: int, distance: int,
              literal: cp_model.IntVar) -> None:
        """Between retirement and use lie 0 to history - 1 steps; none after a route."""
        model = self._model
        delay = (self._at.time[consumer] + distance * self._ii - self._at.time[candidate]
                 - self._nodes[candidate].latency)
        model.add(delay >= 0).only_enforce_if(literal)
        model.add(delay < self._fabric.history).only_enforce_if(literal)
        if candidate in self._at.is_route:
            model.add(delay == 0).only_enforce_if(literal, self._at.is_route[candidate])

    def _views(self) -> None:
        """A view shows one value of one iteration in each slot."""
        model, ii = self._model, self._ii
        readers: dict[tuple[int, Link], list[tuple[int, int, cp_model.IntVar]]] = {}
        for (consumer, operand), options in self._choice.items():
            distance = 0
            if consumer not in self._original:
                edge = self._graph.nodes[consumer].operands[operand]
                assert edge is not None
                distance = edge.distance
            for candidate, link, literal in options:
                readers.setdefault((candidate, link), []).append((consumer, distance, literal))
        shown: dict[tuple[int, Link, int], list[cp_model.IntVar]] = {}
        for (candidate, link), uses in readers.items():
            for slot in range(ii):
                view = model.new_bool_var(f"v{candidate}_{link}_{slot}")
                for consumer, _, literal in uses:
                    model.add_bool_or(~literal, ~self._at.slot[consumer][slot], view)
                if len(uses) > 1:
                    stage = model.new_int_var(0, self._latest // ii + 20, "")
                    for consumer, distance, literal in uses:
                        model.add(self._at.stage[consumer] + distance == stage).only_enforce_if(
                            literal, self._at.slot[consumer][slot])
                for unit, here in self._at.unit[candidate].items():
                    both = model.new_bool_var("")
                    model.add_bool_or(~view, ~here, both)
                    shown.setdefault((unit, link, slot), []).append(both)
        for literals in shown.values():
            if len(literals) > 1:
                model.add_at_most_one(literals)

    # ---- answer

    def solve(self, seed: int) -> Mapped | None:
        """A mapping, or None if there is none or the effort is spent.

        ``refuted`` tells which.
        """
        solver, status = solve(self._model, seed, self._effort.deterministic)
        self.refuted = status == cp_model.INFEASIBLE
        if status == cp_model.MODEL_INVALID:
            raise AssertionError(self._model.validate())
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return self._mapping(solver)

    def _mapping(self, solver: cp_model.CpSolver) -> Mapped:
        kept = [n for n in range(len(self._nodes))
                if n not in self._at.active or solver.value(self._at.active[n])]
        new = {number: index for index, number in enumerate(kept)}
        nodes, units, times = [], [], []
        links: dict[tuple[int, int], Link] = {}
        for number in kept:
            node = self._nodes[number]
            units.append(next(unit for unit, var in self._at.unit[number].items()
                              if solver.value(var)))
            times.append(solver.value(self._at.time[number]))
            node, found = self._rebuilt(solver, number, node, new)
            links |= {(new[number], operand): link for operand, link in found.items()}
            nodes.append(node)
        tables: dict[tuple[int, int], int] = {}
        for element in self._fabric.memories:
            first = 0
            for table, words in enumerate(self._graph.tables):
                used = any(self._nodes[n].table == table and self._nodes[n].kind is Kind.MEMORY
                           and solver.value(self._at.unit[n].get(element, 0))
                           for n in kept if self._nodes[n].role is Role.OPERATION)
                if used:
                    tables[element, table] = first
                    first += words
        return Mapped(Graph(tuple(nodes), self._graph.tables), self._fabric, self._ii,
                       tuple(units), tuple(times), links, tables)

    def _rebuilt(self, solver: cp_model.CpSolver, number: int, node: Node,
                 new: dict[int, int]) -> tuple[Node, dict[int, Link]]:
        """The node with its edges as chosen, and their links."""
        operands: list[Edge | None] = list(node.operands)
        links: dict[int, Link] = {}
        route = number in self._at.is_route and bool(solver.value(self._at.is_route[number]))
        swap = number in self._swap and bool(solver.value(self._swap[number]))
        if number in self._original:
            operands = [None, None, None] if route else [None]
        for operand in range(3):
            for candidate, link, literal in self._choice.get((number, operand), ()):
                if solver.value(literal):
                    at = 2 if route else 1 - operand if swap else operand
                    distance = 0
                    if number not in self._original:
                        edge = node.operands[operand]
                        assert edge is not None
                        distance = edge.distance
                    operands[at] = Edge(new[candidate], distance)
                    links[at] = link
        role = Role.ROUTE if route else node.role
        return replace(node, role=role, operands=tuple(operands)), links
