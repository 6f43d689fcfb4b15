"""Prune a network without training: from a few calibration samples, and no labels.

Weights that matter least go, those that stay make up for them (second-order reconstruction, layer
by layer), and all keep their int8 scales, so that OUT is MODEL with other weights: LiteRT or ONNX
Runtime runs it too. Zeros that are there stay. Depthwise convolutions stay; channels without effect
are left out by the compiler. Check what is lost with sentei evaluate, on samples that did not
calibrate.

examples:
  sentei prune my.tflite --calib photos --speedup 1.5 -o fast.tflite
  sentei prune resnet8 --calib photos --crops 20 --rate 0.5 -o half.tflite
  sentei prune my.onnx --calib photos --rate 0.75 --spread -o small.onnx
  sentei run half.tflite --check --input photo.jpg
  sentei evaluate half.tflite --data labelled --against resnet8
"""

import argparse
import json
from pathlib import Path

import numpy as np
from rich.markup import escape

from golden.attributes import Weighted
from golden.graph import Graph
from sw.commands.inputs import add_pictures, only_input, pictures
from sw.commands.options import add_chip, add_json, add_model, chip, writable
from sw.commands.progress import Progress
from sw.errors import UsageError
from sw.frontend import is_onnx
from sw.frontend.rewrite import open_weights
from sw.inputs import calibration_folders, read_folder
from sw.prune.budget import Budget
from sw.prune.forward import agreement
from sw.prune.goal import for_rate, for_speedup
from sw.prune.oneshot import OneShot
from sw.prune.rate import rows_at
from sw.report.console import open_console, open_table
from sw.session import Model, open_model
from sw.session.estimate import estimate
from sw.words import counted

__all__ = ["add", "execute"]



def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei prune``."""
    add_model(parser, ".tflite or .onnx file, or name of the zoo")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT",
                        help="file to write, of MODEL's format")
    parser.add_argument("--exclude", nargs="+", action="extend", default=[], metavar="LAYER",
                        help="layers that stay as they are, by the names that sentei run shows")
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--rate", type=float, metavar="R",
                      help="share of the weights that goes, of every block alike: 0 to 1")
    goal.add_argument("--speedup", type=float, metavar="S",
                      help="over MODEL with the zeros that it has: N of every block is chosen so "
                      "that the least is lost for the cycles, by compiler and machine")
    parser.add_argument("--spread", action="store_true",
                        help="with --rate: that share of all weights together, less of those that "
                        "matter more")
    calibration = parser.add_argument_group("calibration")
    calibration.add_argument("--calib", type=Path, required=True, metavar="DIR",
                             help="folder of pictures, .npy (one sample or many) or .wav, or of "
                             "folders of them, as sentei evaluate takes them")
    calibration.add_argument("--crops", type=int, default=0, metavar="K",
                             help="also K random parts of each picture, half of them mirrored")
    calibration.add_argument("--seed", type=int, default=0, help="of the crops (default: 0)")
    add_pictures(parser)
    add_chip(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Prune, write, and say what was gained."""
    progress = Progress(plain=arguments.json)
    config = chip(arguments)
    _check(arguments)
    if arguments.rate is not None:
        rows_at(config, arguments.rate)
    with progress.step(f"reading {arguments.model} and {arguments.calib}"):
        model = _model(arguments)
        graph, spec = model.graph, only_input(model)
        assert graph is not None
        folders, left_out = calibration_folders(arguments.calib)
        samples = np.concatenate([
            read_folder(folder, spec, pictures(arguments),
                        sound=model.network.sound if model.network else None,
                        crops=arguments.crops, seed=arguments.seed + number)
            for number, folder in enumerate(folders)])
        weights = open_weights(model.path, graph.nodes, model.shapes)
        inputs = {spec.name: samples.reshape(-1, *spec.shape[1:])}
    if left_out:
        progress.note(f"note: folders in {arguments.calib} are not read, as it has samples of its "
                      f"own: {', '.join(path.name for path in left_out)}")
    for name in sorted(weights.fixed):
        progress.note(f"note: {name} stays as it is: the file doesn't hold its weights one by one")
    with progress.step(f"pruning on {counted(len(samples), 'sample')}"):
        surgery = OneShot(graph, config, inputs, exclude=arguments.exclude, fixed=weights.fixed,
                          no_bias=weights.no_bias, seed=arguments.seed, progress=progress.update)
        budget = Budget(graph, config, {*arguments.exclude, *weights.fixed})
        if arguments.speedup is not None:
            pruned = for_speedup(surgery, budget, arguments.speedup, progress.update)
        else:
            pruned = for_rate(surgery, budget, arguments.rate, spread=arguments.spread)
        _write(arguments.output, weights.replaced(pruned.nodes))
    with progress.step("counting cycles and comparing answers"):
        before, after = (estimate(item, config, 0.0).cycles for item in (graph, pruned))
        same = agreement(graph, pruned, inputs)
    facts = {
        "network": model.name, "preset": config.name, "file": str(arguments.output),
        "rate": arguments.rate, "spread": arguments.spread, "speedup_asked": arguments.speedup,
        "seed": arguments.seed, "samples": len(samples), "cycles_before": before,
        "cycles": after, "speedup": before / after, "same_answer": same,
        "layers": _layers(graph, pruned, surgery)}
    if arguments.json:
        print(json.dumps(facts, indent=1))
    else:
        _print(facts)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what can't end well before hours have passed."""
    writable(arguments.output)
    if arguments.crops < 0:
        raise UsageError(f"--crops {arguments.crops}: accepted is 0 or more")
    if arguments.spread and arguments.rate is None:
        raise UsageError("--spread says how --rate is meant; --speedup spreads anyway")


def _model(arguments: argparse.Namespace) -> Model:
    model = open_model(arguments.model, dict(arguments.shape))
    if model.graph is None:
        raise UsageError(f"{model.path}: compiled; accepted is the model itself")
    if is_onnx(arguments.output) != is_onnx(model.path):
        raise UsageError(f"{arguments.output}: accepted is the format of {model.path}, "
                         f"{'*.onnx' if is_onnx(model.path) else '*.tflite'}")
    if arguments.output.exists() and arguments.output.samefile(model.path):
        raise UsageError(f"{arguments.output}: is MODEL itself; accepted is another file")
    return model


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _layers(graph: Graph, pruned: Graph, surgery: OneShot) -> list[dict[str, object]]:
    rows = []
    for before, after in zip(graph.nodes, pruned.nodes, strict=True):
        pattern = surgery.patterns.get(before.name)
        if pattern is None:
            continue
        assert isinstance(before.attrs, Weighted) and isinstance(after.attrs, Weighted)
        kernels = before.attrs.kernel, after.attrs.kernel
        rows.append({
            "name": before.name, "weights": int(kernels[0].size),
            "zeros_before": int((kernels[0] == 0).sum()), "zeros": int((kernels[1] == 0).sum()),
            "rows_before": int(pattern.counts(kernels[0]).sum()),
            "rows": int(pattern.counts(kernels[1]).sum()),
            "error": surgery.errors.get(before.name, 0.0)})
    return rows


def _print(facts: dict) -> None:
    table = open_table()
    for heading in ("layer", "weights", "zeros before", "after", "rows before", "after",
                    "error of its sums"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for row in facts["layers"]:
        share = [f"{row[name] / row['weights']:.1%}" for name in ("zeros_before", "zeros")]
        table.add_row(escape(row["name"]), f"{row['weights']:,}", *share, f"{row['rows_before']:,}",
                      f"{row['rows']:,}", f"{row['error']:.2%}")
    console = open_console()
    console.print(table)
    console.print(f"{facts['file']}: {facts['cycles_before']:,} cycles before, "
                  f"{facts['cycles']:,} now, {facts['speedup']:.2f}x ({facts['preset']}); the same "
                  f"answer on {facts['same_answer']:.1%} of "
                  f"{counted(facts['samples'], 'calibration sample')}", markup=False,
                  soft_wrap=True)
