"""What nextpnr's router is told, and when it is to give up."""

import re
from pathlib import Path
from typing import Any

from sw.errors import ToolError

__all__ = ["BY_TIME", "Crowded", "Passes", "Unrouted", "aim", "tell_router"]

# Nets that are late are taken apart and routed as a whole until none is. Without that pins are
# joined to what is left of their net nearby, however long a signal takes to there.
BY_TIME = "--tmg-ripup"

# The price of a wire that nets share grows by 2 with every pass unless told otherwise, and soon
# outweighs what is remembered of earlier passes; and nets leave their boxes by three tiles only at
# first. Towards a pin it counts what is left of the way 1.25 times, so that the first way found is
# often not the cheapest: a fifth more wires are shared after ten passes (docs/decisions.md).
_SETTINGS = {"router2/currCongWeightMult": "1.2", "router2/bbMargin/x": "6",
             "router2/bbMargin/y": "6", "router2/estimateWeight": "1.05"}
_PASS = re.compile(r"\s*iter=(\d+) wires=\d+ overused=(\d+) overuse=\d+(?: tmgfail=(\d+))?")
_MOST_PASSES, _MOST_LATE_PASSES = 500, 150
# If more than this part of the wires that were shared after the first pass still are after so many,
# some will be to the end: all placements of the 85F's chip of which it is known (docs/decisions.md)
# that were routed had 1.7 % or less, the others 1.8 % or more. A few hundred are never too many.
_TELLING_PASS, _HOPEFUL, _FEW = 20, 0.0175, 500
# Some get stuck later: no fewer for so many passes, unless it is less than so many.
_STUCK, _NEARLY = 15, 100
_TARGET = re.compile(r'(?<="target_freq": ")[^"]*')


class Unrouted(ToolError):
    """Wires stay shared or connections late, whatever the router tries."""


class Crowded(Unrouted):
    """Wires stay shared: that is a matter of the placement."""


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


class Passes:
    """How far nextpnr has routed, by the lines that it prints.

    Parameters
    ----------
    patient : bool
        Go on where it would be better to place anew.
    """

    def __init__(self, *, patient: bool) -> None:
        self._patient = patient
        self._first = self._least = self._least_pass = 0

    def told(self, text: str) -> str | None:
        """Of a line what it tells of that, if it does.

        Raises
        ------
        Crowded
            If so many wires are shared that there is no hope.
        Unrouted
            After so many passes with late connections that there is no hope.
        """
        match = _PASS.match(text.removeprefix("Info:"))
        if not match:
            return None
        number, shared, late = (int(found or 0) for found in match.groups())
        if number == 1:
            self._first = shared
        if number == 1 or shared < self._least:
            self._least, self._least_pass = shared, number
        if late and number >= _MOST_LATE_PASSES:
            raise Unrouted(f"{late:,} connections are still late after {number} passes of routing")
        crowded = number == _TELLING_PASS and shared > max(_HOPEFUL * self._first, _FEW)
        stuck = number - self._least_pass >= _STUCK and self._least > _NEARLY
        hopeless = not self._patient and (crowded or stuck)
        if hopeless or (shared and number >= _MOST_PASSES):
            raise Crowded(f"{shared:,} wires are still shared after {number} passes of routing"
                          + "; take another seed (--seeds), more --effort, or a smaller preset"
                          * self._patient)
        return (f"pass {number}, {shared:,} wires shared"
                + (f", {late:,} connections late" * bool(late)))
