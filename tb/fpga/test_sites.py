"""Multipliers get sites in the order of their names, or none does; memories by name."""

import pytest

from fpga.boards import BOARDS
from fpga.sites import fix_memories, fix_multiplexers, fix_multipliers


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
    assert fix_multipliers(found, {"column": ["X1", "X2", "X3", "X4"]}) == 3
    assert places(found) == {"column_2.a": "X1", "column_2.b": "X2", "column_10.a": "X3",
                             "other": None}


def test_names_of_the_design_count():
    """Cells are called as synthesis likes; it makes up names of nets, too."""
    found = module({"o$7": ("column_1.product_10", "$auto$1"), "o$8": ("column_1.product_9",),
                    "a.o_MULT18X18D_P0": ("column_1.product_0", "a.o_MULT18X18D_P0_P0")})
    assert fix_multipliers(found, {"column": ["X1", "X2"], "": ["X1", "X2", "X3"]}) == 3
    assert places(found) == {"a.o_MULT18X18D_P0": "X1", "o$8": "X2", "o$7": "X3", "other": None}


def test_too_few_sites_fix_nothing():
    found = module({"a.0": (), "a.1": (), "b": ()})
    assert fix_multipliers(found, {"a.": ["X1"], "b": ["X2"]}) == 1
    assert places(found) == {"a.0": None, "a.1": None, "b": "X2", "other": None}


def test_other_attributes_stay():
    found = module({"a": ()})
    found["cells"]["a"]["attributes"] = {"keep": "1"}
    assert fix_multipliers(found, {"": ["X1"]}) == 1
    assert found["cells"]["a"]["attributes"] == {"keep": "1", "BEL": "X1"}


@pytest.mark.parametrize("preset, columns", [("ulx3s_85f", 7), ("ulx3s_85f_drp", 4)])
def test_multipliers_of_the_85f(preset, columns):
    board = BOARDS["ulx3s-85f"]
    parts = board.sites[preset].multipliers
    every = [site.split("/") for part in parts.values() for site in part]
    # All that array and post-processing take, none twice, in the device's three rows of them.
    assert len({tuple(site) for site in every}) == len(every) <= board.device.dsp
    assert {part: len(sites) for part, sites in parts.items()} == {
        ".mac.": 16 * columns, ".post.": 32}
    assert {y for _, y, _ in every} <= {"Y10", "Y34", "Y58"}
    # Two columns that are drained together, and of both what is drained together, side by side.
    sites = [site.split("/") for site in parts[".mac."]]
    xs, ys = ([int(site[axis][1:]) for site in sites] for axis in (0, 1))
    for column in range(0, columns - 1, 2):
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


@pytest.mark.parametrize("preset, blocks", [
    ("ulx3s_85f", 64 + 32 + 8 + 32 + 8), ("ulx3s_85f_drp", 32 + 8 + 16 + 8)])
def test_memories_of_the_85f(preset, blocks):
    board = BOARDS["ulx3s-85f"]
    sites = board.sites[preset].memories
    # Scratchpad, weights, tables, words of columns, the drain's queue: none twice.
    assert len(set(sites.values())) == len(sites) == blocks <= board.device.ebr
    assert {site.split("/")[1] for site in sites.values()} <= {"Y22", "Y46", "Y70", "Y82"}
    for site in sites.values():
        x, block = int(site.split("/")[0][1:]), int(site[-1])
        group = x - 2 * block - 4 - 2 * (x > 66)
        assert group % 9 == 0 and 0 <= group // 9 < 13, site


def test_multiplexers_by_bit():
    kinds = {"a.column_1.wide16x8_3$4.$5.c10_0_7": "LUT4", "a.column_1.wide16x8_3.c0_0_0": "LUT4",
             "column_1.wide16x8_3.c0_0_0.z": "LUT4", "a.wide8x8_3.c1_0_3": "LUT4",
             "column_1.wide16x8_3.c0_1_0": "PFUMX", "column_1.wide16x8_30.c0_0_0": "LUT4"}
    found = {"cells": {name: {"type": kind} for name, kind in kinds.items()}}
    tiles = {"column_1.wide16x8_3": [f"X{bit}/Y1/SLICEDCBA" for bit in range(11)],
             "a.wide8x8_3": ["X0/Y2/SLICEDC", "X0/Y2/SLICEBA"]}
    assert fix_multiplexers(found, tiles) == 3
    assert places(found) == {name: {
        "a.column_1.wide16x8_3$4.$5.c10_0_7": "X10/Y1/SLICEA.K1",
        "a.column_1.wide16x8_3.c0_0_0": "X0/Y1/SLICED.K0",
        "a.wide8x8_3.c1_0_3": "X0/Y2/SLICEA.K1"}.get(name) for name in kinds}


@pytest.mark.parametrize("preset", ["ulx3s_85f", "ulx3s_85f_drp"])
def test_nothing_lies_where_something_is(preset):
    """Each block RAM and each slice is given once, in rows that are neither's nor DSP's."""
    sites = BOARDS["ulx3s-85f"].sites[preset]
    assert len(set(sites.memories.values())) == len(sites.memories) <= 208
    slices = [(tile, part) for bits in sites.multiplexers.values() for place in bits
              for tile, parts in [place.split("SLICE")] for part in parts]
    assert len(set(slices)) == len(slices)
    assert not {tile.split("/")[1] for tile, _ in slices} & {
        "Y10", "Y22", "Y34", "Y46", "Y58", "Y70", "Y82"}
