"""The critical path in terms of our modules."""

import re
from collections.abc import Mapping

__all__ = ["critical_path", "hierarchy"]

_GENERATED = re.compile(r"\$.*|_(?:LUT4|PFUMX|L6MUX21|TRELLIS_FF|CCU2C)_.*")


def hierarchy(cell: str) -> str:
    """Block and signal that a cell was made for, without what tools appended."""
    name = _GENERATED.sub("", cell).strip("._")
    return name.removeprefix("system.") or cell


def critical_path(report: Mapping, clock: str) -> list[dict]:
    """The slowest path of a clock.

    Parameters
    ----------
    report : mapping
        Of nextpnr.
    clock : str
        Its name there.

    Returns
    -------
    list of dict
        Steps: ``at`` (block and signal), ``cell`` and ``port``, ``logic_ns`` and ``routing_ns``
        that lead there, ``location`` of the cell on the device's grid.
    """
    wanted = f"posedge {clock}"
    path: list[dict] = next((item["path"] for item in report["critical_paths"]
                 if item["from"] == item["to"] == wanted), [])
    steps: list[dict] = []
    for segment in path:
        to = segment["to"]
        if not steps or steps[-1]["cell"] != to["cell"]:
            steps.append({"at": hierarchy(to["cell"]), "cell": to["cell"], "port": to["port"],
                          "logic_ns": 0.0, "routing_ns": 0.0, "location": to["loc"]})
        kind = "routing_ns" if segment["type"] == "routing" else "logic_ns"
        steps[-1][kind] = round(steps[-1][kind] + segment["delay"], 3)
    return steps
