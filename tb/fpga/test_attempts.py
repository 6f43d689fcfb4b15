"""Builds in which something fails: seeds, routes, programs that end early."""

import json
import subprocess
import sys

import pytest

from fpga.boards import board
from fpga.build import Build
from fpga.routing import BY_TIME, Crowded, Unrouted
from fpga.toolchain import Tool
from golden.spec.config import preset
from sw.errors import ToolError

CLOCK = 50.0


@pytest.fixture
def build(tmp_path):
    return Build(board("icesugar-pro"), preset("icesugar_pro"), CLOCK, tmp_path, None)


def failing(*seeds):
    def route(build, seed, tell):
        if seed in seeds:
            raise ToolError(f"no way for {seed}")
        return {"seed": seed}
    return route


def test_a_seed_that_fails_leaves_the_others(build, monkeypatch):
    monkeypatch.setattr(Build, "route", failing(2))
    told = []
    runs, failed = build._routes((1, 2, 3), told.append, 2)
    assert runs == [{"seed": 1}, {"seed": 3}]
    assert failed == {2: "no way for 2"} and told == ["seed 2: no way for 2"]


def test_seeds_that_all_fail(build, monkeypatch):
    monkeypatch.setattr(Build, "route", failing(4, 5))
    with pytest.raises(ToolError, match="no way for 4"):
        build._routes((4, 5), lambda text: None, 1)


INTERRUPTED = """
import signal, sys, threading
from pathlib import Path
from fpga.boards import board
from fpga.build import Build
from fpga.toolchain import Tool
from golden.spec.config import preset
from sw.errors import ToolError

sleeper = Tool("sleeper", (sys.executable, "-c", "import time; time.sleep(100)"), "", "")

def route(build, seed, tell):
    try:
        sleeper.run([], build.folder, f"{seed}.log")
    except ToolError as error:
        print(error)
        raise

Build.route = route
threading.Timer(1, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
Build(board("icesugar-pro"), preset("icesugar_pro"), 50.0, Path(sys.argv[1]),
      None)._routes((1, 2, 3), lambda text: None, 2)
"""


def test_an_interrupt_ends_what_runs(tmp_path):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, tmp_path], capture_output=True,
                          text=True, timeout=50, check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert done.stdout.count("sleeper ended with -9") == 2


def routing(build, monkeypatch, failures, error):
    """nextpnr fails so often; what it is asked for: MHz, whether by time, whether patiently."""
    placed = build.folder / "seed7.placed.json"
    placed.write_text(json.dumps({"target_freq": "1.0"}))
    tried = []

    def nextpnr(build, seed, arguments, log, tell, *, patient):
        tried.append((float(json.loads(placed.read_text())["target_freq"]) / 1e6,
                      BY_TIME in arguments, patient))
        if len(tried) <= failures:
            raise error

    monkeypatch.setattr(Build, "_nextpnr", nextpnr)
    return tried


LESS = [(1.01 * CLOCK, True, False), (0.95 * CLOCK, True, False), (CLOCK, False, True)]


@pytest.mark.parametrize("failures", range(4))
@pytest.mark.parametrize(("error", "last"), [
    (Unrouted("9 connections are still late"), False), (Crowded("9 wires are shared"), True)])
def test_routes_for_less_where_there_are_none(build, monkeypatch, failures, error, last):
    tried = routing(build, monkeypatch, failures, error)
    told = []
    if failures == 3:
        with pytest.raises(Unrouted):
            build._routed(7, [], told.append, last=last)
    else:
        build._routed(7, [], told.append, last=last)
    assert tried == LESS[:failures + 1]
    assert len(told) == min(failures, 2)


@pytest.mark.parametrize("failures", range(4))
def test_places_anew_where_it_is_crowded(build, monkeypatch, failures):
    tried = routing(build, monkeypatch, failures, Crowded("9 wires are still shared"))
    seeds, told = [], []

    def placed(build, seed, own, tell):
        seeds.append(own)
        return own

    monkeypatch.setattr(Build, "_placed", placed)
    assert build._laid(7, [], told.append) == [(7, 1), (1007, 2), (2007, 3), (2007, 3)][failures]
    assert seeds == [7, 1007, 2007][:failures + 1]
    assert tried == [LESS[0]] * min(failures + 1, 3) + [LESS[1]] * (failures == 3)
    assert len(told) == failures and told[:2] == ["9 wires are still shared; placing anew"] * min(
        failures, 2)


def test_what_is_crowded_every_time_is_given_up(build, monkeypatch):
    tried = routing(build, monkeypatch, 5, Crowded("9 wires are still shared"))
    monkeypatch.setattr(Build, "_placed", lambda build, seed, own, tell: own)
    with pytest.raises(Crowded):
        build._laid(7, [], lambda text: None)
    assert tried == [LESS[0]] * 2 + LESS


def test_why_nothing_is_placed_is_told(build, monkeypatch):
    monkeypatch.setattr(Build, "_nextpnr", lambda build, seed, arguments, log, tell: (
        build.folder / arguments[-1]).write_text("{}"))
    told = []
    with pytest.raises(ToolError, match=r"place ended with 1(.|\n)*seed7.packed.json: is no "):
        build._placed(7, 1007, told.append)
    assert not [text for text in told if "Traceback" in text]


def tool(code):
    return Tool("tool", (sys.executable, "-c", code), "", "native")


def test_a_program_that_asks_is_answered(tmp_path):
    told = []

    def line(text):
        told.append(text)
        return "42\n" if text == "how many?" else None

    tool("print('how many?', flush=True); print(int(input()) + 1)").run(
        [], tmp_path, "log", line, answered=True)
    assert told == ["how many?", "43"] and (tmp_path / "log").read_text() == "how many?\n43\n"


def test_a_program_that_ends_instead_of_listening(tmp_path):
    ends = "import sys; print('how many?', flush=True); sys.stdin.close(); sys.exit('bad input')"
    with pytest.raises(ToolError, match=r"tool ended with 1(.|\n)*bad input"):
        tool(ends).run([], tmp_path, "log", lambda text: "x" * (1 << 20), answered=True)


def test_a_program_that_is_not_answered_reads_nothing(tmp_path):
    tool("import sys; assert not sys.stdin.read()").run([], tmp_path, "log")
