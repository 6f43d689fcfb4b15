"""What is said of routing, and when it ends."""

import pytest

from fpga.routing import Crowded, Passes, Unrouted, aim, tell_router
from sw.errors import ToolError

LINE = "Info:     iter={} wires=1302366 overused={} overuse=1 archfail=NA"


def test_passes_are_told():
    told = Passes(patient=False).told
    assert told(LINE.format(3, 21473)) == "pass 3, 21,473 wires shared"
    assert told("Info: Running main router loop...") is None


def test_there_is_an_end():
    told = Passes(patient=False).told
    assert told(LINE.format(499, 1)) and told(LINE.format(500, 0))
    with pytest.raises(Crowded, match="12 wires are still shared after 500 passes"):
        told(LINE.format(500, 12))


@pytest.mark.parametrize(("first", "shared", "crowded"), [
    (100_000, 1750, False), (100_000, 1751, True), (900, 500, False), (900, 501, True)])
def test_no_hope_is_seen_early(first, shared, crowded):
    for patient in (False, True):
        passes = Passes(patient=patient)
        for number, line in ((1, first), (19, first - 1)):
            assert passes.told(LINE.format(number, line))
        if crowded and not patient:
            with pytest.raises(Crowded, match=f"{shared:,} wires are still shared after 20 pass"):
                passes.told(LINE.format(20, shared))
        else:
            assert passes.told(LINE.format(20, shared))
            assert passes.told(LINE.format(21, 30_000))


@pytest.mark.parametrize(("least", "passes", "stuck"), [(101, 15, True), (101, 14, False),
                                                        (100, 99, False)])
def test_what_no_longer_falls_is_stuck(least, passes, stuck):
    for patient in (False, True):
        watch = Passes(patient=patient)
        for number, shared in enumerate([9000, 5000, least, *[300] * (passes - 1)], 30):
            assert watch.told(LINE.format(number if number > 30 else 1, shared))
        last = LINE.format(32 + passes, 250)
        if stuck and not patient:
            with pytest.raises(Crowded, match="250 wires are still shared"):
                watch.told(last)
        else:
            assert watch.told(last)


def test_what_is_late_is_told_and_has_an_end():
    line, told = LINE.replace("overuse=1", "overuse=1 tmgfail={}"), Passes(patient=False).told
    assert told(line.format(3, 12, 0)) == "pass 3, 12 wires shared"
    assert told(line.format(149, 0, 1234)) == "pass 149, 0 wires shared, 1,234 connections late"
    assert told(line.format(150, 7, 0))
    with pytest.raises(Unrouted, match="1,234 connections are still late after 150 passes") as why:
        told(line.format(150, 0, 1234))
    assert not isinstance(why.value, Crowded)


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
