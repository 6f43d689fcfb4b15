"""Multipliers get places in the order of their names, or none does."""

from fpga.boards import BOARDS
from fpga.multiplier_sites import fix_multipliers


def module(names):
    cells = {name: {"type": "MULT18X18D", "connections": {}} for name in names}
    return {"cells": {**cells, "other": {"type": "LUT4", "connections": {}}}}


def places(found):
    return {name: cell.get("attributes", {}).get("BEL") for name, cell in found["cells"].items()}


def test_columns_come_by_number():
    found = module(["column_10.a", "column_2.b", "column_2.a"])
    assert fix_multipliers(found, ["X1", "X2", "X3", "X4"]) == 3
    assert places(found) == {"column_2.a": "X1", "column_2.b": "X2", "column_10.a": "X3",
                             "other": None}


def test_too_few_sites_fix_nothing():
    found = module(["a", "b"])
    assert fix_multipliers(found, ["X1"]) == 0
    assert set(places(found).values()) == {None}


def test_other_attributes_stay():
    found = module(["a"])
    found["cells"]["a"]["attributes"] = {"keep": "1"}
    assert fix_multipliers(found, ["X1"]) == 1
    assert found["cells"]["a"]["attributes"] == {"keep": "1", "BEL": "X1"}


def test_sites_of_the_85f():
    board = BOARDS["ulx3s-85f"]
    sites = [site.split("/") for site in board.multipliers]
    # All that the chip's default preset takes, none twice, in the device's three rows of them.
    assert len(set(board.multipliers)) == len(sites) == 144 <= board.device.dsp
    assert {y for _, y, _ in sites} == {"Y10", "Y34", "Y58"}
    xs = [int(x[1:]) for x, _, _ in sites]
    # Within a column of 16 never further than its own width, from one to the next no jump.
    assert all(max(xs[at:at + 16]) - min(xs[at:at + 16]) < 36 for at in range(0, 144, 16))
