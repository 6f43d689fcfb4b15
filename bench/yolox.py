"""YOLOX-nano (416 x 416): AP50 float and int8, and cycles: ``python bench/yolox.py ASSETS``.

17 photographs with boxes (samples/coco_det) are judged; the quantizer sees none of them: it
calibrates on other photographs (samples/photos, slam, vww). Letterboxing, decoding and average
precision are written here, in numpy: COCO's definition, at an intersection over union of 0.5. AP50
is ONNX Runtime's of the int8 file; cycles are the machine's for one of the photographs, every value
held against golden's. ``--json FILE`` keeps all.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from common import int8_of, machine, options, say, write
from numpy.typing import NDArray
from PIL import Image

from sw.quantize import Choices, read_float
from sw.quantize.ranges import METHODS
from sw.quantize.session import open_session

SIZE, STRIDES, GRAY = 416, (8, 16, 32), 114
LEAST_SCORE, LARGEST_OVERLAP, MOST_BOXES = 0.001, 0.65, 100
MATCH = 0.5  # intersection over union
RECALLS = np.linspace(0, 1, 101)
VWW_PICTURES, CROPS = 24, 3
MOST_LOST, LEAST_USE = 0.08, 0.65
Network = Callable[[NDArray], NDArray]


def letterbox(picture: Image.Image) -> tuple[NDArray, float]:
    """[1, 3, 416, 416] float32, BGR 0 to 255, top left on gray; and pixels of it in one of the
    picture's."""
    ratio = min(SIZE / picture.height, SIZE / picture.width)
    width, height = int(picture.width * ratio), int(picture.height * ratio)
    pixels = np.full((SIZE, SIZE, 3), GRAY, np.uint8)
    pixels[:height, :width] = picture.convert("RGB").resize((width, height),
                                                            Image.Resampling.BILINEAR)
    return np.ascontiguousarray(pixels[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32), ratio


def decoded(raw: NDArray) -> tuple[NDArray, NDArray]:
    """(boxes [n, 4] as corners in input pixels, scores [n, classes]) of [1, n, 5 + classes]."""
    grids, steps = [], []
    for stride in STRIDES:
        size = SIZE // stride
        y, x = np.mgrid[:size, :size]
        grids.append(np.stack((x, y), -1).reshape(-1, 2))
        steps.append(np.full((size * size, 1), stride))
    grid, step, values = np.concatenate(grids), np.concatenate(steps), raw[0]
    center, size = (values[:, :2] + grid) * step, np.exp(values[:, 2:4]) * step
    return (np.concatenate((center - size / 2, center + size / 2), 1),
            values[:, 4:5] * values[:, 5:])


def overlaps(first: NDArray, second: NDArray) -> NDArray:
    """Intersection over union of all pairs of boxes."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def suppressed(boxes: NDArray, scores: NDArray) -> NDArray:
    """Numbers of the boxes that no better one of their class covers."""
    order, kept = np.argsort(-scores, kind="stable"), []
    while order.size:
        kept.append(order[0])
        order = order[1:][overlaps(boxes[order[:1]], boxes[order[1:]])[0] <= LARGEST_OVERLAP]
    return np.array(kept, int)


def detections(raw: NDArray, ratio: float) -> list[tuple[float, int, NDArray]]:
    """(score, class, box in the picture's pixels) of a picture, the best 100."""
    boxes, scores = decoded(raw)
    found = []
    for number in range(scores.shape[1]):
        likely = scores[:, number] > LEAST_SCORE
        own, values = boxes[likely] / ratio, scores[likely, number]
        found += [(float(values[at]), number, own[at]) for at in suppressed(own, values)]
    return sorted(found, key=lambda item: -item[0])[:MOST_BOXES]


def average_precision(truth: list[list[dict]], found: list[list[tuple[float, int, NDArray]]],
                      classes: list[int]) -> float:
    """Mean over the classes that occur of the precision at 101 recalls."""
    results = []
    for number, category in enumerate(classes):
        wanted = [[item for item in picture if item["category_id"] == category]
                  for picture in truth]
        count = sum(not item["iscrowd"] for picture in wanted for item in picture)
        if not count:
            continue
        hits = []
        for picture, boxes in zip(wanted, found, strict=True):
            own = [item for item in boxes if item[1] == number]
            hits += _matched(picture, own)
        hits.sort(key=lambda item: -item[0])
        right = np.cumsum([hit for _, hit in hits])
        recall = right / count
        precision = right / np.arange(1, len(hits) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, RECALLS)
        results.append(float(np.append(precision, 0)[np.minimum(at, len(precision))].mean()))
    return float(np.mean(results))


def _matched(wanted: list[dict], found: list[tuple[float, int, NDArray]]) -> list[
        tuple[float, bool]]:
    """(score, is it right?) of a picture's boxes of one class; those on crowds don't count."""
    if not wanted:
        return [(score, False) for score, _, _ in found]
    corners = np.array([[x, y, x + width, y + height]
                        for x, y, width, height in (item["bbox"] for item in wanted)])
    free = [True] * len(wanted)
    hits = []
    for score, _, box in found:
        shares = overlaps(box[None], corners)[0]
        single = [at for at in range(len(wanted)) if free[at] and not wanted[at]["iscrowd"]
                  and shares[at] >= MATCH]
        if single:
            free[max(single, key=lambda at: shares[at])] = False
            hits.append((score, True))
        elif not any(item["iscrowd"] and share >= MATCH
                     for item, share in zip(wanted, shares, strict=True)):
            hits.append((score, False))
    return hits


def calibration(samples: Path) -> list[NDArray]:
    """Photographs that aren't judged, and random parts of them."""
    rng, found = np.random.default_rng(0), []
    paths = sorted((samples / "photos").glob("*.[jp][pn]g"))
    paths += sorted(path for path in (samples / "slam").glob("*.png") if "depth" not in path.name)
    for path in paths:
        with Image.open(path) as picture:
            found.append(letterbox(picture)[0])
            for _ in range(CROPS):
                width, height = (round(size * rng.uniform(0.4, 1)) for size in picture.size)
                left, top = rng.integers(0, (picture.width - width + 1,
                                             picture.height - height + 1))
                found.append(letterbox(picture.crop((left, top, left + width, top + height)))[0])
    small = sorted((samples / "vww").glob("*.png"))
    for path in small[::max(len(small) // VWW_PICTURES, 1)]:
        with Image.open(path) as picture:
            found.append(letterbox(picture)[0])
    return found


def measured(network: Network, samples: Path) -> float:
    """AP50 of a network."""
    truth = json.loads((samples / "coco_det" / "instances.json").read_text())
    boxes, found = [], []
    for item in truth["images"]:
        boxes.append([box for box in truth["annotations"] if box["image_id"] == item["id"]])
        with Image.open(samples / "coco_det" / item["file_name"]) as picture:
            values, ratio = letterbox(picture)
        found.append(detections(network(values), ratio))
    return average_precision(boxes, found, [item["id"] for item in truth["categories"]])


def on_onnx_runtime(model: onnx.ModelProto) -> Network:
    """A model as a function."""
    session = open_session(model)
    return lambda values: session.run(None, {"images": values})[0]


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--method", choices=("auto", *METHODS), default="auto")
    parser.add_argument("--samples", type=int, help="calibrate on K of them, evenly from all")
    parser.add_argument("--no-correct", action="store_true", help="without bias correction")
    args = parser.parse_args()
    path, samples = args.assets / "models_onnx/yolox_nano.onnx", args.assets / "samples"
    wanted = measured(on_onnx_runtime(read_float(path, {})), samples)
    say(f"float: AP50 {wanted:.3f}")
    images = calibration(samples)
    if args.samples:
        step = max(len(images) / args.samples, 1)
        images = [images[int(at * step)] for at in range(min(args.samples, len(images)))]
    model, made = int8_of(path, images, Choices(
        args.method, correct=False if args.no_correct else None))
    found = measured(on_onnx_runtime(made.model), samples)
    say(f"int8: AP50 {found:.3f}, {wanted - found:.3f} less")
    with Image.open(sorted((samples / "coco_det").glob("*.jpg"))[0]) as picture:
        run = machine(model, letterbox(picture)[0])
    write(args.json, {
        "command": f"python bench/yolox.py {' '.join(['ASSETS', *sys.argv[2:]])}",
        "network": path.stem, "float_ap50": wanted, "int8_ap50": found, "lost": wanted - found,
        "calibration_samples": len(images), "chosen": vars(made.chosen),
        "trials": [vars(trial) for trial in made.trials], **run})
    return 0 if wanted - found <= MOST_LOST and run["use_of_peak"] >= LEAST_USE and not run[
        "values_different"] else 1


if __name__ == "__main__":
    sys.exit(main())
