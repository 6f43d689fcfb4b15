"""The figures of README, from real runs: ``python bench/figures.py [--json FILE] [--samples K]``.

Every network runs through the command line on the RTL with ``--check``; nothing is assumed. Wall
clock figures are of this machine, and say so.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from golden import executor
from golden.spec.config import preset
from sw.session import compiled, open_model

NETWORKS = {"resnet8": 106_000, "dscnn": 28_000, "vww": 62_000, "autoencoder": 21_000}
ENGINE_CYCLES_PER_SECOND = 80_000
GOLDEN_IMAGES_PER_SECOND = 50
COMPILE_SECONDS = 3


def sentei(*arguments: str) -> dict:
    """One `sentei` command's JSON."""
    command = [sys.executable, "-m", "sw.cli", *arguments, "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit {result.returncode}\n{result.stderr}")
    return json.loads(result.stdout)


def run(network: str, samples: int, *options: str) -> dict:
    """Figures of one network on the RTL, and of the machine beside it."""
    arguments = ("run", network, "--samples", str(samples), *options)
    rtl = sentei(*arguments, "--engine", "rtl", "--check")
    machine = sentei(*arguments, "--engine", "machine")
    seconds = sum(answer["seconds"] for answer in rtl["answers"])
    cycles = sum(answer["cycles"] for answer in rtl["answers"])
    return {"network": network, "options": list(options), "samples": rtl["samples"],
            "mismatches": rtl["mismatches"], "bytes_different": rtl["bytes_different"],
            "bytes_compared": rtl["bytes_compared"], "cycles": rtl["cycles"],
            "machine_cycles": machine["cycles"], "ideal_cycles": rtl["ideal_cycles"],
            "utilization": rtl["utilization"],
            "effective_macs_per_cycle": rtl["effective_macs_per_cycle"],
            "inferences_per_second": rtl["inferences_per_second"],
            "clock_mhz": rtl["clock_mhz"], "bytes_read": rtl["bytes_read"],
            "bytes_written": rtl["bytes_written"],
            "engine_cycles_per_second": cycles / seconds}


def compile_seconds(network: str) -> float:
    """Wall clock from file to program."""
    started = time.perf_counter()
    compiled(open_model(network), preset("base"))
    return time.perf_counter() - started


def golden_rate(images: int = 200) -> float:
    """ResNet8 images a second on the golden engine."""
    graph = open_model("resnet8").graph
    assert graph is not None
    rng = np.random.default_rng(0)
    batch = rng.integers(-128, 128, (images, 32, 32, 3)).astype(np.int8)
    executor.run(graph, {graph.inputs[0]: batch[:1]})
    started = time.perf_counter()
    executor.run(graph, {graph.inputs[0]: batch})
    return images / (time.perf_counter() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--samples", type=int, default=3)
    args = parser.parse_args()
    rows = [run(name, args.samples) for name in NETWORKS]
    rows.append(run("vww", args.samples, "--dense"))
    quartered = ("--set", "bank_words=256", "--set", "weight_rows=1024")
    rows += [run(name, 1, *quartered) for name in NETWORKS]
    table = Table(title="preset base, RTL, 128 MAC/cycle, DRAM 16 B/cycle, 40 cycles latency")
    for title in ("network", "cycles", "must", "machine", "ideal", "use of peak", "MAC/cycle",
                  "inf/s at 100 MHz", "differing bytes"):
        table.add_column(title, justify="left" if title == "network" else "right")
    for row in rows:
        plain = not row["options"]
        table.add_row(
            " ".join([row["network"], *row["options"]]), f"{row['cycles']:,}",
            f"{NETWORKS[row['network']]:,}" if plain else "", f"{row['machine_cycles']:,}",
            f"{row['ideal_cycles']:,}", f"{row['utilization']:.1%}",
            f"{row['effective_macs_per_cycle']:.1f}", f"{row['inferences_per_second']:,.0f}",
            f"{row['bytes_different']} of {row['bytes_compared']}")
    figures = {
        "command": "python bench/figures.py", "machine": platform.machine(), "rows": rows,
        "engine_cycles_per_second": max(row["engine_cycles_per_second"] for row in rows),
        "golden_resnet8_images_per_second": golden_rate(),
        "compile_seconds": {name: compile_seconds(name) for name in NETWORKS}}
    console = Console(width=140)
    console.print(table)
    console.print(f"rtl engine {figures['engine_cycles_per_second']:,.0f} cycles/s "
                  f"(must {ENGINE_CYCLES_PER_SECOND:,})")
    console.print(f"golden ResNet8 {figures['golden_resnet8_images_per_second']:,.0f} images/s "
                  f"(must {GOLDEN_IMAGES_PER_SECOND})")
    slowest = max(figures["compile_seconds"].values())
    console.print(f"compile {slowest:.2f} s at most (must {COMPILE_SECONDS})")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    missed = [row["network"] for row in rows if not row["options"]
              and row["cycles"] > NETWORKS[row["network"]]]
    return 1 if missed or any(row["bytes_different"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
