"""Makes ``sw/zoo/samples`` from the assets folder: ``python -m sw.zoo.make_samples ASSETS``.

Every choice is by rule, none by what a network answers; ``samples/README.md`` states the rules.
"""

import argparse
import csv
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sw.inputs.audio import LOG_MEL_FRAMES, log_mel_window, read_wav

__all__ = ["main"]

Row = Sequence[str]
SAMPLES = Path(__file__).parent / "samples"
PICTURES_PER_CLASS = 12
FEATURES_PER_CLASS = 5
SHORTEST_SIDE = 32  # a smaller box would be enlarged
COCO_CLASSES = {"airplane": 0, "car": 1, "bird": 2, "cat": 3, "dog": 5, "horse": 7, "boat": 8,
                "truck": 9}
PHOTOS = {"bird.png": 2, "cat.png": 3, "chelsea.png": 3, "pets.jpg": 5}
OPEN_IMAGES = ("https://storage.googleapis.com/openimages/web/visualizer/index.html"
               "?set=train&type=detection")
PHOTO_ORIGINS = {
    "bird.png": ("CC-BY-2.0", f"{OPEN_IMAGES}&c=%2Fm%2F015p6&id=05cae1286a212d52"),
    "cat.png": ("CC-BY-2.0", f"{OPEN_IMAGES}&c=%2Fm%2F01yrx&id=02b4196ce8a0e541"),
    "pets.jpg": ("CC-BY-2.0", f"{OPEN_IMAGES}&c=%2Fm%2F0bt9lr&id=82270c27bacdcaa4"),
    "chelsea.png": ("CC0-1.0", "https://github.com/scikit-image/scikit-image (chelsea)"),
}


def _fresh(name: str) -> Path:
    folder = SAMPLES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _read_csv(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def _in_turn(rows: Iterable[Row], column: int, count: int | None = None) -> list[Row]:
    """The first ``count`` rows of every label, the labels taking turns."""
    by_label: dict[str, list[Row]] = {}
    for row in rows:
        by_label.setdefault(str(row[column]), []).append(row)
    chosen = [(turn, label, row) for label, group in by_label.items()
              for turn, row in enumerate(group[:count])]
    return [row for *_, row in sorted(chosen, key=lambda item: item[:2])]


def make_vww(samples: Path) -> None:
    """The first pictures of each class, bytes unchanged."""
    folder = _fresh("vww")
    rows = _in_turn(_read_csv(samples / "vww/labels.csv"), 1, PICTURES_PER_CLASS)
    for name, *_ in rows:
        shutil.copyfile(samples / "vww" / name, folder / name)
    _write_csv(folder / "labels.csv", ("file", "label", "licence", "origin"),
               [(name, label, "CC-BY-2.0", flickr) for name, label, flickr, _ in rows])


def make_dscnn(samples: Path) -> None:
    """The first MFCC rows of each class, and the first recording of each."""
    folder = _fresh("dscnn")
    rows = _in_turn(_read_csv(samples / "kws/labels.csv"), 2, FEATURES_PER_CLASS)
    features = np.load(samples / "kws/mfcc_int8.npy")
    np.save(folder / "mfcc.npy", features[[int(index) for index, *_ in rows]])
    _write_csv(folder / "labels.csv", ("file", "label", "licence", "origin"),
               [(name, label, "CC-BY-4.0", "Speech Commands v2, P. Warden / Google")
                for _, name, label in rows])
    recordings = [[path.name, path.stem.split("_")[-1]]
                  for path in sorted((samples / "kws/audio").glob("*.wav"))]
    for name, _ in _in_turn(recordings, 1, 1):
        shutil.copyfile(samples / "kws/audio" / name, folder / name)


def make_autoencoder(samples: Path, scale: float, zero_point: int) -> None:
    """The middle frames of every recording, quantized for the network's input."""
    folder = _fresh("autoencoder")
    paths = sorted((samples / "kws/audio").glob("*.wav"))
    real = np.stack([log_mel_window(read_wav(path)) for path in paths])
    steps = np.trunc(real / np.float32(scale) + np.float32(zero_point))
    np.save(folder / "log_mel.npy", np.clip(steps, -128, 127).astype(np.int8))
    _write_csv(folder / "labels.csv", ("file", "label", "licence", "origin"),
               [(f"{path.stem} (middle {LOG_MEL_FRAMES} frames)", "", "CC-BY-4.0",
                 "Speech Commands v2, P. Warden / Google") for path in paths])


def _square(picture: Image.Image, x: float, y: float, width: float, height: float) -> Image.Image:
    """The square around a box's middle, as large as its longer side, moved inside the picture."""
    side = min(max(width, height), *picture.size)
    left = min(max(x + width / 2 - side / 2, 0), picture.width - side)
    top = min(max(y + height / 2 - side / 2, 0), picture.height - side)
    return picture.resize((32, 32), Image.Resampling.BILINEAR,
                          box=(left, top, left + side, top + side))


def make_resnet8(samples: Path) -> None:
    """Squares around labelled boxes, and the middle squares of the animal photos."""
    folder = _fresh("resnet8")
    data = json.loads((samples / "coco_det/instances.json").read_text())
    names = {item["id"]: item["name"] for item in data["categories"]}
    images = {item["id"]: item for item in data["images"]}
    rows: list[Row] = []
    for box in sorted(data["annotations"], key=lambda item: (item["image_id"], item["id"])):
        name, (x, y, width, height) = names[box["category_id"]], box["bbox"]
        if name not in COCO_CLASSES or box["iscrowd"] or min(width, height) < SHORTEST_SIDE:
            continue
        image = images[box["image_id"]]
        with Image.open(samples / "coco_det" / image["file_name"]) as picture:
            crop = _square(picture.convert("RGB"), x, y, width, height)
        file = f"{name}_{box['image_id']}_{box['id']}.png"
        crop.save(folder / file, optimize=True)
        rows.append((file, str(COCO_CLASSES[name]), "CC-BY-2.0", image["flickr_url"]))
    for file, label in PHOTOS.items():
        with Image.open(samples / "photos" / file) as picture:
            crop = _square(picture.convert("RGB"), 0, 0, *picture.size)
        crop.save(folder / f"photo_{Path(file).stem}.png", optimize=True)
        rows.append((f"photo_{Path(file).stem}.png", str(label), *PHOTO_ORIGINS[file]))
    _write_csv(folder / "labels.csv", ("file", "label", "licence", "origin"),
               _in_turn(rows, 1))


def main(argv: Sequence[str] | None = None) -> None:
    """Write all samples anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assets", type=Path, help="the assets folder (holds samples/)")
    samples = parser.parse_args(argv).assets / "samples"
    make_vww(samples)
    make_dscnn(samples)
    make_resnet8(samples)
    make_autoencoder(samples, scale=0.3910152316093445, zero_point=89)  # of the model's input


if __name__ == "__main__":
    main()
