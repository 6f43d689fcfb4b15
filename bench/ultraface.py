"""Faces that UltraFace finds, float and int8: ``python bench/ultraface.py ASSETS [--json FILE]``.

Four photographs are judged; the quantizer sees others (samples/coco_det and the rest of
samples/photos). A face scores above 0.7; of overlapping boxes the best one counts.
"""

import sys
from pathlib import Path

import numpy as np
from common import float_outputs, int8_of, int8_outputs, machine, options, photograph, say, write
from numpy.typing import NDArray
from yolox import overlaps

from sw.quantize import Choices

NETWORK, SIZE = "models_onnx/ultraface_RFB-320.onnx", (240, 320)
JUDGED = ("astronaut.png", "face.jpg", "grace_hopper.png", "bird.png")
FACE, LARGEST_OVERLAP = 0.7, 0.5


def sample(path: Path) -> NDArray:
    """[1, 3, 240, 320], about -1 to 1."""
    pixels = photograph(path, SIZE).astype(np.float32)
    return np.ascontiguousarray(((pixels - 127) / 128).transpose(2, 0, 1)[None])


def faces(outputs: list[NDArray]) -> list[list[float]]:
    """Boxes (corners, 0 to 1) of the faces found, the surest first."""
    scores, boxes = (next(item[0] for item in outputs if item.shape[-1] == size)
                     for size in (2, 4))
    order = [at for at in np.argsort(-scores[:, 1], kind="stable") if scores[at, 1] > FACE]
    kept: list[int] = []
    for at in order:
        if not kept or overlaps(boxes[at][None], boxes[kept]).max() <= LARGEST_OVERLAP:
            kept.append(at)
    return boxes[kept].tolist()


def main() -> int:
    args = options(__doc__).parse_args()
    photos, path = args.assets / "samples/photos", args.assets / NETWORK
    judged = [photos / name for name in JUDGED]
    others = [item for item in sorted((*photos.glob("*.[jp][pn]g"),
                                       *(args.assets / "samples/coco_det").glob("*.jpg")))
              if item not in judged]
    samples = [sample(item) for item in judged]
    model, _ = int8_of(path, [sample(item) for item in others], Choices("mse"))
    rows = []
    for item, wanted, found in zip(judged, float_outputs(path, samples),
                                   int8_outputs(model, samples), strict=True):
        pair = faces(wanted), faces(found)
        same = len(pair[0]) == len(pair[1]) and (not pair[0] or bool(
            (overlaps(np.array(pair[0]), np.array(pair[1])).max(axis=1) > LARGEST_OVERLAP).all()))
        rows.append({"photograph": item.name, "float": len(pair[0]), "int8": len(pair[1]),
                     "same_places": same})
        say(f"{item.name}: {len(pair[0])} faces float, {len(pair[1])} int8"
            f"{'' if same else ', elsewhere'}")
    figures = {"command": "python bench/ultraface.py ASSETS", "photographs": rows,
               "calibration_samples": len(others), **machine(model, samples[0])}
    write(args.json, figures)
    return 0 if all(row["same_places"] for row in rows) and not figures["values_different"] else 1


if __name__ == "__main__":
    sys.exit(main())
