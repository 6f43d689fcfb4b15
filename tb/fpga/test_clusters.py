"""What lies together: from small netlists written down here, slots as nextpnr gives them."""

import random

import pytest

from fpga.cells import ram_controls
from fpga.clusters import Clusters
from sw.errors import ToolError
from tb.fpga.netlists import Netlist


@pytest.fixture
def netlist():
    return Netlist()


def clusters(netlist):
    """By any of their cells' names, whatever the order in the file."""
    names = list(netlist.cells)
    random.Random(1).shuffle(names)
    found = Clusters({**netlist.module, "cells": {name: netlist.cells[name] for name in names}})
    assert sorted(name for cluster in found.all for name in cluster.names) == sorted(
        name for name in names if netlist.cells[name]["type"] != "DP16KD")
    return found, {name: cluster for cluster in found.all for name in cluster.names}


def adopted(netlist, name):
    """Whether a flip-flop is fed beside its LUT now, and nothing else has changed."""
    before = netlist.cells[name]
    net, pins = before["connections"]["M"], set(before["connections"])
    found, by_name = clusters(netlist)
    cell = netlist.cells[name]
    fed = "DI" in cell["connections"]
    assert found.fed == fed and cell["connections"]["DI" if fed else "M"] == net
    assert set(cell["connections"]) == (pins - {"M"} | {"DI"} if fed else pins)
    assert cell["port_directions"].keys() == cell["connections"].keys()
    assert cell["parameters"]["SD"] == ("1 " if fed else "0 ")
    assert fed == bool(by_name[name].luts)
    return fed


def test_a_chain_goes_from_tile_to_tile(netlist):
    names = netlist.chain("carry", 18)
    cluster = clusters(netlist)[1]["carry0"]
    assert cluster.luts == dict(enumerate(names))
    assert (cluster.width, cluster.tiles, cluster.port) == (8, 3, None)


def test_two_chains_lie_apart(netlist):
    names = netlist.chain("one", 4), netlist.chain("other", 2)
    found = clusters(netlist)[1]
    assert [found[part[0]].luts for part in names] == [dict(enumerate(part)) for part in names]


@pytest.mark.parametrize("depth, width", [(0, 2), (1, 4), (2, 8)])
def test_a_multiplexer_has_its_slots(netlist, depth, width):
    slots = netlist.multiplexer("mux", depth)
    assert sorted(slots) == list(range(width))
    cluster = clusters(netlist)[1]["mux.0" if depth == 0 else slots[0]]
    assert cluster.luts == slots
    assert (cluster.width, cluster.tiles) == (width, 1)


def test_a_multiplexer_with_one_half(netlist):
    slots = netlist.multiplexer("mux", 2)
    for slot in (4, 5, 6, 7):
        del netlist.cells[slots.pop(slot)]
    netlist.cells[slots[3]]["connections"]["FXA"] = []
    assert clusters(netlist)[1][slots[3]].luts == slots


def test_a_multiplexer_over_more_than_a_tile(netlist):
    netlist.multiplexer("mux", 3)
    with pytest.raises(ToolError, match="multiplexer over more than a tile"):
        clusters(netlist)


def test_other_luts_are_alone(netlist):
    netlist.lut("one", A="a")
    netlist.lut("other", A="one")
    found = clusters(netlist)[1]
    assert found["one"].luts == {0: "one"} and found["other"].luts == {0: "other"}
    assert found["one"].width == found["one"].tiles == 1


def test_a_ram_lies_with_its_write_port(netlist):
    slots = netlist.ram("ram", WCKMUX="INV")
    found, by_name = clusters(netlist)
    cluster = by_name["ram.port"]
    assert (cluster.luts, cluster.port, cluster.width, cluster.tiles) == (slots, "ram.port", 8, 1)
    assert found.controls["ram.port"] == ram_controls(netlist.cells["ram.0"])
    assert found.controls["ram.port"][0] == (netlist.net("clk"), "INV")


def test_bits_that_nothing_is_written_to_take_free_slots(netlist):
    slots = netlist.ram("ram", bits=4, wired=2)
    found = clusters(netlist)[1]["ram.port"].luts
    assert (found[0], found[1]) == (slots[0], slots[1])
    assert set(found.values()) == set(slots.values()) and sorted(found) == [0, 1, 2, 3]


def test_a_write_port_alone(netlist):
    netlist.ram("ram", bits=0)
    with pytest.raises(ToolError, match=r"write port ram\.port belongs to no LUT RAM"):
        clusters(netlist)


def test_a_flipflop_that_a_lut_feeds(netlist):
    netlist.pair("mux")
    netlist.flipflop("q", DI="mux.1")
    found, by_name = clusters(netlist)
    assert by_name["mux.0"].flipflops == {1: "q"} and found.fed == 0


def test_a_flipflop_alone(netlist):
    netlist.flipflop("p", M="somewhere")
    netlist.flipflop("q", M="p")
    found, by_name = clusters(netlist)
    assert by_name["p"] is not by_name["q"] and found.fed == 0
    assert by_name["q"].flipflops == {0: "q"} and not by_name["q"].luts


@pytest.mark.parametrize("pin, slot", [("mux", 3), ("mux.FXB", 1), ("mux.FXA", 5),
                                       ("mux.FXA.FXA.1", 7)])
def test_a_register_after_a_wide_multiplexer_is_adopted(netlist, pin, slot):
    names = netlist.multiplexer("mux", 2)
    netlist.lut("other", A=pin)
    netlist.flipflop("q", M=pin)
    assert adopted(netlist, "q")
    assert clusters(netlist)[1][names[0]].flipflops == {slot: "q"}


def test_a_register_after_a_lut_that_drives_others_is_adopted(netlist):
    netlist.lut("sum", A="a")
    netlist.lut("other", A="sum")
    netlist.flipflop("q", M="sum", CE="enable", LSR="reset")
    assert adopted(netlist, "q")


def test_of_two_registers_after_a_lut_one_is_adopted(netlist):
    netlist.lut("sum", A="a")
    netlist.flipflop("p", M="sum")
    netlist.flipflop("q", M="sum")
    found, by_name = clusters(netlist)
    assert found.fed == 1 and len(by_name["sum"].flipflops) == 1
    assert sorted("DI" in netlist.cells[name]["connections"] for name in "pq") == [False, True]


def test_a_register_after_a_lut_that_feeds_one_is_not_adopted(netlist):
    netlist.lut("sum", A="a")
    netlist.flipflop("p", DI="sum")
    netlist.flipflop("q", M="sum")
    assert not adopted(netlist, "q")


@pytest.mark.parametrize("kind", ["carry", "memory", "pad"])
def test_a_register_after_something_else_is_not_adopted(netlist, kind):
    net = "bit"
    if kind == "carry":
        netlist.chain("carry", 2)
        net = "carry2.carry"
    elif kind == "memory":
        netlist.add("DP16KD", "ram", DOA0=net)
    netlist.flipflop("q", M=net)
    assert not adopted(netlist, "q")


OTHERS = [{"LSR": "reset"}, {"CLK": "other"}, {"CE": "enable"},
          {"parameters": {"CLKMUX": "INV"}}, {"parameters": {"CEMUX": "INV"}},
          {"parameters": {"GSR": "DISABLED"}}]


@pytest.mark.parametrize("controls", OTHERS, ids=str)
def test_a_register_is_not_adopted_into_a_slice_of_other_controls(netlist, controls):
    netlist.pair("mux")
    netlist.lut("other", A="mux")
    netlist.flipflop("p", DI="mux.1")
    netlist.flipflop("q", M="mux", **controls)
    assert not adopted(netlist, "q")


@pytest.mark.parametrize("controls", OTHERS, ids=str)
def test_a_register_is_adopted_into_a_slice_of_the_same_controls(netlist, controls):
    netlist.pair("mux")
    netlist.lut("other", A="mux")
    netlist.flipflop("p", DI="mux.1", **controls)
    netlist.flipflop("q", M="mux", **controls)
    assert adopted(netlist, "q")


@pytest.mark.parametrize("last, fits", [
    ({"LSR": "r1"}, True), ({"LSR": "r2"}, False), ({}, False),
    ({"LSR": "r1", "parameters": {"LSRMUX": "INV"}}, False),
    ({"LSR": "r1", "parameters": {"SRMODE": "ASYNC"}}, False),
    ({"LSR": "r1", "CLK": "other"}, False),
    ({"LSR": "r1", "parameters": {"CLKMUX": "INV"}}, False)], ids=str)
def test_registers_of_a_tile_share_clock_and_reset(netlist, last, fits):
    names = netlist.multiplexer("mux", 2)
    netlist.flipflop("p", DI=names[0], LSR="r1")
    netlist.lut("other", A="mux")
    netlist.flipflop("q", M="mux", **last)
    assert adopted(netlist, "q") is fits


@pytest.mark.parametrize("reset, fits", [("r1", False), ("r2", True)])
def test_tiles_of_a_chain_count_each_for_itself(netlist, reset, fits):
    names = netlist.chain("carry", 16)
    for slot, other in ((0, "r1"), (8, "r2")):
        netlist.flipflop(f"p{slot}", DI=names[slot], LSR=other)
    netlist.lut("other", A=names[10])
    netlist.flipflop("q", M=names[10], LSR=reset)
    assert adopted(netlist, "q") is fits


@pytest.mark.parametrize("controls, fits", [
    ({}, True), ({"CLK": "other"}, True), ({"parameters": {"CLKMUX": "INV"}}, False),
    ({"LSR": "ram.we"}, True), ({"LSR": "ram.we", "parameters": {"LSRMUX": "INV"}}, False)],
    ids=str)
def test_a_write_port_takes_wires_of_controls(netlist, controls, fits):
    netlist.ram("ram")
    netlist.lut("other", A="ram.2")
    netlist.flipflop("q", M="ram.2", **controls)
    assert adopted(netlist, "q") is fits


def test_a_lut_of_two_multiplexers(netlist):
    netlist.pair("mux")
    netlist.lut("other", OFX="mux2", F1="mux.1", M="m")
    with pytest.raises(ToolError, match=r"mux\.1 is part of two chains, multiplexers or RAMs"):
        clusters(netlist)


def test_a_lut_of_a_chain_and_a_multiplexer(netlist):
    netlist.chain("carry", 2)
    netlist.lut("mux", OFX="out", F1="carry1", M="m")
    with pytest.raises(ToolError, match="carry1 is part of two chains, multiplexers or RAMs"):
        clusters(netlist)
