"""A build's report as one page."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from fpga.report import KINDS, dsp_registers, proof

__all__ = ["page"]

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em;
       color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
.bar { background: #4e79a7; height: .7em; display: inline-block; vertical-align: middle }
.no { color: #c0392b } .yes { color: #27803b } img { max-width: 100% } code { font-size: 90% }
"""


def page(report: Mapping, picture: Path | None) -> str:
    """HTML that needs no other file.

    Parameters
    ----------
    report : mapping
        Of a build.
    picture : Path or None
        Its floorplan, PNG.
    """
    clock = report["clock_mhz"]
    met = report["timing_met"]
    parts = [
        f"<h1>{escape(report['board'])}: preset {escape(report['preset'])}</h1>",
        (f"<p><b>{clock['median']:g} MHz</b>, the median of {len(report['seeds'])} "
        f"placements, best {clock['best']:g}; wanted {report['clock_mhz_target']:g}: "
        f"<b class={'yes' if met else 'no'}>timing {'met' if met else 'not met'}</b>. "
        f"{report['macs_per_cycle']} MAC a cycle; digest <code>{report['digest']}</code>.</p>"),
        _table(("", "used", "of", "", ""), (
            (kind.upper(), f"{report[kind]['used']:,}", f"{report[kind]['available']:,}",
             f"{report[kind]['used'] / report[kind]['available']:.1%}",
             _bar(report[kind]["used"] / report[kind]["available"])) for kind in KINDS)),
        "<h2>By block</h2>",
        _table(("block", *(kind.upper() for kind in KINDS), ""), (
            (escape(name or "rest"), *(f"{row[kind]:,}" for kind in KINDS),
             _bar(row["lut4"] / report["lut4"]["available"]))
            for name, row in report["blocks"].items())),
        f"<p>Registers of the DSP blocks in use: {dsp_registers(report)}.</p>",
        f"<p>{proof(report).capitalize()}.</p>"]
    if picture is not None:
        data = base64.b64encode(picture.read_bytes()).decode()
        parts.append(f'<h2>Floorplan</h2><img alt="blocks on the device" '
                     f'src="data:image/png;base64,{data}">')
    parts += [
        "<h2>Critical path</h2>",
        _table(("at", "logic ns", "routing ns", "x, y"), (
            (escape(step["at"]), f"{step['logic_ns']:.2f}", f"{step['routing_ns']:.2f}",
             "{}, {}".format(*step["location"])) for step in report["critical_path"])),
        "<h2>Placements</h2>",
        _table(("seed", "MHz", "seconds"), (
            (str(item["seed"]), f"{item['clock_mhz']:g}", f"{item['seconds']:,}")
            for item in report["seeds"])),
        *(f"<p>Seed {seed} failed: {escape(why)}</p>"
          for seed, why in report.get("failed_seeds", {}).items()),
        *_placings(report["seeds"]),
        "<h2>Tools</h2>",
        _table(("tool", "version"), ((escape(name), escape(version))
                                     for name, version in report["tools"].items())),
        (f"<p>{report['seconds']:,} seconds, {report['memory_mb']:,} MB in the largest program. "
        f"Verilog SHA-256 <code>{report['verilog_sha256']}</code>.</p>")]
    return (f"<!doctype html><meta charset=utf-8><title>{escape(report['board'])}</title>"
            f"<style>{_STYLE}</style>" + "\n".join(parts) + "\n")


def _placings(seeds: Sequence[Mapping]) -> list[str]:
    """How placements came about, if nextpnr didn't make them."""
    found = [(item["seed"], item.get("placings", 1), item["placing"],
              item["placing"]["annealing"]) for item in seeds if item.get("placing")]
    if not found:
        return []
    return ["<h2>Annealing of the placements</h2>",
            _table(("seed", "placed so often", "wire in x, tiles", "wire in y", "greatest density",
                    "buffers", "seconds"), (
                (str(seed), str(often), *(f"{before:,} → {after:,}" for before, after in zip(
                    annealing["wire_before"], annealing["wire_after"], strict=True)),
                 f"{annealing['density_before']:g} → {annealing['density_after']:g}",
                 f"{placing['buffers']:,}", f"{placing['seconds']:,}")
                for seed, often, placing, annealing in found))]


def _bar(share: float) -> str:
    return f'<span class=bar style="width:{min(share, 1) * 12:.2f}em"></span>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{value}</td>" for value in row) + "</tr>" for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"
