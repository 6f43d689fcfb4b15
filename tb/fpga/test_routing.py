"""What is said of routing, and when it ends."""

import pytest

from fpga.routing import Unrouted, aim, progress, tell_router
from sw.errors import ToolError

LINE = "Info:     iter={} wires=1302366 overused={} overuse=1 archfail=NA"


def test_passes_are_told():
    assert progress(LINE.format(3, 21473)) == "pass 3, 21,473 wires shared"
    assert progress("Info: Running main router loop...") is None


def test_there_is_an_end():
    assert progress(LINE.format(499, 1)) and progress(LINE.format(500, 0))
    with pytest.raises(Unrouted, match="12 wires are still shared after 500 passes"):
        progress(LINE.format(500, 12))


def test_what_is_late_is_told_and_has_an_end():
    line = LINE.replace("overuse=1", "overuse=1 tmgfail={}")
    assert progress(line.format(3, 12, 0)) == "pass 3, 12 wires shared"
    assert progress(line.format(149, 0, 1234)) == ("pass 149, 0 wires shared, 1,234 connections "
                                                   "late")
    assert progress(line.format(150, 7, 0))
    with pytest.raises(Unrouted, match="1,234 connections are still late after 150 passes"):
        progress(line.format(150, 0, 1234))


def test_a_clock_is_aimed_at(tmp_path):
    netlist = tmp_path / "placed.json"
    netlist.write_text('{"target_freq": "75000000.000000", "x": 1}')
    aim(netlist, 62.5)
    assert netlist.read_text() == '{"target_freq": "62500000.000000", "x": 1}'
    netlist.write_text("{}")
    with pytest.raises(ToolError, match="names no target_freq"):
        aim(netlist, 62.5)


def test_settings_are_added():
    module = {"settings": {"router": "router2"}}
    tell_router(module)
    assert module["settings"]["router"] == "router2"
    # Of zeros and ones alone nextpnr would read a number in binary.
    assert all(set(value) - set("01") or len(value) == 32
               for value in module["settings"].values())
