"""What is refused is what breaks a rule, and nothing else: random places against the rules."""

import random
from contextlib import suppress

import pytest

from fpga.cells import FLIPFLOP, LUT, kind_of
from fpga.clusters import Clusters
from fpga.legal import check
from fpga.placement import Placement, bel
from fpga.tiles import Tiles
from sw.errors import ToolError
from tb.fpga.rules import broken
from tb.fpga.test_tiles import FIRST, Design

COLUMNS, ROWS = 4, 3


def made(seed):
    """A small device, full of legal things."""
    design = Design(seed)
    for _ in range(30):
        design.some()
    netlist = design.netlist
    found = Clusters(netlist.module)
    into = Tiles(netlist.cells, found.controls, COLUMNS, ROWS)
    for cluster in found.all:
        with suppress(ToolError):  # too full
            into.put(cluster, 1, 1)
    places = {name: bel(kind, column + FIRST, row + FIRST, slot)
              for name, kind, column, row, slot in into.places()}
    for name in set(netlist.cells) - set(places):
        del netlist.cells[name]
    for name, place in places.items():
        netlist.cells[name]["attributes"]["NEXTPNR_BEL"] = place
    return netlist


def refused(netlist):
    try:
        check(Placement(netlist.netlist, "made"))
    except ToolError:
        return True
    return False


@pytest.mark.parametrize("seed", (0, 1, 2, 4))
def test_what_is_refused_breaks_a_rule(seed):
    netlist, chosen = made(seed), random.Random(seed)
    assert not refused(netlist) and not list(broken(netlist.cells))
    # Those that nothing but rules of tiles ties to others.
    names = [name for name, cell in netlist.cells.items() if cell["type"] == "TRELLIS_FF" or
             set(cell["connections"]) <= {*"ABCDF"}]
    luts = [cell for cell in netlist.cells.values() if kind_of(cell) == LUT]
    reasons, fine = set(), 0
    for _ in range(300):
        cell = netlist.cells[chosen.choice(names)]
        before = cell["attributes"]["NEXTPNR_BEL"]
        kind = kind_of(cell)
        place = bel(kind, chosen.randrange(COLUMNS) + FIRST, chosen.randrange(ROWS) + FIRST,
                    chosen.randrange(8))
        if kind == FLIPFLOP and chosen.random() < 0.5:  # beside a LUT
            place = chosen.choice(luts)["attributes"]["NEXTPNR_BEL"].replace(".K", ".FF")
        cell["attributes"]["NEXTPNR_BEL"] = place
        wrong = list(broken(netlist.cells))
        assert refused(netlist) == bool(wrong), wrong
        if wrong:
            reasons |= {text.split(": ")[-1].rstrip("0123456789") for text in wrong}
            cell["attributes"]["NEXTPNR_BEL"] = before
        else:
            fine += 1
    assert fine > 2 and reasons >= {
        "taken", "controls", "DI from elsewhere", "M for two", "two clocks", "two resets"}
