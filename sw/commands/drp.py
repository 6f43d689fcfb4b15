"""The tile fabric: kernels, their mappings, and running them.

examples:
  sentei drp list
  sentei drp compile sobel
  sentei drp compile my_kernels.py:blend --fabric board --json
  sentei drp show sobel -o sobel.png
  sentei drp run sobel --input photo.jpg -o edges.png
  sentei drp run resize_gray --input photo.jpg --size 96,96
  sentei drp run sobel --input photo.jpg --engine rtl
  sentei drp run fast9 --input photo.jpg -o corners.png

KERNEL is one of the library, or FILE.py, or FILE.py:NAME. Its scalars: --scalar name=value; its
arrays (streams, tables, gathers): --input for each. Of several results -o out.png writes
out-1.png, out-2.png.
Engines: simulator executes the tile's contexts step by step (large pictures take minutes);
machine and rtl run a program of the whole chip, loads and stores included, large pictures in
strips.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from golden.drp.errors import TileError
from golden.spec.config import PRESETS, preset
from golden.spec.drp.fabric import FABRICS, fabric
from sw.commands.drp_files import (
    arrays_of,
    check_picture,
    files_of,
    numbered,
    read_values,
    write_values,
)
from sw.commands.options import add_json, writable
from sw.commands.progress import Progress
from sw.drp.cache import default_cache
from sw.drp.chain import Chain, compile_whole, facts_of
from sw.drp.compiler import Compiled
from sw.drp.kernel import Kernel
from sw.drp.library import LIBRARY
from sw.drp.library.pipelines import PIPELINES
from sw.drp.library.samples import pipeline_sample
from sw.drp.on_chip import OnChip
from sw.drp.open import open_kernel
from sw.drp.pipeline import Simulated
from sw.drp.show import draw, text
from sw.errors import DeviceError, InputError, MismatchError, SenteiError, UsageError
from sw.inputs import PICTURE_SUFFIXES
from sw.session.engines import open_transport

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei drp``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the library, mapped")
    compiling = actions.add_parser("compile", help="map a kernel; say how good it is")
    running = actions.add_parser("run", help="run a kernel and its reference")
    showing = actions.add_parser("show", help="draw a mapping, as text or picture")
    for part in (compiling, running, showing):
        part.add_argument("kernel", metavar="KERNEL", help="library kernel, FILE.py or "
                          "FILE.py:NAME")
        part.add_argument("--scalar", action="append", default=[], metavar="name=value",
                          help="a constant of the kernel; may be repeated")
    for part in (listing, compiling, running, showing):
        part.add_argument("--fabric", default="base", choices=tuple(FABRICS), metavar="F",
                          help=f"{', '.join(FABRICS)} (default: base)")
        part.add_argument("--seed", type=int, default=1, help="of the mapper (default: 1)")
        part.add_argument("--no-cache", action="store_true", help="map again")
        add_json(part)
    running.add_argument("--input", type=Path, action="append", default=[], metavar="FILE",
                         help="picture or .npy for each stream, gather and table (.npy of int32), "
                         "in the order of the kernel's parameters; random data without")
    running.add_argument("--engine", default="simulator", choices=("simulator", "machine", "rtl"),
                         help="what runs it: the tile alone in numpy, or the whole chip "
                         "(default: simulator)")
    running.add_argument("--size", metavar="H,W", help="of the result of a kernel that resizes")
    running.add_argument("-o", "--output", type=Path, metavar="FILE",
                         help="result as .npy, or as a picture (.png, .jpg, ...)")
    showing.add_argument("-o", "--output", type=Path, metavar="FILE",
                         help="picture to write (.png, .svg); text without")


def execute(arguments: argparse.Namespace) -> int:
    """Do it."""
    return {"list": _list, "compile": _compile, "run": _run,
            "show": _show}[arguments.action](arguments)


def _compiled(arguments: argparse.Namespace, kernel: Kernel,
              tell: Callable[[str], None]) -> Compiled | Chain:
    scalars = {}
    for item in getattr(arguments, "scalar", []):
        name, _, value = item.partition("=")
        try:
            scalars[name] = int(value, 0)
        except ValueError:
            raise UsageError(f"--scalar {item}: accepted is name=value with an integer") from None
    return compile_whole(kernel, fabric(arguments.fabric), tell, seed=arguments.seed,
                         cache=None if arguments.no_cache else default_cache(), **scalars)


def _list(arguments: argparse.Namespace) -> int:
    progress, rows = Progress(plain=arguments.json), []
    with progress.step(f"mapping the library on {arguments.fabric}"):
        for name, kernel in LIBRARY.items():
            progress.update(name)
            try:
                compiled = _compiled(arguments, kernel, partial(progress.update, f"{name},"))
                rows.append({**facts_of(compiled), "what": kernel.doc})
            except SenteiError as error:
                rows.append({"kernel": name, "fabric": arguments.fabric, "error": str(error)})
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kernel", "nodes", "II", "bound", "proven", "latency", "used", "seconds"):
        table.add_column(heading)
    for row in rows:
        if "error" in row:
            table.add_row(row["kernel"], row["error"])
        else:
            table.add_row(row["kernel"], *_cells(row))
    Console().print(table)
    print(f"of several kernels (sentei drp run NAME): {', '.join(PIPELINES)}")
    return 0


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (str(row["nodes"]), str(row["ii"]), str(max(row["bounds"].values())),
            "yes" if row["proven"] else "no", str(row["latency"]), f"{row['utilization']:.0%}",
            f"{row['seconds']:.2f}")


def _kernel(name: str) -> Kernel:
    """The kernel asked for, which is one."""
    if name in PIPELINES:
        parts = PIPELINES[name].kernels(*pipeline_sample(name, np.random.default_rng(1), 24, 32))
        raise UsageError(f"{name} is a pipeline, kernels that run one after the other; accepted "
                         f"are sentei drp run {name}, or of its kernels {', '.join(parts)}")
    return open_kernel(name)


def _compile(arguments: argparse.Namespace) -> int:
    progress = Progress(plain=arguments.json)
    with progress.step(f"mapping {arguments.kernel}"):
        found = facts_of(_compiled(arguments, _kernel(arguments.kernel), progress.update))
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    bound = found["bounds"]
    for piece in found.get("pieces", ()):
        print(f"{piece['kernel']}: {piece['nodes']} nodes, an iteration every {piece['ii']} "
              f"step(s), bound {max(piece['bounds'].values())}")
    print(f"{found['kernel']} on {found['fabric']}: an iteration every {found['ii']} step(s), "
          f"latency {found['latency']}; {found['nodes']} nodes, "
          f"{found['utilization']:.0%} of the elements' steps used")
    print(f"lower bounds: resource {bound['resource']}, recurrence {bound['recurrence']}, memory "
          f"{bound['memory']}; " + ("proven optimal" if found["proven"] else "not proven optimal")
          + f"; found in {found['seconds']:.2f} s" + (" (cached)" if found["cached"] else ""))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    if arguments.output:
        writable(arguments.output, "-o ", (".png", ".svg"))
    progress = Progress(plain=arguments.json)
    with progress.step(f"mapping {arguments.kernel}"):
        compiled = _compiled(arguments, _kernel(arguments.kernel), progress.update)
    found = facts_of(compiled)
    files = _files(arguments.output, compiled) if arguments.output else {}
    if arguments.output:
        for path, item in files.items():
            one = facts_of(item)
            title = f"{one['kernel']} on {one['fabric']}, II {one['ii']}"
            draw(item.mapping, title, path)
    if arguments.json:
        print(json.dumps({**found, "file": str(next(iter(files))) if files else None,
                          "files": [str(path) for path in files], "text": _text(compiled)},
                         indent=1))
    elif arguments.output:
        _tell(list(files))
    else:
        print(_text(compiled))
    return 0


def _pieces(compiled: Compiled | Chain) -> tuple[Compiled, ...]:
    return compiled.pieces if isinstance(compiled, Chain) else (compiled,)


def _files(path: Path, compiled: Compiled | Chain) -> dict[Path, Compiled]:
    """A picture's file for each piece."""
    pieces = _pieces(compiled)
    return dict(zip(numbered(path, len(pieces)), pieces, strict=True))


def _tell(files: list[Path]) -> None:
    """Which files were written."""
    if files:
        print(f"wrote {', '.join(map(str, files))}")


def _text(compiled: Compiled | Chain) -> str:
    """Mappings of all pieces and their states."""
    states = [(f"{piece.kernel.name}, state {number}" if len(piece.states) > 1
               else piece.kernel.name, mapping)
              for piece in _pieces(compiled) for number, mapping in enumerate(piece.states)]
    if len(states) == 1:
        return text(states[0][1])
    return "\n\n".join(f"== {name}\n{text(mapping)}" for name, mapping in states)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.output:
        writable(arguments.output, "-o ", (".npy", *sorted(PICTURE_SUFFIXES)))
    if arguments.kernel in PIPELINES:
        return _run_pipeline(arguments)
    kernel = open_kernel(arguments.kernel)
    call = arrays_of(arguments, kernel)
    files = files_of(arguments, kernel, call)
    progress = Progress(plain=arguments.json)
    with progress.step(f"mapping {arguments.kernel}"):
        compiled = _compiled(arguments, kernel, progress.update)
    with progress.step("running the reference"):
        wanted = kernel(*call.arrays, sizes=call.sizes, grids=call.grids, **compiled.scalars)
    if arguments.engine == "simulator":
        with progress.step("running the simulated tile"):
            try:
                outcome = compiled.run(*call.arrays, sizes=call.sizes, grids=call.grids)
            except TileError as error:
                raise DeviceError(f"{kernel.name}: {error}") from error
    else:
        with _chip(arguments, progress) as chip:
            outcome = chip.run(compiled, *call.arrays, sizes=call.sizes, grids=call.grids)
    expected = wanted if isinstance(wanted, tuple) else (wanted,)
    mismatches = sum(int((a != b).sum()) for a, b in zip(expected, outcome.outputs, strict=True))
    for values, path in zip(outcome.outputs, files, strict=False):
        write_values(values, path)
    report = {**facts_of(compiled), "engine": arguments.engine, "cycles": outcome.cycles,
              "steps": outcome.steps, "elements": outcome.elements, "mismatches": mismatches,
              "files": [str(path) for path in files]}
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        print(f"{kernel.name} on {arguments.fabric}: {outcome.cycles:,} cycles for "
              f"{outcome.elements:,} elements ({outcome.cycles / outcome.elements:.3f} each; "
              f"{outcome.steps:,} steps of the tile, the rest waits for memory), "
              f"{mismatches} differ from the reference")
        _tell(files)
    if mismatches:
        raise MismatchError(f"{kernel.name}: {mismatches} of {outcome.elements} elements differ "
                            "from the reference")
    return 0


@contextmanager
def _chip(arguments: argparse.Namespace, progress: Progress) -> Iterator[OnChip]:
    """The whole chip with the fabric asked for."""
    chips = [config for config in PRESETS.values() if config.drp == arguments.fabric]
    config = chips[0] if chips else preset("base", drp=arguments.fabric)
    with progress.step(f"starting the {arguments.engine} engine"):
        transport = open_transport(arguments.engine, config, progress=progress.update)
    try:
        with progress.step(f"running {arguments.kernel} on {arguments.engine}"):
            yield OnChip(config, transport, None if arguments.no_cache else default_cache(),
                         arguments.seed)
    finally:
        transport.close()


def _run_pipeline(arguments: argparse.Namespace) -> int:
    """Several kernels, one after the other."""
    name, made = arguments.kernel, PIPELINES[arguments.kernel]
    if arguments.scalar or arguments.size:
        raise UsageError(f"{name} is several kernels; accepted are --input and --output")
    arrays = pipeline_sample(name, np.random.default_rng(arguments.seed), 24, 32)
    if arguments.input:
        if len(arguments.input) != len(arrays) or not all(
                isinstance(array, np.ndarray) for array in arrays):
            raise UsageError(f"{name} takes {len(arrays)} arrays; accepted is --input for each, if "
                             "all are pictures or .npy")
        arrays = tuple(read_values(path) for path in arguments.input)
    progress = Progress(plain=arguments.json)
    with progress.step("running the reference"):
        try:
            wanted = made(*arrays)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from error
    files = [arguments.output] if arguments.output else []
    for path in files:
        check_picture(path, wanted.dtype.name, wanted.shape)
    engine: Simulated | OnChip
    if arguments.engine == "simulator":
        engine = Simulated(fabric(arguments.fabric),
                           None if arguments.no_cache else default_cache(), arguments.seed)
        with progress.step("mapping, and running the simulated tile"):
            try:
                found = made.run(engine, *arrays)
            except TileError as error:
                raise DeviceError(f"{name}: {error}") from error
    else:
        with _chip(arguments, progress) as engine:
            found = made.run(engine, *arrays)
    mismatches = int((found != wanted).sum())
    for path in files:
        write_values(found, path)
    if arguments.json:
        print(json.dumps({
            "kernel": name, "fabric": arguments.fabric, "engine": arguments.engine,
            "cycles": engine.cycles, "elements": found.size, "mismatches": mismatches,
            "calls": [{"kernel": kernel, "cycles": cycles} for kernel, cycles in engine.calls],
            "files": [str(path) for path in files]}, indent=1))
    else:
        for kernel, cycles in engine.calls:
            print(f"{kernel}: {cycles:,} cycles")
        print(f"{name} on {arguments.fabric}: {engine.cycles:,} cycles for {found.size:,} "
              f"elements, {mismatches} differ from the reference")
        _tell(files)
    if mismatches:
        raise MismatchError(f"{name}: {mismatches} of {found.size} elements differ from the "
                            "reference")
    return 0
