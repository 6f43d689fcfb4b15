"""Run a network and write one HTML page: layers, stalls, units over time, roofline.

examples:
  sentei report resnet8 -o resnet8.html
  sentei report vww --samples 8 --engine rtl --check -o vww.html
"""

import argparse
import json
from pathlib import Path

from sw.commands.inputs import add_inputs
from sw.commands.options import add_chip, add_json, add_model, add_placement
from sw.commands.progress import Progress
from sw.commands.run import add_engine
from sw.commands.running import run
from sw.errors import UsageError
from sw.report.placement import print_placement

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei report``."""
    add_model(parser, "file or name of the zoo")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html",
                        help="page to write")
    add_inputs(parser)
    add_engine(parser)
    add_chip(parser)
    parser.add_argument("--check", action="store_true",
                        help="compare every output byte with LiteRT's reference kernels; of "
                        ".onnx files every node with ONNX Runtime's")
    add_placement(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run and write the page."""
    if arguments.engine == "golden":
        raise UsageError("--engine golden has no cycles to report, take machine or rtl")
    if not arguments.output.parent.is_dir():
        raise UsageError(f"-o {arguments.output}: no such folder")
    progress = Progress(plain=arguments.json)
    summary = run(arguments, progress, check=arguments.check, timeline=True)
    with progress.step(f"writing {arguments.output}"):
        from sw.report.page import page  # matplotlib takes long to import

        arguments.output.write_text(page(summary), "utf-8")
    if arguments.json:
        print(json.dumps({"page": str(arguments.output), **summary.json()}, indent=1))
    else:
        print(f"{arguments.output}: {summary.cycles:,} cycles, "
              f"{summary.inferences_per_second:,.0f} inferences/s at "
              f"{summary.config.clock_mhz} MHz")
        if summary.traffic:
            print("bytes: " + ", ".join(f"{what} {size:,}"
                                        for what, size in summary.traffic.lines())
                  + "".join(f"\n{chain.layers[0]} to {chain.layers[-1]} take turns: "
                            f"{chain.saved:,} bytes not written and read"
                            for chain in summary.traffic.chains))
        if summary.placement:
            print_placement(summary.placement, arguments.placement)
    return 0
