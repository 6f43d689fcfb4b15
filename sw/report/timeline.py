"""What each unit did when: instructions as spans of layers and kernels on one axis of cycles."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from golden.spec.isa import Unit
from golden.spec.program import Program
from sw.driver.result import Occupied

__all__ = ["LANES", "Span", "TimeLine"]

LANES = {"load": Unit.LOAD, "array": Unit.MAC, "drp": Unit.DRP, "store": Unit.STORE}


@dataclass(frozen=True)
class Span:
    """A unit has instructions of a layer: cycles [start, end).

    Parameters
    ----------
    start, end : int
        Since the first step began, the host's time left out.
    layer : str
    kernel : str
        Of the DRP, else "".
    """

    start: int
    end: int
    layer: str
    kernel: str = ""


@dataclass(frozen=True)
class TimeLine:
    """One inference.

    Parameters
    ----------
    engine : str
        Whose cycles they are.
    cycles : int
    lanes : dict of list of Span
        By the names of ``LANES``; spans of a lane follow one another. A unit that takes an
        instruction while it has others is with the oldest one.
    """

    engine: str
    cycles: int
    lanes: dict[str, list[Span]]

    @classmethod
    def of(cls, program: Program, engine: str, cycles: int,
           occupied: Iterable[Occupied]) -> "TimeLine":
        """That of a run.

        Parameters
        ----------
        program : Program
            What ran.
        engine : str
        cycles : int
        occupied : iterable of Occupied
            What its instructions occupied, each unit's in order (``RunResult.occupied``).
        """
        kernels = {row["tag"]: row.get("kernels", []) for row in program.layers}
        names = {unit: name for name, unit in LANES.items()}
        seen: Counter[int] = Counter()  # kernels that ran, by layer
        lanes: dict[str, list[Span]] = {name: [] for name in LANES}
        for item in occupied:
            lane, kernel = lanes[names[item.unit]], ""
            if item.unit == Unit.DRP and (own := kernels.get(item.tag)):
                kernel = own[seen[item.tag] % len(own)]
                seen[item.tag] += 1
            start = max(item.start, lane[-1].end if lane else 0)
            span = Span(start, item.end, program.layer(item.tag), kernel)
            if lane and (lane[-1].end, lane[-1].layer, lane[-1].kernel) == (
                    start, span.layer, kernel):
                span = Span(lane.pop().start, item.end, span.layer, kernel)
            lane.append(span)
        return cls(engine, cycles, lanes)

    def busy(self, lane: str, layer: str = "") -> int:
        """Cycles of a lane, or of one layer on it."""
        return sum(span.end - span.start for span in self.lanes[lane]
                   if layer in ("", span.layer))

    def json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {"engine": self.engine, "cycles": self.cycles, "lanes": {
            name: [vars(span) for span in spans] for name, spans in self.lanes.items() if spans}}
