"""MobileNetV2 whole: ``python bench/mobilenet.py MODEL.tflite PHOTO ... [--json FILE]``.

The file is TensorFlow's int8 MobileNetV2 224 with uint8 input and output
(google-coral/test_data, ``tf2_mobilenet_v2_1.0_224_ptq.tflite``, Apache-2.0); any other network
works too. Every photograph runs on the golden engine and the first one on machine and RTL, every
output byte held against LiteRT's reference kernels. Use of peak is dense MACs over what the array
could do in the cycles from doorbell to interrupt; what the host does is named beside it.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from figures import sentei
from rich.console import Console
from rich.table import Table

from golden.spec.config import Config, preset
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.machine import MachineTransport
from sw.inputs import Pictures, read_samples
from sw.session import open_model

MUST, AIM = 0.65, 0.82  # use of peak
KEPT = ("name", "operator", "unit", "cycles", "ideal_cycles", "macs_dense", "bytes_read",
        "bytes_written", "stalls")


def alone(path: Path, photo: Path, config: Config) -> dict:
    """The machine's figures with every operator on its own: what the chains are held against."""
    model = open_model(str(path))
    assert model.graph is not None
    ((_, inputs),) = read_samples([str(photo)], model.inputs, Pictures())
    device = Device(MachineTransport(config))
    device.load(compile_graph(model.graph, config, chain=False))
    result = device.run(inputs)
    return {"cycles": result.cycles, "bytes_read": result.counters["beats_read"] * config.group,
            "bytes_written": result.counters["beats_written"] * config.group}


def chained(path: Path, config: Config) -> tuple[list[list[str]], float]:
    """(names of the layers of each chain, seconds to compile)."""
    model = open_model(str(path))
    assert model.graph is not None
    program = compile_graph(model.graph, config)
    return ([[program.layer(tag) for tag in tags] for tags in program.info["chains"]],
            program.info["compile_seconds"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--labels", type=Path, help="class names, one a line")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    config = preset("base")
    labels = ("--labels", str(args.labels)) if args.labels else ()
    photos = [str(photo) for photo in args.photos]
    golden = sentei("run", str(args.model), "--engine", "golden", "--check", *labels, "--input",
                    *photos)
    runs = {engine: sentei("run", str(args.model), "--engine", engine, "--check", "--input",
                           photos[0]) for engine in ("machine", "rtl")}
    rtl, apart = runs["rtl"], alone(args.model, args.photos[0], config)
    chains, seconds = chained(args.model, config)
    peak = rtl["macs_dense"] / (config.macs_per_cycle * rtl["cycles"])
    table = Table(title="preset base, RTL, 128 MAC/cycle, DRAM 16 B/cycle, 40 cycles latency")
    for title in ("layer", "operator", "cycles", "ideal", "read B", "written B"):
        table.add_column(title, justify="left" if title in ("layer", "operator") else "right")
    for row in rtl["layers"]:
        if row["unit"] != "host":
            table.add_row(row["name"], row["operator"], *(f"{row[name]:,}" for name in (
                "cycles", "ideal_cycles", "bytes_read", "bytes_written")))
    console = Console(width=120)
    console.print(table)
    different = golden["bytes_different"] + sum(run["bytes_different"] for run in runs.values())
    figures = {
        "command": "python bench/mobilenet.py MODEL.tflite PHOTO ...",
        "model": args.model.name,
        "model_sha256": hashlib.sha256(args.model.read_bytes()).hexdigest(),
        "macs_dense": rtl["macs_dense"], "cycles": rtl["cycles"],
        "machine_cycles": runs["machine"]["cycles"],
        "machine_over_rtl": runs["machine"]["cycles"] / rtl["cycles"],
        "ideal_cycles": rtl["ideal_cycles"], "use_of_peak": peak,
        "inferences_per_second": rtl["inferences_per_second"], "clock_mhz": config.clock_mhz,
        "bytes_read": rtl["bytes_read"], "bytes_written": rtl["bytes_written"],
        "without_chains_machine": apart, "compile_seconds": seconds, "chains": chains,
        "host": [row["name"] for row in rtl["layers"] if row["unit"] == "host"],
        "bytes_compared": golden["bytes_compared"] + sum(run["bytes_compared"]
                                                         for run in runs.values()),
        "bytes_different": different,
        "answers": {answer["sample"]: answer.get("label", answer.get("index"))
                    for answer in golden["answers"]},
        "layers": [{name: row[name] for name in KEPT} for row in rtl["layers"]]}
    console.print(f"{rtl['cycles']:,} cycles, {peak:.1%} of peak (must {MUST:.0%}, aim {AIM:.0%}); "
                  f"machine {runs['machine']['cycles']:,}; every operator alone "
                  f"{apart['cycles']:,} (machine)", highlight=False)
    console.print(f"DRAM {rtl['bytes_read']:,} bytes read, {rtl['bytes_written']:,} written; "
                  f"every operator alone {apart['bytes_read']:,} and {apart['bytes_written']:,}",
                  highlight=False)
    console.print(f"{different} of {figures['bytes_compared']:,} output bytes differ from "
                  f"LiteRT's; compiled in {seconds:.1f} s; on the host: "
                  f"{', '.join(figures['host'])}", highlight=False)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if different or peak < MUST else 0


if __name__ == "__main__":
    sys.exit(main())
