"""The annealer (``anneal/anneal.cc``): compiled once, told a placement, run.

It moves LUTs, flip-flops, slices, tiles, block RAM and multipliers until little is gained any more.
"""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import which

import numpy as np

from fpga.cells import FIXED, FLIPFLOP, LUT
from fpga.placement import Placement, bel
from fpga.toolchain import Tool
from sw.cache import cache_folder, keep, making
from sw.errors import ToolError

__all__ = ["Annealing", "anneal", "annealer"]

_SOURCES = Path(__file__).with_name("anneal")
# Without fused operations, so that a seed gives the same placement on every processor.
_FLAGS = ("-std=c++17", "-O3", "-ffp-contract=off")
_FIGURES = re.compile(r"(start|end): wire (\d+) along x, (\d+) along y, density ([\d.]+),")
_DECIMALS = 2  # of a connection's cost
_ALUS = (3, 7)  # their offsets in a group of multipliers


@dataclass(frozen=True)
class Annealing:
    """What came of it.

    Parameters
    ----------
    wire_before, wire_after : tuple of int
        Half perimeters of all nets together, in tiles along x and along y.
    density_before, density_after : float
        Of wires in tiles a tile, where it is greatest: in one direction over 6 x 6 tiles.
    """

    wire_before: tuple[int, int]
    wire_after: tuple[int, int]
    density_before: float
    density_after: float


def anneal(program: Tool, placement: Placement, files: Path, seed: int, effort: int,
           late: Callable[[np.ndarray, np.ndarray], np.ndarray],
           tell: Callable[[str], None] = lambda text: None) -> Annealing:
    """Give the cells of a placement better places: their attribute NEXTPNR_BEL, in place.

    Parameters
    ----------
    program : Tool
        `annealer`.
    placement : Placement
        A legal one.
    files : Path
        What the annealer's log is called, and files that are removed again, but for suffixes.
    seed : int
        The same seed gives the same placement.
    effort : int
        Moves tried for each cell.
    late : callable
        Told where cells lie along x and along y, gives those connections that should be short:
        rows of two cells and what a tile between them costs, where a tile of wire costs 1.
    tell : callable
        Told how far it is.

    Raises
    ------
    ToolError
        If the annealer fails.
    """
    source, result, log = (files.with_suffix(f".anneal.{name}") for name in ("in", "out", "log"))
    lines = _export(placement)
    source.write_text("\n".join(" ".join(map(str, line)) for line in lines))
    found: dict[str, tuple[int, int, float]] = {}

    def line(text: str) -> str:
        if text == "late?":
            x, y, _ = np.array(result.read_text().split(), float).reshape(-1, 3).T
            return _answer(late(x, y))
        match = _FIGURES.match(text)
        if match:
            found[match[1]] = int(match[2]), int(match[3]), float(match[4])
        tell(text)
        return ""

    program.run([source.name, result.name, str(seed), str(effort)], files.parent, log.name, line,
                answered=True)
    for item, place in zip(placement.cells, result.read_text().splitlines(), strict=True):
        if item.kind != FIXED:
            x, y, z = map(int, place.split())
            item.cell["attributes"]["NEXTPNR_BEL"] = bel(item.kind, x, y, z)
    source.unlink()
    result.unlink()
    return Annealing(found["start"][:2], found["end"][:2], round(found["start"][2], 1),
                     round(found["end"][2], 1))


def _answer(connections: np.ndarray) -> str:
    """What the annealer reads of connections."""
    lines = (f"{one:.0f} {other:.0f} {cost}"
             for one, other, cost in connections.round(_DECIMALS).tolist())
    return "\n".join([str(len(connections)), *lines, ""])


def _export(placement: Placement) -> Iterator[tuple[int, ...]]:
    """Lines of the annealer's input."""
    geometry = placement.geometry
    rows, cells = geometry.logic_rows, placement.cells
    yield (max(geometry.columns.stop + 1, *(item.x + 1 for item in cells)),
           max(geometry.rows.stop + 1, *(item.y + 1 for item in cells)))
    yield geometry.columns.start, geometry.columns.stop - 1
    yield len(rows), *rows
    yield (len(geometry.memories),)
    yield from geometry.memories
    # Other blocks in a group of multipliers, or chains through it, stay where they are.
    others = {(item.x, item.y) for item in cells if item.cell["type"] == "ALU54B"}
    groups = [group for group in geometry.multipliers
              if not any((group[0][0] + offset, group[0][1]) in others for offset in _ALUS)]
    yield (len(groups),)
    for group in groups:
        yield tuple(number for site in group for number in site)
    yield (len(placement.links),)
    yield from sorted(placement.links)
    controls = placement.controls()
    signals: dict = {}
    enables: dict = {}
    numbers: dict = {}
    for clock, reset, enable in controls.values():
        for signal in (clock, reset):
            if signal is not None:
                signals.setdefault(signal, len(signals))
        enables.setdefault(enable, len(enables))
    yield len(signals), *(numbers.setdefault(signal[0], len(numbers)) for signal in signals)
    nets, bits = placement.nets()
    yield (len(bits),)
    yield (len(cells),)
    for item in cells:
        clock, reset, enable = controls.get(item.name, (None, None, None))
        m = int(item.net("M") is not None)
        yield (item.kind, item.x, item.y, item.z, placement.levels.get(item.name, 0),
               m if item.kind == LUT else 0, m if item.kind == FLIPFLOP else 0,
               signals.get(clock, -1), signals.get(reset, -1), enables.get(enable, -1),
               len(nets[item.name]), *nets[item.name])


def annealer() -> Tool:
    """The program, compiled once.

    Raises
    ------
    ToolError
        If g++ is missing.
    """
    compiler = which("g++")
    if compiler is None:
        raise ToolError("placing needs g++; on Debian: apt install g++; or --effort 0")
    asked = subprocess.run([compiler, "-dumpfullversion", "-dumpmachine"], capture_output=True,
                           text=True, check=False)
    sources = [path.read_text() for path in sorted(_SOURCES.glob("*.[ch]*"))]
    digest = sha256("\0".join((asked.stdout, *_FLAGS, *sources)).encode())
    kept = cache_folder() / "anneal" / digest.hexdigest()[:32]
    with making(kept) as missing:
        if missing:
            with tempfile.TemporaryDirectory(prefix="sentei-anneal-") as name:
                Tool("g++", (compiler,), "", "native").run(
                    [*_FLAGS, "-o", "anneal", str(_SOURCES / "anneal.cc")], Path(name), "log")
                keep((Path(name) / "anneal").read_bytes(), kept, executable=True)
    return Tool("anneal", (str(kept),), "", "native")
