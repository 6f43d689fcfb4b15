"""What is said of routing, and when it ends."""

import pytest

from fpga.routing import progress, tell_router
from sw.errors import ToolError

LINE = "Info:     iter={} wires=1302366 overused={} overuse=1 archfail=NA"


def test_passes_are_told():
    assert progress(LINE.format(3, 21473)) == "pass 3, 21,473 wires shared"
    assert progress("Info: Running main router loop...") is None


def test_there_is_an_end():
    assert progress(LINE.format(499, 1)) and progress(LINE.format(500, 0))
    with pytest.raises(ToolError, match="12 wires are still shared after 500 passes"):
        progress(LINE.format(500, 12))


def test_settings_are_added():
    module = {"settings": {"router": "router2"}}
    tell_router(module)
    assert module["settings"]["router"] == "router2"
    # Of zeros and ones alone nextpnr would read a number in binary.
    assert all(set(value) - set("01") or len(value) == 32
               for value in module["settings"].values())
