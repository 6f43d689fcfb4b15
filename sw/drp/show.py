"""A mapping as text and as a picture: elements by steps, and the routes between them."""

from pathlib import Path

from golden.spec.drp.operations import Op
from sw.drp.graph import Node, Role
from sw.drp.mapper.mapping import Link, Mapping

__all__ = ["draw", "text"]


def _label(node: Node) -> str:
    """What a node does, short."""
    if node.indirect:
        return "at" if node.role is Role.PUSH else "gather"
    if node.role is Role.POP:
        tap = node.tap
        if tap.what:
            return tap.what.name.lower()
        return f"pop {tap.dy:+d},{tap.dx:+d}" + (f"+{tap.dbase}" if tap.dbase else "")
    if node.role is Role.PUSH:
        return "push"
    if node.role is Role.ROUTE:
        return "route"
    fixed = node.op is Op.LANE or (len(node.operands) > 1 and node.operands[1] is None)
    signed = node.immediate - ((node.immediate >> 31) << 32)
    return node.op.name.lower() + (f" {signed}" if fixed else "")


def text(mapping: Mapping) -> str:
    """A table for every step of the interval, then a line for every node."""
    fabric, lines = mapping.fabric, []
    cells: dict[tuple[int, int], list[str]] = {}
    streams: dict[int, list[str]] = {}
    for number, node in enumerate(mapping.graph.nodes):
        slot, stage = mapping.times[number] % mapping.ii, mapping.times[number] // mapping.ii
        label = f"{_label(node)} @{stage}"
        if node.role in (Role.POP, Role.PUSH):
            side = "in" if node.role is Role.POP else "out"
            streams.setdefault(slot, []).append(f"{side}{mapping.units[number]}: {label}")
        else:
            cells.setdefault((slot, mapping.units[number]), []).append(label)
    width = max([len(" | ".join(cell)) for cell in cells.values()] + [4]) + 2
    for slot in range(mapping.ii):
        lines.append(f"step {slot}: " + "; ".join(sorted(streams.get(slot, ["no stream"]))))
        for row in range(fabric.rows):
            places = range(row * fabric.columns, (row + 1) * fabric.columns)
            lines.append("  " + "".join(" | ".join(cells.get((slot, place), ["."])).ljust(width)
                                        for place in places).rstrip())
    lines += ["", "node: what, where, step <- operands (node, link, iterations back)"]
    for number, node in enumerate(mapping.graph.nodes):
        sources = ", ".join(
            f"{'abc'[operand]}={edge.source} {_link(mapping, number, operand)}"
            + (f" -{edge.distance}" if edge.distance else "") for operand, edge in node.edges())
        lines.append(f"{number:4d}: {_label(node)}, {_place(mapping, number)}, "
                     f"{mapping.times[number]}" + (f" <- {sources}" if sources else ""))
    return "\n".join(lines)


def _link(mapping: Mapping, number: int, operand: int) -> str:
    link = mapping.links.get((number, operand))
    return "position" if link is None else link.name.lower()


def _place(mapping: Mapping, number: int) -> str:
    node, unit = mapping.graph.nodes[number], mapping.units[number]
    if node.role is Role.POP:
        return f"in{unit}"
    if node.role is Role.PUSH:
        return f"out{unit}"
    row, column = mapping.fabric.place(unit)
    return f"({row}, {column})"


def draw(mapping: Mapping, title: str, path: Path) -> None:
    """A picture: one grid for each step of the interval, an arrow for each value read in it.

    Parameters
    ----------
    mapping : Mapping
    title : str
    path : Path
        Ending in what matplotlib writes, such as .png or .svg.
    """
    from matplotlib.figure import Figure  # slow to import

    fabric, ii = mapping.fabric, mapping.ii
    across = min(ii, 4)
    figure = Figure(figsize=(4.2 * across, 3.9 * -(-ii // across) + 0.4), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(-(-ii // across), across, squeeze=False).ravel()
    for slot, axis in enumerate(axes):
        axis.set_axis_off()
        if slot >= ii:
            continue
        axis.set_xlim(-1.5, fabric.columns + 0.5)
        axis.set_ylim(fabric.rows - 0.4, -0.9)
        axis.set_title(f"step {slot} of {ii}", fontsize=9)
        for element in range(fabric.elements):
            row, column = fabric.place(element)
            axis.add_patch(_box(column, row, "#f2f2f2"))
        for number, node in enumerate(mapping.graph.nodes):
            if mapping.times[number] % ii == slot:
                _draw_node(mapping, number, node, axis)
    figure.savefig(path, dpi=110)


def _box(column: float, row: float, colour: str):  # type: ignore[no-untyped-def]
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch((column - 0.36, row - 0.3), 0.72, 0.6, boxstyle="round,pad=0.02",
                          facecolor=colour, edgecolor="#888888", linewidth=0.8)


_COLOURS = {"alu": "#cfe3f5", "shifter": "#d9ead3", "multiplier": "#f9cb9c", "memory": "#d9d2e9",
            "mover": "#fff2cc"}


def _spot(mapping: Mapping, number: int) -> tuple[float, float]:
    """(column, row) of a node in the picture."""
    node, unit = mapping.graph.nodes[number], mapping.units[number]
    if node.role is Role.POP:
        return -1.0, float(unit)
    if node.role is Role.PUSH:
        rows = [mapping.fabric.place(element)[0]
                for element in mapping.fabric.seen_by_output(unit)]
        return float(mapping.fabric.columns), sum(rows) / len(rows)
    row, column = mapping.fabric.place(unit)
    return float(column), float(row)


def _draw_node(mapping: Mapping, number: int, node: Node, axis) -> None:  # type: ignore[no-untyped-def]
    from matplotlib.patches import FancyArrowPatch

    column, row = _spot(mapping, number)
    stream = node.role in (Role.POP, Role.PUSH)
    route = node.role is Role.ROUTE
    if not route:
        axis.add_patch(_box(column, row, "#ffffff" if stream else _COLOURS[node.kind.value]))
    axis.text(column, row + (0.2 if route else 0.0), _label(node).replace(" ", "\n", 1),
              ha="center", va="center", fontsize=5.5 if route else 6.5,
              color="#777777" if route else "black")
    for operand, edge in node.edges():
        start, link = _spot(mapping, edge.source), mapping.links.get((number, operand))
        if start == (column, row) or link is None:
            continue
        colour = {Link.ROW: "#1f77b4", Link.COL: "#d62728", Link.STREAM: "#2ca02c"}[link]
        axis.add_patch(FancyArrowPatch(
            start, (column, row), connectionstyle="arc3,rad=0.18", arrowstyle="-|>",
            mutation_scale=7, linewidth=0.9, color=colour, shrinkA=14, shrinkB=14, alpha=0.8))
