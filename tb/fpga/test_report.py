"""Area by block, critical paths, reports: from small netlists written down here."""

import io
import json

import pytest
from rich.console import Console

from fpga.area import area, blocks
from fpga.boards import BOARDS, board
from fpga.build import check_fits
from fpga.page import page
from fpga.paths import critical_path, hierarchy
from fpga.report import compare, read, show, unmet
from golden.spec.config import preset
from sw.errors import UsageError


def test_area_counts_what_cells_use():
    assert area(["LUT4", "LUT4", "CCU2C", "TRELLIS_DPR16X4", "TRELLIS_FF", "MULT18X18D", "DP16KD",
                 "PFUMX"]) == {"lut4": 10, "ff": 1, "dsp": 1, "ebr": 1}


def test_blocks_take_the_longest_name():
    cells = {"system.npu.mac.x.y": "LUT4", "system.npu.machine": "TRELLIS_FF",
             "system.npu.mac": "DP16KD", "pll.z": "CCU2C"}
    found = blocks(cells, ["system.npu", "system.npu.mac"])
    assert found["system.npu.mac"] == {"lut4": 1, "ff": 0, "dsp": 0, "ebr": 1}
    assert found["system.npu"]["ff"] == 1
    assert found[""]["lut4"] == 2


@pytest.mark.parametrize("cell, wanted", [
    ("system.npu.mac.s0_LUT4_Z_3", "npu.mac.s0"),
    ("system.npu.post.q_TRELLIS_FF_Q_7_DI_LUT4_Z", "npu.post.q"),
    ("system.link.engine.$abc$12$lut$3", "link.engine"), ("$abc$1", "$abc$1")])
def test_hierarchy(cell, wanted):
    assert hierarchy(cell) == wanted


def test_critical_path_adds_up():
    def segment(kind, delay, start, end):
        return {"type": kind, "delay": delay, "from": {"cell": start, "port": "Q", "loc": [1, 2]},
                "to": {"cell": end, "port": "D", "loc": [3, 4]}}

    report = {"critical_paths": [
        {"from": "posedge other", "to": "posedge other", "path": []},
        {"from": "posedge clk", "to": "posedge clk", "path": [
            segment("clk-to-q", 0.5, "system.a_TRELLIS_FF_Q", "system.a_TRELLIS_FF_Q"),
            segment("routing", 1.5, "system.a_TRELLIS_FF_Q", "system.b_LUT4_Z"),
            segment("logic", 0.25, "system.b_LUT4_Z", "system.b_LUT4_Z"),
            segment("setup", 0.0, "system.b_LUT4_Z", "system.b_LUT4_Z")]}]}
    steps = critical_path(report, "clk")
    assert [step["at"] for step in steps] == ["a", "b"]
    assert steps[1]["routing_ns"] == 1.5 and steps[1]["logic_ns"] == 0.25


def made(**changes):
    kinds = {kind: {"used": 10, "available": 100} for kind in ("lut4", "ff", "dsp", "ebr")}
    return {"board": "ulx3s-85f", "preset": "ulx3s_85f", "digest": "0x1", "verilog_sha256": "ab",
            "macs_per_cycle": 128, "seeds": [{"seed": 1, "clock_mhz": 70.0}],
            "clock_mhz_target": 75, "clock_mhz": {"median": 70.0, "best": 70.0},
            "timing_met": False, **kinds,
            "dsp_registers": {"npu.mac.m": ["operands", "product"], "npu.post.m": ["product"]},
            "blocks": {"npu.mac": {"lut4": 9, "ff": 1, "dsp": 0, "ebr": 0},
                       "": {"lut4": 1, "ff": 9, "dsp": 10, "ebr": 10}},
            "critical_path": [{"at": "npu.mac.x", "cell": "c", "port": "D", "logic_ns": 1.0,
                               "routing_ns": 2.0, "location": [3, 4]}], **changes}


def test_a_report_is_shown_and_compared(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(made()))
    out = io.StringIO()
    console = Console(file=out, width=120)
    show(console, read(tmp_path))
    compare(console, read(tmp_path), made(lut4={"used": 20, "available": 100}))
    text = out.getvalue()
    assert "timing not met" in text and "npu.mac.x" in text and "+100.0%" in text
    assert "operands in 1 of 2, product in 2 of 2" in text and "failed" not in text


def test_seeds_that_failed_are_named():
    failed = {"2": "7 wires are still shared [x]"}
    out = io.StringIO()
    show(Console(file=out, width=120), made(failed_seeds=failed))
    assert "seed 2 failed: 7 wires are still shared [x]" in out.getvalue()
    text = page({**made(failed_seeds=failed), "tools": {}, "seconds": 5, "memory_mb": 7,
                 "seeds": [{"seed": 3, "clock_mhz": 70.5, "seconds": 9}]}, None)
    assert "Seed 2 failed: 7 wires" in text


def test_why_timing_is_not_met():
    assert unmet(made(clock_mhz_target=75)) == "the median of the clocks is below 75 MHz"
    assert "failed seeds as 0, is below 75 MHz" in unmet(made(failed_seeds={"2": "crowded"}))


def test_page_escapes_and_holds_the_figures():
    annealing = {"wire_before": [1234, 70], "wire_after": [987, 60], "density_before": 50.5,
                 "density_after": 40.0}
    placing = {"annealing": annealing, "fed": 3, "buffers": 8765, "seconds": 4321}
    text = page({**made(board="<x>"), "tools": {"yosys": "0.70 (PyPI)"}, "seconds": 5,
                 "memory_mb": 7, "seeds": [{"seed": 3, "clock_mhz": 70.5, "seconds": 9,
                                            "placing": placing, "placings": 2}]}, None)
    assert "&lt;x&gt;" in text and "<x>" not in text
    assert "timing not met" in text and "70.5" in text and "npu.mac.x" in text
    assert "1,234 → 987" in text and "50.5 → 40" in text
    assert "8,765" in text and "4,321" in text and "<td>3</td><td>2</td>" in text


@pytest.mark.parametrize("seed", [{}, {"placing": None}])
def test_page_without_a_placing(seed):
    text = page({**made(), "tools": {}, "seconds": 5, "memory_mb": 7,
                 "seeds": [{"seed": 3, "clock_mhz": 70.5, "seconds": 9, **seed}]}, None)
    assert "70.5" in text and "Annealing" not in text


@pytest.mark.parametrize("content", ["", "[]", '{"board": "x"}'])
def test_no_report(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(UsageError, match=r"report\.json"):
        read(tmp_path)


@pytest.mark.parametrize("kind, parameter", [
    ("lut4", "columns"), ("dsp", "lut_columns"), ("ebr", "bank_words")])
def test_too_large_names_resource_and_parameter(kind, parameter):
    found = board("icesugar-pro")
    used = {name: 0 for name in ("lut4", "ff", "dsp", "ebr")}
    used[kind] = getattr(found.device, kind) + 5
    with pytest.raises(UsageError, match=rf"{kind.upper()}.*5 too many.*{parameter}"):
        check_fits(used, found, preset("base"))


def test_unknown_board():
    with pytest.raises(UsageError, match="no board 'x'; boards are ulx3s-85f"):
        board("x")


def test_boards_presets_exist():
    for item in BOARDS.values():
        for name in item.presets:
            preset(name)
