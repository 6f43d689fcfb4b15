"""Campaigns of networks on golden, machine and RTL, and their account."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from golden.spec.program import ChipStep
from tb.fuzz.archive import save_case
from tb.fuzz.base_campaign import BaseCampaign, Failure, Refused
from tb.fuzz.case import Case
from tb.fuzz.check import Engines, Outcome, check
from tb.fuzz.chips import CHIPS
from tb.fuzz.coverage import Coverage
from tb.fuzz.observe import observe
from tb.fuzz.shrink import shrink

__all__ = ["Campaign"]


@dataclass(kw_only=True)
class Campaign(BaseCampaign):
    """Of networks on golden, machine and RTL.

    Parameters
    ----------
    engines : Engines

    Members
    -------
    coverage : Coverage
    """

    module = "tb.fuzz"
    suffix = ".json"
    kind = Case
    engines: Engines = field(default_factory=Engines)
    folder: Path = Path("build/fuzz")
    shrink_seconds: float = 120

    def __post_init__(self) -> None:
        self.coverage = Coverage({name: CHIPS[name] for name in self.chips})
        self.cases: Counter[str] = Counter()
        self.counts = Counter(refused=0, host_only=0)
        self.ratios: dict[str, list[tuple[int, float, str]]] = {name: [] for name in self.chips}

    def run(self, count: int, first: int) -> None:
        """As the base's; networks that the host runs alone don't count either."""
        for chip in self.chips:
            self.tell(f"chip {chip}: building its simulator if the cache has none")
            self.engines.prepare(chip)
        super().run(count, first)

    def done(self) -> int:
        return self.cases.total()

    def state(self) -> str:
        hit = self.coverage.summary()
        return f"{self.counts['refused']} refused, coverage {hit[0]} of {hit[1]}"

    def smaller(self, case: Case, fails: Callable[[Case], bool]) -> Case:
        return shrink(case, fails, seconds=self.shrink_seconds)

    def save(self, case: Case, path: Path, **more: str) -> None:
        save_case(case, path, **more)

    def one(self, case: Case) -> Outcome | None:
        """Check a case; None if it is refused or fails."""
        try:
            outcome = check(case, self.engines)
        except Refused:
            self.counts["refused"] += 1
            return None
        except Failure as failure:
            self.failed(case, failure, lambda smaller: check(smaller, self.engines))
            return None
        if not any(isinstance(step, ChipStep) for step in outcome.program.steps):
            self.counts["host_only"] += 1
            return outcome
        self.coverage.add(observe(case, outcome))
        self.cases[case.chip] += 1
        self.counts["runs"] += len(outcome.rtl)
        self.counts["operators"] += len(case.graph.nodes)
        # Those the chip ran in passes of their own: not what was fused, a view, or the host's.
        self.counts["chip_layers"] += len({row["name"] for row in outcome.program.layers
                                           if row["unit"] == "mac"})
        self.counts["bytes"] += sum(array.size for run in outcome.rtl
                                    for array in run.outputs.values())
        for found, told in zip(outcome.rtl, outcome.machine, strict=True):
            self.counts["cycles"] += found.cycles
            if not case.stall_percent:  # the machine knows no stalls
                self.ratios[case.chip].append(
                    (found.cycles, told.cycles / found.cycles, case.name))
        return outcome

    def account(self) -> dict[str, Any]:
        """Everything about the campaign, for JSON."""
        hit, total = self.coverage.summary()
        return {
            "cases": self.cases.total(), "mismatches": len(self.failures), **self.counts,
            "seconds": round(self.seconds, 1), "failures": self.failures,
            "chips": {name: {
                "cases": self.cases[name], "configuration": CHIPS[name].hardware(),
                "verilog": hashlib.sha256(
                    self.engines.verilog.get(name, "").encode()).hexdigest()[:16],
                "machine_over_rtl": _distribution(self.ratios[name])} for name in self.chips},
            "points_hit": hit, "points": total, "holes": self.coverage.holes(),
            "coverage": self.coverage.hits}


def _distribution(runs: list[tuple[int, float, str]]) -> dict[str, Any]:
    """Of machine over RTL cycles: quantiles, how many are equal or near, the worst ones."""
    if not runs:
        return {"runs": 0}
    cycles = np.array([run[0] for run in runs])
    ratio = np.array([run[1] for run in runs])
    ordered = sorted(runs, key=lambda run: run[1])
    long = ratio[cycles >= 1000]
    quantiles = {f"p{q}": round(float(np.percentile(ratio, q)), 4)
                 for q in (0, 1, 5, 25, 50, 75, 95, 99, 100)}
    return {"runs": len(ratio), **quantiles,
            "equal": round(float((ratio == 1).mean()), 4),
            "within_1_percent": round(float((abs(ratio - 1) <= 0.01).mean()), 4),
            "within_2_percent": round(float((abs(ratio - 1) <= 0.02).mean()), 4),
            "within_5_percent": round(float((abs(ratio - 1) <= 0.05).mean()), 4),
            "runs_of_1000_cycles": len(long),
            "of_these_within_5_percent": round(float((abs(long - 1) <= 0.05).mean()), 4)
            if len(long) else None,
            "lowest": [f"{name}: {value:.3f} of {count}" for count, value, name in ordered[:3]],
            "highest": [f"{name}: {value:.3f} of {count}" for count, value, name in ordered[-3:]]}
