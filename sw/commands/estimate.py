"""Tell what pruning would gain, before any training.

Cycles, inferences per second and bytes of a network: with every weight issued (dense), as it is,
and with N = round(M (1 - rate)) weights left in every block, by magnitude. The program is compiled
and counted by the machine engine, which knows the chip's timing; results and accuracy are another
matter (sentei prune, sentei evaluate).

examples:
  sentei estimate resnet8
  sentei estimate my.tflite --prune 0.5,0.75 --plot gain.png
  sentei estimate vww --preset ulx3s_85f --json
"""

import argparse
import json
from pathlib import Path

from rich.markup import escape

from sw.commands.options import add_chip, add_json, add_model, chip, numbers, writable
from sw.commands.progress import Progress
from sw.errors import UsageError
from sw.prune.rate import rows_at
from sw.report.console import open_console, open_table
from sw.session import open_model
from sw.session.estimate import Estimate, bound, estimate

__all__ = ["add", "execute"]

_PLOTS = (".png", ".svg", ".pdf")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei estimate``."""
    add_model(parser, ".tflite or .onnx file, or name of the zoo")
    parser.add_argument("--prune", type=numbers, default=(0.0, 0.5, 0.75, 0.9), metavar="R,...",
                        help="rates, 0 is the network as it is (default: 0,0.5,0.75,0.9)")
    parser.add_argument("--plot", type=Path, metavar="FILE",
                        help=f"draw cycles by rate and layer ({', '.join(_PLOTS)})")
    add_chip(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Estimate every rate, print and plot."""
    plot = arguments.plot
    if plot:
        if plot.suffix.lower() not in _PLOTS:
            raise UsageError(f"--plot {plot}: accepted is a file named {', '.join(_PLOTS)}")
        writable(plot, "--plot ")
    progress = Progress(plain=arguments.json)
    config = chip(arguments)
    for rate in arguments.prune:
        rows_at(config, rate)
    model = open_model(arguments.model, dict(arguments.shape))
    if model.graph is None:
        raise UsageError(f"{model.path}: estimate needs the model itself, not a compiled program")
    found = []
    for rate in (None, *dict.fromkeys(arguments.prune)):
        with progress.step("estimating dense" if rate is None else f"estimating rate {rate:g}"):
            found.append(estimate(model.graph, config, rate))
    dense = found[0]
    if arguments.json:
        print(json.dumps({"network": model.name, "preset": config.name,
                          "clock_mhz": config.clock_mhz,
                          "rates": [item.json(dense) for item in found]}, indent=1))
    else:
        _print(found)
    if plot:
        from sw.report.gain import draw  # matplotlib is slow to import

        draw(model.name, found, plot)
        if not arguments.json:
            print(f"plot in {plot}")
    return 0


def _name(item: Estimate) -> str:
    return "dense" if item.rate is None else "as it is" if not item.rate else f"{item.rate:g}"


def _print(found: list[Estimate]) -> None:
    console = open_console()
    dense = found[0]
    layers = open_table()
    layers.add_column("layer", overflow="fold", max_width=34)
    for item in found:
        layers.add_column(_name(item), justify="right", no_wrap=True)
        layers.add_column("bound", no_wrap=True, style="dim")
    for rows in zip(*(item.layers for item in found), strict=True):
        cells = [text for row in rows for text in (f"{row.cycles:,}" if row.cycles else "",
                                                   bound(row))]
        layers.add_row(escape(rows[0].name), *cells)
    console.print(layers)
    totals = open_table()
    for heading in ("rate", "N", "cycles", "ideal", "speed-up", "inferences/s", "bytes"):
        totals.add_column(heading, justify="left" if heading == "rate" else "right")
    for item in found:
        rows_left = "" if not item.rate else str(rows_at(item.config, item.rate))
        totals.add_row(_name(item), rows_left, f"{item.cycles:,}", f"{item.ideal_cycles:,}",
                       f"{dense.cycles / item.cycles:.2f}x" if item.cycles else "",
                       f"{item.inferences_per_second:,.0f}", f"{item.bytes:,}")
    console.print(totals)
    host = [row.name for row in dense.layers if row.unit == "host"]
    if host:
        console.print(f"without the host's time for {', '.join(host)}", markup=False)
