"""Contexts and the state of a mapping."""

from collections.abc import Sequence

import numpy as np

from golden.drp.kernel import Kernel
from golden.spec.drp.contexts import element_context, input_context, output_context
from golden.spec.drp.controller import end_state, state_record
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.operations import Op
from sw.drp.graph import Node, Role
from sw.drp.mapper.mapping import Link, Mapping

__all__ = ["emit", "joined"]


def emit(mapping: Mapping, tables: tuple[np.ndarray, ...] = ()) -> Kernel:
    """The kernel of one state at context 0, its loops not counted yet.

    Parameters
    ----------
    mapping : Mapping
    tables : tuple of (words,) uint32
        Contents of the graph's tables.
    """
    fabric, ii = mapping.fabric, mapping.ii
    elements: list[list[dict[str, int]]] = [
        [{} for _ in range(ii)] for _ in range(fabric.elements)]
    inputs: list[list[dict[str, int]]] = [[{} for _ in range(ii)] for _ in range(fabric.inputs)]
    outputs: list[list[dict[str, int]]] = [[{} for _ in range(ii)] for _ in range(fabric.outputs)]
    for number, node in enumerate(mapping.graph.nodes):
        unit, time = mapping.units[number], mapping.times[number]
        stage = {"stage": time // ii if node.staged else 0, "when": node.when}
        if node.role is Role.POP:
            _set(inputs[unit][time % ii], {"pop": 1, **stage})
        elif node.role is Role.PUSH:
            source = mapping.units[_source(node)]
            _set(outputs[unit][time % ii],
                 {"push": 1, "source": fabric.seen_by_output(unit).index(source), **stage})
        else:
            _set(elements[unit][time % ii], _operation(mapping, number, node, stage))
        for operand, edge in node.edges() if node.role is not Role.POP else ():
            _view(mapping, elements, inputs, edge.source, edge.distance,
                  mapping.links[number, operand], time)
    state = state_record(fabric).encode({
        "ii": ii - 1, "stages": mapping.stages - 1, "next": end_state(fabric),
        **{f"count{level}": 1 for level in range(4)}})
    contents: dict[int, np.ndarray] = {}
    for (element, table), first in mapping.tables.items():
        if table < len(tables):
            end = first + len(tables[table])
            memory = contents.get(element, np.zeros(0, np.uint32))
            memory = np.pad(memory, (0, max(end - len(memory), 0)))
            memory[first:end] = tables[table]
            contents[element] = memory
    encoded = [tuple(tuple(record.encode(word) for word in unit) for unit in units)
               for record, units in ((element_context(fabric), elements),
                                     (input_context(fabric), inputs),
                                     (output_context(fabric), outputs))]
    return Kernel(fabric=fabric, elements=encoded[0], inputs=encoded[1], outputs=encoded[2],
                  states=(state,), tables=contents)


def joined(parts: Sequence[Kernel]) -> Kernel:
    """One kernel whose states run one after the other; tables are those of all."""
    fabric = parts[0].fabric
    record, states, base = state_record(fabric), [], 0
    for number, part in enumerate(parts):
        state = record.decode(part.states[0])
        following = number + 1 if number + 1 < len(parts) else end_state(fabric)
        states.append(record.encode({**state, "base": base, "next": following}))
        base += len(part.elements[0])
    tables: dict[int, np.ndarray] = {}
    for part in parts:
        tables |= part.tables

    def together(name: str) -> tuple[tuple[int, ...], ...]:
        units = zip(*(getattr(part, name) for part in parts), strict=True)
        return tuple(sum(unit, ()) for unit in units)

    return Kernel(fabric=fabric, elements=together("elements"), inputs=together("inputs"),
                  outputs=together("outputs"), states=tuple(states), tables=tables)


def _source(node: Node) -> int:
    edge = node.operands[0]
    assert edge is not None
    return edge.source


def _set(word: dict[str, int], values: dict[str, int]) -> None:
    """Add fields to a context; two nodes never want different things of one field."""
    for name, value in values.items():
        assert word.get(name, value) == value, f"{name} is {word[name]} and {value}"
        word[name] = value


def _operation(mapping: Mapping, number: int, node: Node,
               stage: dict[str, int]) -> dict[str, int]:
    """Fields of an element's context for one node of its own."""
    fabric, unit = mapping.fabric, mapping.units[number]
    values: dict[str, int] = {}
    for operand, edge in node.edges():
        source = mapping.units[edge.source]
        stream = mapping.links[number, operand] is Link.STREAM
        values["abc"[operand]] = (_third(fabric, unit, source, stream=stream) if operand == 2 else
                                  fabric.sources - 1 if stream else _select(fabric, unit, source))
    if node.role is Role.ROUTE:
        return {"c": values["c"]}
    values |= {"op": node.op, "subword": node.subword, "immediate": node.immediate, **stage}
    if len(node.operands) > 1 and node.operands[1] is None:
        values["b"] = fabric.sources - 1
    if node.table >= 0 and node.op is Op.LOOKUP:
        first = mapping.tables[unit, node.table]
        values["immediate"] = (node.immediate + first) & 0xFFFFFFFF
    return values


def _third(fabric: Fabric, element: int, source: int, *, stream: bool) -> int:
    """Select code of operand c for another element of the column, or the row's stream."""
    (row, column), (other_row, other_column) = fabric.place(element), fabric.place(source)
    if stream:
        return fabric.rows - 1
    assert column == other_column and row != other_row, f"operand c of {element} is {source}"
    return other_row - (other_row > row)


def _select(fabric: Fabric, element: int, source: int) -> int:
    """Select code of operands a and b by which an element sees another, or itself."""
    (row, column), (other_row, other_column) = fabric.place(element), fabric.place(source)
    if element == source:
        return fabric.columns - 1 + fabric.rows - 1
    if row == other_row:
        return other_column - (other_column > column)
    assert column == other_column, f"element {element} doesn't see element {source}"
    return fabric.columns - 1 + other_row - (other_row > row)


def _view(mapping: Mapping, elements: list[list[dict[str, int]]],
          inputs: list[list[dict[str, int]]], source: int, distance: int, link: Link,
          time: int) -> None:
    """Make the source show its value on a link in step ``time`` of the consumer's iteration."""
    ii, unit = mapping.ii, mapping.units[source]
    node, slot = mapping.graph.nodes[source], (time - 1) % ii
    delay = time + distance * ii - mapping.times[source] - node.latency
    assert 0 <= delay < mapping.fabric.history, f"delay {delay}"
    name = {Link.ROW: "row", Link.COL: "col", Link.STREAM: ""}[link]
    if link is Link.STREAM:
        _set(inputs[unit][slot], {"delay": delay})
    elif node.role is Role.ROUTE:
        assert delay == 0 and link is Link.ROW, f"a route by {name} after {delay} steps"
        _set(elements[unit][slot], {"route": 1, "row_delay": 0})
    elif link is Link.ROW:
        _set(elements[unit][slot], {"route": 0, "row_delay": delay})
    else:
        _set(elements[unit][slot], {"col_delay": delay})
