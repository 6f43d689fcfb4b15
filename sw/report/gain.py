"""A plot of what pruning gains."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from sw.session.estimate import Estimate

__all__ = ["draw"]

_NAMED = 0.04  # of the first one's cycles: layers that the legend names


def draw(name: str, found: list[Estimate], path: Path) -> None:
    """Stacked cycles of the layers for each rate, with the speed-up over the first on top."""
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False,
                                "text.parse_math": False}):  # names may hold dollars
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        colors = matplotlib.colormaps["viridis"].resampled(max(len(found[0].layers), 2))
        labels = ["dense" if item.rate is None else f"rate {item.rate:g}" if item.rate
                  else "as it is" for item in found]
        bottom, least = [0] * len(found), _NAMED * found[0].cycles
        for index, rows in enumerate(zip(*(item.layers for item in found), strict=True)):
            heights = [row.cycles for row in rows]
            axes.bar(labels, heights, bottom=bottom, color=colors(index), width=0.65,
                     edgecolor="white", linewidth=0.4,
                     label=rows[0].name if max(heights) > least else None)
            bottom = [a + b for a, b in zip(bottom, heights, strict=True)]
        for index, item in enumerate(found):
            axes.annotate(f"{item.cycles:,}\n{found[0].cycles / max(item.cycles, 1):.2f}x",
                          (index, bottom[index]), ha="center", va="bottom")
        axes.hlines([item.ideal_cycles for item in found],
                    [index - 0.25 for index in range(len(found))],
                    [index + 0.25 for index in range(len(found))], color="black", label="ideal")
        axes.set(ylabel="cycles", title=f"{name} on {found[0].config.name}, layer by layer")
        # Margins end at bars' bottoms, which layers on the host have on top.
        axes.set_ylim(0, 1.15 * max(1, *bottom))
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles[::-1], names[::-1], loc="outside right upper", frameon=False)
        figure.savefig(path, dpi=150)
