"""Slacks of small placements, reckoned by hand from what cells and wires take."""

import re

import numpy as np
import pytest

from fpga import timing
from fpga.timing import Timing
from tb.fpga.netlists import Netlist

PERIOD = 10.0
FROM, SETUP, LUT = timing._FROM_REGISTER, timing._SETUP, timing._LUT


def wire(tiles):
    return min(least + tile * tiles for least, tile in timing._WIRES)


def positions(netlist):
    """Columns and rows of the cells."""
    places = [re.match(r"X(\d+)/Y(\d+)/", cell["attributes"]["NEXTPNR_BEL"])
              for cell in netlist.cells.values()]
    return np.array([place.groups() for place in places], float).T


def slacks(netlist, period=PERIOD):
    """By net's name."""
    found = Timing(netlist.module, period).slacks(*positions(netlist))
    return {name: found[net["bits"][0]] for name, net in netlist.module["netnames"].items()
            if net["bits"][0] in found}


@pytest.fixture
def netlist():
    """Two registers, and the clock's net."""
    found = Netlist()
    found.clock("clk")
    found.flipflop("p", "X10/Y10/SLICEA.FF0", M="in")
    return found


def between(netlist, lut, pin="A"):
    """A LUT and the register beside it."""
    netlist.lut("sum", f"{lut}K0", **{pin: "p"})
    netlist.flipflop("q", f"{lut}FF0", DI="sum")
    return netlist


def test_from_register_by_a_lut_to_the_register_beside_it(netlist):
    found = slacks(between(netlist, "X13/Y14/SLICEB."))
    wanted = PERIOD - FROM - wire(3 + 4) - LUT - SETUP
    assert [found["p"], found["sum"]] == pytest.approx([wanted] * 2)
    assert "clk" not in found


def test_from_register_to_register(netlist):
    netlist.flipflop("q", "X4/Y10/SLICEA.FF0", M="p")
    assert slacks(netlist)["p"] == pytest.approx(PERIOD - FROM - wire(6) - SETUP)


def test_the_later_of_two_ends_counts(netlist):
    netlist.flipflop("q", "X11/Y10/SLICEA.FF0", M="p")
    netlist.flipflop("r", "X50/Y40/SLICEA.FF0", CE="p", M="other")
    assert slacks(netlist)["p"] == pytest.approx(PERIOD - FROM - wire(40 + 30) - SETUP)


def test_the_later_of_two_starts_counts(netlist):
    between(netlist, "X13/Y14/SLICEB.")
    netlist.flipflop("far", "X43/Y14/SLICEA.FF0", M="in")
    netlist.cells["sum"]["connections"]["B"] = [netlist.net("far")]
    netlist.cells["sum"]["port_directions"]["B"] = "input"
    found = slacks(netlist)
    wanted = PERIOD - FROM - wire(30) - LUT - SETUP
    assert [found["sum"], found["far"]] == pytest.approx([wanted] * 2)
    assert found["p"] == pytest.approx(PERIOD - FROM - wire(7) - LUT - SETUP)


def test_logic_adds_up(netlist):
    netlist.lut("one", "X12/Y10/SLICEA.K0", A="p")
    netlist.lut("two", "X12/Y10/SLICEA.K1", D="one")
    netlist.flipflop("q", "X12/Y12/SLICEA.FF0", M="two")
    wanted = PERIOD - FROM - wire(2) - LUT - wire(0) - LUT - wire(2) - SETUP
    found = slacks(netlist)
    assert [found[net] for net in ("p", "one", "two")] == pytest.approx([wanted] * 3)


@pytest.mark.parametrize("far", range(11, 60, 7))
def test_a_longer_way_has_less_slack(far):
    def slack(column):
        netlist = Netlist()
        netlist.flipflop("p", "X10/Y10/SLICEA.FF0", M="in")
        return slacks(between(netlist, f"X{column}/Y14/SLICEB."))["p"]
    assert slack(far) < slack(far - 1)


def test_a_carry_has_no_wire(netlist):
    names = netlist.chain("carry", 17)
    for number, name in enumerate(names):
        netlist.cells[name]["attributes"]["NEXTPNR_BEL"] = (
            f"X{20 + number // 8}/Y10/SLICE{'ABCD'[number % 8 // 2]}.K{number % 2}")
    netlist.cells["carry0"]["connections"]["A"] = [netlist.net("p")]
    netlist.flipflop("q", "X22/Y10/SLICEA.FF0", DI="carry16")
    wanted = (PERIOD - FROM - wire(10) - timing._INTO_CHAIN - 15 * timing._ALONG_CHAIN
              - timing._OUT_OF_CHAIN - SETUP)
    found = slacks(netlist)
    assert [found[net] for net in ("p", "carry1.carry", "carry16")] == pytest.approx([wanted] * 3)


@pytest.mark.parametrize("pin", ["A", "M"])
def test_a_wide_multiplexer_has_no_wire(netlist, pin):
    slots = netlist.multiplexer("mux", 2)
    for slot, name in slots.items():
        netlist.cells[name]["attributes"]["NEXTPNR_BEL"] = (
            f"X12/Y10/SLICE{'ABCD'[slot // 2]}.K{slot % 2}")
    first = netlist.cells[slots[0]]  # at FXB of FXB
    first["connections"][pin] = [netlist.net("p")]
    first["port_directions"][pin] = "input"
    netlist.flipflop("q", "X12/Y10/SLICEB.FF1", DI="mux")
    through = (LUT if pin == "A" else 0) + 3 * timing._WIDE
    found = slacks(netlist)
    wanted = PERIOD - FROM - wire(2) - through - SETUP
    assert [found[net] for net in ("p", "mux.FXB", "mux")] == pytest.approx([wanted] * 3)


def test_from_the_second_lut_of_a_slice_there_is_no_wire(netlist):
    for slot, name in enumerate(netlist.pair("mux")):
        netlist.cells[name]["attributes"]["NEXTPNR_BEL"] = f"X12/Y10/SLICEA.K{slot}"
    second = netlist.cells["mux.1"]
    second["connections"]["C"], second["port_directions"]["C"] = [netlist.net("p")], "input"
    netlist.flipflop("q", "X14/Y10/SLICEA.FF0", M="mux")
    wanted = PERIOD - FROM - wire(2) - LUT - timing._WIDE - wire(2) - SETUP
    assert slacks(netlist)["p"] == pytest.approx(wanted)


@pytest.mark.parametrize("mode, delay", [("OUTREG", timing._FROM_MEMORY_REGISTER),
                                         ("NOREG", timing._FROM_MEMORY)])
def test_from_a_block_ram(netlist, mode, delay):
    netlist.add("DP16KD", "ram", "X13/Y25/EBR0", {"REGMODE_A": mode}, DOA0="word", ADA3="p",
                CLKA="clk")
    netlist.flipflop("q", "X14/Y24/SLICEA.FF0", M="word")
    found = slacks(netlist)
    assert found["word"] == pytest.approx(PERIOD - delay - wire(2) - SETUP)
    assert found["p"] == pytest.approx(PERIOD - FROM - wire(3 + 15) - SETUP)


def test_from_and_to_a_multiplier(netlist):
    netlist.add("MULT18X18D", "product", "X10/Y13/MULT18_0", A0="p", P0="bit", CLK0="clk")
    netlist.flipflop("q", "X10/Y20/SLICEA.FF0", M="bit")
    found = slacks(netlist)
    assert found["bit"] == pytest.approx(PERIOD - timing._FROM_MULTIPLIER - wire(7) - SETUP)
    assert found["p"] == pytest.approx(PERIOD - FROM - wire(3) - SETUP)


def test_into_a_lut_ram_and_out_of_it(netlist):
    slots = netlist.ram("ram")
    places = {"ram.port": "X12/Y10/SLICEC.RAMW"} | {
        name: f"X12/Y10/SLICE{'AB'[slot // 2]}.K{slot % 2}" for slot, name in slots.items()}
    for name, place in places.items():
        netlist.cells[name]["attributes"]["NEXTPNR_BEL"] = place
    for cell, pin in (("ram.port", "A0"), ("ram.1", "A")):
        netlist.flipflop(f"p{pin}", "X10/Y10/SLICEB.FF0" if pin == "A" else "X10/Y14/SLICEB.FF0",
                         M="in")
        netlist.cells[cell]["connections"][pin] = [netlist.net(f"p{pin}")]
    netlist.flipflop("q", "X12/Y13/SLICEA.FF0", M="ram.1")
    found = slacks(netlist)
    assert found["pA"] == pytest.approx(PERIOD - FROM - wire(2) - LUT - wire(3) - SETUP)
    # Written at the clock; from the port to the RAM there is no wire.
    assert found["pA0"] == pytest.approx(PERIOD - FROM - wire(2 + 4) - SETUP)
    assert found["ram.wd0"] == pytest.approx(found["pA0"])


def test_pads_are_ends(netlist):
    netlist.add("TRELLIS_IO", "pad", "X10/Y0/PIOA", I="p", O="in")
    netlist.module["cells"]["pad"]["port_directions"]["O"] = "output"
    found = slacks(netlist)
    assert found["p"] == found["in"] == pytest.approx(PERIOD - FROM - wire(10) - SETUP)


def test_a_clock_with_ordinary_wires_is_no_end(netlist):
    netlist.flipflop("q", "X60/Y40/SLICEA.FF0", M="other", CLK="p")
    netlist.flipflop("r", "X12/Y10/SLICEA.FF0", M="p")
    assert slacks(netlist)["p"] == pytest.approx(PERIOD - FROM - wire(2) - SETUP)


def test_a_loop_of_logic_is_left_out(netlist):
    netlist.lut("one", "X12/Y10/SLICEA.K0", A="p", B="two")
    netlist.lut("two", "X12/Y10/SLICEA.K1", A="one")
    netlist.flipflop("q", "X14/Y10/SLICEA.FF0", M="p")
    assert slacks(netlist)["p"] == pytest.approx(PERIOD - FROM - wire(4) - SETUP)


def test_places_may_change_between(netlist):
    between(netlist, "X13/Y14/SLICEB.")
    found = Timing(netlist.module, PERIOD)
    for column in (33, 15):
        netlist.cells["p"]["attributes"]["NEXTPNR_BEL"] = f"X{column}/Y14/SLICEA.FF0"
        assert found.slacks(*positions(netlist))[netlist.net("p")] == pytest.approx(
            PERIOD - FROM - wire(column - 13) - LUT - SETUP)


def weight(slack):
    """Of a net with so much slack, as `Timing` has it; none for 1."""
    netlist = Netlist()
    netlist.flipflop("p", "X10/Y10/SLICEA.FF0", M="in")
    netlist.flipflop("q", "X20/Y10/SLICEA.FF0", M="p")
    period = slack + FROM + wire(10) + SETUP
    found, least = Timing(netlist.module, period).weights(*positions(netlist))
    assert least == pytest.approx(slack)
    # The other net begins nowhere and is never late.
    assert set(found) <= {netlist.net("p")} or slack < 0
    return found.get(netlist.net("p"))


def test_nets_with_slack_enough_weigh_as_others():
    # A period is slack and what the way takes; the limit is a part of that.
    way = FROM + wire(10) + SETUP
    limit = timing._PART * way / (1 - timing._PART)
    assert weight(limit + 1e-6) is None
    assert weight(limit - 1e-6) == pytest.approx(1, abs=1e-3)
    assert 1 < weight(limit * 0.9) < weight(limit * 0.5) < weight(0.0)


def test_nets_without_slack_weigh_most():
    assert weight(0.0) == pytest.approx(timing._MOST)
    assert weight(-0.1) > timing._MOST
    way = FROM + wire(10) + SETUP
    most = weight(-0.5 * way)
    assert most == weight(-0.9 * way) == pytest.approx(1 + (timing._MOST - 1) * 1.5 ** 2)


def cost(slack, period=PERIOD):
    """Of a tile of a connection."""
    return timing._LATE * np.clip(1 - slack / period, 0, timing._CRITICAL) ** timing._EXPONENT


def test_late_connections_cost_by_criticality(netlist):
    netlist.lut("sum", "X13/Y14/SLICEB.K0", A="p")
    netlist.flipflop("q", "X13/Y14/SLICEB.FF0", DI="sum")
    netlist.flipflop("r", "X53/Y44/SLICEB.FF0", M="sum")
    numbers = {name: number for number, name in enumerate(netlist.cells)}
    period = 8.0
    found, least = Timing(netlist.module, period).late(*positions(netlist))
    slack = period - FROM - wire(3 + 4) - LUT - wire(40 + 30) - SETUP
    assert least == pytest.approx(slack)
    # From the LUT to the register beside it there is no wire that could be shorter.
    assert found == pytest.approx(np.array(
        [(numbers["p"], numbers["sum"], cost(slack, period)),
         (numbers["sum"], numbers["r"], cost(slack, period))]))


def test_what_has_slack_costs_nothing(netlist):
    netlist.flipflop("q", "X12/Y10/SLICEA.FF0", M="p")
    found, least = Timing(netlist.module, PERIOD).late(*positions(netlist))
    assert found.shape == (0, 3) and least == pytest.approx(
        PERIOD - FROM - wire(2) - SETUP)
    slack = PERIOD * (1 - (timing._LEAST / timing._LATE) ** (1 / timing._EXPONENT))
    way = FROM + wire(2) + SETUP
    for near, count in ((0.999, 1), (1.001, 0)):
        period = way / (1 - slack * near / PERIOD)
        assert len(Timing(netlist.module, period).late(*positions(netlist))[0]) == count


def test_costs_have_a_limit(netlist):
    netlist.flipflop("q", "X60/Y40/SLICEA.FF0", M="p")
    found, _ = Timing(netlist.module, 2.0).late(*positions(netlist))
    assert found[0, 2] == pytest.approx(timing._LATE * timing._CRITICAL ** timing._EXPONENT)


def test_some_of_the_last_costs_stays(netlist):
    netlist.flipflop("q", "X60/Y40/SLICEA.FF0", M="p")
    found = Timing(netlist.module, 5.0)
    first = found.late(*positions(netlist))[0][0, 2]
    netlist.cells["q"]["attributes"]["NEXTPNR_BEL"] = "X10/Y11/SLICEA.FF0"
    second = found.late(*positions(netlist))[0][0, 2]
    alone = cost(5.0 - FROM - wire(1) - SETUP, 5.0)
    assert second == pytest.approx(timing._STAY * first + (1 - timing._STAY) * alone)
