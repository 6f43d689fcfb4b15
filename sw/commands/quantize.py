"""Quantize a float ONNX or TensorFlow Lite network to int8, from a few samples, without labels.

DIR holds samples as the network will see them: pictures, or .npy of one sample or many. 50 to 200
that differ are plenty; how pictures become inputs is said as for sentei run. A network of several
inputs takes a folder for each in DIR, of the input's name; one that holds a single sample gives it
to all.

Weights become int8 by channel, what flows between operators int8 as a whole, with a range chosen
from its values on the samples:
  minmax      all of them
  percentile  99.99 % of them at each end
  mse         the least squared error
  entropy     the least that is lost of their distribution
  auto        all four, with and without cross-layer equalization and bias correction; kept is what
              comes nearest to the float network on every fourth sample, which is held out
Before a curved function (SiLU, GELU) the range is the one with the least error behind it. Where 8
bits lose much there, 9 are tried in the end (int16, clipped), by which the chip's tables can be
indexed.

OUT is ONNX with QuantizeLinear and DequantizeLinear; sentei run and ONNX Runtime run it. Operators
that the chip doesn't have stay float, for the host. It is read again and held against MODEL on the
samples held out. Not near enough? sentei debug tells which layers lose most, and why.

examples:
  sentei quantize my.onnx --calib photos --std 255 -o my_int8.onnx
  sentei quantize my.onnx --calib photos --crops 4 --color BGR --resize pad -o my_int8.onnx
  sentei quantize my.onnx --calib arrays --shape input=1,3,224,224 --method mse -o my_int8.onnx
  sentei debug my.onnx --quantized my_int8.onnx --inputs photos --std 255
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import onnx

from sw.commands.inputs import add_pictures, pictures
from sw.commands.options import add_json, add_model, network_file, writable
from sw.commands.progress import Progress
from sw.errors import UsageError
from sw.frontend import is_onnx
from sw.quantize import Choices, Quantized, input_specs, prepare, quantize, read_float
from sw.quantize.ranges import METHODS
from sw.quantize.samples import read_calibration
from sw.report.console import open_console, open_table
from sw.words import counted

__all__ = ["add", "execute"]

_POOR = 20  # decibels
_PLENTY = 50  # samples



def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei quantize``."""
    add_model(parser, "float .onnx or .tflite file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT",
                        help=".onnx file to write")
    parser.add_argument("--method", choices=("auto", *METHODS), default="auto",
                        help="how ranges are chosen (default: auto)")
    for option, what in (("equalize", "cross-layer equalization"),
                         ("correct", "bias correction"),
                         ("fine", "tables indexed by 9 bits where 8 lose much")):
        parser.add_argument(f"--{option}", action=argparse.BooleanOptionalAction, default=None,
                            help=f"{what} (default: where it comes nearer)")
    parser.add_argument("--no-split", dest="split", action="store_false",
                        help="leave layers whole whose channels differ too much for one scale, in "
                        "front of a curved function and a depthwise convolution")
    parser.add_argument("--exclude", nargs="+", action="extend", default=[], metavar="NODE",
                        help="nodes that stay float, by the names that sentei debug shows")
    parser.add_argument("--scores", nargs="+", action="extend", default=[], metavar="OUTPUT",
                        help="outputs that a sigmoid follows outside of the network: what is near "
                        "0 tells one answer from the other")
    calibration = parser.add_argument_group("calibration")
    calibration.add_argument("--calib", type=Path, required=True, metavar="DIR",
                             help="folder of pictures or .npy (one sample or many)")
    calibration.add_argument("--crops", type=int, default=0, metavar="K",
                             help="also K random parts of each picture, half of them mirrored")
    calibration.add_argument("--seed", type=int, default=0, help="of the crops (default: 0)")
    add_pictures(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Quantize, write, hold what was written against the float network."""
    progress = Progress(plain=arguments.json)
    path = network_file(Path(arguments.model))
    writable(arguments.output)
    if not is_onnx(arguments.output):
        raise UsageError(f"-o {arguments.output}: accepted is an .onnx file")
    if arguments.output.exists() and arguments.output.samefile(path):
        raise UsageError(f"{arguments.output}: is MODEL itself; accepted is another file")
    if arguments.crops < 0:
        raise UsageError(f"--crops {arguments.crops}: accepted is 0 or more")
    with progress.step(f"reading {path} and {arguments.calib}"):
        model = prepare(path, read_float(path, dict(arguments.shape)))
        names = {node.name for node in model.graph.node}
        if missing := [name for name in arguments.exclude if name not in names]:
            raise UsageError(f"--exclude {missing[0]}: no node of {path}")
        outputs = [item.name for item in model.graph.output]
        if missing := [name for name in arguments.scores if name not in outputs]:
            raise UsageError(f"--scores {missing[0]}: no output of {path}; it has "
                             f"{', '.join(outputs)}")
        samples = read_calibration(arguments.calib, input_specs(model), pictures(arguments),
                                   crops=arguments.crops, seed=arguments.seed)
    choices = Choices(arguments.method, arguments.equalize, arguments.correct,
                      arguments.split, arguments.fine, frozenset(arguments.exclude),
                      frozenset(arguments.scores))
    with progress.step(f"quantizing on {counted(len(samples), 'sample')}"):
        found = quantize(model, samples, choices, progress.update)
    with progress.step(f"writing {arguments.output} and holding it against {path}"):
        onnx.save(found.model, arguments.output)
        decibels, _ = found.judge.judge(onnx.load(arguments.output))
    facts = _facts(arguments, found, decibels)
    if arguments.json:
        print(json.dumps(facts, indent=1))
    else:
        _print(facts)
    return 0


def _facts(arguments: argparse.Namespace, found: Quantized, decibels: dict[str, float]) -> dict:
    network, placement = found.network, found.placement
    return {
        "network": arguments.model, "file": str(arguments.output), "samples": found.calibrated,
        "calib": str(arguments.calib), "held_out": found.held, "decibels": decibels,
        "chosen": vars(found.chosen),
        "trials": [vars(trial) for trial in found.trials],
        "split": [item.node for item in found.splits],
        "fine": [name for name, quant in found.quants.items() if quant.bits > 8],
        "quantized_nodes": len(placement.quantized), "tensors": len(placement.points),
        "products": len(placement.products),
        "tables": [network.label(region.nodes[-1]) for region in placement.regions.values()],
        "float_nodes": [{"name": network.nodes[at].name, "operator": network.nodes[at].op_type,
                         "reason": reason} for at, reason in sorted(placement.outside.items())],
    }


def _print(facts: dict) -> None:
    console = open_console()
    table = open_table()
    for heading in ("ranges", "equalized", "biases corrected", "finer tables",
                    "where the chip's part ends", *facts["decibels"]):
        table.add_column(heading, justify="left" if heading == "ranges" else "right")
    for trial in facts["trials"]:
        table.add_row(trial["method"], *("yes" if trial[name] else "no"
                                         for name in ("equalized", "corrected", "fine")),
                      f"{trial['score']:.1f} dB",
                      *(f"{value:.1f} dB" for value in trial["decibels"].values()),
                      style="bold" if trial == facts["chosen"] else "")
    console.print(table)
    outside = Counter((item["operator"], item["reason"]) for item in facts["float_nodes"])
    for (operator, reason), count in sorted(outside.items()):
        console.print(f"float: {count} x {operator} ({reason})", markup=False)
    for name in facts["split"]:
        console.print(f"split: {name} and the depthwise convolution behind it, into wide and "
                      "narrow channels (--no-split leaves them whole)", markup=False,
                      soft_wrap=True)
    chosen = facts["chosen"]
    extra = [text for name, text in (("equalized", "cross-layer equalization"),
                                     ("corrected", "bias correction"),
                                     ("fine", f"a finer index of {len(facts['fine'])} tables"))
             if chosen[name]]
    console.print(
        f"{facts['file']}: {counted(facts['products'], 'product')}, "
        f"{counted(len(facts['tables']), 'table')}, {counted(facts['tensors'], 'tensor')} in int8; "
        f"ranges by {' with '.join([chosen['method'], *extra])}, chosen from "
        f"{counted(facts['samples'], 'sample')}", markup=False, soft_wrap=True)
    for name, value in facts["decibels"].items():
        console.print(f"{name}: {value:.1f} dB against the float network on "
                      f"{counted(facts['held_out'], 'sample')} held out", markup=False,
                      soft_wrap=True)
    if min(facts["decibels"].values()) < _POOR:
        more = ["more samples that differ"] if facts["samples"] < _PLENTY else []
        more += ["--method auto"] if len({trial["method"] for trial in facts["trials"]}) < 2 else []
        console.print(
            f"hint: below {_POOR} dB more than a tenth of the signal is lost; sentei debug "
            f"{facts['network']} --quantized {facts['file']} --inputs {facts['calib']}, with the "
            "options of shapes and pictures given here, tells which layers lose it and why"
            f"{'; ' if more else ''}{' or '.join(more)}{' may help' if more else ''}",
            markup=False, soft_wrap=True)
