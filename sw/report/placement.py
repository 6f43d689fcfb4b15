"""Where each operator of a program runs, why, and what it costs."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.markup import escape

from golden.spec.program import HostStep, Program
from sw.driver.host import host_operators
from sw.report.console import open_console, open_table
from sw.words import listed, shortened

__all__ = ["Place", "Placement", "host_seconds", "print_placement", "reasons"]

_REPEATS = 3
_ARRAY = "array"
_NAMES = 3  # of operators with one reason


def host_seconds(program: Program) -> list[tuple[str, float]]:
    """Name and time of each of the host's steps, measured here on zeros: the shortest of a few."""
    operators, found = host_operators(), []
    for step in program.steps:
        if not isinstance(step, HostStep):
            continue
        arrays = [np.zeros(item.shape, item.dtype) for item in step.inputs]
        attrs, times = {**step.attrs, **step.blobs}, []
        for _ in range(1 + _REPEATS):
            start = time.perf_counter()
            operators[step.op](attrs, arrays)
            times.append(time.perf_counter() - start)
        found.append((step.name, min(times[1:])))
    return found


@dataclass
class Place:
    """An operator, or several alike.

    Parameters
    ----------
    names : list of str
        Layers.
    operator : str
        With ``+`` between what is done together.
    unit : str
        ``array`` of the chip, or ``host``.
    macs : int
        Dense multiplications.
    why : str
        Why it is on the host; of a section, the operators with each reason.
    bytes : int
        That cross between chip and host.
    between : bool
        On the host, with work of the chip before and behind it.
    seconds : float or None
        On the host.
    parts : list of (operator, name, why)
        What a section of the host's holds.
    """

    names: list[str]
    operator: str
    unit: str
    macs: int
    why: str = ""
    bytes: int = 0
    between: bool = False
    seconds: float | None = None
    parts: list[list[str]] = field(default_factory=list)

    @property
    def alike(self) -> tuple[object, ...]:
        """Equal for operators that one line can tell of."""
        kinds = frozenset(_kind(part[2]) for part in self.parts) or _kind(self.why)
        return self.unit, self.operator, self.between, kinds

    def joined(self, other: "Place") -> "Place":
        """Both together."""
        parts = [*self.parts, *other.parts]
        return Place([*self.names, *other.names], self.operator, self.unit, self.macs + other.macs,
                     "; ".join(reasons(parts)) or self.why, self.bytes + other.bytes, self.between,
                     None if self.seconds is None else self.seconds + (other.seconds or 0.0), parts)


@dataclass
class Placement:
    """A program's layers, by where they run.

    Parameters
    ----------
    places : list of Place
        One for each layer, in order.
    """

    places: list[Place]

    @classmethod
    def of(cls, program: Program, seconds: Iterable[tuple[str, float]] = ()) -> "Placement":
        """Of a program, with the time of its host's steps."""
        times = dict(seconds)
        return cls([_place(row, times) for row in program.layers])

    @property
    def share(self) -> float:
        """Of the multiplications, those on the chip."""
        whole = sum(place.macs for place in self.places)
        return sum(place.macs for place in self.places if place.unit == _ARRAY) / (whole or 1)

    @property
    def between(self) -> list[str]:
        """The host's operators that the chip waits for in the middle of its work."""
        return [name for place in self.places if place.between for name in place.names]

    def grouped(self) -> list[Place]:
        """Alike ones together, in order of the first of them."""
        found: dict[tuple[object, ...], Place] = {}
        for place in self.places:
            same = found.get(place.alike)
            found[place.alike] = same.joined(place) if same else place
        return list(found.values())

    def json(self) -> dict[str, Any]:
        """For programs."""
        host = [place for place in self.places if place.unit != _ARRAY]
        return {"share_of_macs_on_chip": self.share, "between": self.between,
                "host_macs": sum(place.macs for place in host),
                "host_bytes": sum(place.bytes for place in host),
                "host_seconds": sum(place.seconds or 0.0 for place in host),
                "places": [vars(place) for place in self.places]}

    def summary(self) -> list[str]:
        """In words."""
        host = [place for place in self.places if place.unit != _ARRAY]
        macs = sum(place.macs for place in self.places)
        seconds = sum(place.seconds or 0.0 for place in host)
        lines = [(f"{self.share:.2%} of {macs:,} MACs and {len(self.places) - len(host)} of "
                 f"{len(self.places)} layers on the chip; for the host's, "
                 f"{sum(place.bytes for place in host):,} bytes cross, and they take "
                 f"{1e3 * seconds:.2f} ms on this machine")]
        if macs and not self.share:
            lines.append("warning: nothing is multiplied on the chip, the host does all the work; "
                         "above is why")
        if names := self.between:
            lines.append("warning: the chip waits for the host in the middle of its work: "
                         f"{listed([*map(shortened, names)], _NAMES)}")
        return lines


def _kind(why: str) -> str:
    """A reason without what is peculiar to the operator, and without what would be accepted."""
    return re.sub(r"'[^']*'|\([^)]*\)|\d+", "", why.partition("; accepted")[0])


def reasons(parts: Iterable[Sequence[str]]) -> list[str]:
    """Why a section's operators are on the host, those with alike reasons together.

    Parameters
    ----------
    parts : iterable of (operator, label, why)
        As in `golden.external.External`.
    """
    groups: dict[str, list[Sequence[str]]] = {}
    for part in parts:
        if part[2]:
            groups.setdefault(_kind(part[2]), []).append(part)
    return [f"{listed([f'{op} {_name(label)}' for op, label, _ in group], _NAMES)}: "
            f"{group[0][2].partition('; accepted')[0]}" for group in groups.values()]


def _name(label: str) -> str:
    """The name in ``node 3 (Conv 'name')``."""
    return shortened(label.partition("'")[2].rpartition("'")[0])


def _place(row: Mapping[str, Any], times: Mapping[str, float]) -> Place:
    parts = [list(part) for part in row.get("parts", ())]
    operator = "+".join(dict.fromkeys(part[0] for part in parts if part[2])) or row["operator"]
    if row["unit"] != "host":
        return Place([row["name"]], operator, _ARRAY, row["macs"])
    return Place([row["name"]], operator, "host", row.get("host_macs", 0),
                 "; ".join(reasons(parts)) or row.get("why", ""),
                 row.get("bytes_from_chip", 0) + row.get("bytes_to_chip", 0),
                 row.get("between", False), times.get(row["name"]), parts)


def print_placement(placement: Placement, every: bool = False) -> None:
    """Print the places on stdout, alike ones together or, with ``every``, one by one."""
    console = open_console()
    table = open_table()
    for heading, most in (("place", None), ("layer", 36), ("operator", 36)):
        table.add_column(heading, overflow="fold", max_width=most)
    for heading in ("MACs", "bytes across", "ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    below: list[str] = []
    for place in placement.places if every else placement.grouped():
        names = listed([*map(shortened, place.names)], 1)
        why, why_each = place.why, reasons(place.parts)
        if why_each[1:]:
            why = f"{len(why_each)} reasons, below"
            below += [f"{names} is on the host:", *(f"  {text}" for text in why_each)]
        host = place.unit != _ARRAY
        table.add_row("host" if host else "chip: array", escape(names),
                      place.operator, f"{place.macs:,}" if place.macs else "",
                      f"{place.bytes:,}" if host else "",
                      "" if place.seconds is None else f"{1e3 * place.seconds:.2f}",
                      escape(why))
    console.print(table)
    for line in (*below, *placement.summary()):
        console.print(line, markup=False, soft_wrap=True,
                      style="bold" if line.startswith("warning") else None)
