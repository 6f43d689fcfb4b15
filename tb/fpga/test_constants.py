"""Constant pins of multipliers are driven from their own group of sites, those of LUT RAMs gone."""

import pytest

from fpga.constants import repeat_addresses, spread_constants
from tb.fpga.netlists import Netlist

PINS = {"A0": "a", "A1": "zero", "B0": "one", "SIGNEDA": "one", "SOURCEA": "zero", "CE0": "one",
        "RST0": "zero", "RST1": None, "SIGNEDB": "a", "CLK0": "clk"}
MODES = {"SIGNEDA": "1", "SOURCEA": "0", "CE0": "1", "RST0": "0"}
GROUP = [(4, 58, 0), (5, 58, 1), (8, 58, 4), (9, 58, 5)]
OTHERS = [(4, 34, 0), (13, 58, 0)]


@pytest.fixture
def netlist():
    """Six multipliers, a block RAM, and nextpnr's two constants."""
    found = Netlist()
    for name, content in (("zero", "0" * 16), ("one", "1" * 16), ("a", "1" * 8 + "0" * 8)):
        found.lut(name)
        found.cells[name]["parameters"]["INITVAL"] = content
    for number in range(6):
        found.add("MULT18X18D", f"m{number}", P0=f"p{number}", **PINS)
    found.add("DP16KD", "ram", CEA="one", RSTA="zero", CE0="one")
    return found


def driver(netlist, name, pin):
    """Cell that drives a pin."""
    bits = netlist.cells[name]["connections"][pin]
    return next((cell for cell, item in netlist.cells.items()
                 if bits and bits == item["connections"].get("F")), None)


def test_one_driver_for_each_value_and_group(netlist):
    before = set(netlist.cells)
    sites = {f"m{number}": site for number, site in enumerate(GROUP + OTHERS)}
    found = spread_constants(netlist.module, sites)
    assert set(found) == set(netlist.cells) - before and len(found) == 2 * 3
    for name in sites:
        for pin, net in PINS.items():
            there = driver(netlist, name, pin)
            if pin in MODES:
                assert netlist.cells[there]["parameters"]["INITVAL"] == MODES[pin] * 16
                near, here = sites[found[there]], sites[name]
                assert (near[0] - near[2], near[1]) == (here[0] - here[2], here[1])
            else:
                assert there == (net if net in ("a", "zero", "one") else None)
    for pin in MODES:
        drivers = [driver(netlist, f"m{number}", pin) for number in range(6)]
        assert len(set(drivers[:4])) == 1 and len(set(drivers)) == 3


def test_added_luts_have_nets_of_their_own(netlist):
    taken = {bit for net in netlist.module["netnames"].values() for bit in net["bits"]}
    sites = {f"m{number}": site for number, site in enumerate(GROUP + OTHERS)}
    found = spread_constants(netlist.module, sites)
    nets = [netlist.cells[name]["connections"]["F"][0] for name in found]
    assert len(set(nets)) == len(nets) and not taken & set(nets)
    for name, net in zip(found, nets, strict=True):
        cell = netlist.cells[name]
        assert cell["type"] == "TRELLIS_COMB" and not any(
            bits for pin, bits in cell["connections"].items() if pin != "F")
        assert netlist.module["netnames"][name]["bits"] == [net]


def test_what_has_no_site_or_is_no_multiplier_keeps_its_constants(netlist):
    before = {name: dict(netlist.cells[name]["connections"]) for name in ("m1", "ram")}
    found = spread_constants(netlist.module, {"m0": GROUP[0], "ram": (4, 46, 0)})
    assert set(found.values()) == {"m0"} and len(found) == 2
    assert before == {name: netlist.cells[name]["connections"] for name in before}


def test_without_constants_nothing_is_added(netlist):
    for pin in MODES:
        netlist.cells["m0"]["connections"][pin] = [netlist.net("a")]
    before = len(netlist.cells)
    assert spread_constants(netlist.module, {"m0": GROUP[0]}) == {}
    assert len(netlist.cells) == before


def ram(read, write, content="0" * 64):
    return {"cells": {"r": {
        "type": "TRELLIS_DPR16X4", "parameters": {"INITVAL": content},
        "connections": {"RAD": list(read), "WAD": list(write), "DI": ["0"] * 4}}}}


@pytest.mark.parametrize("read, write, read_then, write_then", [
    ([2, 3, 4, "0"], [5, 6, 7, "0"], [2, 3, 4, 2], [5, 6, 7, 5]),
    ([2, "0", "0", "0"], [5, "0", "0", "0"], [2, 2, 2, 2], [5, 5, 5, 5]),
    (["0", 3, 4, "0"], ["0", 6, 7, "0"], [3, 3, 4, 3], [6, 6, 7, 6]),
    # A bit that only one side keeps at 0 tells rows apart.
    ([2, 3, "0", "0"], [5, 6, 7, "0"], [2, 3, "0", 2], [5, 6, 7, 5]),
    (["0"] * 4, ["0"] * 4, ["0"] * 4, ["0"] * 4),
])
def test_idle_address_bits(read, write, read_then, write_then):
    found = ram(read, write)
    changed = sum(one != other for one, other in zip([*read, *write], [*read_then, *write_then],
                                                     strict=True))
    assert repeat_addresses(found) == changed
    assert found == ram(read_then, write_then)


def test_rams_with_content_stay():
    found = ram([2, "0", "0", "0"], [5, "0", "0", "0"], content="1" + "0" * 63)
    assert repeat_addresses(found) == 0
    assert found == ram([2, "0", "0", "0"], [5, "0", "0", "0"], content="1" + "0" * 63)
