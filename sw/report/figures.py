"""Where the cycles went: figures of each layer from the log records of a run.

A record holds the counters when a layer's last result left the chip. Layers overlap, so what lies
between two records is counted for the later one's layer. Kernels that run beside the array take
none of its cycles: what lies before their records belongs to the layer that the array is at.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from golden.spec.config import Config
from sw.driver.device import RunResult
from sw.report.timeline import TimeLine

__all__ = ["STALLS", "Interval", "LayerFigures", "intervals", "layer_figures"]

# Why no weight row was issued, for people, to the counter that says how long.
STALLS = {
    "drain": "mac_wait_drain", "weights": "mac_wait_weights", "words": "mac_wait_words",
    "semaphore": "mac_wait_semaphore", "idle": "mac_idle",
}


@dataclass(frozen=True)
class Interval:
    """From one log record to the next.

    Parameters
    ----------
    tag : int
        Layer.
    start, end : int
        Cycles since the first step began, the host's time left out.
    counters : dict
        How far every counter advanced.
    """

    tag: int
    start: int
    end: int
    counters: Mapping[str, int]


def intervals(result: RunResult, beside: Collection[int] = ()) -> list[Interval]:
    """The log records of a run as intervals; what follows the last one belongs to it.

    Parameters
    ----------
    result : RunResult
    beside : collection of int
        Layers beside the array, whose records end no interval but the last.
    """
    found: list[Interval] = []
    rest, now, begun = dict(result.counters), 0, 0
    count: Counter[str] = Counter()
    for number, record in enumerate(result.log):
        rest = {name: rest[name] - advance for name, advance in record.delta.items()}
        now += record.delta["cycles"]
        count.update(record.delta)
        if record.tag in beside and any(
                later.tag not in beside for later in result.log[number + 1:]):
            continue
        found.append(Interval(record.tag, begun, now, dict(count)))
        begun = now
        count.clear()
    if found:
        last = found[-1]
        found[-1] = Interval(last.tag, last.start, last.end + rest["cycles"],
                             {name: last.counters[name] + rest[name] for name in rest})
    return found


@dataclass
class LayerFigures:
    """One layer's row.

    Parameters
    ----------
    name, operator, unit : str
    ideal_cycles : int
        As the compiler says.
    macs_dense : int
        Multiplications with no zero skipped.
    cycles : int
        Of the chip; 0 for what the host does.
    macs : int
        Issued, those of padded lanes included.
    macs_skipped : int
        Of the dense layer, not issued, as the compiler says.
    bytes_read, bytes_written : int
    issued : int
        Cycles with a weight row.
    stalls : dict
        Those without one by cause; with ``issued`` they add up to ``cycles``.
    seconds : float or None
        On the host.
    drp : int or None
        Cycles in which the DRP had its kernels; where they ran beside other layers, they are
        among those layers' ``cycles``. None where that isn't known.
    """

    name: str
    operator: str
    unit: str
    ideal_cycles: int
    macs_dense: int
    cycles: int = 0
    macs: int = 0
    macs_skipped: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    issued: int = 0
    stalls: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None
    drp: int | None = None

    def utilization(self, config: Config) -> float | None:
        """MACs issued over MACs possible in its cycles."""
        if not self.cycles:
            return None
        return self.macs / (config.macs_per_cycle * self.cycles)

    @property
    def waited_for(self) -> str:
        """The cause of most of its stalls."""
        cause, cycles = max(self.stalls.items(), key=lambda item: item[1], default=("", 0))
        return f"{cause} {cycles}" if cycles else ""

    def json(self) -> dict[str, Any]:
        """For programs."""
        return dict(vars(self))


def layer_figures(config: Config, layers: Iterable[Mapping[str, Any]],
                  spans: Iterable[Interval],
                  host_seconds: Iterable[tuple[str, float]] = (),
                  timeline: TimeLine | None = None) -> list[LayerFigures]:
    """The compiler's rows joined with what was measured, in the compiler's order.

    Parameters
    ----------
    config : Config
    layers : iterable of dict
        ``Program.layers``.
    spans : iterable of Interval
    host_seconds : iterable of (name, seconds)
        The host's steps.
    timeline : TimeLine, optional
    """
    rows = {row["tag"]: LayerFigures(row["name"], row["operator"], row["unit"],
                                     row["ideal_cycles"], row["macs"],
                                     macs_skipped=row.get("macs_skipped", 0),
                                     stalls=dict.fromkeys(STALLS, 0)) for row in layers}
    for span in spans:
        row = rows.get(span.tag)
        if row is None:
            continue
        count = span.counters
        row.cycles += count["cycles"]
        row.issued += count["mac_busy"]
        row.macs += count["row_columns"] * config.lanes
        row.bytes_read += count["beats_read"] * config.group
        row.bytes_written += count["beats_written"] * config.group
        for cause, counter in STALLS.items():
            row.stalls[cause] += count[counter]
    for row in rows.values():
        if timeline and row.unit == "drp":
            row.drp = timeline.busy("drp", row.name)
    for name, seconds in host_seconds:
        for row in rows.values():
            if row.name == name:
                row.seconds = (row.seconds or 0.0) + seconds
    return list(rows.values())
