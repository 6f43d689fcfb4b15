"""Kernels on the whole chip, from DRAM to DRAM: cycles per element.

``python bench/drp_chip.py [--engine rtl|machine] [--json FILE]`` runs kernels and one pipeline on
preset ``base`` and holds every result against the kernels themselves; with ``--kernel NAME`` one
of them only, whose row of FILE it replaces. *Kernel* cycles are those
with a kernel under way, *all* are from doorbell to interrupt, loads and stores included; they
overlap where arrays are cut into strips.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from golden.spec.config import preset
from sw.drp.cache import default_cache
from sw.drp.chain import compile_whole
from sw.drp.domain import Grid
from sw.drp.library import LIBRARY
from sw.drp.library.pipelines import PIPELINES
from sw.drp.library.samples import Call, pipeline_sample, sample
from sw.drp.on_chip import OnChip
from sw.session.engines import open_transport

# (kernel, rows and columns of its input).
KERNELS = (("max_pool_3x3s2", (32, 64)), ("quantized_add", (48, 640)), ("sobel", (240, 320)),
           ("resize_3", (120, 160)), ("nv12_input", (480, 640)), ("median3", (120, 160)),
           ("harris", (120, 160)), ("histogram", (240, 320)), ("brief", (24, 96)))
PIPELINE = "fast9"
FRAME = (480, 640)


def call_of(name: str, size: tuple[int, int], rng: np.random.Generator) -> Call:
    """A call of a kernel; a camera's frame becomes a network's 96 x 96 input."""
    call = sample(LIBRARY[name], rng, *size)
    if name != "nv12_input":
        return call
    wanted = 96, 96
    bright, colours = (Grid.resize(array.shape[:2], wanted) for array in call.arrays)
    return Call(call.arrays, {"y": 96, "x": 96}, {"y": bright, "uv": colours})


def row_of(chip: OnChip, name: str, size: tuple[int, int]) -> dict[str, Any]:
    """One kernel's figures."""
    kernel, fabric = LIBRARY[name], preset("base").fabric
    assert fabric
    call = call_of(name, size, np.random.default_rng(1))
    compiled = compile_whole(kernel, fabric, cache=default_cache())
    chip.counters.clear()
    found = chip.run(compiled, *call.arrays, sizes=call.sizes, grids=call.grids)
    wanted = kernel(*call.arrays, sizes=call.sizes, grids=call.grids)
    for one, other in zip(wanted if isinstance(wanted, tuple) else (wanted,), found.outputs,
                          strict=True):
        np.testing.assert_array_equal(one, other)
    busy = chip.counters["drp_busy"]
    return {"kernel": name, "input": [list(array.shape) for array in call.arrays],
            "elements": found.elements, "cycles": found.cycles, "kernel_cycles": busy,
            "kernel_cycles_per_element": busy / found.elements,
            "cycles_per_element": found.cycles / found.elements}


def pipeline_row(chip: OnChip, name: str, size: tuple[int, int]) -> dict[str, Any]:
    """One pipeline's figures."""
    arrays = pipeline_sample(name, np.random.default_rng(1), *size)
    chip.counters.clear()
    chip.calls.clear()
    found = PIPELINES[name].run(chip, *arrays)
    np.testing.assert_array_equal(found, PIPELINES[name](*arrays))
    busy, cycles = chip.counters["drp_busy"], chip.cycles
    return {"kernel": name, "input": [list(arrays[0].shape)], "elements": found.size,
            "cycles": cycles, "kernel_cycles": busy, "kernel_cycles_per_element": busy / found.size,
            "cycles_per_element": cycles / found.size, "calls": chip.calls}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("machine", "rtl"), default="rtl")
    parser.add_argument("--kernel", choices=[*(name for name, _ in KERNELS), PIPELINE])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    config = preset("base")
    transport = open_transport(arguments.engine, config)
    chip = OnChip(config, transport, default_cache())
    rows = [row_of(chip, *item) for item in KERNELS if arguments.kernel in (None, item[0])]
    if arguments.kernel in (None, PIPELINE):
        rows.append(pipeline_row(chip, PIPELINE, FRAME))
    transport.close()
    table = Table(title=f"preset base, {arguments.engine}")
    for heading in ("kernel", "input", "elements", "kernel cycles", "each", "all cycles", "each"):
        table.add_column(heading, justify="left" if heading in ("kernel", "input") else "right")
    for row in rows:
        table.add_row(row["kernel"], "x".join(map(str, row["input"][0])), f"{row['elements']:,}",
                      f"{row['kernel_cycles']:,}", f"{row['kernel_cycles_per_element']:.3f}",
                      f"{row['cycles']:,}", f"{row['cycles_per_element']:.3f}")
    Console().print(table)
    if arguments.json:
        found = {row["kernel"]: row for row in rows}
        if arguments.kernel and arguments.json.exists():
            before = json.loads(arguments.json.read_text())["rows"]
            found = {row["kernel"]: row for row in before} | found
        arguments.json.write_text(json.dumps({
            "command": f"python bench/drp_chip.py --engine {arguments.engine}",
            "rows": list(found.values())}, indent=1) + "\n")


if __name__ == "__main__":
    main()
