"""Run a network on samples and show the answers and where the time goes.

MODEL is a .tflite or .onnx file, a compiled program, or a network of the zoo (see sentei zoo).

examples:
  sentei run vww --samples 4                      four bundled pictures
  sentei run vww --input me.jpg --check           every output byte held against LiteRT
  sentei run vww --engine rtl --input me.jpg      on the generated Verilog
  sentei run vww --input me.jpg --camera nv12     from a camera's frame on, all on the chip
  sentei run vww --input me.jpg --camera nv12 --decide       to the number of the class
  sentei run my.tflite --input a.png b.png --mean 127.5 --std 127.5 --labels names.txt
  sentei run my.tflite --input left=a.npy right=b.npy
  sentei run my.onnx --input a.png --mean 127.5 --std 127.5 --check
  sentei run resnet8 --rate 0.75                  as fast as if three quarters were pruned
  sentei run resnet8 --set bank_words=256 --set weight_rows=1024
  sentei run resnet8 --engine rtl --waves r.fst --from 1000 --to 3000
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np

from sw.commands.inputs import add_inputs
from sw.commands.options import add_chip, add_json, add_model, add_weights, count
from sw.commands.progress import Progress
from sw.commands.running import run
from sw.driver.device import RunResult
from sw.errors import MismatchError, UsageError
from sw.report.summary import Summary
from sw.report.tables import print_summary
from sw.session import ENGINES, Waves
from sw.zoo import Sample

__all__ = ["add", "add_engine", "execute"]


def add_engine(parser: argparse.ArgumentParser) -> None:
    """``--engine``, ``--dense`` and ``--rate``."""
    group = parser.add_argument_group("engine")
    group.add_argument("--engine", choices=ENGINES, default="machine",
                       help="; ".join(f"{name}: {text}" for name, text in ENGINES.items())
                       + " (default: machine)")
    add_weights(group)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei run``."""
    add_model(parser, "file or name of the zoo")
    add_inputs(parser)
    add_engine(parser)
    add_chip(parser)
    group = parser.add_argument_group("results")
    group.add_argument("--check", action="store_true",
                       help="compare every output byte with LiteRT's reference kernels; of "
                       ".onnx files every node with ONNX Runtime's")
    group.add_argument("--output", type=Path, metavar="DIR",
                       help="write raw outputs there, one .npy a sample and output")
    group.add_argument("--waves", type=Path, metavar="FILE.fst",
                       help="record signals (engine rtl)")
    group.add_argument("--from", type=int, default=0, metavar="C", dest="first",
                       help="first cycle recorded")
    group.add_argument("--to", type=count, metavar="C", dest="last",
                       help="last cycle recorded")
    add_json(group)


def _waves(arguments: argparse.Namespace) -> Waves | None:
    if arguments.waves is None:
        if arguments.first or arguments.last:
            raise UsageError("--from and --to say which cycles --waves records; it is not given")
        return None
    if arguments.engine != "rtl":
        raise UsageError(f"--waves: only --engine rtl has signals, not {arguments.engine}")
    if arguments.waves.suffix not in (".fst", ".vcd"):
        raise UsageError(f"--waves {arguments.waves}: accepted is FILE.fst (or .vcd)")
    if not arguments.waves.parent.is_dir():
        raise UsageError(f"--waves {arguments.waves}: no such folder")
    if arguments.last is None:
        arguments.last = Waves.last
    if not 0 <= arguments.first <= arguments.last:
        raise UsageError(f"--from {arguments.first} --to {arguments.last}: accepted is "
                         "0 <= from <= to")
    return Waves(arguments.waves, arguments.first, arguments.last)


def _save(folder: Path, number: int, result: RunResult) -> None:
    """Outputs of one sample: ``000_name.npy``; order is that of samples, then of outputs."""
    for index, (name, values) in enumerate(result.outputs.items()):
        order = f"{number:03d}" + (f"_{index}" if len(result.outputs) > 1 else "")
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
        np.save(folder / f"{order}_{plain}.npy", values)


def _print(arguments: argparse.Namespace, summary: Summary) -> None:
    if arguments.json:
        print(json.dumps(summary.json(), indent=1))
    else:
        print_summary(summary)


def execute(arguments: argparse.Namespace) -> int:
    """Run, print, and refuse at the end where ``--check`` found a difference."""
    waves = _waves(arguments)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)

    def finished(number: int, _: Sample, result: RunResult) -> None:
        if arguments.output:
            _save(arguments.output, number, result)

    summary = run(arguments, Progress(plain=arguments.json), check=arguments.check, waves=waves,
                  finished=finished)
    _print(arguments, summary)
    if summary.mismatches:
        raise MismatchError(f"{summary.mismatches} of {len(summary.samples)} samples differ from "
                            f"{summary.reference}")
    return 0
