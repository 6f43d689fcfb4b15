"""Places of our own for a small design with everything that is tied together."""

import json
import re
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise

import numpy as np
import pytest

from fpga.annealer import anneal, annealer
from fpga.boards import BOARDS, board
from fpga.build import Build
from fpga.cells import FIXED, FLIPFLOP, LUT, MEMORY, MULTIPLIER
from fpga.geometry import geometry
from fpga.legal import check, check_moved
from fpga.place import place
from fpga.placement import Placement, bel
from fpga.placement import place_of as bel_of
from fpga.routing import tell_router
from fpga.toolchain import Toolchain
from golden.spec.config import preset
from sw.errors import ToolError
from tb.fpga.design import PORTS, map_design
from tb.fpga.rules import broken, place_of, torn

EFFORT, PERIOD = 700, 6.0
DEVICE = ("--25k", "--package", "CABGA256", "--router", "router2")
PASS_A = "1010101010101010"
# Where LUTs of a mode have their inputs, by what is exchanged for what when they are routed.
INPUT = re.compile(r"X(\d+)/Y(\d+)/0_0_([ABCD])\d->0_0_([ABCD])(\d)_SLICE")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("placed")
    tools = Toolchain(native=False)
    map_design(found, tools)
    tools.nextpnr.run([*DEVICE, "--lpf", "top.lpf", "--json", "netlist.json", "--pack-only",
                       "--write", "packed.json"], found, "pack.log")
    return found


@pytest.fixture(scope="module")
def placing(folder):
    """What came of it, and what was told."""
    told = []
    return place(folder / "packed.json", folder / "placed.json", 1, PERIOD, EFFORT,
                 told.append), told


@pytest.fixture(scope="module")
def cells(folder, placing):
    """Before and after."""
    return tuple(module(folder / name)["cells"] for name in ("packed.json", "placed.json"))


def module(path):
    return json.loads(path.read_text())["modules"]["top"]


def content(cells, net):
    """Of the LUT that drives a net."""
    return next(cell["parameters"]["INITVAL"] for cell in cells.values()
                if cell["type"] == "TRELLIS_COMB" and cell["connections"]["F"] == net)


def test_places_are_legal(folder, placing, cells):
    placement = Placement(json.loads((folder / "placed.json").read_text()), "placed")
    check(placement)
    assert not list(broken(cells[1])) and not list(torn(cells[1]))
    assert set(placement.levels.values()) == {0, 1, 2, 3} and placement.links
    assert {item.kind for item in placement.cells} >= {LUT, FLIPFLOP, MEMORY, MULTIPLIER, FIXED}
    assert len(placement.cells) == len(cells[1])
    bels = [bel_of(cell) for cell in cells[1].values()]
    assert len(set(bels)) == len(bels)


def test_what_has_its_place_keeps_it(cells):
    before, after = cells
    pads = [name for name, cell in before.items() if cell["type"] in ("TRELLIS_IO", "DCCA")]
    assert len(pads) > len(PORTS)
    for name in pads:
        given = before[name]["attributes"]
        assert after[name]["attributes"]["NEXTPNR_BEL"] == given.get("NEXTPNR_BEL",
                                                                     given.get("BEL"))


def test_wire_becomes_shorter(placing):
    annealing = placing[0].annealing
    assert sum(annealing.wire_after) < sum(annealing.wire_before)
    assert annealing.density_after > 0 < annealing.density_before


def test_progress_is_told(placing):
    told = placing[1]
    for what in ("start 2 of 2: wire", "step 5 of 60", "least slack"):
        assert any(what in text for text in told), what


@pytest.mark.parametrize("cost", [0.0, 50.0])
def test_late_connections_become_short(folder, placing, tmp_path, cost):
    netlist = unbuffered(folder / "placed.json")
    placement = Placement(netlist, "placed")
    numbers = [number for number, item in enumerate(placement.cells)
               if item.kind == FLIPFLOP and item.net("M")]
    pairs = list(zip(numbers[:10], numbers[:-11:-1], strict=True))
    asked = []

    def late(x, y):
        asked.append([abs(x[a] - x[b]) + abs(y[a] - y[b]) for a, b in pairs])
        return np.array([(*pair, cost) for pair in pairs if cost]).reshape(-1, 3)

    anneal(annealer(), placement, tmp_path / "placed.json", 1, EFFORT, late)
    after = Placement(netlist, "placed")
    check_moved(placement, after)
    assert len(asked) == 20  # every third of 60 steps
    assert asked[0] == [distance(placement, pair) for pair in pairs]
    ended = sum(distance(after, pair) for pair in pairs) / len(pairs)
    assert ended < 2 if cost else ended > 3


def distance(placement, pair):
    one, other = (placement.cells[number] for number in pair)
    return abs(one.x - other.x) + abs(one.y - other.y)


def test_files_in_between_are_gone(folder, placing):
    assert not list(folder.glob("*anneal.in")) and not list(folder.glob("*anneal.out"))


def test_every_cell_does_what_it_did(cells, placing):
    before, after = cells
    assert set(before) <= set(after)
    changed = Counter()
    for name, cell in before.items():
        now = after[name]
        for part in ("hide_name", "type"):
            assert now[part] == cell[part]
        assert without(now["attributes"]) == without(cell["attributes"])
        if cell["type"] == "TRELLIS_FF" and now["connections"] != cell["connections"]:
            changed[fed(cells, name)] += 1
            assert now["parameters"] == cell["parameters"] | {"SD": "1 "}
            for part in ("connections", "port_directions"):
                rest = {**cell[part]}
                del rest["M"]
                assert {**now[part], "DI": None} == {**rest, "DI": None}
        else:
            assert now["parameters"] == cell["parameters"]
            assert now["port_directions"] == cell["port_directions"]
            for pin, net in cell["connections"].items():
                if now["connections"][pin] != (net or unconnected(cell, pin)):
                    assert cell["type"] == "MULT18X18D"
                    assert content(after, now["connections"][pin]) == content(before, net)
                    changed["constants"] += 1
    assert changed["buffer"] == placing[0].buffers > 10
    assert changed["beside"] == placing[0].fed >= 2
    assert changed["constants"] > 5


def without(attributes):
    return {key: value for key, value in attributes.items()
            if key not in ("NEXTPNR_BEL", "BEL", "BEL_STRENGTH")}


def unconnected(cell, pin):
    """What nextpnr must be told of an input of a block."""
    return ["x"] if (cell["type"] in ("MULT18X18D", "DP16KD")
                     and cell["port_directions"][pin] == "input") else []


def fed(cells, name):
    """How a flip-flop comes by what was at its pin M, in its own slot."""
    before, after = cells
    net, now = before[name]["connections"]["M"], after[name]["connections"]["DI"]
    *at, _, slot = place_of(after[name])
    lut = next(lut for lut, cell in after.items() if place_of(cell) == (*at, "K", slot))
    pins = after[lut]["connections"]
    if lut in before:
        assert now == net and now in (pins["F"], pins.get("OFX"))
        return "beside"
    assert lut == f"{name}$buffer" and pins["A"] == net and pins["F"] == now
    assert after[lut]["parameters"]["INITVAL"] == PASS_A
    assert not pins["B"] + pins["C"] + pins["D"]
    return "buffer"


def test_luts_that_are_added_have_nets_of_their_own(folder, cells):
    before, after = (module(folder / name)["netnames"] for name in ("packed.json", "placed.json"))
    assert all(after[name] == net for name, net in before.items())
    added = {name for name in cells[1] if name not in cells[0]}
    assert set(after) - set(before) == added
    assert {name for name in added if not name.endswith("$buffer")} == {
        name for name in added if re.fullmatch(r"constant_[01]_X\d+_Y13", name)}
    taken = {bit for net in before.values() for bit in net["bits"]}
    nets = [cells[1][name]["connections"]["F"][0] for name in added]
    assert len(set(nets)) == len(nets) and not taken & set(nets)
    assert all(after[name]["bits"] == cells[1][name]["connections"]["F"] for name in added)


def test_nothing_else_of_the_file_changes(folder, placing):
    before, after = (module(folder / name) for name in ("packed.json", "placed.json"))
    tell_router(before)
    for part in before.keys() | after.keys() - {"cells", "netnames"}:
        assert part in ("cells", "netnames") or before[part] == after[part]


def test_a_seed_is_a_placement_whatever_else_is_placed_meanwhile(folder, placing, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda seed: place(folder / "packed.json", tmp_path / f"seed{seed}.json",
                                         seed, PERIOD, EFFORT), (1, 2)))
    first = (folder / "placed.json").read_text()
    assert (tmp_path / "seed1.json").read_text() == first
    assert (tmp_path / "seed2.json").read_text() != first


def test_no_compiler(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"needs g\+\+; on Debian: apt install g\+\+"):
        place(folder / "packed.json", tmp_path / "out.json", 1, PERIOD, EFFORT)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text, why", [
    ("", "can't be read as a netlist"), ("[]", "no netlist that nextpnr packed"),
    ('{"modules": {}}', "no netlist that nextpnr packed"),
    ('{"modules": {"top": {"settings": {"arch.type": "ice40"}, "cells": {}, "netnames": {}}}}',
     "no geometry of device 'ice40'")])
def test_what_is_no_netlist(tmp_path, text, why):
    (tmp_path / "packed.json").write_text(text)
    with pytest.raises(ToolError, match=why):
        place(tmp_path / "packed.json", tmp_path / "out.json", 1, PERIOD, EFFORT)


def test_a_netlist_that_is_not_packed(folder, tmp_path):
    with pytest.raises(ToolError, match="no netlist that nextpnr packed"):
        place(folder / "netlist.json", tmp_path / "out.json", 1, PERIOD, EFFORT)


def test_a_pad_without_a_place(folder, tmp_path):
    netlist = json.loads((folder / "packed.json").read_text())
    netlist["modules"]["top"]["cells"]["rst$tr_io"]["attributes"].pop("BEL")
    (tmp_path / "packed.json").write_text(json.dumps(netlist))
    with pytest.raises(ToolError, match=r"TRELLIS_IO rst\$tr_io has no place"):
        place(tmp_path / "packed.json", tmp_path / "out.json", 1, PERIOD, EFFORT)


@pytest.fixture
def damaged(folder, placing):
    """Checks what a function makes of the placement, and gives what is said then."""
    def refuse(change, moved=False):
        netlist = unbuffered(folder / "placed.json")
        before = Placement(netlist, "placed")
        check(before)
        netlist = unbuffered(folder / "placed.json")
        change(Placement(netlist, "damaged"))
        with pytest.raises(ToolError) as raised:
            after = Placement(netlist, "damaged")
            check_moved(before, after) if moved else check(after)
        return str(raised.value)
    return refuse


def unbuffered(path):
    """With flip-flops that are fed at M."""
    netlist = json.loads(path.read_text())
    cells = netlist["modules"]["top"]["cells"]
    for name in [name for name in cells if name.endswith("$buffer")]:
        flipflop = cells[name.removesuffix("$buffer")]["connections"]
        flipflop["M"] = cells.pop(name)["connections"]["A"]
        del flipflop["DI"]
    return netlist


def put(item, bel):
    item.cell["attributes"]["NEXTPNR_BEL"] = bel
    item.cell["attributes"].pop("BEL", None)


def lone(placement):
    """Flip-flops that may be anywhere, put into a corner, where nothing is."""
    found = [item for item in placement.cells if item.kind == FLIPFLOP and item.net("M")]
    assert max(item.x for item in placement.cells if item.kind == LUT) < 69
    return found


def test_two_cells_at_one_place(damaged):
    def change(placement):
        first, second = [item for item in placement.cells if item.kind == FLIPFLOP][:2]
        put(second, first.bel)
    assert "both lie at X" in damaged(change)


@pytest.mark.parametrize("kind, place", [
    (FLIPFLOP, "X3/Y13/SLICEA.FF0"), (FLIPFLOP, "X1/Y12/SLICEA.FF0"), (MEMORY, "X5/Y25/EBR1"),
    (MEMORY, "X4/Y24/EBR0"), (MULTIPLIER, "X6/Y13/MULT18_2"), (MULTIPLIER, "X4/Y13/MULT18_1")])
def test_a_place_that_the_device_has_not(damaged, kind, place):
    def change(placement):
        put(next(item for item in placement.cells if item.kind == kind), place)
    assert f"lies at {place}, which the device has not" in damaged(change)


def test_a_place_for_something_else(damaged):
    def change(placement):
        put(next(item for item in placement.cells if item.kind == LUT), "X3/Y3/SLICEA.FF0")
    assert "no place for TRELLIS_COMB" in damaged(change)


def test_no_place(damaged):
    def change(placement):
        del next(item for item in placement.cells
                 if item.kind == LUT and item.parameter("MODE", "LOGIC") == "LOGIC"
                 ).cell["attributes"]["NEXTPNR_BEL"]
    assert "has no place" in damaged(change)


def test_a_flipflop_away_from_its_lut(damaged):
    def change(placement):
        put(next(item for item in placement.cells if item.kind == FLIPFLOP and item.net("DI")),
            "X70/Y48/SLICED.FF1")
    assert "is not beside the LUT that feeds it" in damaged(change)


def test_controls_of_a_slice(damaged):
    def change(placement):
        controls, found = placement.controls(), lone(placement)
        other = next(item for item in found if controls[item.name] != controls[found[0].name])
        put(found[0], "X70/Y48/SLICED.FF0")
        put(other, "X70/Y48/SLICED.FF1")
    assert "flip-flops of a slice with different controls" in damaged(change)


@pytest.mark.parametrize("pin", ["LSR", "CLK"])
def test_two_of_a_kind_in_a_tile(damaged, pin):
    def change(placement):
        nets = placement.module["netnames"].values()
        for number, (item, net) in enumerate(zip(lone(placement)[:2], nets, strict=False)):
            item.cell["connections"][pin] = net["bits"][:1]
            put(item, f"X70/Y48/SLICE{'AB'[number]}.FF0")
    assert "flip-flops with different clocks or resets" in damaged(change)


@pytest.mark.parametrize("mode, pin", [("CLKMUX", "CLK"), ("LSRMUX", "LSR"), ("SRMODE", "LSR")])
def test_one_control_in_two_modes(damaged, mode, pin):
    def change(placement):
        found = lone(placement)[:2]
        for item, slot in zip(found, "AB", strict=True):
            item.cell["connections"][pin] = found[0].cell["connections"]["CLK"]
            put(item, f"X70/Y48/SLICE{slot}.FF0")
        found[0].cell["parameters"][mode] = "OTHER"
    assert "one of these in two modes" in damaged(change)


def test_one_pin_for_two(damaged):
    def change(placement):
        mux = next(item for item in placement.cells if item.kind == LUT and item.net("M"))
        slots = count()
        for item in placement.cells:  # make room
            if (item.kind, item.x, item.y) == (FLIPFLOP, mux.x, mux.y):
                put(item, bel(FLIPFLOP, 69, 48, next(slots)))
                item.cell["connections"].pop("DI", None)
        put(lone(placement)[0], mux.bel.replace("K", "FF"))
    assert "both need M" in damaged(change)


def test_a_lut_where_a_write_port_is(damaged):
    def change(placement):
        port = next(item for item in placement.cells if item.cell["type"] == "TRELLIS_RAMW")
        loose = next(item for item in placement.cells if placement.levels.get(item.name) == 0
                     and item.net("F"))
        put(loose, bel(LUT, port.x, port.y, 5))
    assert re.search(r"a LUT where small\S* is|is not beside the LUT|both lie at", damaged(change))


def test_a_cut_chain(damaged):
    def change(placement):
        chain = next(item for item in placement.cells if item.net("FCI") is not None)
        put(chain, bel(chain.kind, chain.x, chain.y - 1, chain.z))
    assert re.search("drives pin|has lost", damaged(change, moved=True))


@pytest.mark.parametrize("pin", ["F1", "FXA"])
def test_a_torn_multiplexer(damaged, pin):
    def change(placement):
        mux = next(item for item in placement.cells if item.net(pin) is not None)
        put(mux, bel(LUT, mux.x, mux.y, mux.z ^ 2))
    assert re.search("has lost|can't be in slot", damaged(change, moved=True))


def test_a_pad_elsewhere(damaged):
    def change(placement):
        put(next(item for item in placement.cells if item.cell["type"] == "TRELLIS_IO"),
            "X1/Y1/PIOA")
    assert "can't move" in damaged(change, moved=True)


def test_a_slice_that_begins_with_its_second_slot(damaged):
    def change(placement):
        pair = next(item for item in placement.cells if placement.levels.get(item.name) == 1)
        for item in placement.cells:
            if item.kind == LUT and (item.x, item.y, item.z // 2) == (pair.x, pair.y, pair.z // 2):
                put(item, bel(LUT, 70, 48, item.z % 2 + 1))
    assert "can't be in slot" in damaged(change, moved=True)


def test_a_cell_that_is_lost(damaged):
    def change(placement):
        del placement.module["cells"][lone(placement)[0].name]
    assert "has no place any more" in damaged(change, moved=True)


@pytest.mark.parametrize("name, device", [
    ("icesugar-pro", "lfe5u_25f"), ("ulx3s-85f", "lfe5u_85f")])
def test_geometry(name, device):
    found, has = geometry(device), BOARDS[name].device
    assert len(found.columns) * len(found.logic_rows) * 8 == has.lut4
    assert len(found.memories) == has.ebr and len(found.multipliers) * 4 == has.dsp


class Told:
    """Remembers what a tool is told, and runs it."""

    def __init__(self, run):
        self.runs, self._run = [], run

    def run(self, arguments, folder, log, line):
        self.runs.append(arguments)
        self._run(arguments, folder, log, line)


@pytest.fixture(scope="module")
def routed(folder, tmp_path_factory):
    """A build's run for a seed: folder, report, what was told, what nextpnr was told."""
    found = tmp_path_factory.mktemp("routed")
    shutil.copy(folder / "netlist.json", found / "top.json")
    shutil.copy(folder / "top.lpf", found)
    tools, told = Toolchain(native=False), []
    tools.nextpnr = Told(tools.nextpnr.run)
    build = Build(board("icesugar-pro"), preset("tiny"), 50.0, found, tools, EFFORT)
    return found, build.route(3, told.append), told, tools.nextpnr.runs


def test_a_build_packs_places_and_routes(routed):
    found, report, told, runs = routed
    assert ["--pack-only" in run for run in runs] == [True, False]
    assert "--no-pack" in runs[1] and dict(pairwise(runs[1]))["--json"] == "seed3.placed.json"
    assert report["seed"] == 3 and report["clock_mhz"] > 20 and report["critical_path"]
    assert report["placing"]["buffers"] > 10
    assert report["placing"]["annealing"]["wire_after"]
    assert any("seed 3: placing, step" in text for text in told)
    assert {path.name for path in found.glob("*.json")} == {"top.json", "seed3.json"}


def test_what_is_placed_is_routed(routed):
    found, report, _, _ = routed
    cells = module(found / "seed3.json")["cells"]
    assert not list(broken(cells)) and not list(torn(cells))
    # Each flip-flop with a buffer takes D from its LUT.
    text = (found / "seed3.config").read_text()
    assert len(re.findall(r"REG[01]\.SD 1", text)) >= report["placing"]["buffers"]


def test_inputs_are_exchanged_only_where_luts_bear_it(routed):
    """Carry chains: A for B and C for D; RAMs: none, rows are written by other pins."""
    found = module(routed[0] / "seed3.json")
    modes = {place_of(cell): cell["parameters"].get("MODE", "LOGIC")
             for cell in found["cells"].values() if cell["type"] == "TRELLIS_COMB"}
    wrong, exchanged = [], Counter()
    for net in found["netnames"].values():
        for x, y, outer, inner, slot in INPUT.findall(net["attributes"]["ROUTING"]):
            mode = modes.get((int(x), int(y), "K", int(slot)), "RAMW")
            exchanged[mode] += outer != inner
            if mode != "LOGIC" and outer != inner and not (
                    mode == "CCU2" and {outer, inner} in ({*"AB"}, {*"CD"})):
                wrong.append((x, y, slot, mode, outer, inner))
    assert exchanged["LOGIC"] > 0 and not wrong


def test_a_build_without_effort_leaves_places_to_nextpnr(tmp_path, monkeypatch):
    def report(arguments, folder, log, line):
        # Nothing would place anew: it goes on.
        for number, shared in ((1, 100_000), (20, 90_000)):
            line(f"Info:     iter={number} wires=1 overused={shared} overuse=1 archfail=NA")
        (folder / dict(pairwise(arguments))["--report"]).write_text(json.dumps(
            {"fmax": {"clk": {"achieved": 60.0, "constraint": 50.0}}, "critical_paths": [
                {"from": "posedge clk", "to": "posedge clk", "path": []}]}))

    tools = Toolchain(native=False)
    monkeypatch.setattr(tools, "nextpnr", Told(report))
    build = Build(board("ulx3s-85f"), preset("tiny"), 50.0, tmp_path, tools, effort=0)
    found = build.route(3, lambda text: None)
    assert found["placing"] is None and found["clock_mhz"] == 60
    (run,) = tools.nextpnr.runs
    assert dict(pairwise(run))["--json"] == "top.json"
    assert not {"--pack-only", "--no-pack", "--no-place"} & set(run)
