"""Boards simulated to their pins: measured, or served for `sentei board`.

`make board` measures. To talk to a board that one hasn't got:

  python -m tb.board serve --board icesugar-pro --port 7000
  sentei board run dscnn --port socket://127.0.0.1:7000 --patience 60
"""

import argparse
import json
import socket
import sys
from pathlib import Path

from fpga.boards import BOARDS
from golden.spec.config import preset
from hw.link.baud import LEAST_CYCLES
from hw.sdram.timing import PARTS
from sw.zoo import NETWORKS
from tb.board.board import SimulatedBoard
from tb.board.measure import measure_line, measure_networks
from tb.board.server import BoardServer


def main():
    parser = argparse.ArgumentParser(prog="python -m tb.board", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    measure = actions.add_parser("measure", help="cycles of networks, share of the line's rate")
    measure.add_argument("--networks", nargs="+", choices=tuple(NETWORKS),
                         default=["dscnn", "resnet8"])
    measure.add_argument("--boards", nargs="+", choices=tuple(BOARDS), default=list(BOARDS))
    measure.add_argument("--json", type=Path, help="write the figures here")
    serve = actions.add_parser("serve", help="a board on a TCP port, until interrupted")
    serve.add_argument("--board", choices=tuple(BOARDS), default="icesugar-pro")
    serve.add_argument("--port", type=int, default=0, help="default: a free one")
    arguments = parser.parse_args()
    return _measure(arguments) if arguments.action == "measure" else _serve(arguments)


def _measure(arguments):
    found = {}
    for name in arguments.boards:
        found[name] = {"preset": BOARDS[name].presets[0],
                       "networks": measure_networks(name, arguments.networks, _tell)}
        found[name]["line"] = measure_line(name, _tell)
        if arguments.json:  # what is there, should the next board be interrupted
            arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    good = all(row["outputs_equal"] and not row["sdram_violations"]
               for board in found.values() for row in board["networks"])
    good &= all(board["line"]["bytes_equal"] and not board["line"]["sdram_violations"]
                for board in found.values())
    print("all bytes as they should be, no SDRAM rule broken" if good else "WRONG, see above")
    return 0 if good else 1


def _serve(arguments):
    chosen = BOARDS[arguments.board]
    hz = round(chosen.clock_mhz * 1e6)
    try:
        socket.create_server(("127.0.0.1", arguments.port)).close()
    except (OSError, OverflowError) as error:  # told before the long part
        sys.exit(f"--port {arguments.port}: {getattr(error, 'strerror', None) or error}")
    _tell(f"building the simulator of {arguments.board}")
    board = SimulatedBoard(preset(chosen.presets[0]), PARTS[chosen.sdram], clock_hz=hz,
                           baud=hz // LEAST_CYCLES)  # faster than the real line: time is dear
    with BoardServer(board, port=arguments.port) as server:
        print(f"{server.url}; give `sentei board` --patience 60; Ctrl-C ends", flush=True)
        try:
            server.wait()
        except KeyboardInterrupt:
            pass
    return 0


def _tell(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
