"""Arguments that several subcommands share, and what they mean."""

import argparse
import math
import os
from pathlib import Path

from golden.spec.config import PRESETS, Config, ConfigError, preset
from sw.errors import BadConfigError, UsageError

__all__ = [
    "add_chip", "add_json", "add_model", "add_placement", "add_weights", "chip", "chip_asked",
    "count", "network_file", "numbers", "positive", "writable",
]


def count(text: str) -> int:
    """argparse type: an integer of 1 or more."""
    try:
        value = int(text, 0)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, accepted is an integer of 1 or more")
    return value


def positive(text: str) -> float:
    """argparse type: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r}, accepted is a number of more than 0")
    return value


def numbers(text: str) -> tuple[float, ...]:
    """argparse type: numbers separated by commas."""
    try:
        values = tuple(float(item) for item in text.split(","))
    except ValueError:
        values = (math.nan,)
    if not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number or numbers with commas")
    return values


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """argparse type: name=1,3,224,224."""
    name, _, sizes = text.rpartition("=")
    try:
        values = tuple(int(item) for item in sizes.split(","))
    except ValueError:
        values = (0,)
    if not name or min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, accepted is name=sizes, for example "
                                         "input=1,3,224,224")
    return name, values


def writable(path: Path, what: str = "", suffixes: tuple[str, ...] = ()) -> None:
    """Refuse a file that can't be written, before hours have passed.

    Parameters
    ----------
    path : Path
    what : str
        What messages begin with.
    suffixes : tuple of str, optional
        The only ones it may have.

    Raises
    ------
    UsageError
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or (
            path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(f"{what}{path}: can't be written; accepted is a file in a folder that "
                         "exists and may be written to")
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"{what}{path}: accepted is a file named *{' or *'.join(suffixes)}")


def network_file(path: Path, suffixes: tuple[str, ...] = (".onnx", ".tflite")) -> Path:
    """The path, if it is a file with one of the suffixes.

    Raises
    ------
    UsageError
        Where a model is missing, in every command.
    """
    if not path.is_file() or path.suffix.lower() not in suffixes:
        what = "no such file; " if not path.exists() else ""
        raise UsageError(f"{path}: {what}accepted is a file named *{' or *'.join(suffixes)}")
    return path


def add_model(parser: argparse.ArgumentParser, accepted: str) -> None:
    """MODEL and ``--shape``."""
    parser.add_argument("model", metavar="MODEL", help=accepted)
    parser.add_argument("--shape", type=shape, action="append", default=[], metavar="name=dims",
                        help="sizes of an input that an .onnx file leaves open, with commas; an "
                        "open batch is 1; may be repeated")


def add_chip(parser: argparse.ArgumentParser, *, memory: bool = True) -> None:
    """``--preset``, ``--set`` and, with ``memory``, the simulated memory's options."""
    group = parser.add_argument_group("chip")
    group.add_argument("--preset", metavar="P", help=f"configuration: {', '.join(PRESETS)} "
                       "(default: base)")
    group.add_argument("--set", action="append", default=[], metavar="field=value",
                       help="override a field of the configuration; may be repeated")
    if memory:
        group.add_argument("--dram-bytes", type=count, metavar="B",
                           help="simulated memory: bytes a cycle")
        group.add_argument("--dram-latency", type=int, metavar="L",
                           help="simulated memory: cycles from address to first data")


def add_weights(parser: argparse._ActionsContainer) -> None:
    """``--dense`` and ``--rate``."""
    parser.add_argument("--dense", action="store_true", help="do not skip zero weights")
    parser.add_argument("--rate", type=float, metavar="R",
                        help="keep only the round(M (1 - R)) largest weights of each block, "
                        "untrained: for speed, not for answers")


def add_placement(parser: argparse.ArgumentParser) -> None:
    """``--placement``."""
    parser.add_argument("--placement", action="store_true",
                        help="list where each layer runs one by one; without, alike ones together")


def add_json(parser: argparse._ActionsContainer) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object on stdout instead of text")


def chip_asked(arguments: argparse.Namespace) -> bool:
    """Whether the command line says which chip."""
    return arguments.preset is not None or bool(arguments.set)


def chip(arguments: argparse.Namespace, base: Config | None = None) -> Config:
    """The configuration that ``--preset``, ``--set`` and ``--dram-*`` describe.

    Parameters
    ----------
    arguments : Namespace
    base : Config, optional
        Configuration where the command line names none.

    Raises
    ------
    BadConfigError
        Naming field, value and rule.
    """
    changes: dict[str, object] = {}
    for item in arguments.set:
        name, _, text = item.partition("=")
        if name.strip() == "drp":
            changes["drp"] = text.strip()
            continue
        try:
            changes[name.strip()] = int(text, 0)
        except ValueError:
            raise BadConfigError(f"--set {item}: accepted is field=value with an integer, for "
                                 "example --set bank_words=512") from None
    for name in ("dram_bytes", "dram_latency"):
        if getattr(arguments, name, None) is not None:
            changes[name] = getattr(arguments, name)
    try:
        if base is not None and not chip_asked(arguments):
            return base.replace(**changes)
        return preset(arguments.preset or "base", **changes)
    except ConfigError as error:
        raise BadConfigError(str(error)) from None
