"""A placement refined: its wire shortened by simulated annealing, ways into flip-flops widened.

nextpnr's analytic placer leaves a large design with more wire than the device has room for. The
annealer (``anneal/anneal.cc``) moves LUTs, flip-flops, slices, tiles, block RAM and multipliers
until little is gained any more. What it does not look at is timing: what is near is fast.
"""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import which

from fpga.buffers import add_buffers
from fpga.legal import check, check_moved
from fpga.placement import FIXED, FLIPFLOP, LUT, Placement, bel
from fpga.toolchain import Tool
from sw.cache import cache_folder, keep, making
from sw.errors import ToolError

__all__ = ["EFFORT", "Refinement", "refine"]

EFFORT = 2000  # moves tried for each cell
_SOURCES = Path(__file__).with_name("anneal")
# Without fused operations, so that a seed gives the same placement on every processor.
_FLAGS = ("-std=c++17", "-O3", "-ffp-contract=off")
_FIGURES = re.compile(r"(start|end): wire (\d+) along x, (\d+) along y, density ([\d.]+),")
_ALUS = (3, 7)  # their offsets in a group of multipliers


@dataclass(frozen=True)
class Refinement:
    """What came of it.

    Parameters
    ----------
    wire_before, wire_after : tuple of int
        Half perimeters of all nets together, in tiles along x and along y.
    density_before, density_after : float
        Of wires in tiles a tile, where it is greatest: in one direction over 6 x 6 tiles.
    buffers : int
        Flip-flops that a free LUT feeds now.
    seconds : int
    """

    wire_before: tuple[int, int]
    wire_after: tuple[int, int]
    density_before: float
    density_after: float
    buffers: int
    seconds: int


def refine(placed: Path, refined: Path, seed: int, effort: int = EFFORT,
           tell: Callable[[str], None] = lambda text: None) -> Refinement:
    """Refine a placement; only places change, and what `add_buffers` adds.

    Parameters
    ----------
    placed : Path
        Netlist in JSON that nextpnr wrote after placement, before routing.
    refined : Path
        Where it is written anew; the annealer's log and other files of its come beside it.
    seed : int
        The same seed gives the same placement.
    effort : int
        Moves tried for each cell.
    tell : callable
        Told how far it is.

    Raises
    ------
    ToolError
        If the netlist is not a legal placement, or g++ is missing.
    """
    started = time.monotonic()
    netlist, before = Placement.read(placed)
    check(before)
    program = _program()
    source, result = refined.with_suffix(".anneal.in"), refined.with_suffix(".anneal.out")
    source.write_text("\n".join(" ".join(map(str, line)) for line in _export(before)))
    found: dict[str, tuple[int, int, float]] = {}

    def line(text: str) -> None:
        match = _FIGURES.match(text)
        if match:
            found[match[1]] = int(match[2]), int(match[3]), float(match[4])
        tell(text)

    program.run([source.name, result.name, str(seed), str(effort)], refined.parent,
                refined.with_suffix(".anneal.log").name, line)
    for item, place in zip(before.cells, result.read_text().splitlines(), strict=True):
        if item.kind != FIXED:
            x, y, z = map(int, place.split())
            item.cell["attributes"]["NEXTPNR_BEL"] = bel(item.kind, x, y, z)
    source.unlink()
    result.unlink()
    after = Placement(netlist, str(refined))
    check_moved(before, after)
    buffers = add_buffers(after)
    check(Placement(netlist, str(refined)))
    refined.write_text(json.dumps(netlist))
    return Refinement(found["start"][:2], found["end"][:2], round(found["start"][2], 1),
                      round(found["end"][2], 1), buffers, round(time.monotonic() - started))


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
    nets = placement.nets()
    yield (1 + max((net for own in nets.values() for net in own), default=-1),)
    yield (len(cells),)
    for item in cells:
        clock, reset, enable = controls.get(item.name, (None, None, None))
        m = int(item.net("M") is not None)
        yield (item.kind, item.x, item.y, item.z, placement.levels.get(item.name, 0),
               m if item.kind == LUT else 0, m if item.kind == FLIPFLOP else 0,
               signals.get(clock, -1), signals.get(reset, -1), enables.get(enable, -1),
               len(nets[item.name]), *nets[item.name])


def _program() -> Tool:
    """The annealer, compiled once."""
    compiler = which("g++")
    if compiler is None:
        raise ToolError("refining a placement needs g++; on Debian: apt install g++; or "
                        "--no-refine")
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
