"""Multipliers get sites in the order of their names, or none does; memories by name."""

from fpga.boards import BOARDS
from fpga.sites import fix_memories, fix_multipliers


def module(names):
    """One multiplier for each name, and nets of a product bit by the names of it."""
    cells, nets = {}, {}
    for bit, (name, outputs) in enumerate(names.items(), start=2):
        cells[name] = {"type": "MULT18X18D", "port_directions": {"P0": "output"},
                       "connections": {"P0": [bit]}}
        nets.update({output: {"bits": [bit]} for output in outputs})
    cells["other"] = {"type": "LUT4", "port_directions": {}, "connections": {}}
    return {"cells": cells, "netnames": nets}


def places(found):
    return {name: cell.get("attributes", {}).get("BEL") for name, cell in found["cells"].items()}


def test_columns_come_by_number():
    found = module(dict.fromkeys(["column_10.a", "column_2.b", "column_2.a"], ()))
    assert fix_multipliers(found, ["X1", "X2", "X3", "X4"]) == 3
    assert places(found) == {"column_2.a": "X1", "column_2.b": "X2", "column_10.a": "X3",
                             "other": None}


def test_names_of_the_design_count():
    """Cells are called as synthesis likes; it makes up names of nets, too."""
    found = module({"o$7": ("column_1.product_10", "$auto$1"), "o$8": ("column_1.product_9",),
                    "a.o_MULT18X18D_P0": ("column_1.product_0", "a.o_MULT18X18D_P0_P0")})
    assert fix_multipliers(found, ["X1", "X2", "X3"]) == 3
    assert places(found) == {"a.o_MULT18X18D_P0": "X1", "o$8": "X2", "o$7": "X3", "other": None}


def test_too_few_sites_fix_nothing():
    found = module({"a": (), "b": ()})
    assert fix_multipliers(found, ["X1"]) == 0
    assert set(places(found).values()) == {None}


def test_other_attributes_stay():
    found = module({"a": ()})
    found["cells"]["a"]["attributes"] = {"keep": "1"}
    assert fix_multipliers(found, ["X1"]) == 1
    assert found["cells"]["a"]["attributes"] == {"keep": "1", "BEL": "X1"}


def test_sites_of_the_85f():
    board = BOARDS["ulx3s-85f"]
    sites = [site.split("/") for site in board.multipliers]
    # All that the chip's default preset takes, none twice, in the device's three rows of them.
    assert len(set(board.multipliers)) == len(sites) == 144 <= board.device.dsp
    assert {y for _, y, _ in sites} == {"Y10", "Y34", "Y58"}
    # Two columns that are drained together, and of both what is drained together, side by side.
    xs, ys = ([int(site[axis][1:]) for site in sites] for axis in (0, 1))
    for column in (0, 2, 4):
        for lane in range(8):
            group = [16 * (column + right) + lane + part for right in (0, 1) for part in (0, 8)]
            assert len({ys[at] for at in group}) == 1
            assert max(xs[at] for at in group) - min(xs[at] for at in group) < 9


def test_memories_by_name():
    kinds = {"a.b_1.ram.0.0": "DP16KD", "a.b_1$17.ram.0.1": "DP16KD", "a.b_10.ram.0.1": "DP16KD",
             "ab_1.ram.0.0": "DP16KD", "a.b_1.ram.0.2": "LUT4"}
    found = {"cells": {name: {"type": kind} for name, kind in kinds.items()}}
    sites = {f"b_1.ram.0.{number}": f"X{number}" for number in range(4)}
    assert fix_memories(found, sites) == 2
    assert places(found) == {name: {"a.b_1.ram.0.0": "X0", "a.b_1$17.ram.0.1": "X1"}.get(name)
                             for name in kinds}


def test_memories_of_the_85f():
    board = BOARDS["ulx3s-85f"]
    sites = board.memories
    # The scratchpad, the rows of weights, the tables, none twice, in the device's four rows.
    assert len(set(sites.values())) == len(sites) == 64 + 48 + 8 <= board.device.ebr
    assert {site.split("/")[1] for site in sites.values()} == {"Y22", "Y46", "Y70", "Y82"}
    for site in sites.values():
        x, block = int(site.split("/")[0][1:]), int(site[-1])
        group = x - 2 * block - 4 - 2 * (x > 66)
        assert group % 9 == 0 and 0 <= group // 9 < 13, site
