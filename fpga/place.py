"""A packed netlist placed: roughly by quadratic wire length, then by simulated annealing.

nextpnr packs before and routes afterwards. Nets, and connections in the annealing, count for more
the later signals are on them.

As a program of its own, ``python -m fpga.place PACKED PLACED SEED PERIOD EFFORT`` tells how far it
is, and at last what came of it, in JSON: several seeds in threads of one would wait for each other.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fpga.analytic import Analytic, Region, spread
from fpga.annealer import Annealing, anneal, annealer
from fpga.binding import bind
from fpga.buffers import add_buffers
from fpga.cells import FIXED, MEMORY, MULTIPLIER, SLOTS, kind_of
from fpga.clusters import Cluster, Clusters
from fpga.constants import spread_constants
from fpga.copies import copy_luts
from fpga.geometry import Site, geometry
from fpga.legal import check, check_moved
from fpga.placement import Placement, bel, nets_of, place_of, read_netlist
from fpga.routing import tell_router
from fpga.sites import nearest_sites
from fpga.tiles import Tiles
from fpga.timing import Timing
from sw.errors import ToolError

__all__ = ["EFFORT", "Placing", "place"]

EFFORT = 2800  # annealing moves tried for each cell
# Without anything that keeps cells apart, at first. To the end of that would be wrong: what is
# tied to few things only would lie in a heap.
_FIRST_SOLUTIONS, _FIRST_STEPS = 4, 100
# Of several starts, which end differently, the one with the least wire after some rounds; it goes
# on by itself until there is sense in telling late signals.
_STARTS, _START_ROUNDS, _FIRST_ROUNDS = 8, 10, 40
# The pull to free places grows from round to round, by so much for a slot.
_ROUNDS, _STEPS, _PULL = 160, 60, 0.01
_WEIGH = 10  # rounds between times when nets get weights
# A block's is that of so many slots, which grow too: its places are few and far between.
_BLOCK_PULL, _BLOCK_DELAY = 0.2, 10
_COPYINGS = 3  # of LUTs, each by what the last one has made of late paths
_FILL = 0.85  # of the slots of any region
_LONE_FLIPFLOP = 0.5  # slots: two without LUTs make one
_BEL = re.compile(r"X(\d+)/Y(\d+)/.+")


@dataclass(frozen=True)
class Placing:
    """What came of it.

    Parameters
    ----------
    annealing : Annealing
    fed : int
        Flip-flops fed beside a LUT that drives others as well, or beside a wide multiplexer.
    buffers : int
        Flip-flops that a free LUT feeds now.
    seconds : int
    """

    annealing: Annealing
    fed: int
    buffers: int
    seconds: int


def place(packed: Path, placed: Path, seed: int, period: float, effort: int = EFFORT,
          tell: Callable[[str], None] = lambda text: None) -> Placing:
    """Give every cell a place.

    Parameters
    ----------
    packed : Path
        Netlist in JSON that nextpnr wrote after packing.
    placed : Path
        Where it is written anew; the annealer's log comes beside it.
    seed : int
        The same seed gives the same placement.
    period : float
        Of the clock, in ns.
    effort : int
        Annealing moves tried for each cell; with less than EFFORT there are fewer starts, and
        fewer rounds before, too.
    tell : callable
        Told how far it is.

    Raises
    ------
    ToolError
        If the netlist can't be placed, or g++ is missing.
    """
    started = time.monotonic()
    program = annealer()
    netlist, module = read_netlist(packed)
    start = _Start(module, str(packed), seed, period, effort)
    start.run(tell)
    placement = Placement(netlist, str(packed))
    check(placement)
    # Of the cells before constants were spread: those come last, and are never late.
    timing = start.timing

    def late(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        connections, slack = timing.late(x, y)
        tell(f"least slack {slack:.2f} ns, {len(connections):,} connections matter")
        return connections

    annealing = anneal(program, placement, placed, seed, effort, late, tell)
    after = Placement(netlist, str(packed))
    check_moved(placement, after)
    late(*np.array([(item.x, item.y) for item in after.cells], float).T)
    buffers = add_buffers(after)
    check(Placement(netlist, str(packed)))
    bind(module)
    tell_router(module)
    placed.write_text(json.dumps(netlist))
    return Placing(annealing, start.clusters.fed, buffers, round(time.monotonic() - started))


class _Start:
    """A first legal placement."""

    def __init__(self, module: dict[str, Any], source: str, seed: int, period: float,
                 effort: int) -> None:
        self._module = module
        self._cells = cells = module["cells"]
        self._source = source
        self._geometry = geometry(module["settings"]["arch.type"])
        self.clusters = Clusters(module)
        kinds = {name: kind_of(cell) for name, cell in cells.items()}
        self._memories = [name for name in cells if kinds[name] == MEMORY]
        self._multipliers = [name for name in cells if kinds[name] == MULTIPLIER]
        blocks = self._memories + self._multipliers
        fixed = [name for name in cells if kinds[name] == FIXED]
        groups = [*(tuple(cluster.names) for cluster in self.clusters.all),
                  *((name,) for name in blocks + fixed)]
        self._movable = len(self.clusters.all) + len(blocks)
        self._random = np.random.default_rng(seed)
        at = np.zeros((2, len(groups)))
        at[:, self._movable:] = np.array([self._fixed(name) for name in fixed]).reshape(-1, 2).T
        nets = nets_of(module, groups)
        if not nets or not self._movable:
            raise ToolError(f"{source}: has no net between cells that could move")
        self._nets = list(nets)
        self._analytic = Analytic(list(nets.values()), at[0], at[1], self._movable)
        self._period = period
        part = min(effort / EFFORT, 1)
        self._starts = max(1, int(part * _STARTS))
        self._stride = round(part ** -0.5)
        self._copies: dict[str, tuple[float, float]] = {}
        self.timing = Timing(module, period)
        numbers = {name: number for number, names in enumerate(groups) for name in names}
        self._objects = np.array([numbers[name] for name in cells])
        self._areas = np.array([_area(cluster) for cluster in self.clusters.all])

    def run(self, tell: Callable[[str], None]) -> None:
        """Give all cells the attribute NEXTPNR_BEL."""
        starts, analytic = [], self._analytic
        for number in range(1, self._starts + 1):
            self._begin()
            wire = self._rounds(1, _START_ROUNDS)
            tell(f"start {number} of {self._starts}: wire {wire:,}")
            starts.append((wire, analytic.x.copy(), analytic.y.copy()))
        _, analytic.x[:], analytic.y[:] = min(starts, key=lambda start: start[0])
        tell(f"wire {self._rounds(_START_ROUNDS + 1, _FIRST_ROUNDS):,}")
        for first in range(_FIRST_ROUNDS + 1, _ROUNDS, _WEIGH):
            weights, slack = self.timing.weights(analytic.x[self._objects],
                                                  analytic.y[self._objects])
            analytic.weights = np.array([weights.get(net, 1) for net in self._nets])
            wire = self._rounds(first, min(first + _WEIGH - 1, _ROUNDS))
            tell(f"wire {wire:,}, slack before spreading {slack:.2f} ns")
        self._copy()
        self._settle(*self._targets())
        tell(f"{len(self._copies):,} LUTs twice")

    def _copy(self) -> None:
        """LUTs that are late for the sake of others: again, nearer, at the netlist's end."""
        x, y = self._analytic.x[self._objects], self._analytic.y[self._objects]
        for _ in range(_COPYINGS):
            late, _ = self.timing.late(x, y)
            found = copy_luts(self._module, late, x, y)
            self._copies |= found
            x, y = (np.append(at, [place[axis] for place in found.values()])
                    for axis, at in enumerate((x, y)))
            self.timing = Timing(self._module, self._period)

    def _begin(self) -> None:
        """In the middle, not all at one point, or springs between them have no direction."""
        analytic, grid = self._analytic, self._geometry
        for at, range_ in ((analytic.x, grid.columns), (analytic.y, grid.rows)):
            at[:self._movable] = ((range_.start + range_.stop - 1) / 2
                                  + self._random.uniform(-1, 1, self._movable))
        for _ in range(_FIRST_SOLUTIONS):
            analytic.solve(analytic.x, _FIRST_STEPS)
            analytic.solve(analytic.y, _FIRST_STEPS)

    def _rounds(self, first: int, last: int) -> int:
        """Some of them; gives the wire there would be with everything where it is pulled."""
        analytic, count = self._analytic, self._movable
        for number in range(first, last + 1, self._stride):
            targets = self._targets()
            pull = np.maximum(self._areas, 1)
            blocks = np.full(count - len(pull), _BLOCK_PULL * (number + _BLOCK_DELAY))
            pull = np.concatenate((pull, blocks)) * number * _PULL
            analytic.solve(analytic.x, _STEPS, targets[0], pull)
            analytic.solve(analytic.y, _STEPS, targets[1], pull)
        own = analytic.x[:count].copy(), analytic.y[:count].copy()
        analytic.x[:count], analytic.y[:count] = self._targets()
        wire = analytic.wire()
        analytic.x[:count], analytic.y[:count] = own
        return wire

    def _targets(self) -> np.ndarray:
        """Places near where objects are that have room for them, along x and y."""
        grid, count, rows = self._geometry, len(self._areas), self._geometry.logic_rows
        analytic = self._analytic
        x, y = spread(
            analytic.x[:count] - grid.columns.start,
            np.interp(analytic.y[:count], rows, range(len(rows))), self._areas,
            Region(0, len(grid.columns), 0, len(rows)), SLOTS, _FILL)
        self._sites = self._nearest()
        sites = np.array([site[:2] for site in self._sites], float).reshape(-1, 2).T
        return np.hstack(((x + grid.columns.start, np.interp(y, range(len(rows)), rows)), sites))

    def _nearest(self) -> list[Site]:
        first = len(self._areas)
        second = first + len(self._memories)
        x, y = self._analytic.x, self._analytic.y
        multipliers = [site for group in self._geometry.multipliers for site in group]
        return [*nearest_sites(x[first:second], y[first:second], self._geometry.memories,
                               "block RAMs"),
                *nearest_sites(x[second:self._movable], y[second:self._movable], multipliers,
                               "multipliers")]

    def _settle(self, x: np.ndarray, y: np.ndarray) -> None:
        kinds = [MEMORY] * len(self._memories) + [MULTIPLIER] * len(self._multipliers)
        sites = dict(zip(self._memories + self._multipliers, self._sites, strict=True))
        for (name, site), kind in zip(sites.items(), kinds, strict=True):
            self._lie(name, bel(kind, *site))
        grid = self._geometry
        rows = grid.logic_rows
        tiles = Tiles(self._cells, self.clusters.controls, len(grid.columns), len(rows))
        wanted = list(zip(self.clusters.all, x, y, strict=False))
        wanted += [(Cluster(luts={0: name}), *place) for name, place in self._copies.items()]
        wanted += [(Cluster(luts={0: name}), *sites[near][:2])
                   for name, near in spread_constants(self._module, sites).items()]
        wanted.sort(key=lambda item: (-item[0].tiles, -item[0].width, -len(item[0].luts)))
        for cluster, column, row in wanted:
            tiles.put(cluster, round(column) - grid.columns.start,
                      round(float(np.interp(row, rows, range(len(rows))))))
        for name, kind, column, row, slot in tiles.places():
            self._lie(name, bel(kind, grid.columns[column], rows[row], slot))

    def _lie(self, name: str, place: str) -> None:
        self._cells[name]["attributes"]["NEXTPNR_BEL"] = place

    def _fixed(self, name: str) -> tuple[int, int]:
        place = place_of(self._cells[name])
        match = _BEL.fullmatch(place)
        if not match:
            raise ToolError(f"{self._source}: {self._cells[name]['type']} {name} has no place, and "
                            "what is placed here is logic, block RAM and multipliers")
        self._cells[name]["attributes"]["NEXTPNR_BEL"] = place
        return int(match[1]), int(match[2])


def _area(cluster: Cluster) -> float:
    """Slots that it takes."""
    if cluster.port is not None:
        return max(cluster.luts) + 1
    return SLOTS * cluster.tiles if cluster.width == SLOTS else len(cluster.luts) or _LONE_FLIPFLOP


def _main() -> int:
    packed, placed, seed, period, effort = sys.argv[1:]
    try:
        found = place(Path(packed), Path(placed), int(seed), float(period), int(effort),
                      lambda text: print(text, flush=True))
    except ToolError as error:
        print(f"ERROR: {error}")
        return 1
    print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
