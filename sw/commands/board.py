"""Talk to a board: what is on it, is it sound, run a network, flash a bitstream.

examples:
  sentei board flash build/ulx3s
  sentei board info --port /dev/ttyUSB0
  sentei board selftest --port /dev/ttyUSB0
  sentei board run resnet8 --port /dev/ttyUSB0 --samples 4 --check
  sentei board run my.tflite --port socket://lab:3000 --input a.png

PORT is what pyserial takes: a device, or a URL as socket://host:port. The chip's configuration is
that of the preset whose digest the board tells; --preset and --set name any other.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from golden.spec.config import PRESETS, Config
from sw.commands.inputs import add_inputs
from sw.commands.options import (
    add_chip,
    add_json,
    add_model,
    add_weights,
    chip,
    chip_asked,
    count,
    positive,
)
from sw.commands.progress import Progress
from sw.commands.running import run
from sw.driver.link import ATTEMPTS, PATIENCE
from sw.driver.serial_transport import BAUD, SerialTransport
from sw.errors import BoardError, MismatchError, ToolError

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei board``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    info = actions.add_parser("info", help="configuration, clock, memory of the board")
    test = actions.add_parser("selftest", help="registers, memory, and a small network")
    test.add_argument("--seed", type=int, default=0, help="of the data (default: 0)")
    go = actions.add_parser("run", help="run a network, as sentei run does")
    add_model(go, "file or name of the zoo")
    add_inputs(go)
    add_weights(go)
    go.add_argument("--check", action="store_true", help="compare every output byte with LiteRT's "
                    "reference kernels; of .onnx files every node with ONNX Runtime's")
    flash = actions.add_parser("flash", help="load a bitstream by openFPGALoader")
    flash.add_argument("build", type=Path, metavar="DIR",
                       help="folder that sentei fpga build wrote")
    flash.add_argument("--persist", action="store_true",
                       help="into the flash, to be there after power-up")
    for part in (info, test, go):
        part.add_argument("--port", required=True, metavar="P", help="serial port or URL")
        part.add_argument("--baud", type=count, default=BAUD, help=f"default: {BAUD}")
        part.add_argument("--patience", type=positive, metavar="S",
                          help="seconds to wait for an answer, twice as long at each of "
                          f"{ATTEMPTS} attempts (default: {PATIENCE:g}); more for a simulated "
                          "board")
    for part in (test, go):
        add_chip(part, memory=False)
    for part in (info, test, go, flash):
        add_json(part)


def execute(arguments: argparse.Namespace) -> int:
    """Do it."""
    return {"info": _info, "selftest": _selftest, "run": _run,
            "flash": _flash}[arguments.action](arguments)


def _open(arguments: argparse.Namespace, progress: Progress) -> SerialTransport:
    options = {} if arguments.patience is None else {"patience": arguments.patience}
    with progress.step(f"opening {arguments.port}"):
        return SerialTransport(arguments.port, baud=arguments.baud, progress=progress.update,
                               **options)


def _names(digest: int) -> list[str]:
    return [name for name, config in PRESETS.items() if config.digest() == digest]


def _config(arguments: argparse.Namespace, digest: int) -> Config:
    """The board's, as asked for or by its digest."""
    if not chip_asked(arguments):
        names = _names(digest)
        if not names:
            raise BoardError(f"port {arguments.port}: the board's digest {digest:#010x} is of no "
                             "preset of this version; name its configuration by --preset and "
                             "--set")
        arguments.preset = names[-1]
    config = chip(arguments)
    if config.digest() != digest:
        raise BoardError(f"port {arguments.port}: the board's digest is {digest:#010x} "
                         f"({' or '.join(_names(digest)) or 'of no preset'}), that of "
                         f"{config.name} as asked for is {config.digest():#010x}; flash its "
                         "bitstream, or name the board's configuration")
    return config


def _info(arguments: argparse.Namespace) -> int:
    with closing(_open(arguments, Progress(plain=arguments.json))) as transport:
        hello = transport.link.hello
    names = _names(hello.digest)
    if arguments.json:
        print(json.dumps({"port": arguments.port, "presets": names, **asdict(hello),
                          "digest": f"{hello.digest:#010x}"}, indent=1))
        return 0
    print(f"{arguments.port}: {' or '.join(names) or 'no known preset'}, digest "
          f"{hello.digest:#010x}\n{hello.clock_hz / 1e6:g} MHz, "
          f"{hello.memory_bytes >> 20} MiB DRAM, {hello.baud:,} baud, protocol {hello.protocol}, "
          f"{hello.window} requests of {hello.payload_bytes} bytes in flight")
    return 0


def _selftest(arguments: argparse.Namespace) -> int:
    from sw.session.selftest import selftest

    progress = Progress(plain=arguments.json)
    with closing(_open(arguments, progress)) as transport:
        config = _config(arguments, transport.link.hello.digest)
        with progress.step("testing"):
            found = selftest(transport, config, seed=arguments.seed, tell=progress.update)
    if arguments.json:
        print(json.dumps({"port": arguments.port, "preset": config.name, **found}, indent=1))
    else:
        print(f"{arguments.port}: {config.name} is sound: {found['memory_bytes']:,} bytes of "
              f"memory kept, test network right in {found['cycles']:,} cycles")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from sw.report.tables import print_summary

    progress = Progress(plain=arguments.json)
    with closing(_open(arguments, progress)) as transport:
        _config(arguments, transport.link.hello.digest)
        arguments.engine = "board"
        summary = run(arguments, progress, check=arguments.check, transport=transport)
    if arguments.json:
        print(json.dumps(summary.json(), indent=1))
    else:
        print_summary(summary)
    if summary.mismatches:
        raise MismatchError(f"{summary.mismatches} of {len(summary.samples)} samples differ from "
                            f"{summary.reference}")
    return 0


def _flash(arguments: argparse.Namespace) -> int:
    from fpga.boards import board
    from fpga.report import bitstream, read

    report, bits = read(arguments.build), bitstream(arguments.build)
    if not report.get("verified"):
        print(f"sentei: warning: {bits} was not held against its netlist; build it again",
              file=sys.stderr)
    command = ["openFPGALoader", *board(report["board"]).loader,
               *(["-f"] if arguments.persist else []), str(bits)]
    if shutil.which(command[0]) is None:
        raise ToolError(f"openFPGALoader is not installed (on Debian: apt install openfpgaloader); "
                        f"then: {shlex.join(command)}")
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL if arguments.json
                          else None)
    if done.returncode:
        raise ToolError(f"{shlex.join(command)} ended with {done.returncode}")
    if arguments.json:
        print(json.dumps({"command": command, "digest": report["digest"]}, indent=1))
    return 0
