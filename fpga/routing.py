"""What nextpnr's router is told, and when it is to give up."""

import re
from typing import Any

from sw.errors import ToolError

__all__ = ["progress", "tell_router"]

# The price of a wire that nets share grows by 2 with every pass unless told otherwise, and outweighs
# what is remembered of earlier passes before the last nets have found their ways; and nets leave
# their boxes by three tiles only at first (docs/decisions.md).
_SETTINGS = {"router2/currCongWeightMult": "1.2", "router2/bbMargin/x": "6",
             "router2/bbMargin/y": "6"}
_PASS = re.compile(r"\s*iter=(\d+) wires=\d+ overused=(\d+)")
_MOST_PASSES = 500


def tell_router(module: dict[str, Any]) -> None:
    """Write its settings into a netlist, in place."""
    module["settings"] |= _SETTINGS


def progress(text: str) -> str | None:
    """Of a line that nextpnr prints: how far it has routed, if it tells of that.

    Raises
    ------
    ToolError
        After so many passes that there is no hope.
    """
    match = _PASS.match(text.removeprefix("Info:"))
    if not match:
        return None
    number, shared = map(int, match.groups())
    if shared and number >= _MOST_PASSES:
        raise ToolError(f"{shared:,} wires are still shared after {number} passes of routing; "
                        "take another seed (--seeds), more --effort, or a smaller preset")
    return f"pass {number}, {shared:,} wires shared"
