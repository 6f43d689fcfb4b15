"""Clusters put into tiles: the nearest with room, and nothing that the device can't hold."""

import random
from contextlib import suppress
from itertools import count

import pytest

from fpga.cells import LUT
from fpga.clusters import Cluster, Clusters
from fpga.legal import check
from fpga.placement import Placement, bel
from fpga.tiles import Tiles
from sw.errors import ToolError
from tb.fpga.netlists import Netlist
from tb.fpga.rules import broken, torn

FIRST = 2  # the device's first column and row


def tiles(netlist, columns, rows):
    found = Clusters(netlist.module)
    return found, Tiles(netlist.cells, found.controls, columns, rows)


def placed(netlist, into):
    """Gives cells the places that they have, as far as they have one: column, row and slot."""
    found = {}
    for name, kind, *place in into.places():
        column, row, slot = found[name] = place
        at = bel(kind, column + FIRST, row + FIRST, slot)
        netlist.cells[name]["attributes"]["NEXTPNR_BEL"] = at
    assert not list(broken(netlist.cells)) and not list(torn(netlist.cells))
    return found


def test_the_nearest_tile_with_room_is_taken():
    netlist = Netlist()
    for number in range(5 * 3 * 8):
        netlist.lut(f"lut{number}", A="a")
    found, into = tiles(netlist, 5, 3)
    distances = []
    for cluster in found.all:
        into.put(cluster, 1, 2)
        column, row, _ = placed(netlist, into)[cluster.luts[0]]
        distances.append((column - 1) ** 2 + (row - 2) ** 2)
    assert distances == sorted((column - 1) ** 2 + (row - 2) ** 2 for column in range(5)
                               for row in range(3) for _ in range(8))


def test_places_beyond_the_device_are_moved_into_it():
    netlist = Netlist()
    netlist.lut("one", A="a")
    found, into = tiles(netlist, 4, 3)
    into.put(found.all[0], 6, -2)
    assert placed(netlist, into)["one"] == [3, 0, 0]


@pytest.mark.parametrize("column, then", [(0, 0), (1, 1), (2, 1), (3, 1)])
def test_a_chain_ends_within_its_row(column, then):
    netlist = Netlist()
    netlist.chain("carry", 20)
    found, into = tiles(netlist, 4, 2)
    into.put(found.all[0], column, 1)
    there = placed(netlist, into)
    assert there["carry0"] == [then, 1, 0] and there["carry19"] == [then + 2, 1, 3]


def test_a_chain_leaves_its_last_tile_to_others():
    netlist = Netlist()
    netlist.chain("carry", 10)
    for number in range(6):
        netlist.lut(f"lut{number}", A="a")
    found, into = tiles(netlist, 2, 1)
    for cluster in found.all:
        into.put(cluster, 0, 0)
    assert len(placed(netlist, into)) == 16


def test_a_full_device_is_refused():
    netlist = Netlist()
    for number in range(3):
        netlist.multiplexer(f"mux{number}", 2)
    found, into = tiles(netlist, 2, 1)
    for cluster in found.all[:2]:
        into.put(cluster, 0, 0)
    with pytest.raises(ToolError, match=r"no tile has room for mux2\.\S+: the device is too full"):
        into.put(found.all[2], 0, 0)


def test_a_chain_longer_than_a_row_is_refused():
    netlist = Netlist()
    netlist.chain("carry", 17)
    found, into = tiles(netlist, 2, 9)
    with pytest.raises(ToolError, match="no tile has room for carry0"):
        into.put(found.all[0], 0, 0)


def test_a_register_alone_leaves_luts_free_if_it_can():
    netlist = Netlist()
    for number in range(7):
        netlist.lut(f"lut{number}", A="a")
    netlist.flipflop("p", M="a")
    netlist.flipflop("q", M="a")
    found, into = tiles(netlist, 1, 1)
    for cluster in found.all:
        into.put(cluster, 0, 0)
    there = placed(netlist, into)
    luts = {there[f"lut{number}"][2] for number in range(7)}
    assert there["p"][2] not in luts and there["q"][2] in luts


def test_a_register_alone_goes_beside_a_lut_rather_than_far_away():
    netlist = Netlist()
    for number in range(9 * 9 * 8):
        netlist.lut(f"lut{number}", A="a")
    netlist.flipflop("q", M="a")
    found, into = tiles(netlist, 9, 10)
    for cluster in found.all:
        into.put(cluster, 4, 0)
    assert placed(netlist, into)["q"][:2] == [4, 0]


@pytest.mark.parametrize("registers_first", [False, True])
def test_nothing_lies_beside_a_write_port(registers_first):
    netlist = Netlist()
    netlist.ram("ram")
    for number in range(7):
        netlist.flipflop(f"q{number}", M="a")
        netlist.lut(f"lut{number}", A="a")
    found, into = tiles(netlist, 2, 1)
    for letter in "qrl" if registers_first else "rql":
        for cluster in found.all:
            if next(cluster.names)[0] == letter:
                into.put(cluster, 0, 0)
    there = placed(netlist, into)
    column, _, slot = there.pop("ram.port")
    assert slot == 4 and len(there) == 4 + 14
    assert all(place[0] != column or place[2] not in (4, 5) for place in there.values())


@pytest.mark.parametrize("first", ["lut", "register"])
def test_one_pin_m_is_not_for_two(first):
    netlist = Netlist()
    netlist.pair("mux")
    netlist.flipflop("q", M="a")
    netlist.flipflop("p", M="b")
    found, into = tiles(netlist, 1, 1)
    for cluster in sorted(found.all, key=lambda cluster: bool(cluster.luts) != (first == "lut")):
        into.put(cluster, 0, 0)
    assert len(placed(netlist, into)) == 4


def test_registers_without_a_slot_are_refused():
    netlist = Netlist()
    for number in range(4):
        netlist.pair(f"mux{number}")
    for number in range(5):
        netlist.flipflop(f"q{number}", M="a")
    found, into = tiles(netlist, 1, 1)
    for cluster in found.all[:8]:  # beside the LUTs that don't need M
        into.put(cluster, 0, 0)
    placed(netlist, into)
    with pytest.raises(ToolError, match="no tile has room for q4"):
        into.put(found.all[8], 0, 0)


def test_controls_that_do_not_go_together_go_to_other_tiles():
    netlist = Netlist()
    for number in range(6):
        netlist.flipflop(f"q{number}", M="a", LSR=f"reset{number}")
    found, into = tiles(netlist, 6, 1)
    for cluster in found.all:
        into.put(cluster, 1, 0)
    there = placed(netlist, into)
    assert sorted(there[f"q{number}"][0] for number in range(6)) == [0, 1, 2, 3, 4, 5]


RESETS = (None, None, "r1", "r2", "r3")
CLOCKS = ("clk", "clk", "clk", "other")


class Design:
    """Clusters of all kinds, some of them with flip-flops of various controls."""

    def __init__(self, seed):
        self.random, self.netlist = random.Random(seed), Netlist()
        self.numbers = count()

    def controls(self):
        random = self.random
        modes = {"CLKMUX": random.choice(("CLK", "CLK", "CLK", "INV")),
                 "SRMODE": random.choice(("LSR_OVER_CE", "LSR_OVER_CE", "ASYNC"))}
        return {"CLK": random.choice(CLOCKS), "LSR": random.choice(RESETS),
                "CE": random.choice((None, None, "e1", "e2")), "parameters": modes}

    def some(self):
        random, netlist, name = self.random, self.netlist, f"n{next(self.numbers)}"
        kind = random.choice(("lut", "lut", "register", "register", "chain", "ram", "mux"))
        if kind == "register":
            netlist.flipflop(name, M=f"{name}.in", **self.controls())
            return
        if kind == "lut":
            luts = [netlist.lut(name, A=f"{name}.a")]
        elif kind == "chain":
            luts = netlist.chain(name, 2 * random.randint(1, 9))
        elif kind == "ram":
            luts = list(netlist.ram(name, WCKMUX=random.choice(("WCK", "INV"))).values())
        else:
            luts = list(netlist.multiplexer(name, random.randint(0, 2)).values())
        for lut in luts:
            if random.random() < 0.4:
                # Of a multiplexer, what is called as its parts.
                net = lut.rsplit(".", 1)[0] if kind == "mux" and random.random() < 0.5 else lut
                netlist.lut(f"{lut}.other", A=net)
                netlist.flipflop(f"{lut}.q", M=net, **self.controls())


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_put_in_is_legal(seed):
    design = Design(seed)
    for _ in range(40):
        design.some()
    netlist, random = design.netlist, design.random
    found, into = tiles(netlist, 7, 5)
    random.shuffle(found.all)
    names: list[str] = []
    for cluster in found.all:
        with suppress(ToolError):  # too full
            into.put(cluster, random.randint(0, 6), random.randint(0, 4))
            names += cluster.names
    assert sorted(placed(netlist, into)) == sorted(names)
    assert len(names) > 0.6 * len(netlist.cells) and found.fed > 5
    for name in netlist.cells.keys() - set(names):
        del netlist.cells[name]
    check(Placement(netlist.netlist, "made"))


def test_what_is_no_cluster_of_a_netlist_has_a_place_too():
    into = Tiles({}, {}, 2, 2)
    into.put(Cluster(luts={0: "constant"}), 1, 1)
    assert list(into.places()) == [("constant", LUT, 1, 1, 0)]
