"""Write the chip as Verilog, with a JSON description beside it.

examples:
  sentei verilog --preset base -o build/base
  sentei verilog --preset tiny --set columns=4 -o build/odd
"""

import argparse
import json
from pathlib import Path

from sw.commands.options import add_chip, add_json, chip
from sw.commands.progress import Progress

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei verilog``."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR",
                        help="folder for npu.v and npu.json, made if it is not there")
    add_chip(parser, memory=False)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write the files and say where."""
    config = chip(arguments)
    with Progress(plain=arguments.json).step(f"generating Verilog of {config.name}"):
        from hw import export  # the only way from a command to the hardware

        files = [str(path) for path in export.write(config, arguments.output)]
    if arguments.json:
        print(json.dumps({"files": files, "digest": f"0x{config.digest():08x}",
                          "preset": config.name, "configuration": config.hardware()}, indent=1))
    else:
        print("\n".join(files))
    return 0
