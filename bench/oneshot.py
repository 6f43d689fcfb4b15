"""One-shot pruning, no training: ``python bench/oneshot.py ASSETS [--json FILE] [--rtl]``.

ASSETS is the folder with ``samples`` (photos, coco_det, vww). Everything goes through the command
line: `sentei prune`, `sentei evaluate`, `sentei run`.

MobileNetV1-0.25 is calibrated on the photographs, never on the wake-word pictures: of coco_det
those that are also among them are left out by their COCO number. ResNet8 is calibrated on
photographs without any of its classes, on every second wake-word picture (here only photographs)
and on the squares around coco_det's boxes; held against the unpruned network on the labelled crops
and on the other wake-word pictures, whole and as crops, none of which it was calibrated on. What
int8 itself changes, against the float network, stands beside it.

Speed-ups are over the published file as the same compiler runs it: its zeros skipped, its channels
without effect left out.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from figures import sentei
from PIL import Image
from rich.console import Console
from rich.table import Table

from sw.zoo import NETWORKS

SEEDS = (0, 1, 2)  # of the calibration crops
SPEEDUPS = (1.1, 1.2, 1.3)
CROPS = 10
MUST_SPEEDUP, AIM_SPEEDUP, MOST_LOST = 1.1, 1.2, 2.0  # points
MUST_AGREEMENT, AIM_AGREEMENT = 0.85, 0.93
KNOWN = ("airplane", "car", "bird", "cat", "dog", "horse", "boat", "truck")  # ResNet8's classes
ANIMALS = ("bird.png", "cat.png", "chelsea.png", "pets.jpg")
SMALLEST_BOX = 16
EVALUATED_CROPS = 3  # of each unseen photograph


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))


def linked(folder: Path, paths: Iterable[Path]) -> Path:
    """A folder with copies of these files."""
    folder.mkdir(parents=True)
    for path in paths:
        shutil.copy(path, folder / path.name)
    return folder


def square(picture: Image.Image, x: float, y: float, side: float) -> Image.Image:
    """A square of the picture, moved inside it, at ResNet8's size."""
    side = min(side, *picture.size)
    left = min(max(x - side / 2, 0), picture.width - side)
    top = min(max(y - side / 2, 0), picture.height - side)
    return picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR,
                                         box=(left, top, left + side, top + side))


def person(samples: Path, work: Path, rtl: bool) -> dict:
    """MobileNetV1-0.25 at several speed-ups."""
    seen = {path.stem for path in pictures(samples / "vww")}
    chosen = [path for path in pictures(samples / "photos") + pictures(samples / "coco_det")
              if path.stem not in seen]
    calibration = linked(work / "person", chosen)
    rows = []
    for speedup in SPEEDUPS:
        for seed in SEEDS:
            out = work / f"vww_{speedup}_{seed}.tflite"
            facts = sentei("prune", "vww", "--calib", str(calibration), "--crops", str(CROPS),
                           "--seed", str(seed), "--speedup", str(speedup), "-o", str(out))
            found = sentei("evaluate", str(out), "--data", str(samples / "vww"), "--against", "vww")
            pruned, published = found["forms"]
            rows.append({
                "speedup_asked": speedup, "seed": seed, "cycles": facts["cycles"],
                "cycles_published": facts["cycles_before"], "speedup": facts["speedup"],
                "correct": pruned["correct"], "correct_published": published["correct"],
                "samples": found["samples"], "agreement": published["agreement"],
                "points_lost": 100 * (published["accuracy"] - pruned["accuracy"]),
                "zeros": pruned["zeros"], "layers": published["layers"]})
            if rtl and seed == SEEDS[0]:
                photo = str(pictures(calibration)[0])
                pair = [sentei("run", model, "--engine", "rtl", "--check", "--input", photo)
                        for model in ("vww", str(out))]
                rows[-1] |= {"rtl_cycles_published": pair[0]["cycles"],
                             "rtl_cycles": pair[1]["cycles"],
                             "rtl_bytes_different": sum(run["bytes_different"] for run in pair)}
    return {"calibration": [path.name for path in chosen], "crops": CROPS, "rows": rows}


def things(samples: Path, work: Path, assets: Path) -> dict:
    """ResNet8 at half its weights."""
    data = json.loads((samples / "coco_det/instances.json").read_text())
    names = {item["id"]: item["name"] for item in data["categories"]}
    files = {item["id"]: item["file_name"] for item in data["images"]}
    known = {files[box["image_id"]] for box in data["annotations"]
             if names[box["category_id"]] in KNOWN}
    photos = [path for path in pictures(samples / "photos") + pictures(samples / "coco_det")
              if path.name not in known and path.name not in ANIMALS]
    used = {path.stem for path in photos} | {Path(name).stem for name in known}
    scenes = pictures(samples / "vww")
    half = [path for path in scenes[::2] if path.stem not in used]
    unseen = [path for path in scenes[1::2] if path.stem not in used]
    calibration = linked(work / "things", photos + half)
    for box in data["annotations"]:
        x, y, width, height = box["bbox"]
        name = files[box["image_id"]]
        if name not in known and min(width, height) >= SMALLEST_BOX:
            with Image.open(samples / "coco_det" / name) as picture:
                square(picture, x + width / 2, y + height / 2, max(width, height)).save(
                    calibration / f"box_{box['id']}.png")
    # Folders of one class: only the agreement counts there.
    whole, parts = linked(work / "whole/0", unseen), work / "parts/0"
    parts.mkdir(parents=True)
    rng = np.random.default_rng(99)
    for path in unseen:
        with Image.open(path) as picture:
            for number in range(EVALUATED_CROPS):
                side = rng.uniform(0.4, 1) * min(picture.size)
                x, y = (rng.uniform(side / 2, size - side / 2) for size in picture.size)
                square(picture, x, y, side).save(parts / f"{path.stem}_{number}.png")
    crops = NETWORKS["resnet8"].model.parent.parent / "samples/resnet8"
    folders = {"labelled crops": crops, "unseen photographs": whole.parent,
               "crops of unseen photographs": parts.parent}
    floating = assets / "mlperf_tiny/ic/pretrainedResnet.tflite"
    rows = []
    for options in ((), ("--spread",)):
        for seed in SEEDS:
            out = work / f"resnet8_{seed}_{len(options)}.tflite"
            facts = sentei("prune", "resnet8", "--calib", str(calibration), "--crops",
                           str(CROPS), "--seed", str(seed), "--rate", "0.5", *options, "-o",
                           str(out))
            row = {"options": list(options), "seed": seed, "cycles": facts["cycles"],
                   "cycles_dense": facts["cycles_before"], "speedup": facts["speedup"]}
            for name, folder in folders.items():
                found = sentei("evaluate", str(out), "--data", str(folder), "--against", "resnet8")
                pruned, dense = found["forms"]
                row |= {"zeros": pruned["zeros"], name: {
                    "samples": found["samples"], "agreement": dense["agreement"],
                    "correct": pruned["correct"], "correct_dense": dense["correct"]}}
            rows.append(row)
    quantized = {name: sentei("evaluate", "resnet8", "--data", str(folder), "--against",
                              str(floating))["forms"][1]["agreement"]
                 for name, folder in folders.items()} if floating.exists() else {}
    return {"calibration": [path.name for path in photos + half], "crops": CROPS, "rows": rows,
            "int8_against_float": quantized}


def show(console: Console, vww: dict, resnet8: dict) -> None:
    table = Table(title="MobileNetV1-0.25, one-shot: over the published file, its zeros skipped")
    for title in ("asked", "seed", "cycles", "speed-up", "right", "points lost"):
        table.add_column(title, justify="right")
    for row in vww["rows"]:
        table.add_row(f"{row['speedup_asked']}", str(row["seed"]), f"{row['cycles']:,}",
                      f"{row['speedup']:.3f}",
                      f"{row['correct']} ({row['correct_published']}) of {row['samples']}",
                      f"{row['points_lost']:.1f}")
    console.print(table)
    names = [name for name, value in resnet8["rows"][0].items() if isinstance(value, dict)]
    table = Table(title="ResNet8, one-shot at rate 0.5: agreement with the unpruned network")
    for title in ("rate", "seed", "zeros", "cycles", "speed-up", *names):
        table.add_column(title, justify="right")
    for row in resnet8["rows"]:
        table.add_row(row["options"][0][2:] if row["options"] else "every block",
                      str(row["seed"]), f"{row['zeros']:.1%}", f"{row['cycles']:,}",
                      f"{row['speedup']:.2f}",
                      *(f"{row[name]['agreement']:.1%} of {row[name]['samples']}"
                        for name in names))
    if resnet8["int8_against_float"]:
        table.add_row("int8, unpruned, against float", *[""] * 4,
                      *(f"{resnet8['int8_against_float'][name]:.1%}" for name in names))
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assets", type=Path, help="the assets folder (holds samples/)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rtl", action="store_true", help="count the first seed's cycles on the "
                        "RTL too, outputs held against LiteRT")
    args = parser.parse_args()
    samples = args.assets / "samples"
    with tempfile.TemporaryDirectory() as folder:
        vww = person(samples, Path(folder), args.rtl)
        resnet8 = things(samples, Path(folder), args.assets)
    show(Console(width=150), vww, resnet8)
    good = [row["speedup"] for speedup in SPEEDUPS
            for row in vww["rows"] if row["speedup_asked"] == speedup
            and max(other["points_lost"] for other in vww["rows"]
                    if other["speedup_asked"] == speedup) <= MOST_LOST]
    agreement = {name: float(np.mean([row[name]["agreement"] for row in resnet8["rows"]
                                      if row["options"]]))
                 for name in ("labelled crops", "unseen photographs")}
    figures = {"command": "python bench/oneshot.py ASSETS" + (" --rtl" if args.rtl else ""),
               "seeds": SEEDS, "must": {"speedup": MUST_SPEEDUP, "points_lost": MOST_LOST,
                                        "agreement": MUST_AGREEMENT},
               "aim": {"speedup": AIM_SPEEDUP, "agreement": AIM_AGREEMENT},
               "largest_speedup_within_points": max(good, default=None),
               "mean_agreement_spread": agreement, "vww": vww, "resnet8": resnet8}
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    met = bool(good) and max(good) >= MUST_SPEEDUP and min(agreement.values()) >= MUST_AGREEMENT
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
