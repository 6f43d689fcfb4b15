"""Compile a network into a program file.

examples:
  sentei compile resnet8 -o resnet8.sentei
  sentei compile my.tflite --preset tiny -o my.sentei
  sentei compile my.onnx --shape image=1,3,96,96 -o my.sentei
  sentei run my.sentei --preset tiny --input x.npy
"""

import argparse
import json
from pathlib import Path

from golden.spec.program import ChipStep, HostStep
from sw.commands.options import add_chip, add_json, add_model, add_placement, add_weights, chip
from sw.commands.progress import Progress
from sw.errors import UsageError
from sw.report.placement import Placement, host_seconds, print_placement
from sw.session import at_rate, compiled, open_model

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei compile``."""
    add_model(parser, ".tflite or .onnx file, or name of the zoo")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE",
                        help="program file to write, usually named *.sentei")
    add_weights(parser)
    add_chip(parser)
    add_placement(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the program and say what is in it."""
    config = chip(arguments)
    progress = Progress(plain=arguments.json)
    with progress.step(f"compiling {arguments.model} for {config.name}"):
        model = open_model(arguments.model, dict(arguments.shape))
        if model.program is not None:
            raise UsageError(f"{model.path}: compiled already; sentei inspect shows it")
        model = at_rate(model, config, arguments.rate)
        program = compiled(model, config, dense=arguments.dense, progress=progress.update)
        program.save(arguments.output)
    notes = model.graph.notes if model.graph else []
    for text in notes:
        progress.note(f"note: {text}")
    instructions = sum(step.bytes for step in program.steps if isinstance(step, ChipStep))
    host = [step.name for step in program.steps if isinstance(step, HostStep)]
    placement = Placement.of(program, host_seconds(program))
    facts = {
        "network": program.network, "preset": config.name,
        "digest": f"0x{program.digest:08x}", "file": str(arguments.output),
        "file_bytes": arguments.output.stat().st_size, "instruction_bytes": instructions,
        "constant_bytes": len(program.constants) - instructions,
        "macs_dense": sum(row["macs"] for row in program.layers),
        "ideal_cycles": sum(row["ideal_cycles"] for row in program.layers),
        "host": host, "placement": placement.json(), "notes": notes, "layers": program.layers}
    if arguments.json:
        print(json.dumps(facts, indent=1))
        return 0
    print(f"{arguments.output}: {facts['file_bytes']:,} bytes, {instructions:,} of them "
          f"instructions; {facts['ideal_cycles']:,} ideal cycles for {facts['macs_dense']:,} "
          f"dense MACs on {config.name} (digest {facts['digest']})")
    print_placement(placement, arguments.placement)
    return 0
