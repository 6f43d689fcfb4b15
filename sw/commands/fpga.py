"""Build a board's bitstream with open tools, and read reports of builds.

examples:
  sentei fpga boards
  sentei fpga build --board ulx3s-85f -o build/ulx3s            # much faster with native tools
  sentei fpga build --board icesugar-pro --seeds 2 -o build/ice
  sentei fpga report build/ulx3s
  sentei fpga report build/ulx3s fpga/results/ulx3s-85f         # what has changed
  sentei fpga verify build/ulx3s                                # is its bitstream its netlist?

Yosys, nextpnr-ecp5 and ecppack are taken from PATH where they are there (much faster), else from
PyPI (pip install -e .[fpga]); the report says which. DIR then holds top.bit, report.json,
report.html, floorplan.png, and what the tools wrote.

nextpnr packs and routes; what lies where is found here (needs g++), with up to a third less wire
than nextpnr's own placer leaves. --effort says how long it tries.

What is in the bitstream's bits is then held against the netlist that nextpnr was given: every
input of every cell, functions, contents, registers, pads. A build whose bitstream differs fails.
"""

import argparse
import json
import sys
from pathlib import Path

from golden.spec.config import PRESETS
from sw.commands.options import add_json, chip, count, positive
from sw.commands.progress import Progress
from sw.errors import UsageError
from sw.report.console import open_console

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei fpga``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="Verilog, synthesis, placement, routing, bitstream")
    build.add_argument("--board", required=True, metavar="B", help="see sentei fpga boards")
    build.add_argument("--preset", metavar="P", help=f"configuration: {', '.join(PRESETS)} "
                       "(default: the board's first)")
    build.add_argument("--set", action="append", default=[], metavar="field=value",
                       help="override a field of the configuration; may be repeated")
    build.add_argument("--seeds", type=count, default=1, metavar="K",
                       help="placements to try; the fastest becomes the bitstream (default: 1)")
    build.add_argument("--jobs", type=count, default=1, metavar="J",
                       help="placements at a time, each takes a core and up to 2 GB (default: 1)")
    build.add_argument("--clock", type=positive, metavar="MHZ",
                       help="of chip and memory (default: the board's for the preset)")
    build.add_argument("--effort", type=int, metavar="E",
                       help="moves that the placer tries for each cell (default: 2800; with "
                       "less it begins with fewer rounds, too); with 0 nextpnr places, which takes "
                       "hours or forever where a device is fuller than half")
    build.add_argument("--no-native", action="store_true", help="only PyPI's tools")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    add_json(build)
    report = actions.add_parser("report", help="show a build, or what differs between two")
    report.add_argument("build", type=Path, metavar="DIR", help="a build's folder, or a report")
    report.add_argument("other", type=Path, nargs="?", metavar="OTHER")
    add_json(report)
    verify = actions.add_parser("verify", help="prove a build's bitstream against its netlist")
    verify.add_argument("build", type=Path, metavar="DIR", help="a build's folder")
    add_json(verify)
    boards = actions.add_parser("boards", help="list boards")
    add_json(boards)


def execute(arguments: argparse.Namespace) -> int:
    """Build, show, or prove."""
    return {"build": _build, "report": _report, "verify": _verify,
            "boards": _boards}[arguments.action](arguments)


def _build(arguments: argparse.Namespace) -> int:
    progress = Progress(plain=arguments.json)
    with progress.step("loading the hardware generator"):
        from fpga.boards import board
        from fpga.build import Build
        from fpga.place import EFFORT
        from fpga.report import show, unmet
        from fpga.toolchain import Toolchain
    found = board(arguments.board)
    arguments.preset = arguments.preset or found.presets[0]
    config = chip(arguments)
    tools = Toolchain(native=not arguments.no_native)
    for name, version in tools.versions().items():
        progress.note(f"{name} {version}")
    effort = EFFORT if arguments.effort is None else arguments.effort
    if effort < 0:
        raise UsageError(f"--effort {effort}: accepted is 0 or more")
    clock = arguments.clock or found.clocks.get(arguments.preset, found.clock_mhz)
    build = Build(found, config, clock, arguments.output, tools, effort)
    with progress.step(f"building {config.name} for {found.title}"):
        report = build.run(range(1, arguments.seeds + 1), progress.update, arguments.jobs)
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        show(open_console(), report)
        print(f"{arguments.output / 'top.bit'}")
    if not report["timing_met"]:
        print(f"sentei: warning: {unmet(report)}", file=sys.stderr)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from fpga.report import compare, read, show

    reports = [read(path) for path in (arguments.build, arguments.other) if path is not None]
    if arguments.json:
        print(json.dumps(reports if len(reports) > 1 else reports[0], indent=1))
    elif len(reports) > 1:
        compare(open_console(), *reports)
    else:
        show(open_console(), reports[0])
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from fpga.boards import board
    from fpga.build import verify_build, write_report
    from fpga.report import bitstream, fastest, read

    report = read(arguments.build)
    bitstream(arguments.build)  # a report alone can't be proven
    with Progress(plain=arguments.json).step("decoding the bitstream"):
        found = verify_build(arguments.build, fastest(report["seeds"])["seed"],
                             board(report["board"]))
    write_report(arguments.build, report | {"verified": asdict(found)})
    print(json.dumps(asdict(found), indent=1) if arguments.json else found)
    return 0


def _boards(arguments: argparse.Namespace) -> int:
    from fpga.boards import BOARDS

    if arguments.json:
        print(json.dumps([{"name": item.name, "title": item.title, "presets": item.presets,
                           "clock_mhz": item.clock_mhz, "clocks_mhz": item.clocks,
                           "sdram": item.sdram, "baud": item.baud}
                          for item in BOARDS.values()], indent=1))
        return 0
    for item in BOARDS.values():
        presets = ", ".join(f"{name} at {clock:g} MHz" for name, clock in item.clocks.items())
        print(f"{item.name:14}{item.title}; preset {presets}; "
              f"{item.sdram}, {item.baud:,} baud")
    return 0
