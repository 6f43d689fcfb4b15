"""What nextpnr's router is told, and when it is to give up."""

import re
from pathlib import Path
from typing import Any

from sw.errors import ToolError

__all__ = ["BY_TIME", "Unrouted", "aim", "progress", "tell_router"]

# Nets that are late are taken apart and routed as a whole until none is. Without that pins are
# joined to what is left of their net nearby, however long a signal takes to there.
BY_TIME = "--tmg-ripup"

# The price of a wire that nets share grows by 2 with every pass unless told otherwise, and soon
# outweighs what is remembered of earlier passes; and nets leave their boxes by three tiles only at
# first (docs/decisions.md).
_SETTINGS = {"router2/currCongWeightMult": "1.2", "router2/bbMargin/x": "6",
             "router2/bbMargin/y": "6"}
_PASS = re.compile(r"\s*iter=(\d+) wires=\d+ overused=(\d+) overuse=\d+(?: tmgfail=(\d+))?")
_MOST_PASSES, _MOST_LATE_PASSES = 500, 150
_TARGET = re.compile(r'(?<="target_freq": ")[^"]*')


class Unrouted(ToolError):
    """Wires stay shared or connections late, whatever the router tries."""


def tell_router(module: dict[str, Any]) -> None:
    """Write its settings into a netlist, in place."""
    module["settings"] |= _SETTINGS


def aim(netlist: Path, mhz: float) -> None:
    """Write the clock that is wanted into a netlist of nextpnr's, which heeds no option then.

    Raises
    ------
    ToolError
        If the netlist has none.
    """
    text, count = _TARGET.subn(f"{mhz * 1e6:f}", netlist.read_text(), count=1)
    if not count:
        raise ToolError(f"{netlist}: names no target_freq")
    netlist.write_text(text)


def progress(text: str) -> str | None:
    """Of a line that nextpnr prints: how far it has routed, if it tells of that.

    Raises
    ------
    Unrouted
        After so many passes that there is no hope.
    """
    match = _PASS.match(text.removeprefix("Info:"))
    if not match:
        return None
    number, shared, late = (int(found or 0) for found in match.groups())
    if late and number >= _MOST_LATE_PASSES:
        raise Unrouted(f"{late:,} connections are still late after {number} passes of routing")
    if shared and number >= _MOST_PASSES:
        raise Unrouted(f"{shared:,} wires are still shared after {number} passes of routing; "
                       "take another seed (--seeds), more --effort, or a smaller preset")
    return f"pass {number}, {shared:,} wires shared" + (f", {late:,} connections late" * bool(late))
