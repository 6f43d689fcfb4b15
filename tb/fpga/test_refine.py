"""Refined placements: a small design with everything that is tied together, placed by nextpnr."""

import json
import re
from itertools import pairwise

import pytest

from fpga.boards import BOARDS, board
from fpga.build import Build
from fpga.geometry import geometry
from fpga.legal import check, check_moved
from fpga.netlist import mapped
from fpga.placement import FLIPFLOP, LUT, Placement, bel
from fpga.refine import refine
from fpga.toolchain import Toolchain
from golden.spec.config import preset
from sw.errors import ToolError

EFFORT = 300
# Carry chains, wide multiplexers, a LUT RAM, a block RAM, multipliers, controls of many kinds.
VERILOG = """
module top(input clk, input rst, input [3:0] sel, input [15:0] in, output reg [15:0] out);
  reg [15:0] a, b, c, d, word, kept, memory [0:511];
  reg [31:0] sum, product, second;
  reg [8:0] at;
  reg [3:0] nibble, small [0:15];
  reg picked;
  always @(posedge clk) begin
    a <= in; b <= a; d <= b;
    if (sel[0]) c <= d;
    at <= at + 1;
    product <= a * c; second <= b * c;
    sum <= rst ? 0 : sum + product + second;
    memory[at] <= sum[15:0]; word <= memory[in[8:0]];
    small[sel] <= in[3:0]; nibble <= small[in[7:4]];
    picked <= word[sel] ^ sum[in[12:8]];
    if (rst) kept <= 0; else if (sel[1]) kept <= word + c;
    out <= {kept[15:5] ^ sum[31:21], nibble, picked};
  end
endmodule
"""
DEVICE = ("--25k", "--package", "CABGA256", "--lpf-allow-unconstrained", "--router", "router2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("placed")
    tools = Toolchain(native=False)
    mapped(VERILOG, "top", tools.yosys, found)
    tools.nextpnr.run([*DEVICE, "--json", "netlist.json", "--no-route", "--write", "placed.json"],
                      found, "place.log")
    return found


@pytest.fixture(scope="module")
def refinement(folder):
    told = []
    return refine(folder / "placed.json", folder / "refined.json", 1, EFFORT, told.append), told


@pytest.fixture
def damaged(folder, tmp_path):
    """Refine what a function makes of the placed netlist's cells, and give what is said then."""
    def refuse(change):
        netlist, placement = Placement.read(folder / "placed.json")
        change(placement)
        (tmp_path / "damaged.json").write_text(json.dumps(netlist))
        with pytest.raises(ToolError) as raised:
            refine(tmp_path / "damaged.json", tmp_path / "out.json", 1, 1)
        assert not (tmp_path / "out.json").exists()
        return str(raised.value)
    return refuse


def module(path):
    return json.loads(path.read_text())["modules"]["top"]


def place(item, bel):
    item.cell["attributes"]["NEXTPNR_BEL"] = bel


def test_wire_is_shorter_and_places_are_legal(folder, refinement):
    found, told = refinement
    assert sum(found.wire_after) < sum(found.wire_before)
    before = Placement.read(folder / "placed.json")[1]
    after = Placement.read(folder / "refined.json")[1]
    check(after)
    check_moved(before, after)
    assert {level for level in before.levels.values()} == {0, 1, 2, 3} and before.links
    bels = {item.name: item.cell["attributes"]["NEXTPNR_BEL"] for item in after.cells}
    kinds = {item.kind for item in before.cells
             if item.cell["attributes"]["NEXTPNR_BEL"] != bels[item.name]}
    assert kinds >= {LUT, FLIPFLOP}
    assert any("step" in text for text in told)


def test_the_netlist_is_the_same(folder, refinement):
    before, after = module(folder / "placed.json"), module(folder / "refined.json")
    buffers = {name for name in after["cells"] if name.endswith("$buffer")}
    assert len(buffers) == refinement[0].buffers > 0
    assert set(after["cells"]) - buffers == set(before["cells"])
    assert set(after["netnames"]) - buffers == set(before["netnames"])
    for name, cell in before["cells"].items():
        now = after["cells"][name]
        if f"{name}$buffer" in buffers:
            # The LUT passes its A on to where the flip-flop looks now.
            lut = after["cells"][f"{name}$buffer"]
            assert lut["parameters"]["INITVAL"] == "1010101010101010"
            assert lut["connections"]["A"] == cell["connections"].pop("M")
            assert not lut["connections"]["B"] + lut["connections"]["C"] + lut["connections"]["D"]
            assert now["connections"].pop("DI") == lut["connections"]["F"]
            assert (cell["parameters"].pop("SD"), now["parameters"].pop("SD")) == ("0 ", "1 ")
        else:
            assert now["port_directions"] == cell["port_directions"]
        for part in ("type", "connections", "parameters"):
            assert now[part] == cell[part]
    for name, net in before["netnames"].items():
        assert after["netnames"][name] == net
    assert {key: value for key, value in before.items() if key not in ("cells", "netnames")} == {
        key: value for key, value in after.items() if key not in ("cells", "netnames")}


def test_buffers_have_nets_of_their_own(folder, refinement):
    after = module(folder / "refined.json")
    outputs = [cell["connections"]["F"][0] for name, cell in after["cells"].items()
               if name.endswith("$buffer")]
    before = {bit for cell in module(folder / "placed.json")["cells"].values()
              for bits in cell["connections"].values() for bit in bits}
    assert len(set(outputs)) == len(outputs) and not before & set(outputs)


def test_a_seed_is_a_placement(folder, refinement, tmp_path):
    for seed, same in ((1, True), (2, False)):
        refine(folder / "placed.json", tmp_path / "again.json", seed, EFFORT)
        assert ((tmp_path / "again.json").read_text()
                == (folder / "refined.json").read_text()) is same


def test_nextpnr_routes_it(folder, refinement):
    Toolchain(native=False).nextpnr.run(
        [*DEVICE, "--json", "refined.json", "--no-pack", "--no-place", "--textcfg", "top.config",
         "--report", "report.json"], folder, "route.log")
    assert json.loads((folder / "report.json").read_text())["fmax"]
    # Each flip-flop with a buffer takes D from its LUT.
    assert (folder / "top.config").read_text().count("REG0.SD 1") > 10


def test_two_cells_at_one_place(damaged):
    def change(placement):
        first, second = [item for item in placement.cells if item.kind == FLIPFLOP][:2]
        place(second, first.cell["attributes"]["NEXTPNR_BEL"])
    assert "both lie at X" in damaged(change)


def test_a_place_that_the_device_has_not(damaged):
    def change(placement):
        loose = next(name for name, level in placement.levels.items() if level == 0)
        place(next(item for item in placement.cells if item.name == loose), "X3/Y13/SLICEA.K0")
    assert "which the device has not" in damaged(change)


def test_a_place_for_something_else(damaged):
    def change(placement):
        place(next(item for item in placement.cells if item.kind == LUT), "X3/Y3/SLICEA.FF0")
    assert "no place for TRELLIS_COMB" in damaged(change)


def test_a_flipflop_away_from_its_lut(damaged):
    def change(placement):
        place(next(item for item in placement.cells if item.kind == FLIPFLOP and item.net("DI")),
              "X70/Y48/SLICED.FF1")
    assert "is not beside the LUT that feeds it" in damaged(change)


def test_controls_of_a_slice(damaged):
    def change(placement):
        controls = placement.controls()
        alone = [item for item in placement.cells if item.kind == FLIPFLOP and item.net("M")]
        other = next(item for item in alone if controls[item.name] != controls[alone[0].name])
        place(alone[0], "X70/Y48/SLICED.FF0")
        place(other, "X70/Y48/SLICED.FF1")
    assert "flip-flops of a slice with different controls" in damaged(change)


def test_three_resets_in_a_tile(damaged):
    def change(placement):
        alone = [item for item in placement.cells if item.kind == FLIPFLOP and item.net("M")]
        nets = placement.module["netnames"].values()
        for number, (item, net) in enumerate(zip(alone[:3], nets, strict=False)):
            item.cell["connections"]["LSR"] = net["bits"][:1]
            place(item, f"X70/Y48/SLICE{'ABC'[number]}.FF0")
    assert "more than two resets" in damaged(change)


def test_one_pin_for_two(damaged):
    def change(placement):
        mux = next(item for item in placement.cells if item.kind == LUT and item.net("M"))
        flipflop = next(item for item in placement.cells
                        if item.kind == FLIPFLOP and item.net("M"))
        for item in placement.cells:  # make room
            if (item.kind, item.x, item.y, item.z // 2) == (FLIPFLOP, mux.x, mux.y, mux.z // 2):
                place(item, f"X69/Y48/SLICE{'AD'[item.z % 2]}.FF0")
        place(flipflop, mux.cell["attributes"]["NEXTPNR_BEL"].replace("K", "FF"))
    assert re.search("both need M|is not beside", damaged(change))


def test_a_cut_chain(folder):
    before = Placement.read(folder / "placed.json")[1]
    netlist, after = Placement.read(folder / "placed.json")
    chain = next(item for item in after.cells if item.net("FCI") is not None)
    place(chain, bel(chain.kind, chain.x, chain.y - 1, chain.z))
    with pytest.raises(ToolError, match=r"drives pin|has lost"):
        check_moved(before, Placement(netlist, "cut"))


@pytest.mark.parametrize("text, why", [
    ("", "can't be read as a netlist"), ("[]", "no netlist that nextpnr placed"),
    ('{"modules": {}}', "no netlist that nextpnr placed"),
    ('{"modules": {"top": {"settings": {"arch.type": "ice40"}}}}', "no geometry of device 'ice40'"),
    ('{"modules": {"top": {"settings": {"arch.type": "lfe5u_25f"}, "cells": {}}}}',
     "no cell that could move")])
def test_what_is_no_placement(tmp_path, text, why):
    (tmp_path / "placed.json").write_text(text)
    with pytest.raises(ToolError, match=why):
        refine(tmp_path / "placed.json", tmp_path / "out.json", 1)


def test_a_netlist_that_is_not_placed(folder, tmp_path):
    with pytest.raises(ToolError, match="no netlist that nextpnr placed"):
        refine(folder / "netlist.json", tmp_path / "out.json", 1)


def test_no_compiler(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"needs g\+\+; on Debian: apt install g\+\+"):
        refine(folder / "placed.json", tmp_path / "out.json", 1)


@pytest.mark.parametrize("name, device", [
    ("icesugar-pro", "lfe5u_25f"), ("ulx3s-85f", "lfe5u_85f")])
def test_geometry(name, device):
    found, has = geometry(device), BOARDS[name].device
    assert len(found.columns) * len(found.logic_rows) * 8 == has.lut4
    assert len(found.memories) == has.ebr and len(found.multipliers) * 4 == has.dsp


class Nextpnr:
    """Stands for nextpnr: places what is placed already, and reports."""

    def __init__(self, placed):
        self.placed, self.runs = placed, []

    def run(self, arguments, folder, log, line):
        self.runs.append(arguments)
        given = dict(pairwise(arguments))
        if "--no-route" in arguments:
            (folder / given["--write"]).write_text(self.placed)
        else:
            (folder / given["--report"]).write_text(json.dumps(
                {"fmax": {"clk": {"achieved": 60.0, "constraint": 50.0}}, "critical_paths": [
                    {"from": "posedge clk", "to": "posedge clk", "path": []}]}))


@pytest.mark.parametrize("wanted, runs", [(True, 2), (False, 1)])
def test_a_build_refines_where_it_is_wanted(folder, tmp_path, monkeypatch, wanted, runs):
    tools = Toolchain(native=False)
    nextpnr = Nextpnr((folder / "placed.json").read_text())
    monkeypatch.setattr(tools, "nextpnr", nextpnr)
    build = Build(board("ulx3s-85f"), preset("tiny"), 50.0, tmp_path, tools, refine=wanted)
    told = []
    found = build.route(3, told.append)
    assert len(nextpnr.runs) == runs and all("--no-place" in run for run in nextpnr.runs[1:])
    if wanted:
        assert found["refinement"]["buffers"] > 0
        assert any("seed 3: refining, step" in text for text in told)
    else:
        assert found["refinement"] is None
    assert not list(tmp_path.glob("*.json"))
