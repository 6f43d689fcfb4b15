"""Campaigns of ONNX networks, and their account."""

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
from tb.fuzz.base_campaign import BaseCampaign, Failure, Refused
from tb.fuzz.check import MEMORY
from tb.fuzz.onnx.case import Case
from tb.fuzz.onnx.check import Outcome, check
from tb.fuzz.onnx.shrink import shrink

__all__ = ["Campaign", "page"]

_INTRODUCTION = """# Random ONNX networks

`make fuzz-onnx N=5000` draws convolutional networks of every operator that
[operators.md](operators.md) lists, in opsets 8 to the newest, in odd sizes, with branches,
residuals and several heads: float ones, which `sw.quantize` makes int8, and ones of
QuantizeLinear/DequantizeLinear pairs or QLinear operators with random scales. Each is imported,
compiled for one of the chips of [fuzz.md](fuzz.md) and run. Golden = machine (some: = RTL) in every
byte of the outputs, and every rounded tensor of the golden model is within 1 of ONNX Runtime's for
the same inputs. The host may only run what operators.md doesn't claim, and refusals must be
expected ones; both are counted below.

A case follows from its name: `python -m tb.fuzz.onnx --case base-17`. One that fails is shrunk to
the few nodes that matter and saved in `build/fuzz/onnx` with the command that runs it again; the
exit code is then 1. `make test` runs 80, `make test-all` 200.

This page is made by `python -m tb.fuzz.onnx --page bench/onnx_fuzz.json`.

## Last campaign

"""
_SMALL = ("tiny", "least")  # chips that are simulated as RTL too
_SAID = ("QuantizeLinear", "DequantizeLinear", "Constant")  # say how, and compute nothing


@dataclass(kw_only=True)
class Campaign(BaseCampaign):
    """Of ONNX networks.

    Parameters
    ----------
    rtl : int
        Of the cases on small chips one in so many runs on the RTL in place of the machine; 0: none.
    """

    module = "tb.fuzz.onnx"
    suffix = ".onnx"
    kind = Case
    rtl: int = 0
    folder: Path = Path("build/fuzz/onnx")

    def __post_init__(self) -> None:
        self.counts = Counter(cases=0, rtl=0, host_only=0, unjudged=0, compared=0, one_off=0)
        self.refused: Counter[str] = Counter()
        self.groups = {name: Counter[str]() for name in ("chip", "form", "opset")}
        self.operators: dict[str, Counter[str]] = {}
        self.reasons: Counter[str] = Counter()
        self._verilog: dict[str, str] = {}

    def done(self) -> int:
        return self.counts["cases"]

    def state(self) -> str:
        return (f"{self.refused.total()} refused, {len(self.operators)} operators, "
                f"{self.counts['compared']:,} values compared")

    def smaller(self, case: Case, fails: Callable[[Case], bool]) -> Case:
        return shrink(case, fails, seconds=self.shrink_seconds)

    def save(self, case: Case, path: Path, **more: str) -> None:
        case.save(path)

    def one(self, case: Case) -> Outcome | None:
        """Check a case; None if it is refused or fails."""
        simulated = self._simulated(case)
        transport = self._rtl if simulated else MachineTransport
        try:
            outcome = check(case, transport)
        except Refused as refused:
            self.refused[refused.reason] += 1
            return None
        except Failure as failure:
            self.failed(case, failure, lambda smaller: check(smaller, transport),
                        " --rtl 1" if simulated else "")
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


def _label(node: onnx.NodeProto) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def page(account: dict[str, Any]) -> str:
    """An account as Markdown."""
    rate = account["cases"] / max(account["seconds"], 1e-9)
    share = account["one_off"] / max(account["compared"], 1)
    text = (f"{_INTRODUCTION}`{account['command']}`, commit {account['commit']}:\n"
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
