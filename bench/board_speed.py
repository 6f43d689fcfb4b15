"""Inferences per second of a board, and MAC per DSP: ``python bench/board_speed.py [--json FILE]``.

Cycles are the machine's at the board's preset, which the boards simulated to their pins confirm
(bench/board.json, whose share of the serial line's rate is taken here). Clock and area are those of
a build's report (``sentei fpga build``): --report, or the one in fpga/results; without one --clock
says what is assumed, and DSPs are counted from the configuration. The clock is the one that the
build was asked for, which its PLL makes, not what the router says is possible.

chip      the chip alone: program, weights and input lie in the board's SDRAM
resident  input sent and output read over the serial line for each inference
cold      program and weights sent, too
"""

import argparse
import json
import sys
from pathlib import Path

from figures import NETWORKS, sentei
from rich.console import Console
from rich.table import Table

from fpga.area import multipliers
from fpga.boards import BOARDS, board
from golden.spec.config import preset
from sw.driver.link import LINE_BITS
from sw.session import compiled, open_model

HERE = Path(__file__).parent
RESULTS = HERE.parent / "fpga" / "results"
# MAC per DSP and cycle to reach when forced dense, and what others have filed (MLPerf Tiny, closed
# division, best on an FPGA): inferences per second, MAC per DSP and cycle.
MUST = {"resnet8": 0.7, "dscnn": 0.5, "vww": 0.3}
FILED = {"resnet8": (2432, 1.007), "dscnn": (3087, 0.305), "vww": (1388, 0.092),
         "autoencoder": (244, None)}


def line_share() -> float:
    """Payload of long transfers against what a line could carry: the least that was measured."""
    boards = json.loads((HERE / "board.json").read_text()).values()
    return min(share for item in boards if isinstance(item, dict) and "line" in item
               for share in (item["line"]["write_share"], item["line"]["read_share"]))


def measured(network: str, chip: str, dense: bool) -> dict:
    """Cycles of one network, and bytes that cross the line."""
    options = ("--dense",) if dense else ()
    ran = sentei("run", network, "--samples", "1", "--engine", "machine", "--preset", chip,
                 *options)
    program = compiled(open_model(network), preset(chip), dense=dense)
    return {"network": network, "dense": dense, "cycles": ran["cycles"],
            "macs": sum(row["macs"] for row in program.layers),
            "program_bytes": len(program.constants),
            "sample_bytes": sum(item.bytes for item in (*program.inputs, *program.outputs))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", choices=tuple(BOARDS), default="ulx3s-85f")
    parser.add_argument("--report", type=Path, help="report.json of a build")
    parser.add_argument("--clock", type=float, help="MHz, instead of a build's")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    found = board(args.board)
    chip = found.presets[0]
    path = args.report or RESULTS / args.board / "report.json"
    report = json.loads(path.read_text()) if path.exists() else None
    if report is None and not args.clock:
        parser.error(f"{path}: no such report of a build; accepted is another --report, or --clock")
    clock = args.clock or report["clock_mhz_target"]
    dsp = report["dsp"]["used"] if report else multipliers(preset(chip))
    area = f", {report['lut4']['used']:,} LUT4" if report else ""
    rate = line_share() * found.baud / LINE_BITS  # bytes a second
    rows, table = [], Table("network", "", "cycles", "MAC/DSP/cycle", "chip", "resident", "cold",
                            "filed", title=f"{args.board} at {clock:g} MHz"
                            f"{' (assumed)' * (report is None)}, {dsp} DSP{area}; "
                            "inferences a second")
    missed = False
    for network in NETWORKS:
        for dense in (True, False):
            row = measured(network, chip, dense)
            seconds = row["cycles"] / clock / 1e6
            resident = seconds + row["sample_bytes"] / rate
            row |= {"macs_per_dsp_and_cycle": round(row["macs"] / row["cycles"] / dsp, 3),
                    "chip_per_second": round(1 / seconds, 1),
                    "resident_per_second": round(1 / resident, 2),
                    "cold_per_second": round(1 / (resident + row["program_bytes"] / rate), 2)}
            rows.append(row)
            filed, each = FILED[network]
            missed |= dense and row["macs_per_dsp_and_cycle"] < MUST.get(network, 0)
            table.add_row(
                network if dense else "", "dense" if dense else "as published",
                f"{row['cycles']:,}", f"{row['macs_per_dsp_and_cycle']:.3f}",
                f"{row['chip_per_second']:,.0f}", f"{row['resident_per_second']:,.1f}",
                f"{row['cold_per_second']:,.2f}",
                f"{filed:,}" + (f" at {each}" if each else "") if dense else "")
    Console().print(table)
    if args.json:
        args.json.write_text(json.dumps({
            "command": "python bench/board_speed.py" + (
                f" --board {args.board}" if args.board != "ulx3s-85f" else "") + (
                f" --clock {args.clock:g}" if args.clock else ""),
            "board": args.board, "preset": chip, "clock_mhz": clock,
            "clock_is": "assumed" if report is None or args.clock else "asked for", "dsp": dsp,
            "line_bytes_per_second": round(rate), "rows": rows},
            indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
