"""LUTs twice, where a path goes out of its way for other users."""

import re

import numpy as np
import pytest

from fpga.copies import copy_luts
from tb.fpga.netlists import Netlist


def positions(netlist):
    places = [re.match(r"X(\d+)/Y(\d+)/", cell["attributes"]["NEXTPNR_BEL"])
              for cell in netlist.cells.values()]
    return np.array([place.groups() for place in places], float).T


@pytest.fixture
def netlist():
    """A LUT far from the registers before and after it, and one that it drives there."""
    found = Netlist()
    found.flipflop("before", "X10/Y10/SLICEA.FF0", M="in")
    found.lut("shared", "X50/Y40/SLICEA.K0", A="before", B="other")
    found.lut("near", "X12/Y14/SLICEA.K1", C="shared", D="shared")
    found.flipflop("far", "X51/Y40/SLICEA.FF0", M="shared", CE="shared")
    return found


def copied(netlist, *late):
    numbers = {name: number for number, name in enumerate(netlist.cells)}
    rows = np.array([(numbers[one], numbers[other], cost) for one, other, cost in late])
    return copy_luts(netlist.module, rows.reshape(-1, 3), *positions(netlist))


WAYS = ("before", "shared", 3.0), ("shared", "near", 2.0)


def test_the_late_one_gets_a_copy_on_its_way(netlist):
    shared = dict(netlist.cells["shared"])
    far = {**netlist.cells["far"]["connections"]}
    (name, place), = copied(netlist, *WAYS).items()
    copy = netlist.cells[name]
    assert place == (11, 12) and list(netlist.cells)[-1] == name
    assert netlist.cells["shared"] == shared and not copy["attributes"]
    for part in ("type", "parameters", "port_directions"):
        assert copy[part] == shared[part]
    net, = copy["connections"].pop("F")
    assert copy["connections"] == {pin: bits for pin, bits in shared["connections"].items()
                                   if pin != "F"}
    near = netlist.cells["near"]["connections"]
    assert near["C"] == near["D"] == [net]
    assert netlist.cells["far"]["connections"] == far
    assert netlist.module["netnames"][name]["bits"] == [net]
    taken = [bits for other, item in netlist.module["netnames"].items() if other != name
             for bits in item["bits"]]
    assert net not in taken


def test_what_is_not_late_is_left(netlist):
    assert not copied(netlist)
    assert not copied(netlist, WAYS[0]) and not copied(netlist, WAYS[1])


def test_no_detour_no_copy(netlist):
    netlist.cells["shared"]["attributes"]["NEXTPNR_BEL"] = "X15/Y14/SLICEA.K0"
    assert not copied(netlist, *WAYS)


def test_a_lut_that_only_late_ones_need_moves_as_a_whole(netlist):
    del netlist.cells["far"]
    assert not copied(netlist, *WAYS, WAYS[1])


def test_controls_stay(netlist):
    netlist.flipflop("late", "X12/Y14/SLICEC.FF0", M="in", CE="shared")
    assert not copied(netlist, WAYS[0], ("shared", "late", 2.0))


@pytest.mark.parametrize("change", [
    {"parameters": {"MODE": "CCU2"}}, {"parameters": {"MODE": "DPRAM"}}])
def test_chains_and_rams_stay(netlist, change):
    netlist.cells["shared"].update(change)
    assert not copied(netlist, *WAYS)


def test_a_wide_multiplexer_stays(netlist):
    netlist.cells["shared"]["connections"]["OFX"] = [netlist.net("wide")]
    netlist.cells["shared"]["port_directions"]["OFX"] = "output"
    assert not copied(netlist, *WAYS)
