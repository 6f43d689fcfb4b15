"""Runs cases one after the other, shrinks and saves what fails, and keeps the account."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from golden.external import External
from sw.engines.machine import MachineTransport
from sw.engines.rtl.builder import build, generate_verilog
from sw.engines.rtl.engine import RtlTransport
from tb.fuzz.check import MEMORY, Failure
from tb.fuzz.chips import CHIPS
from tb.fuzz.onnx.case import Case
from tb.fuzz.onnx.check import Outcome, Refused, check
from tb.fuzz.onnx.shrink import shrink

__all__ = ["Campaign", "table"]

_REPORT_SECONDS = 15
_SMALL = ("tiny", "least")  # chips that are simulated as RTL too
_SAID = ("QuantizeLinear", "DequantizeLinear", "Constant")  # say how, and compute nothing


@dataclass
class Campaign:
    """A number of cases.

    Parameters
    ----------
    chips : tuple of str
        Of `CHIPS`; cases take turns.
    rtl : int
        Of the cases on small chips one in so many runs on the RTL in place of the machine; 0: none.
    folder : Path
        Where failing cases are saved.
    most_failures : int
        The campaign ends after this many.
    shrink_seconds : float
        Spent on each.
    tell : callable
        Told lines of progress.

    Members
    -------
    failures : list of dict
        Case, kind, text, file and command of each.
    """

    chips: tuple[str, ...] = tuple(CHIPS)
    rtl: int = 0
    folder: Path = Path("build/fuzz/onnx")
    most_failures: int = 3
    shrink_seconds: float = 60
    tell: Callable[[str], None] = print

    def __post_init__(self) -> None:
        self.failures: list[dict[str, str]] = []
        self.counts = Counter(cases=0, rtl=0, host_only=0, unjudged=0, compared=0, one_off=0)
        self.refused: Counter[str] = Counter()
        self.groups = {name: Counter[str]() for name in ("chip", "form", "opset")}
        self.operators: dict[str, Counter[str]] = {}
        self.reasons: Counter[str] = Counter()
        self.seconds = 0.0
        self._verilog: dict[str, str] = {}

    def run(self, count: int, first: int) -> None:
        """Check ``count`` cases from number ``first`` on; refused ones don't count.

        An interrupt ends the campaign early.
        """
        started = reported = time.monotonic()
        number = first
        try:
            while self.counts["cases"] < count and len(self.failures) < self.most_failures:
                self.one(Case.draw(self.chips[number % len(self.chips)], number))
                number += 1
                self.seconds = time.monotonic() - started
                if time.monotonic() - reported > _REPORT_SECONDS:
                    reported = time.monotonic()
                    self.tell(self._progress(count))
        except KeyboardInterrupt:
            self.tell("interrupted: the account is of what was compared")
        self.tell(self._progress(count))

    def one(self, case: Case) -> Outcome | None:
        """Check a case; None if it is refused or fails."""
        simulated = self._simulated(case)
        try:
            outcome = check(case, self._rtl if simulated else MachineTransport)
        except Refused as refused:
            self.refused[refused.reason] += 1
            return None
        except Failure as failure:
            self._failed(case, failure, simulated)
            return None
        self.counts["cases"] += 1
        self.counts["rtl"] += simulated
        self.counts["host_only"] += not outcome.on_chip
        self.counts["unjudged"] += not outcome.judged
        exact = [item for item in outcome.differences if item.exact]
        self.counts["compared"] += sum(item.compared for item in exact)
        self.counts["one_off"] += sum(item.different for item in exact)
        opset = next(item.version for item in case.model.opset_import if not item.domain)
        for name, label in (("chip", case.chip), ("opset", str(opset)), ("form", case.form)):
            self.groups[name][label] += 1
        self._placed(outcome)
        return outcome

    def account(self) -> dict[str, Any]:
        """Everything about the campaign, for JSON."""
        groups = {name: dict(sorted(counts.items(), key=lambda item: (len(item[0]), item)))
                  for name, counts in self.groups.items()}
        return {**self.counts, "mismatches": len(self.failures),
                "seconds": round(self.seconds, 1), "failures": self.failures,
                "refused": dict(self.refused.most_common()), **groups,
                "operators": {name: dict(sorted(self.operators[name].items()))
                              for name in sorted(self.operators)},
                "reasons": dict(self.reasons.most_common())}

    def _simulated(self, case: Case) -> bool:
        number = int(case.name.rpartition("-")[2])
        return bool(self.rtl) and case.chip in _SMALL and not (
            number // len(self.chips)) % self.rtl

    def _rtl(self, config):
        if config.name not in self._verilog:
            self._verilog[config.name] = generate_verilog(config)
            build(self._verilog[config.name], config.group)
        return RtlTransport(config, memory_bytes=MEMORY, verilog=self._verilog[config.name])

    def _placed(self, outcome: Outcome) -> None:
        """Count operators by where they run."""
        total = Counter(_label(node) for node in outcome.source.graph.node
                        if node.op_type not in _SAID)
        host: Counter[tuple[str, str]] = Counter()
        for node in outcome.imported.graph.nodes:
            if isinstance(node.attrs, External):
                for op, _, why in node.attrs.parts:
                    host[op, "host" if why else "joined"] += 1
        for reason in outcome.reasons:
            self.reasons[reason] += 1
        for label, count in total.items():
            op = label.rpartition(".")[2]
            found = self.operators.setdefault(label, Counter(chip=0, host=0, joined=0))
            for place in ("host", "joined"):
                found[place] += host[op, place]
            found["chip"] += count - host[op, "host"] - host[op, "joined"]

    def _failed(self, case: Case, failure: Failure, simulated: bool) -> None:
        self.tell(f"FAILS {case.name}: {failure}\n{case}\nshrinking")
        last = failure

        def fails(candidate: Case) -> bool:
            nonlocal last
            try:
                check(candidate, self._rtl if simulated else MachineTransport)
            except Refused:
                return False
            except Failure as found:
                if found.kind == failure.kind:
                    last = found
                    return True
            return False

        small = shrink(case, fails, seconds=self.shrink_seconds)
        path = self.folder / f"{case.name}.onnx"
        small.save(path)
        extra = " --rtl 1" if simulated else ""
        command = f"python -m tb.fuzz.onnx --case {path}{extra}"
        self.failures.append({"case": case.name, "kind": failure.kind, "failure": str(failure),
                              "shrunk": str(last), "file": str(path), "command": command})
        self.tell(f"shrunk: {last}\n{small}\nagain, whole:  python -m tb.fuzz.onnx --case "
                  f"{case.name}{extra}\nagain, shrunk: {command}")

    def _progress(self, count: int) -> str:
        done = self.counts["cases"]
        rate = done / max(self.seconds, 1e-9)
        left = round((count - done) / max(rate, 1e-9))
        return (f"{done} of {count} cases, {rate:.1f}/s, {left // 60}:{left % 60:02} left, "
                f"{self.refused.total()} refused, {len(self.failures)} failed, "
                f"{len(self.operators)} operators, {self.counts['compared']:,} values compared")


def _label(node: onnx.NodeProto) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def table(account: dict[str, Any]) -> str:
    """An account as Markdown."""
    rate = account["cases"] / max(account["seconds"], 1e-9)
    share = account["one_off"] / max(account["compared"], 1)
    text = (f"`{account['command']}`, commit {account['commit']}:\n"
            f"**{account['cases']} networks, {account['mismatches']} mismatches**; "
            f"{account['rtl']} of them on the RTL, the others on the machine.\n"
            f"{account['compared']:,} values of inner tensors compared with ONNX Runtime's, "
            f"{account['one_off']:,} ({share:.3%}) are 1 off, none more;\n"
            f"{account['unjudged']} networks have operators that ONNX Runtime lacks, "
            f"{account['host_only']} are for the host alone; {account['seconds']:.0f} s, "
            f"{rate:.1f} networks/s.\n\n")
    text += "".join(f"- {item['case']}: {item['failure']}; shrunk: {item['shrunk']}\n"
                    for item in account["failures"])
    text += "Refused, and not counted:\n\n"
    text += "".join(f"- {count} x {reason}\n" for reason, count in account["refused"].items())
    text += "\n| group | networks |\n|---|---|\n"
    for name in ("chip", "form", "opset"):
        cells = ", ".join(f"{label}: {count}" for label, count in account[name].items())
        text += f"| {name} | {cells} |\n"
    text += ("\n## Operators\n\n*chip*: there, or nowhere; *host*: for the reasons below; "
             "*joined*: on the host between others that are.\n\n"
             "| operator | chip | host | joined |\n|---|---|---|---|\n")
    for name, places in account["operators"].items():
        text += f"| {name} | {places['chip']} | {places['host']} | {places['joined']} |\n"
    text += "\nWhy on the host:\n\n"
    text += "".join(f"- {count} x {reason}\n" for reason, count in account["reasons"].items())
    return text
