"""Kernels of the DRP's library: interval, bounds, mapping time, cycles per element.

``python bench/drp.py`` maps the library anew on fabric ``base`` (and ``--fabric``), runs every
kernel and every pipeline on the simulated tile, and writes ``bench/drp.json``; with ``--only NAME``
one kernel or pipeline, whose row there it replaces. Seconds are of the processor, the mapper has
one thread. ``fast9`` is run at 640 x 480, which takes a minute.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from golden.spec.drp.fabric import FABRICS, fabric
from sw.drp.cache import Cache
from sw.drp.chain import compile_whole, facts_of
from sw.drp.library import LIBRARY
from sw.drp.library.pipelines import PIPELINES
from sw.drp.library.samples import pipeline_sample, sample
from sw.drp.pipeline import Simulated
from sw.errors import SenteiError


def measured(name: str, shape: str, cache: Cache, height: int, width: int) -> dict[str, object]:
    """One kernel's row."""
    kernel, start = LIBRARY[name], time.process_time()
    try:
        compiled = compile_whole(kernel, fabric(shape), cache=cache)
    except SenteiError as error:
        return {"kernel": name, "fabric": shape, "error": str(error)}
    seconds = time.process_time() - start
    call = sample(kernel, np.random.default_rng(1), height, width)
    wanted = kernel(*call.arrays, sizes=call.sizes, grids=call.grids)
    found = compiled.run(*call.arrays, sizes=call.sizes, grids=call.grids)
    pairs = zip(wanted if isinstance(wanted, tuple) else (wanted,), found.outputs, strict=True)
    return {**facts_of(compiled), "seconds": round(seconds, 2), "cycles": found.cycles,
            "elements": found.elements,
            "cycles_per_element": round(found.cycles / found.elements, 3),
            "mismatches": sum(int((a != b).sum()) for a, b in pairs)}


def whole(name: str, shape: str, cache: Cache) -> dict[str, object]:
    """One pipeline's row: cycles of its kernels, one after the other."""
    engine, made = Simulated(fabric(shape), cache), PIPELINES[name]
    size = (480, 640) if name == "fast9" else (24, 96)
    arrays = pipeline_sample(name, np.random.default_rng(1), *size)
    try:
        found = made.run(engine, *arrays)
    except SenteiError as error:
        return {"pipeline": name, "fabric": shape, "error": str(error)}
    return {"pipeline": name, "fabric": shape, "size": size, "calls": engine.calls,
            "cycles": engine.cycles, "mismatches": int((found != made(*arrays)).sum())}


def merged(before: list[dict[str, object]], rows: list[dict[str, object]], key: str,
           names: Iterable[str]) -> list[dict[str, object]]:
    """Rows measured earlier, those measured now in their place, in the order of ``names``."""
    found = {str(row[key]): row for row in (*before, *rows)}
    return [found[name] for name in names if name in found]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fabric", default="base", choices=tuple(FABRICS))
    parser.add_argument("--size", type=int, nargs=2, default=(24, 96), metavar=("H", "W"))
    parser.add_argument("--only", choices=[*LIBRARY, *PIPELINES], metavar="NAME")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("drp.json"))
    arguments = parser.parse_args()
    rows = []
    cache = Cache(Path(tempfile.mkdtemp()))
    for name in (name for name in LIBRARY if arguments.only in (None, name)):
        row = measured(name, arguments.fabric, cache, *arguments.size)
        rows.append(row)
        print(row.get("error") or " ".join(f"{key}={row[key]}" for key in (
            "kernel", "nodes", "ii", "bounds", "proven", "latency", "utilization", "seconds",
            "cycles_per_element", "mismatches")), flush=True)
    pipelines = [whole(name, arguments.fabric, cache) for name in PIPELINES
                 if arguments.only in (None, name)]
    for row in pipelines:
        print(row, flush=True)
    if arguments.only:
        before = json.loads(arguments.json.read_text())
        rows = merged(before["kernels"], rows, "kernel", LIBRARY)
        pipelines = merged(before["pipelines"], pipelines, "pipeline", PIPELINES)
    mapped = [row for row in rows if "ii" in row]
    seconds = [float(str(row["seconds"])) for row in mapped]
    found = {"fabric": arguments.fabric, "kernels": rows, "pipelines": pipelines,
             "mapped": len(mapped),
             "proven": sum(bool(row["proven"]) for row in mapped),
             "seconds_median": statistics.median(seconds), "seconds_most": max(seconds)}
    print({key: value for key, value in found.items() if key not in (
        "kernels", "pipelines")})
    arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
