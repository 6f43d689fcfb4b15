"""PSNR of a super-resolution network, float and int8: ``python bench/superres.py ASSETS``.

A photograph's brightness is made three times smaller (bicubic) and the network makes it as large
again; what is smaller than its 224 x 224 pixels is continued at the edges, which are not judged.
Four photographs are judged; the quantizer sees others. ``--json FILE`` keeps all.
"""

import sys
from pathlib import Path

import numpy as np
from common import float_outputs, int8_of, int8_outputs, machine, options, say, write
from numpy.typing import NDArray
from PIL import Image

from sw.quantize import Choices
from sw.quantize.ranges import METHODS

NETWORK, SMALL, TIMES = "models_onnx/super_resolution.onnx", 224, 3
JUDGED = ("astronaut.png", "bird.png", "chelsea.png", "coffee.png")
EDGE = 24  # pixels of the result
MOST_LOST = 0.1  # dB


def pair(path: Path) -> tuple[NDArray, NDArray]:
    """(input [1, 1, 224, 224], what it was made of [rows, columns]), 0 to 1."""
    with Image.open(path) as picture:
        width, height = (min(size // TIMES, SMALL) for size in picture.size)
        gray = picture.convert("YCbCr").getchannel("Y").crop((0, 0, TIMES * width, TIMES * height))
        small = gray.resize((width, height), Image.Resampling.BICUBIC)
    whole = np.pad(np.asarray(small, np.float32) / 255,
                   ((0, SMALL - height), (0, SMALL - width)), mode="edge")
    return whole[None, None], np.asarray(gray, np.float32) / 255


def psnr(wanted: NDArray, outputs: list[NDArray]) -> float:
    """Decibels of pixels as they would be saved."""
    rows, columns = wanted.shape
    found = outputs[0].reshape(TIMES * SMALL, TIMES * SMALL)[:rows, :columns]
    difference = wanted - np.rint(np.clip(found, 0, 1) * 255) / 255
    inside = difference[EDGE:-EDGE, EDGE:-EDGE]
    return float(-10 * np.log10(np.square(inside, dtype=np.float64).mean()))


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--method", choices=("auto", *METHODS), default="auto")
    args = parser.parse_args()
    photos, path = args.assets / "samples/photos", args.assets / NETWORK
    others = [item for item in sorted(photos.glob("*.[jp][pn]g"))
              if item.name not in JUDGED]
    pairs = [pair(photos / name) for name in JUDGED]
    samples = [small for small, _ in pairs]
    model, found = int8_of(path, [pair(item)[0] for item in others], Choices(args.method))
    rows = []
    for name, (_, large), real, whole in zip(JUDGED, pairs, float_outputs(path, samples),
                                             int8_outputs(model, samples), strict=True):
        row = {"photograph": name, "float": psnr(large, real), "int8": psnr(large, whole)}
        rows.append(row | {"lost": row["float"] - row["int8"]})
        say(f"{name}: {row['float']:.2f} dB float, {row['int8']:.2f} int8, "
            f"{rows[-1]['lost']:.3f} lost")
    figures = {"command": f"python bench/superres.py ASSETS --method {args.method}",
               "photographs": rows, "calibration_samples": len(others),
               "chosen": vars(found.chosen), **machine(model, samples[0])}
    write(args.json, figures)
    return 0 if max(row["lost"] for row in rows) <= MOST_LOST and not figures[
        "values_different"] else 1


if __name__ == "__main__":
    sys.exit(main())
