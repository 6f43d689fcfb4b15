"""Reports of builds: read, shown, compared."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from sw.errors import UsageError

__all__ = ["KINDS", "bitstream", "compare", "dsp_registers", "fastest", "proof", "read", "show",
           "unmet"]

KINDS = ("lut4", "ff", "dsp", "ebr")
_FIELDS = ("board", "preset", "digest", "verilog_sha256", "macs_per_cycle", "seeds",
           "clock_mhz_target", "clock_mhz", "timing_met", *KINDS, "dsp_registers",
           "blocks", "critical_path")


def read(path: Path) -> dict:
    """The report of a build's folder, or of a file.

    Raises
    ------
    UsageError
        If it isn't one.
    """
    path = path / "report.json" if path.is_dir() else path
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: can't be read as a report: {error}; accepted is a folder that "
                         "sentei fpga build wrote, or its report.json") from None
    missing = [name for name in _FIELDS if not isinstance(found, dict) or name not in found]
    if missing:
        raise UsageError(f"{path}: no report of sentei fpga build: {missing[0]} is missing")
    return found


def bitstream(build: Path) -> Path:
    """The bitstream in a build's folder.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = build / "top.bit"
    if not path.is_file():
        raise UsageError(f"{path} is missing; accepted is a folder that sentei fpga build wrote")
    return path


def show(console: Console, report: Mapping) -> None:
    """A build as text: use of the device, by block, clock by seed, critical path."""
    clock = report["clock_mhz"]
    console.print(
        f"{report['board']}, preset {report['preset']}, digest {report['digest']}: "
        f"{clock['median']:g} MHz (median of {len(report['seeds'])} seeds, best "
        f"{clock['best']:g}), wanted {report['clock_mhz_target']:g}: timing "
        f"{'met' if report['timing_met'] else 'not met'}", highlight=False, soft_wrap=True)
    for seed, why in report.get("failed_seeds", {}).items():
        console.print(f"seed {seed} failed: {why}", highlight=False, markup=False)
    table = _table("block", *KINDS)
    for name, row in report["blocks"].items():
        table.add_row(name or "rest", *(f"{row[kind]:,}" for kind in KINDS))
    table.add_section()
    table.add_row("used", *(f"{report[kind]['used']:,}" for kind in KINDS))
    table.add_row("of", *(f"{report[kind]['available']:,}" for kind in KINDS))
    table.add_row("", *(f"{report[kind]['used'] / report[kind]['available']:.1%}"
                        for kind in KINDS))
    console.print(table)
    console.print(proof(report), highlight=False)
    console.print(f"registers of the DSP blocks in use: {dsp_registers(report)}\n",
                  highlight=False)
    table = _table("critical path", "logic ns", "routing ns", "at x, y")
    for step in report["critical_path"]:
        table.add_row(step["at"], f"{step['logic_ns']:.2f}", f"{step['routing_ns']:.2f}",
                      "{}, {}".format(*step["location"]))
    console.print(table)


def unmet(report: Mapping) -> str:
    """Why timing isn't met."""
    failed = report.get("failed_seeds", {})
    return (f"the median of the clocks{', failed seeds as 0,' if failed else ''} is below "
            f"{report['clock_mhz_target']:g} MHz")


def dsp_registers(report: Mapping) -> str:
    """How many of the multipliers hold their operands, and their product, in the block."""
    found = report["dsp_registers"].values()
    return ", ".join(f"{kind} in {sum(kind in used for used in found)} of {len(found)}"
                     for kind in ("operands", "product"))


def fastest(seeds: Sequence[dict]) -> dict:
    """That of a report's seeds which the bitstream is of."""
    return max(seeds, key=lambda item: item["clock_mhz"])


def proof(report: Mapping) -> str:
    """Whether the bitstream was held against the netlist: earlier reports say nothing of it."""
    found = report.get("verified")
    if not found:
        return "bitstream not held against the netlist"
    return (f"bitstream decoded: all of {found['cells']:,} cells and {found['pins']:,} pins are "
            "the netlist's")


def compare(console: Console, before: Mapping, after: Mapping) -> None:
    """Two builds side by side."""
    table = _table("", f"{before['board']} {before['preset']}",
                   f"{after['board']} {after['preset']}", "change")
    rows: list[tuple[str, float, float]] = [
        (f"{which} clock, MHz", before["clock_mhz"][which], after["clock_mhz"][which])
        for which in ("median", "best")]
    rows += [(kind, before[kind]["used"], after[kind]["used"]) for kind in KINDS]
    rows += [(f"lut4 of {name or 'the rest'}", before["blocks"].get(name, {}).get("lut4", 0),
              after["blocks"].get(name, {}).get("lut4", 0))
             for name in {**after["blocks"], **before["blocks"]}]
    for name, old, new in rows:
        change = f"{new / old - 1:+.1%}" if old else ("new" if new else "")
        table.add_row(name, f"{old:,}", f"{new:,}", change)
    console.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
