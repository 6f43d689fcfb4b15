"""A run as one self-contained HTML page."""

from collections.abc import Iterable
from html import escape

from sw.report import plots
from sw.report.figures import STALLS
from sw.report.summary import Summary

__all__ = ["page"]

_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1320px;
  padding: 0 1rem; color: #1d1d1f; background: white }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem }
p.lead { color: #555; margin-top: 0 }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 1rem }
dl div { background: #f6f6f4; border-radius: 8px; padding: .7rem .9rem }
dt { color: #555; font-size: .8rem } dd { margin: 0; font-size: 1.25rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .82rem; width: 100% }
th, td { padding: .25rem .5rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e5e5e3 }
th { color: #555; font-weight: 600 } .left { text-align: left }
td.name { max-width: 16rem; overflow: hidden; text-overflow: ellipsis }
tr.host td { color: #8a5a00; background: #fff8ea } tr.total td { font-weight: 600 }
svg { width: 100%; max-width: 1100px; height: auto } .note { color: #555; font-size: .85rem }
"""


def _cells(values: Iterable[object], tag: str = "td", left: int = 4) -> str:
    parts = []
    for index, value in enumerate(values):
        text = f"{value:,}" if isinstance(value, int) else escape(str(value))
        kind = ' class="left name"' if index < left else ""
        title = f' title="{text}"' if index < left and tag == "td" else ""
        parts.append(f"<{tag}{kind}{title}>{text}</{tag}>")
    return "".join(parts)


def _figures(summary: Summary) -> str:
    config = summary.config
    entries = [
        ("cycles, one inference", f"{summary.cycles or 0:,}"),
        ("ideal cycles", f"{summary.ideal_cycles:,}"),
        (f"inferences/s at {config.clock_mhz} MHz", f"{summary.inferences_per_second or 0:,.0f}"),
        (f"of {config.macs_per_cycle} MAC/cycle issued", f"{summary.utilization or 0:.1%}"),
        ("dense MAC/cycle", f"{summary.effective_macs_per_cycle or 0:.1f}"),
        ("bytes read", f"{summary.bytes_read or 0:,}"),
        ("bytes written", f"{summary.bytes_written or 0:,}"),
    ]
    if summary.traffic is not None:
        entries += [(f"{what}, bytes", f"{size:,}") for what, size in summary.traffic.lines()]
    if summary.mismatches is not None:
        exact = len(summary.samples) - summary.mismatches
        entries.append(("samples equal to the reference", f"{exact} of {len(summary.samples)}"))
    return "<dl>" + "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
                            for name, value in entries) + "</dl>"


def _layers(summary: Summary) -> str:
    headings = ["#", "layer", "operator", "unit", "cycles", "ideal", "of peak", "MACs issued",
                "skipped", "read B", "written B", "DRP", "issue", *STALLS]
    rows = [f"<tr>{_cells(headings, 'th')}</tr>"]
    for number, layer in enumerate(summary.layers, 1):
        names = [number, layer.name, layer.operator, layer.unit]
        if layer.seconds is not None:
            rows.append(f'<tr class="host">{_cells(names)}'
                        f'<td colspan="{len(headings) - 4}" class="left">on the host, '
                        f"{1e3 * layer.seconds:.2f} ms, not in the cycles</td></tr>")
            continue
        use = layer.utilization(summary.config)
        rows.append("<tr>" + _cells([
            *names, layer.cycles, layer.ideal_cycles,
            "" if use is None else f"{use:.0%}", layer.macs, layer.macs_skipped,
            layer.bytes_read, layer.bytes_written, "" if layer.drp is None else layer.drp,
            layer.issued, *layer.stalls.values()]) + "</tr>")
    sums = [sum(layer.issued for layer in summary.layers),
            *(sum(layer.stalls.get(cause, 0) for layer in summary.layers) for cause in STALLS)]
    rows.append('<tr class="total">' + _cells([
        "", "total", "", "", summary.cycles or 0, summary.ideal_cycles,
        f"{summary.utilization or 0:.0%}", summary.macs,
        sum(layer.macs_skipped for layer in summary.layers), summary.bytes_read or 0,
        summary.bytes_written or 0, sum(layer.drp or 0 for layer in summary.layers), *sums])
        + "</tr>")
    return f'<div class="scroll"><table>{"".join(rows)}</table></div>'


def _placement(summary: Summary) -> str:
    """What the host runs; nothing if it runs nothing."""
    placement = summary.placement
    host = [place for place in placement.grouped() if place.unit == "host"] if placement else []
    if placement is None or not host:
        return ""
    headings = ["layer", "operator", "alike", "MACs", "bytes across", "ms", "why"]
    rows = [f"<tr>{_cells(headings, 'th', 2)}</tr>"]
    rows += [f"""<tr{' class="host"' if place.between else ''}>""" + _cells([
        place.names[0], place.operator, len(place.names), place.macs, place.bytes,
        f"{1e3 * (place.seconds or 0.0):.2f}"], left=2)
        + f'<td class="left" style="white-space: normal">{escape(place.why)}</td></tr>'
        for place in host]
    notes = "".join(f'<p class="note">{escape(line)}</p>' for line in placement.summary())
    return (f'<h2>On the host</h2><div class="scroll"><table>{"".join(rows)}</table></div>{notes}')


def _chains(summary: Summary) -> str:
    """Layers that take turns, and what that saves; nothing if none do."""
    chains = summary.traffic.chains if summary.traffic else ()
    if not chains:
        return ""
    headings = ["first", "last", "layers", "bytes not written and read"]
    rows = [f"<tr>{_cells(headings, 'th', 2)}</tr>"]
    rows += ["<tr>" + _cells([chain.layers[0], chain.layers[-1], len(chain.layers), chain.saved],
                             left=2) + "</tr>" for chain in chains]
    return ('<h2>Chains: layers that take turns strip by strip</h2><div class="scroll"><table>'
            f'{"".join(rows)}</table></div>')


def _timeline(summary: Summary) -> str:
    """Units over time; nothing where that isn't known."""
    line = summary.timeline
    if line is None:
        return ""
    whose = "" if line.engine == summary.engine else (
        f" As the {line.engine} engine times it: {line.cycles:,} cycles; {summary.engine} measured "
        f"{summary.cycles or 0:,}.")
    return (f"""<h2>Units over time</h2>
{plots.timeline(summary)}
<p class="note">A span is from when a unit takes an instruction, or is through with the one before,
until all effects of it are done; neighbours of one layer or kernel are one.{escape(whose)} All
spans, with their names, are in <code>--json</code>.</p>""")


def _samples(summary: Summary) -> str:
    rows = [f"<tr>{_cells(['sample', 'answer', 'cycles'], 'th', 2)}</tr>"]
    rows += [f"<tr>{_cells([item.name, item.answer.text, item.cycles or 0], left=2)}</tr>"
             for item in summary.samples]
    return f'<div class="scroll"><table>{"".join(rows)}</table></div>'


def page(summary: Summary) -> str:
    """The page's HTML; it needs nothing beside itself."""
    config = summary.config
    title = f"{summary.network} on {config.name}"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} – Sentei</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="lead">Sentei, engine {escape(summary.engine)}, configuration digest
0x{config.digest():08x}, DRAM {config.dram_bytes} bytes/cycle with {config.dram_latency} cycles
latency. Figures are of the slowest of {len(summary.samples)} samples.</p>
{_figures(summary)}
<h2>Layers</h2>
{_layers(summary)}
<p class="note">The last five columns are cycles without a weight row issued, by what was awaited:
accumulators to drain, weights, activation words, another unit's semaphore, or work at all. Layers
overlap: what happens between the end of one and the end of the next counts for the next; DRP is
for how long its kernels were under way, which may be beside other layers. Issued MACs may exceed
the layer's where lanes are padded.</p>
{_chains(summary)}
{_placement(summary)}
<h2>Where the cycles go</h2>
{plots.stalls(summary)}
{_timeline(summary)}
<h2>Roofline</h2>
{plots.roofline(summary)}
<p class="note">A hollow point above the roof is a layer that skipping makes faster than a dense
array of this size could be. The numbers are those of the table.</p>
<h2>Samples</h2>
{_samples(summary)}
</body></html>
"""
