"""Where the cycles went: figures of each layer from the log records of a run.

A record holds the counters when a layer's last result left the chip. Layers overlap, so what lies
between two records is counted for the later one's layer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from golden.spec.config import Config
from sw.driver.device import RunResult

__all__ = ["STALLS", "UNITS", "Interval", "LayerFigures", "intervals", "layer_figures"]

# Why no weight row was issued, for people, to the counter that says how long.
STALLS = {
    "drain": "mac_wait_drain", "weights": "mac_wait_weights", "words": "mac_wait_words",
    "semaphore": "mac_wait_semaphore", "idle": "mac_idle",
}
# Units to the counter of their busy cycles.
UNITS = {"load": "load_busy", "mac": "mac_busy", "store": "store_busy"}


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


def intervals(result: RunResult) -> list[Interval]:
    """The log records of a run as intervals; what follows the last one belongs to it."""
    found: list[Interval] = []
    rest, now = dict(result.counters), 0
    for record in result.log:
        rest = {name: rest[name] - advance for name, advance in record.delta.items()}
        now += record.delta["cycles"]
        found.append(Interval(record.tag, now - record.delta["cycles"], now, record.delta))
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
                  host_seconds: Iterable[tuple[str, float]] = ()) -> list[LayerFigures]:
    """The compiler's rows joined with what was measured, in the compiler's order.

    Parameters
    ----------
    config : Config
    layers : iterable of dict
        ``Program.layers``.
    spans : iterable of Interval
    host_seconds : iterable of (name, seconds)
        The host's steps.
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
    for name, seconds in host_seconds:
        for row in rows.values():
            if row.name == name:
                row.seconds = (row.seconds or 0.0) + seconds
    return list(rows.values())
