"""Plots of a run as SVG text: stalls, time line, roofline."""

import io
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sw.report.figures import STALLS, UNITS, LayerFigures
from sw.report.summary import Summary
from sw.words import shortened

__all__ = ["roofline", "stalls", "timeline"]

_COLORS = {"issue": "#2a7f62", "drain": "#e0a458", "weights": "#c8553d", "words": "#588b8b",
           "semaphore": "#8d6a9f", "idle": "#c9c9c9"}
_UNIT_COLORS = {"load": "#c8553d", "mac": "#2a7f62", "store": "#3b6ea5"}
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
    """How busy each unit was between one layer's end and the next one's."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _figure(2.6)
        for row, (unit, counter) in enumerate(UNITS.items()):
            for span in summary.spans:
                length = span.end - span.start
                if length <= 0:
                    continue
                share = min(1.0, span.counters[counter] / length)
                axes.barh(row, length, left=span.start, height=0.8, color="#f2f2f2",
                          edgecolor="white", linewidth=0.6)
                axes.barh(row + 0.4 - 0.4 * share, length, left=span.start, height=0.8 * share,
                          color=_UNIT_COLORS[unit], edgecolor="white", linewidth=0.6)
        axes.set_yticks(range(len(UNITS)), list(UNITS))
        axes.invert_yaxis()
        axes.margins(x=0)
        axes.set_xlabel("cycles; the filled part of a cell is the share in which the unit was "
                        "busy, a cell ends with a layer")
        return _svg(figure)


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
