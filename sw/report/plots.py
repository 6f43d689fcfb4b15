"""Plots of a run as SVG text: stalls, time line, roofline."""

import io
from collections.abc import Iterator
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sw.report.figures import STALLS, LayerFigures
from sw.report.summary import Summary
from sw.report.timeline import Span
from sw.words import shortened

__all__ = ["roofline", "stalls", "timeline"]

_COLORS = {"issue": "#2a7f62", "drain": "#e0a458", "weights": "#c8553d", "words": "#588b8b",
           "semaphore": "#8d6a9f", "idle": "#c9c9c9"}
_LANE_COLORS = {"load": "#c8553d", "array": "#2a7f62", "drp": "#8d6a9f", "store": "#3b6ea5"}
_LETTER = 0.0075  # width of one in the time line, as a share of its length
_STYLE: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
          "svg.hashsalt": "sentei", "axes.spines.top": False, "axes.spines.right": False,
          "text.parse_math": False}  # names may hold dollars


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10, height), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    with io.StringIO() as text:
        figure.savefig(text, format="svg", metadata={"Date": None})
        content = text.getvalue()
    return content[content.index("<svg"):]


def _on_chip(summary: Summary) -> list[LayerFigures]:
    return [layer for layer in summary.layers if layer.cycles]


def stalls(summary: Summary) -> str:
    """A bar a layer: cycles with a weight row issued, and the others by cause."""
    layers = _on_chip(summary)
    with matplotlib.rc_context(_STYLE):
        figure, axes = _figure(1.2 + 0.24 * len(layers))
        names = [shortened(layer.name) for layer in layers]
        rows = range(len(layers))
        left = [0] * len(layers)
        parts = {"issue": [layer.issued for layer in layers],
                 **{cause: [layer.stalls[cause] for layer in layers] for cause in STALLS}}
        for cause, widths in parts.items():
            label = "issuing" if cause == "issue" else f"waits: {cause}"
            axes.barh(rows, widths, left=left, color=_COLORS[cause], label=label, height=0.75)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        for row, layer in zip(rows, layers, strict=True):
            axes.plot([layer.ideal_cycles] * 2, [row - 0.42, row + 0.42], color="black",
                      linewidth=1.4, label="ideal" if row == 0 else None)
        axes.set_yticks(rows, names)
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.set_xlabel("cycles")
        figure.legend(frameon=False, loc="outside upper center", ncols=len(parts) + 1)
        return _svg(figure)


def timeline(summary: Summary) -> str:
    """A lane a unit: what it worked on when, all on one axis of cycles."""
    line = summary.timeline
    if line is None:
        return ""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _figure(0.9 + 0.5 * len(line.lanes))
        for row, (lane, spans) in enumerate(line.lanes.items()):
            axes.barh(row, line.cycles, height=0.8, color="#f2f2f2")
            for shade in range(2):  # neighbours differ
                axes.broken_barh([(span.start, span.end - span.start) for span in spans[shade::2]],
                                 (row - 0.4, 0.8), facecolors=_LANE_COLORS[lane],
                                 alpha=(1.0, 0.7)[shade], linewidth=0)
            for span, text in _named(spans, line.cycles):
                axes.text((span.start + span.end) / 2, row, text, ha="center", va="center",
                          fontsize=6, color="white", clip_on=True)
        axes.set_yticks(range(len(line.lanes)), list(line.lanes))
        axes.set_xlim(0, line.cycles)
        axes.invert_yaxis()
        axes.set_xlabel("cycles in which the unit had an instruction")
        return _svg(figure)


def _named(spans: list[Span], cycles: int) -> Iterator[tuple[Span, str]]:
    """Names of spans that have room for them: of a kernel, or of a layer."""
    for span in spans:
        text, room = span.kernel or span.layer, (span.end - span.start) / (cycles * _LETTER)
        if len(text) <= room:
            yield span, text
        elif room >= 4:
            yield span, text[:int(room) - 1] + "…"


def roofline(summary: Summary) -> str:
    """Dense and issued MACs a cycle over MACs a byte of DRAM traffic, below the two roofs."""
    numbered = [(number, layer) for number, layer in enumerate(summary.layers, 1)
                if layer.cycles and layer.macs and layer.macs_dense
                and layer.bytes_read + layer.bytes_written]
    numbers, layers = [item[0] for item in numbered], [item[1] for item in numbered]
    with matplotlib.rc_context(_STYLE):
        figure, axes = _figure(4.2)
        peak, bandwidth = summary.config.macs_per_cycle, summary.config.dram_bytes
        points: list[float] = []
        rates: list[float] = []
        for filled in (True, False):
            xs, ys = [], []
            for layer in layers:
                macs = layer.macs if filled else layer.macs_dense
                xs.append(macs / (layer.bytes_read + layer.bytes_written))
                ys.append(macs / layer.cycles)
            points += xs
            rates += ys
            if filled:
                for number, x, y in zip(numbers, xs, ys, strict=True):
                    axes.annotate(str(number), (x, y), (4, 3), fontsize=7,
                                  textcoords="offset points", color="#555555")
            axes.scatter(xs, ys, s=34, zorder=3, edgecolors="#2a7f62", linewidths=1.2,
                         facecolors="#2a7f62" if filled else "none",
                         label="MACs issued" if filled else "MACs of the dense layer")
        low, high = min(points, default=1.0) / 2, max(points, default=1.0) * 2
        low, high = min(low, peak / bandwidth / 2), max(high, peak / bandwidth * 4)
        axes.plot([low, peak / bandwidth, high], [low * bandwidth, peak, peak], color="black",
                  linewidth=1.2, label=f"roof: {bandwidth} bytes/cycle, {peak} MAC/cycle")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(top=2 * max(peak, *rates, 1.0))
        axes.set_xlabel("MACs a byte of DRAM traffic")
        axes.set_ylabel("MACs a cycle")
        axes.grid(True, which="major", color="#eeeeee")
        axes.legend(frameon=False, loc="lower right")
        return _svg(figure)
