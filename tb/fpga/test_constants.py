"""Constant pins of multipliers are driven from their own group of sites, those of LUT RAMs gone."""

import pytest

from fpga.boards import BOARDS
from fpga.constants import repeat_addresses, spread_constants

PINS = {"A0": [7], "A1": ["0"], "SIGNEDA": ["1"], "SOURCEA": ["0"], "CE0": ["1"], "RST0": ["0"],
        "SIGNEDB": [7], "CLK0": [8]}


def module(sites):
    cells = {f"m{number}": {
        "type": "MULT18X18D", "attributes": {"BEL": site} if site else {},
        "port_directions": dict.fromkeys(PINS, "input"),
        "connections": {pin: list(nets) for pin, nets in PINS.items()}}
        for number, site in enumerate(sites)}
    cells["other"] = {"type": "DP16KD", "port_directions": {"CEA": "input"},
                      "connections": {"CEA": ["1"]}}
    return {"cells": cells, "netnames": {"a": {"bits": [7]}, "b": {"bits": [8, "0"]}}}


def test_one_driver_for_each_value_and_group():
    found = module(["X4/Y58/MULT18_0", "X9/Y58/MULT18_5", "X4/Y34/MULT18_0"])
    assert spread_constants(found) == 4
    cells = found["cells"]
    nets = [cells[f"m{number}"]["connections"] for number in range(3)]
    assert nets[0] == nets[1]
    drivers = {cell["connections"]["Z"][0]: cell["parameters"]["INIT"]
               for cell in cells.values() if cell["type"] == "LUT4"}
    assert len(drivers) == 4 and not drivers.keys() & {7, 8}
    for pin, kept in PINS.items():
        for net in (nets[0][pin][0], nets[2][pin][0]):
            constant = kept[0] in ("0", "1") and pin != "A1"
            assert (drivers[net] == kept[0] * 16) if constant else (net == kept[0])
    assert nets[0]["CE0"] == nets[0]["SIGNEDA"] != nets[2]["CE0"]
    named = {bit for net in found["netnames"].values() for bit in net["bits"]}
    assert drivers.keys() <= named
    assert cells["other"]["connections"]["CEA"] == ["1"]


def test_without_sites_nothing_changes():
    found = module([None, None])
    assert spread_constants(found) == 0
    assert found == module([None, None])


def test_groups_of_the_85f():
    parts = BOARDS["ulx3s-85f"].sites["ulx3s_85f"].multipliers
    found = module([site for sites in parts.values() for site in sites])
    assert spread_constants(found) == 2 * 144 // 4


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
