"""Faces found on an unstructured sparse network: ``python bench/face.py ASSETS [--json FILE]``.

MediaPipe's face_detection_full_range_sparse (float, 192 x 192, about 30 % dense as published) is
quantized and runs whole: cycles with zero weights skipped and without (dense), on the machine. The
photographs of samples/photos are judged, a face being a score above 0.5, and held against LiteRT's
float; the quantizer sees others only (samples/coco_det, with parts of them, and samples/vww).
"""

import sys

import numpy as np
from common import int8_of, int8_outputs, machine, options, say, write
from numpy.typing import NDArray

from sw.inputs import Pictures
from sw.inputs.folder import read_folder, sample_files
from sw.quantize import Choices, input_specs, prepare, read_float
from sw.quantize.ranges import METHODS
from sw.reference import run_litert

NETWORK = "models_tflite/face_detection_full_range_sparse.tflite"
SCORES = "Identity_1"  # behind which MediaPipe has a sigmoid
PICTURES = Pictures(mean=(127.5,), std=(127.5,))  # -1 to 1
MUST, AIM = 1.2, 1.35  # dense cycles over cycles
FACE = 0.5
CROPS, EVERY = 1, 3  # parts of each photograph; of the small pictures


def best(outputs: list[NDArray]) -> float:
    """The largest score: of the output with one value an anchor, behind a sigmoid."""
    (scores,) = [values for values in outputs if values.shape[-1] == 1]
    return float(1 / (1 + np.exp(-np.max(scores.astype(np.float64)))))


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--method", choices=("auto", *METHODS), default="mse")
    args = parser.parse_args()
    path, photos = args.assets / NETWORK, args.assets / "samples/photos"
    (spec,) = input_specs(prepare(path, read_float(path, {})))
    others = args.assets / "samples"
    calibration = [*read_folder(others / "coco_det", spec, PICTURES, crops=CROPS),
                   *(PICTURES.read(file, spec)
                     for file in sorted((others / "vww").glob("*.png"))[::EVERY])]
    model, _ = int8_of(path, calibration, Choices(args.method, scores=frozenset((SCORES,))))
    samples, rows = read_folder(photos, spec, PICTURES), []
    for file, sample, found in zip(sample_files(photos), samples, int8_outputs(model, samples),
                                   strict=True):
        row = {"photograph": file.name, "float": best(run_litert(path, [sample])),
               "int8": best(found)}
        rows.append(row | {"same": (row["float"] > FACE) == (row["int8"] > FACE)})
        say(f"{file.name}: {row['float']:.3f} float, {row['int8']:.3f} int8")
    same = sum(row["same"] for row in rows)
    say(f"{same} of {len(rows)} decisions as float's")
    runs = {name: machine(model, samples[0], dense=name == "dense")
            for name in ("dense", "as_it_is")}
    gain = runs["dense"]["cycles"] / runs["as_it_is"]["cycles"]
    say(f"{gain:.2f}x (must {MUST}x, aim {AIM}x)")
    figures = {"command": f"python bench/face.py ASSETS --method {args.method}",
               "calibration_samples": len(calibration), **runs, "gain": gain,
               "same_decisions": same, "photographs": rows}
    write(args.json, figures)
    different = sum(run["values_different"] for run in runs.values())
    return 1 if different or gain < MUST or same < len(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
