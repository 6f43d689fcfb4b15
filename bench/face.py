"""Faces found on an unstructured sparse network: ``python bench/face.py ASSETS [--json FILE]``.

MediaPipe's face_detection_full_range_sparse (float, 192 x 192, about 30 % dense as published) is
quantized and runs whole: cycles with zero weights skipped and with ``--dense``, on the machine,
whose outputs are held against the golden engine's. The photographs of samples/photos are judged, a
face being a score above 0.5, and held against LiteRT's float; the quantizer sees others of them
only (samples/coco_det), if not told otherwise by ``--calib``. ``--int8`` takes a network that is
quantized already.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from golden.spec.config import preset
from sw.inputs import Pictures
from sw.inputs.folder import read_folder, sample_files
from sw.quantize import Choices, input_specs, prepare, quantize, read_float
from sw.quantize.ranges import METHODS
from sw.reference import run_litert
from sw.report.placement import Placement
from sw.session import GoldenEngine, Model, compiled, open_engine, open_model

NETWORK = "models_tflite/face_detection_full_range_sparse.tflite"
PICTURES = Pictures(mean=(127.5,), std=(127.5,))  # -1 to 1
MUST, AIM = 1.2, 1.35  # dense cycles over cycles
FACE = 0.5
CROPS = 4


def best(outputs: list[NDArray]) -> float:
    """The largest score: of the output with one value an anchor, behind a sigmoid."""
    (scores,) = [values for values in outputs if values.shape[-1] == 1]
    return float(1 / (1 + np.exp(-np.max(scores.astype(np.float64)))))


def decibels(wanted: list[NDArray], found: list[NDArray]) -> list[float]:
    """Signal to noise of each output."""
    return [float(10 * np.log10(np.sum(np.square(signal, dtype=np.float64)) / max(
        np.sum(np.square(signal - values, dtype=np.float64)), 1e-30)))
        for signal, values in zip(wanted, found, strict=True)]


def quantized(path: Path, folder: Path, method: str, target: Path) -> None:
    """The network in int8."""
    model = prepare(path, read_float(path, {}))
    (spec,) = input_specs(model)
    samples = read_folder(folder, spec, PICTURES, crops=CROPS)
    found = quantize(model, [{spec.name: sample} for sample in samples], Choices(method))
    onnx.save(found.model, target)


def measured(model: Model, sample: dict[str, NDArray], wanted: dict[str, NDArray],
             dense: bool) -> dict:
    """Figures of the machine, and how many of the outputs' values differ from the golden ones."""
    config = preset("base")
    program = compiled(model, config, dense=dense)
    engine = open_engine("machine", config, program)
    try:
        result = engine.run(sample)
    finally:
        engine.close()
    place = Placement.of(program)
    return {"cycles": result.cycles, "share_of_macs_on_chip": place.share,
            "values_different": sum(int(np.sum(result.outputs[name] != values))
                                    for name, values in wanted.items()),
            "values_compared": sum(values.size for values in wanted.values()),
            "compile_seconds": program.info["compile_seconds"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assets", type=Path)
    parser.add_argument("--calib", type=Path, help="pictures the quantizer sees")
    parser.add_argument("--method", choices=("auto", *METHODS), default="mse")
    parser.add_argument("--int8", type=Path, help="a quantized network in place of ours")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    source, photos = args.assets / NETWORK, args.assets / "samples/photos"
    with tempfile.TemporaryDirectory() as folder:
        path, started = args.int8 or Path(folder) / "face_int8.onnx", time.perf_counter()
        if args.int8 is None:
            quantized(source, args.calib or args.assets / "samples/coco_det", args.method, path)
        seconds, model = time.perf_counter() - started, open_model(str(path))
    assert model.graph is not None
    (spec,), engine = model.inputs, GoldenEngine(model.graph)
    files, samples = sample_files(photos), read_folder(photos, spec, PICTURES)
    names, rows = [item.name for item in model.outputs], []
    table = Table(title="largest score of each photograph")
    for title in ("photograph", "float", "int8", "same"):
        table.add_column(title, justify="left" if title == "photograph" else "right")
    for file, sample in zip(files, samples, strict=True):
        given = engine.run({spec.name: sample}).outputs
        found = [given[name] for name in names]
        wanted = run_litert(source, [sample])
        wanted = [next(values for values in wanted if values.shape == item.shape)
                  for item in found]
        row = {"photograph": file.name, "float": best(wanted), "int8": best(found),
               "decibels": dict(zip(names, decibels(wanted, found), strict=True))}
        row["same"] = (row["float"] > FACE) == (row["int8"] > FACE)
        rows.append(row)
        table.add_row(file.name, f"{row['float']:.3f}", f"{row['int8']:.3f}",
                      "yes" if row["same"] else "no")
    same, console = sum(row["same"] for row in rows), Console(width=120)
    console.print(table)
    sample = {spec.name: samples[0]}
    wanted = engine.run(sample).outputs
    runs = {name: measured(model, sample, wanted, name == "dense")
            for name in ("dense", "as_it_is")}
    gain = runs["dense"]["cycles"] / runs["as_it_is"]["cycles"]
    figures = {"command": "python bench/face.py ASSETS", "network": source.stem,
               "calibration": "given" if args.calib or args.int8 else "samples/coco_det",
               "method": args.method, "quantize_seconds": seconds, **runs, "gain": gain,
               "same_decisions": same, "photographs": rows}
    console.print(f"preset base, machine: {runs['dense']['cycles']:,} cycles dense, "
                  f"{runs['as_it_is']['cycles']:,} as it is, {gain:.2f}x (must {MUST}x, aim "
                  f"{AIM}x)", highlight=False)
    console.print(f"{same} of {len(rows)} decisions as float's; "
                  f"{runs['as_it_is']['share_of_macs_on_chip']:.2%} of MACs on the chip",
                  highlight=False)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    different = sum(run["values_different"] for run in runs.values())
    console.print(f"{different} of {sum(run['values_compared'] for run in runs.values()):,} values "
                  "differ between machine and golden", highlight=False)
    return 1 if different or gain < MUST or same < len(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
