"""Where the blocks of a routed design lie on the device, as a picture."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["floorplan"]

_MOST = 12  # blocks that are shown by themselves
_POINTS = 400  # width of a device in the picture
_BEL = re.compile(r"X(\d+)/Y(\d+)/")
_SHOWN = ("TRELLIS_FF", "TRELLIS_COMB", "MULT18X18D", "DP16KD")
_COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7",
           "#9c755f", "#86bcb6", "#d37295", "#a0cbe8", "#8cd17d", "#bab0ac")


def floorplan(routed: Path, blocks: Sequence[str], output: Path) -> None:
    """Draw it.

    Parameters
    ----------
    routed : Path
        Netlist that nextpnr wrote.
    blocks : sequence of str
        Prefixes of the cells' names, the largest block first.
    output : Path
        .png, .svg or .pdf.
    """
    modules = json.loads(routed.read_text())["modules"]
    cells = next(iter(modules.values()))["cells"]
    blocks = blocks[:_MOST]
    places: dict[str, list[tuple[int, int]]] = {name: [] for name in (*blocks, "")}
    for name, cell in cells.items():
        match = _BEL.match(cell.get("attributes", {}).get("NEXTPNR_BEL", ""))
        if match and cell["type"] in _SHOWN:
            owner = max((block for block in blocks if name.startswith(block + ".")), key=len,
                        default="")
            places[owner].append((int(match[1]), int(match[2])))
    columns = 1 + max(x for points in places.values() for x, _ in points)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(places.items()):
        if points:
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, s=(_POINTS / columns) ** 2, marker="s", linewidths=0, alpha=0.5,
                         color=_COLORS[number % len(_COLORS)],
                         label=name.removeprefix("system.") or "rest")
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.set_xlabel("column of the device")
    axes.set_ylabel("row")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(output, dpi=130)
