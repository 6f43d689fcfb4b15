"""Tell how right a network is on labelled samples, beside other forms of it.

DIR has a labels.csv (first column: file, or index into the samples of a .npy; a column whose name
begins with label: the class's number or name), or a folder of samples for each class. int8 and
pruned forms run on the golden engine, which gives the chip's bytes; a float .tflite among the
others runs on LiteRT, a float .onnx on ONNX Runtime. For other int8 forms: on how many samples the
answer is the same, and the layers that lose most, each fed with what the other form feeds it.

examples:
  sentei evaluate vww --data pictures
  sentei evaluate pruned.tflite --data pictures --against vww float.tflite
  sentei evaluate pruned.tflite --data pictures --against vww --json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from golden.spec.config import Config
from sw.commands.inputs import add_pictures, pictures
from sw.commands.options import add_chip, add_json, add_model, chip, count
from sw.commands.progress import Progress
from sw.errors import UsageError
from sw.evaluate import Form, Labelled, layer_losses, open_form, read_labelled
from sw.report.answers import read_labels
from sw.report.console import open_console, open_table
from sw.session.estimate import estimate
from sw.words import counted
from sw.zoo import Task

__all__ = ["add", "execute"]

_COMPARED = 64  # samples that layers are compared on
_SHOWN_LAYERS, _SHOWN_CLASSES, _SHOWN_CONFUSIONS = 8, 12, 10


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei evaluate``."""
    add_model(parser, "int8 model file or name of the zoo")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR",
                        help="labelled samples")
    parser.add_argument("--against", nargs="+", action="extend", default=[], metavar="OTHER",
                        help="other forms of the network: int8, pruned, or float")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line")
    parser.add_argument("--limit", type=count, metavar="K", help="only K samples, evenly from all")
    add_pictures(parser)
    add_chip(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate every form and print."""
    progress = Progress(plain=arguments.json)
    config = chip(arguments)
    with progress.step(f"reading {arguments.model} and {arguments.data}"):
        shapes = dict(arguments.shape)
        form = open_form(arguments.model, shapes=shapes)
        others = [open_form(other, form, shapes) for other in arguments.against]
        network = form.model.network if form.model else None
        if network is not None and network.task is not Task.CLASSES:
            raise UsageError(f"{network.name}: {network.title}; accepted are networks that tell "
                             "classes")
        names = read_labels(arguments.labels) if arguments.labels else (
            network or next((item.model.network for item in others
                             if item.model and item.model.network), None))
        names = names if isinstance(names, tuple) else names.labels if names else ()
        if names and len(names) != form.classes:
            raise UsageError(f"{len(names)} class names, output has {form.classes} classes")
        data = _read(arguments, form, names)
    if data.folders:
        progress.note(f"note: classes are the folders in alphabetical order, from 0: "
                      f"{', '.join(data.folders)}; --labels gives another order")
    rows, answers = [], []
    for item in (form, *others):
        with progress.step(f"running {counted(len(data.labels), 'sample')} on {item.name}"):
            samples = _samples(arguments, item, form, data, names)
            answers.append(item.answers(samples, lambda done: progress.update(
                f"{done} of {len(data.labels)}")))
            rows.append(_row(item, answers[-1], data.labels, config))
    for other, row, found in zip(others, rows[1:], answers[1:], strict=True):
        row["agreement"] = float(np.mean(found == answers[0]))
        row["layers"], row["layers_note"] = _losses(arguments, form, other, form, data, names)
    facts = {
        "network": form.name, "data": str(arguments.data), "samples": len(data.labels),
        "preset": config.name,
        "classes": [*(names or data.folders or map(str, range(form.classes)))],
        "forms": rows, "confusion": _confusion(data.labels, answers[0], form.classes).tolist()}
    if arguments.json:
        print(json.dumps(facts, indent=1))
    else:
        _print(facts)
    return 0


def _read(arguments: argparse.Namespace, form: Form, names: tuple[str, ...]) -> Labelled:
    network = form.model.network if form.model else None
    data = read_labelled(arguments.data, form.spec, pictures(arguments), classes=form.classes,
                         names=names, sound=network.sound if network else None)
    return data.some(arguments.limit)


def _samples(arguments: argparse.Namespace, item: Form, form: Form, data: Labelled,
             names: tuple[str, ...]) -> NDArray:
    """The samples as a form takes them."""
    if item.model is None:
        return form.spec.dequantize(data.samples).astype(np.float32)
    same = (item.spec.shape, item.spec.dtype, item.spec.scale, item.spec.zero_point) == (
        form.spec.shape, form.spec.dtype, form.spec.scale, form.spec.zero_point)
    return data.samples if same else _read(arguments, item, names).samples


def _row(item: Form, answers: NDArray, labels: NDArray, config: Config) -> dict:
    correct = int((answers == labels).sum())
    zeros = item.zeros
    kind = "float" if zeros is None else "int8" if zeros < 0.2 else "pruned"
    return {"name": item.name, "file": str(item.path), "form": kind, "zeros": zeros,
            "correct": correct, "accuracy": correct / len(labels),
            "cycles": estimate(item.graph, config, 0.0).cycles if item.graph else None}


def _losses(arguments: argparse.Namespace, form: Form, other: Form, like: Form, data: Labelled,
            names: tuple[str, ...]) -> tuple[list[dict], str]:
    if form.graph is None or other.graph is None:
        return [], "a float model has no layers to compare"
    samples = _samples(arguments, other, like, data, names)[:_COMPARED]
    try:
        found = layer_losses(form.graph, other.graph,
                             {other.spec.name: samples.reshape(-1, *samples.shape[2:])})
    except ValueError as error:
        return [], f"not compared layer by layer: {error}"
    return [vars(layer) for layer in found], ""


def _confusion(labels: NDArray, answers: NDArray, classes: int) -> NDArray:
    """Samples by class (rows) and answer."""
    table = np.zeros((classes, classes), int)
    np.add.at(table, (labels, answers), 1)
    return table


def _print(facts: dict) -> None:
    console = open_console()
    table = open_table()
    for heading in ("network", "form", "zeros", "right", "accuracy", "same answer", "cycles"):
        table.add_column(heading, justify="left" if heading in ("network", "form") else "right",
                         overflow="fold")
    for row in facts["forms"]:
        table.add_row(
            row["name"], row["form"], "" if row["zeros"] is None else f"{row['zeros']:.1%}",
            f"{row['correct']} of {facts['samples']}", f"{row['accuracy']:.1%}",
            f"{row['agreement']:.1%}" if "agreement" in row else "",
            f"{row['cycles']:,}" if row["cycles"] else "")
    console.print(table)
    _print_confusion(console, facts)
    for row in facts["forms"][1:]:
        if row["layers"]:
            console.print(f"\nlayers that lose most against {row['name']}, for the same input",
                          markup=False)
            for layer in row["layers"][:_SHOWN_LAYERS]:
                console.print(f"  {layer['decibels']:6.1f} dB  {layer['name']} "
                              f"({layer['operator']})", markup=False)
        elif row["layers_note"] and row["form"] != "float":
            console.print(f"\n{row['name']}: {row['layers_note']}", markup=False)


def _print_confusion(console: Console, facts: dict) -> None:
    matrix, names = np.array(facts["confusion"]), facts["classes"]
    if len(names) > _SHOWN_CLASSES:
        wrong = matrix * ~np.eye(len(names), dtype=bool)
        order = np.argsort(-wrong, axis=None, kind="stable")[:_SHOWN_CONFUSIONS]
        console.print(f"confusions of {facts['network']}, the most frequent first", markup=False)
        for label, answer in zip(*np.unravel_index(order, wrong.shape), strict=True):
            if wrong[label, answer]:
                console.print(f"  {wrong[label, answer]:4d}  {names[label]} taken for "
                              f"{names[answer]}", markup=False)
        return
    table = open_table(title=f"answers of {facts['network']} (columns) by class",
                       title_justify="left")
    for heading in ("", *names):
        table.add_column(heading, justify="right" if heading else "left")
    for name, line in zip(names, matrix, strict=True):
        table.add_row(name, *(str(value) if value else "" for value in line))
    console.print(table)
