"""`sentei fpga` and `sentei board`: what they list, show and refuse. Building: make fpga."""

import json
import sys

import pytest

from fpga.boards import BOARDS
from fpga.build import Build
from sw.cli import main
from tb.fpga.test_report import made


def refused(capsys, *arguments):
    code = main(list(arguments))
    return code, capsys.readouterr().err.strip().splitlines()[-1]


def test_boards(capsys):
    assert main(["fpga", "boards", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {item["name"] for item in found} == {"ulx3s-85f", "icesugar-pro"}
    assert main(["fpga", "boards"]) == 0
    assert "ULX3S" in capsys.readouterr().out


def test_unknown_board(capsys, tmp_path):
    code, text = refused(capsys, "fpga", "build", "--board", "nexys", "-o", str(tmp_path))
    assert code == 2 and "no board 'nexys'; boards are" in text


def test_unknown_preset(capsys, tmp_path):
    code, text = refused(capsys, "fpga", "build", "--board", "icesugar-pro", "--preset", "huge",
                         "-o", str(tmp_path))
    assert code == 5 and "no preset 'huge'" in text


@pytest.mark.parametrize("clock, why", [
    ("0", "more than 0"), ("inf", "more than 0"), ("nan", "more than 0"), ("71.3", "nearest is"),
    ("200", "accepted is 40 to 110"), ("25", "accepted is 40 to 110")])
def test_clock_that_cannot_be(capsys, tmp_path, clock, why):
    """It is refused before anything of an earlier build is lost."""
    (tmp_path / "report.json").write_text("{}")
    code, text = refused(capsys, "fpga", "build", "--board", "icesugar-pro", "--clock", clock,
                         "-o", str(tmp_path))
    assert code == 2 and why in text
    assert (tmp_path / "report.json").read_text() == "{}"


@pytest.mark.parametrize("arguments, clock", [
    ((), BOARDS["ulx3s-85f"].clock_mhz), (("--preset", "ulx3s_85f_drp"), 60),
    (("--preset", "ulx3s_85f_drp", "--clock", "50"), 50),
    (("--preset", "tiny"), BOARDS["ulx3s-85f"].clock_mhz)])
def test_clock_of_a_preset(tmp_path, monkeypatch, arguments, clock):
    """The board's for it, that of the board's first preset for others, unless it is told."""
    builds = []
    monkeypatch.setattr(Build, "run", lambda build, *_: builds.append(build) or made())
    assert main(["fpga", "build", "--board", "ulx3s-85f", *arguments, "-o", str(tmp_path)]) == 0
    assert builds[0].clock_mhz == clock


@pytest.mark.parametrize("effort, why", [("-1", "--effort -1: accepted is 0 or more"),
                                         ("much", "invalid int value: 'much'")])
def test_effort_that_cannot_be(capsys, tmp_path, effort, why):
    code, text = refused(capsys, "fpga", "build", "--board", "icesugar-pro", "--effort", effort,
                         "-o", str(tmp_path / "out"))
    assert code == 2 and why in text
    assert not (tmp_path / "out").exists()


def test_preset_that_is_too_large_is_refused_at_once(capsys, tmp_path):
    code, text = refused(capsys, "fpga", "build", "--board", "icesugar-pro", "--preset", "base",
                         "-o", str(tmp_path / "out"))
    assert code == 2 and "needs 144 DSP, the device of icesugar-pro has 28" in text
    assert not (tmp_path / "out").exists()


def test_boards_without_their_pins(capsys, tmp_path, monkeypatch):
    """Boards are listed without amaranth-boards; to build needs it, and says so."""
    monkeypatch.setitem(sys.modules, "amaranth_boards.icesugar_pro", None)
    assert main(["fpga", "boards"]) == 0
    code, text = refused(capsys, "fpga", "build", "--board", "icesugar-pro", "-o",
                         str(tmp_path / "out"))
    assert code == 6 and "amaranth-boards" in text and "pip install -e .[fpga]" in text


@pytest.mark.parametrize("program, why", [
    ("#!/bin/sh\necho Yosys 0.9\n", "version 0.9; accepted is 0.40 or later"),
    ("#!/bin/sh\necho libreadline.so.8.2: cannot open >&2; exit 127\n",
     "yosys does not start: libreadline.so.8.2: cannot open"),
    ("\x7fELF nonsense", "yosys does not start: [Errno 8]")])
def test_tool_on_path_that_will_not_do(capsys, tmp_path, monkeypatch, program, why):
    tool = tmp_path / "yosys"
    tool.write_text(program)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    code, text = refused(capsys, "fpga", "build", "--board", "icesugar-pro", "-o",
                         str(tmp_path / "out"))
    assert code == 6 and why in text


def test_reports(capsys, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(made()))
    assert main(["fpga", "report", str(tmp_path)]) == 0
    assert "npu.mac.x" in capsys.readouterr().out
    assert main(["fpga", "report", str(tmp_path), str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    code, text = refused(capsys, "fpga", "report", str(tmp_path / "none"))
    assert code == 2 and "can't be read" in text


def test_flash_needs_its_tool_and_a_bitstream(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "report.json").write_text(json.dumps(made()))
    code, text = refused(capsys, "board", "flash", str(tmp_path))
    assert code == 2 and "top.bit is missing" in text
    (tmp_path / "top.bit").write_bytes(b"x")
    code, text = refused(capsys, "board", "flash", str(tmp_path))
    assert code == 6 and "openFPGALoader -b ulx3s" in text


@pytest.mark.parametrize("board, options, verified", [
    ("ulx3s-85f", ["-b", "ulx3s"], None),
    ("icesugar-pro", ["-c", "cmsisdap", "--vid=0x1d50", "--pid=0x602b"], {"cells": 1, "pins": 2})])
def test_flash_runs_it(capsys, tmp_path, monkeypatch, board, options, verified):
    (tmp_path / "report.json").write_text(json.dumps(made(board=board, verified=verified)))
    (tmp_path / "top.bit").write_bytes(b"x")
    tool = tmp_path / "openFPGALoader"
    tool.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/said\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert main(["board", "flash", str(tmp_path), "--persist"]) == 0
    assert (tmp_path / "said").read_text().split() == [*options, "-f", str(tmp_path / "top.bit")]
    warned = "was not held against its netlist" in capsys.readouterr().err
    assert warned == (verified is None)


@pytest.mark.parametrize("option", ["--patience=-20", "--patience=nan", "--patience=inf"])
def test_patience_that_cannot_be(capsys, option):
    code, text = refused(capsys, "board", "info", "--port", "/dev/there-is-none", option)
    assert code == 2 and "accepted is a number of more than 0" in text


def test_no_port(capsys):
    code, text = refused(capsys, "board", "info", "--port", "/dev/there-is-none")
    assert code == 10 and "there is no such port" in text
