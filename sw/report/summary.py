"""A run in figures: what ``--json`` prints and every other view is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from golden.spec.config import Config
from sw.report.answers import Answer
from sw.report.figures import LayerFigures
from sw.report.placement import Placement
from sw.report.timeline import TimeLine
from sw.report.traffic import Traffic

__all__ = ["SampleResult", "Summary"]


@dataclass
class SampleResult:
    """One sample.

    Parameters
    ----------
    name : str
    answer : Answer
    cycles : int, optional
        Doorbell to interrupt, summed over the steps on the chip.
    seconds : float
        Wall clock.
    different : int, optional
        Bytes that differ from the reference's, of ``compared``; None without ``--check``.
    compared : int
    """

    name: str
    answer: Answer
    cycles: int | None
    seconds: float
    different: int | None = None
    compared: int = 0


@dataclass
class Summary:
    """One run of one network.

    Parameters
    ----------
    network, engine : str
    config : Config
    samples : list of SampleResult
    layers : list of LayerFigures
        Of the slowest sample.
    totals : dict
        Its counters, summed over the steps on the chip; empty for ``golden``.
    reference : str
        What ``--check`` compared with, for people.
    placement : Placement, optional
        Where its layers run; the host's times are the slowest sample's.
    traffic : Traffic, optional
        What crosses between chip and DRAM, by kind.
    timeline : TimeLine, optional
        What each unit did when, of the slowest sample.
    """

    network: str
    engine: str
    config: Config
    samples: Sequence[SampleResult]
    layers: Sequence[LayerFigures] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    reference: str = "LiteRT's reference kernels"
    placement: Placement | None = None
    traffic: Traffic | None = None
    timeline: TimeLine | None = None

    @property
    def cycles(self) -> int | None:
        """Of one inference, the slowest sample's."""
        return self.totals.get("cycles")

    @property
    def ideal_cycles(self) -> int:
        """Sum over tiles of max(sum of N, drain)."""
        return sum(layer.ideal_cycles for layer in self.layers)

    @property
    def macs_dense(self) -> int:
        """Multiplications with no zero skipped."""
        return sum(layer.macs_dense for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiplications issued."""
        return self.totals.get("row_columns", 0) * self.config.lanes

    @property
    def utilization(self) -> float | None:
        """MACs issued over MACs possible in the cycles."""
        return self.macs / (self.config.macs_per_cycle * self.cycles) if self.cycles else None

    @property
    def effective_macs_per_cycle(self) -> float | None:
        """Dense MACs over cycles: above the peak where skipping gains more than all else loses."""
        return self.macs_dense / self.cycles if self.cycles else None

    @property
    def inferences_per_second(self) -> float | None:
        """Of the chip at the configuration's clock, the host's time left out."""
        return self.config.clock_mhz * 1e6 / self.cycles if self.cycles else None

    @property
    def bytes_read(self) -> int | None:
        """From DRAM, the program included."""
        return self.totals["beats_read"] * self.config.group if self.totals else None

    @property
    def bytes_written(self) -> int | None:
        """To DRAM."""
        return self.totals["beats_written"] * self.config.group if self.totals else None

    @property
    def correct(self) -> int | None:
        """Samples answered right; None where no right answer is known."""
        known = [sample.answer.right for sample in self.samples if sample.answer.right is not None]
        return sum(known) if known else None

    @property
    def mismatches(self) -> int | None:
        """Samples with a byte that differs from the reference's; None without ``--check``."""
        checked = [sample.different for sample in self.samples if sample.different is not None]
        return sum(different > 0 for different in checked) if checked else None

    def json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        different = [sample.different for sample in self.samples if sample.different is not None]
        return {
            "network": self.network, "preset": self.config.name, "engine": self.engine,
            "digest": f"0x{self.config.digest():08x}", "configuration": vars(self.config),
            "samples": len(self.samples), "correct": self.correct,
            "mismatches": self.mismatches, "bytes_different": sum(different) if different else None,
            "bytes_compared": sum(sample.compared for sample in self.samples),
            "cycles": self.cycles, "ideal_cycles": self.ideal_cycles if self.layers else None,
            "utilization": self.utilization, "macs": self.macs if self.totals else None,
            "macs_dense": self.macs_dense if self.layers else None,
            "effective_macs_per_cycle": self.effective_macs_per_cycle,
            "clock_mhz": self.config.clock_mhz,
            "inferences_per_second": self.inferences_per_second,
            "bytes_read": self.bytes_read, "bytes_written": self.bytes_written,
            "counters": dict(self.totals),
            "placement": self.placement.json() if self.placement else None,
            "traffic": self.traffic.json() if self.traffic else None,
            "timeline": self.timeline.json() if self.timeline else None,
            "layers": [layer.json() for layer in self.layers],
            "answers": [{"sample": sample.name, "cycles": sample.cycles,
                         "seconds": sample.seconds, "bytes_different": sample.different,
                         **sample.answer.json()} for sample in self.samples],
        }
