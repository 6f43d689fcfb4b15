"""Tell which layers of a quantized network lose most against the float one, and why.

For every tensor that the quantized network rounds: decibels of signal to noise, channel by channel
and then averaged, of the tensor
  own     if nothing before it had lost anything: what this layer costs by itself
  total   in the quantized network: with what all layers before it have lost
Layers that cost most come first. What a curved function reads is judged behind it, and scores,
which end at -8 and 8 (sentei quantize --scores), behind a sigmoid. 20 dB is a tenth of the signal.
Likely causes:
  clipped range       values outside the range: other samples, or --method minmax
  coarse step         few codes for most values: a few outliers stretch the range
  channel spread      channels of very different ranges share one: --equalize, or retrain
  bias overflow       a channel's weights are coarser so that its bias fits 32 bits
  curved activation   rounding to int8 before the function costs more than after it
Nodes may be left float: sentei quantize --exclude.

Without --quantized MODEL is quantized here, on the same inputs.

examples:
  sentei debug my.onnx --quantized my_int8.onnx --inputs photos --std 255
  sentei debug my.onnx --inputs photos --method minmax --plot layers.png
"""

import argparse
import dataclasses
import json
from pathlib import Path

from rich.markup import escape

from sw.commands.inputs import add_pictures, pictures
from sw.commands.options import add_json, add_model, count, network_file, writable
from sw.commands.progress import Progress
from sw.errors import ModelError, UsageError
from sw.frontend.onnx.file import parse
from sw.quantize import Choices, float_form, input_specs, prepare, quantize, read_float
from sw.quantize.debug import Layer, layers
from sw.quantize.ranges import METHODS
from sw.quantize.samples import read_calibration
from sw.report.console import open_console, open_table
from sw.words import counted, shortened

__all__ = ["add", "execute"]



def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei debug``."""
    add_model(parser, "float .onnx or .tflite file")
    parser.add_argument("--quantized", type=Path, metavar="Q",
                        help="what sentei quantize made of it; tensors of other tools' files are "
                        "recognized by their names")
    parser.add_argument("--inputs", type=Path, required=True, metavar="DIR",
                        help="folder of pictures or .npy (one sample or many)")
    parser.add_argument("--method", choices=("auto", *METHODS),
                        help="without --quantized: how ranges are chosen (default: auto)")
    parser.add_argument("--limit", type=count, metavar="K", default=16,
                        help="only K samples, evenly from all (default: 16)")
    parser.add_argument("--worst", type=count, metavar="N", default=20,
                        help="layers to show (default: 20)")
    parser.add_argument("--plot", type=Path, metavar="FILE",
                        help="picture of all layers in order: .png, .svg or .pdf")
    add_pictures(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Compare layer by layer and print."""
    progress = Progress(plain=arguments.json)
    path = network_file(Path(arguments.model))
    if arguments.quantized:
        network_file(arguments.quantized, (".onnx",))
    if arguments.quantized and arguments.method:
        raise UsageError("--quantized and --method: accepted is one of them")
    if arguments.plot:
        writable(arguments.plot)
        if arguments.plot.suffix not in (".png", ".svg", ".pdf"):
            raise UsageError(f"--plot {arguments.plot}: accepted are .png, .svg and .pdf")
    with progress.step(f"reading {path} and {arguments.inputs}"):
        model = prepare(path, read_float(path, dict(arguments.shape)))
        samples = read_calibration(arguments.inputs, input_specs(model), pictures(arguments))
        step = max(len(samples) / arguments.limit, 1.0)
        some = [samples[int(at * step)] for at in range(min(len(samples), arguments.limit))]
    if arguments.quantized:
        quantized = parse(arguments.quantized)
    else:
        with progress.step(f"quantizing on {counted(len(samples), 'sample')}"):
            quantized = quantize(model, samples, Choices(arguments.method or "auto"),
                                 progress.update).model
    with progress.step(f"comparing on {counted(len(some), 'sample')}"):
        try:
            network = float_form(model, quantized)
        except ModelError as error:
            raise ModelError(f"{arguments.quantized}: {error}") from None
        found = layers(network, quantized, some, progress.update)
    if not found:
        raise ModelError(f"{arguments.quantized}: no QuantizeLinear reads a tensor of {path}; "
                         "accepted is a quantized form of it with the same names")
    if arguments.plot:
        order = {name: at for name, at in network.giver.items()}
        _plot(arguments.plot, sorted(found, key=lambda layer: order[layer.tensor]))
    if arguments.json:
        print(json.dumps({"network": arguments.model, "samples": len(some),
                          "layers": [dataclasses.asdict(layer) for layer in found]}, indent=1))
    else:
        _print(found, arguments.worst)
    return 0


def _print(found: list[Layer], worst: int) -> None:
    console = open_console()
    table = open_table()
    for heading in ("layer", "operator", "own", "total", "likely cause"):
        table.add_column(heading, justify="right" if heading in ("own", "total") else "left")
    for layer in found[:worst]:
        table.add_row(escape(shortened(layer.name)), layer.operator, f"{layer.own:.1f} dB",
                      f"{layer.total:.1f} dB", "; ".join(layer.causes))
    console.print(table)
    if len(found) > worst:
        console.print(f"{len(found) - worst} more lose less; --worst {len(found)} or --json shows "
                      "them", markup=False)


def _plot(path: Path, found: list[Layer]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, 0.12 * len(found)), 5.0), layout="constrained")
    axes = figure.subplots()
    places = range(len(found))
    axes.plot(places, [layer.own for layer in found], ".", label="own")
    axes.plot(places, [layer.total for layer in found], label="total")
    axes.set_xticks(places, [shortened(layer.name) for layer in found], rotation=90, fontsize=5,
                    parse_math=False)
    axes.set_ylabel("signal to noise (dB)")
    axes.set_ylim(0, None)
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
