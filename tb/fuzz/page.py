"""An account of a campaign as text and as a page."""

from typing import Any

__all__ = ["page", "table"]

# Points that can't be hit today, and why.
REASONS = {
    "rows of the last index beat: 3 of 4": "needs N = M = 4, which is packed as DENSE",
}

_INTRODUCTION = """# Random networks on the RTL

`make fuzz N=10000` draws networks, chips and memories, and holds golden = machine = RTL: every byte
of the outputs, every byte of DRAM, the exact counters (instructions, MACs, busy cycles, conflicts,
beats), and that the RTL's stall counters add up to its cycles. A quarter of the cases run twice,
the second time on what the first one left on chip. Networks that are refused, because a window does
not fit a very small scratchpad, and those that the host runs alone do not count.

A case is named `<chip>-<number>` and follows from its name alone:
`python -m tb.fuzz --case base-17`. One that fails is shrunk (fewer operators, smaller shapes, plain
parameters, as long as it fails alike) and saved in `build/fuzz` with the command that runs it
again; the exit code is then 1.

This page is made by `python -m tb.fuzz --page bench/fuzz.json`.

## Last campaign
"""


def page(account: dict[str, Any]) -> str:
    """Markdown."""
    rate = account["cases"] / max(account["seconds"], 1e-9)
    text = f"""
`{account['command']}`, commit {account['commit']}:
**{account['cases']} cases, {account['mismatches']} mismatches**.
{account['operators']} operators, of which {account['chip_layers']} are layers of their own on the
chip, {account['runs']} runs, {account['cycles']:,} RTL cycles, {account['bytes']:,} output bytes;
{account['refused']} networks refused, {account['host_only']} for the host alone (neither count),
{account['seconds']:.0f} s, {rate:.1f} cases/s.

"""
    for failure in account["failures"]:
        text += f"- {failure['case']}: {failure['failure']}; shrunk: {failure['shrunk']}\n"
    text += _cycles(account["chips"])
    text += (f"## Coverage\n\n{account['points_hit']} of {account['points']} points; beside each "
             "the number of cases that hit it.\n\n| group | hit | points |\n|---|---|---|\n")
    for name, labels in account["coverage"].items():
        hit = sum(count > 0 for count in labels.values())
        cells = ", ".join(f"{label}: {count}" for label, count in labels.items())
        text += f"| {name} | {hit} of {len(labels)} | {cells} |\n"
    text += "\n## Holes\n\n"
    for hole in account["holes"]:
        text += f"- {hole}{' (' + REASONS[hole] + ')' if hole in REASONS else ''}\n"
    return _INTRODUCTION + text


def _cycles(chips: dict[str, Any]) -> str:
    """Table of the machine's cycles over the RTL's."""
    text = ("The machine's cycles over the RTL's, random memory timings, no random stalls (which "
            "the machine does not know):\n\n| chip | L, Q, D, banks | cases | lowest | 5 % "
            "| median | 95 % | highest | equal | within 1 % |\n"
            "|---|---|---|---|---|---|---|---|---|---|\n")
    for name, chip in chips.items():
        config, ratio = chip["configuration"], chip["machine_over_rtl"]
        shape = ", ".join(str(config[key]) for key in ("lanes", "columns", "drain", "banks"))
        cells = ["-"] * 7
        if ratio["runs"]:
            cells = [f"{ratio[key]:.3f}" for key in ("p0", "p5", "p50", "p95", "p100")]
            cells += [f"{100 * ratio[key]:.1f} %" for key in ("equal", "within_1_percent")]
        text += f"| {name} | {shape} | {chip['cases']} | {' | '.join(cells)} |\n"
    return text + "\n"


def table(account: dict[str, Any]) -> str:
    """For the terminal: a line per group, then the holes."""
    lines = [f"{'coverage':32} {'hit':>10}  fewest"]
    for name, labels in account["coverage"].items():
        hit = sum(count > 0 for count in labels.values())
        lines.append(f"{name:32} {hit:4} of {len(labels):3}  {min(labels.values())}")
    lines += [f"{'all':32} {account['points_hit']:4} of {account['points']:3}", "holes:"]
    lines += [f"  {hole}" for hole in account["holes"]] or ["  none"]
    lines += [f"machine / RTL cycles, {name}: " + ", ".join(
        f"{key} {value}" for key, value in chip["machine_over_rtl"].items())
        for name, chip in account["chips"].items()]
    lines.append(f"{account['cases']} cases, {account['mismatches']} mismatches, "
                 f"{account['seconds']} s")
    return "\n".join(lines)

