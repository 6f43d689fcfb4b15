"""A small ResNet from scratch to the simulated chip: train, prune, export, compile, run.

``python examples/digits.py [--speedups 2 4 6] [--plot FILE]``, minutes on two cores. Needs the
extra ``[torch]``: ``make test-torch`` installs it, or ``pip install -e .[torch]``.

The digits are scikit-learn's, 8 x 8 pixels. A ResNet is trained on four fifths of them with
quantization, then further so at several speed-ups over its cycles, and once without pruning. The
exported files are judged on the golden engine, sample by sample, and run on the RTL, whose bytes
must be golden's and whose cycles are the ones plotted.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from golden import executor
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.rtl.engine import RtlTransport
from sw.errors import SenteiError
from sw.frontend.onnx import load
from sw.prune import Pruner, Schedule

BATCH, RATE = 64, 0.1
EPOCHS = 20  # of the first training, and of each further one
PRUNED_BY = 10  # epochs, by when the last weight has gone
CHECKED = 20  # samples of each network on the RTL


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.short = nn.Identity() if inputs == outputs else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature map to feature map."""
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.short(x))


def resnet() -> nn.Module:
    """Seven convolutions, 107 thousand weights."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        Block(32, 32), Block(32, 64, 2), Block(64, 64),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


@dataclass
class Data:
    """Pixels (samples, 1, 8, 8) of 0 to 1, and labels."""

    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor


def digits() -> Data:
    """Four fifths to train on, 360 to judge by."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    train, test, first, second = train_test_split(images, labels, test_size=360, random_state=0,
                                                  stratify=labels)
    return Data(*(torch.from_numpy(item) for item in (train, first, test, second)))


def shifted(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A batch moved by up to a pixel."""
    y, x = torch.randint(0, 3, (2,), generator=rng).tolist()
    return F.pad(images, (1, 1, 1, 1))[:, :, y:y + 8, x:x + 8]


def train(model: nn.Module, pruner: Pruner, data: Data, rate: float, seed: int) -> None:
    """The user's own loop; the pruner is one line of it."""
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), rate, 0.9, weight_decay=5e-4, nesterov=True)
    batches = len(data.train) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=EPOCHS * batches)
    model.train()
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(data.train), generator=rng).split(BATCH)[:batches]:
            found = model(shifted(data.train[chosen], rng))
            F.cross_entropy(found, data.train_labels[chosen]).backward()
            optimizer.step()
            pruner.step()
            optimizer.zero_grad()
            schedule.step()


@dataclass
class Point:
    """One network: as it was asked for, and as it runs."""

    speedup: float
    accuracy: float  # percent
    cycles: int  # doorbell to interrupt, RTL
    predicted: int  # by compiler and machine
    kept: dict[str, float]  # share of weights by layer


def on_chip(pruner: Pruner, data: Data, transport: RtlTransport) -> tuple[float, int]:
    """(accuracy in percent on golden, cycles on the RTL) of the exported network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.onnx"
        pruner.export(path)
        graph = load(path)
    (source,), (result,) = graph.inputs, graph.outputs
    answers = [executor.run(graph, {source: image[None].numpy()})[result] for image in data.test]
    right = [int(answer.argmax()) == int(label)
             for answer, label in zip(answers, data.test_labels, strict=True)]
    device = Device(transport)
    device.load(compile_graph(graph, preset("base")))
    cycles = 0
    for image, answer in list(zip(data.test, answers, strict=True))[:CHECKED]:
        run = device.run({source: image[None].numpy()})
        if run.outputs[result].tobytes() != answer.tobytes():
            raise SystemExit("the RTL's output differs from golden's")
        cycles = max(cycles, run.cycles)
    return 100 * float(np.mean(right)), cycles


def plot(points: list[Point], path: Path) -> None:
    """Accuracy over cycles."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    dense = points[0]
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    axes.plot([point.cycles for point in points], [point.accuracy for point in points], "o-",
              color="tab:green")
    axes.axhline(dense.accuracy - 1, color="gray", linestyle=":", linewidth=1)
    axes.annotate("dense less one point", (dense.cycles, dense.accuracy - 1), fontsize=8,
                  color="gray", ha="right", va="bottom")
    for point in points:
        axes.annotate(f"{dense.cycles / point.cycles:.1f}x", (point.cycles, point.accuracy),
                      textcoords="offset points", xytext=(0, 8), ha="center", fontsize=9)
    axes.set(xlabel="cycles of an inference, RTL, preset base", ylabel="accuracy, %",
             title="scikit-learn's digits: a small ResNet, pruned with QAT",
             xlim=(0, 1.08 * dense.cycles), ylim=(dense.accuracy - 2.5, 100.3))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speedups", type=float, nargs="+", default=[2.0, 4.0, 6.0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="PNG or SVG")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    started = time.perf_counter()
    torch.set_num_threads(1)  # layers so small are slower on two
    torch.manual_seed(args.seed)
    data, transport = digits(), RtlTransport(preset("base"), memory_bytes=1 << 22)
    batches = len(data.train) // BATCH
    example = data.train[:256]

    model = resnet()
    train(model, Pruner(model, example, rate=0.0), data, RATE, args.seed)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    points: list[Point] = []
    print(f"{'speed-up asked':>15}{'accuracy':>10}{'cycles, RTL':>13}{'foretold':>10}"
          f"{'measured':>10}{'seconds':>9}")
    for speedup in (1.0, *sorted(args.speedups)):
        model = resnet()
        pruner = Pruner(model, example, preset="base", speedup=speedup,
                        schedule=Schedule(end=PRUNED_BY * batches, every=batches))
        model.load_state_dict(first)
        train(model, pruner, data, RATE / 2, args.seed + 1)
        accuracy, cycles = on_chip(pruner, data, transport)
        points.append(Point(speedup, accuracy, cycles, pruner.cycles, {
            name: round(float(mask.float().mean()), 4) for name, mask in pruner.masks.items()}))
        print(f"{speedup:15.1f}{accuracy:9.2f}%{cycles:13,}{pruner.cycles:10,}"
              f"{points[0].cycles / cycles:9.2f}x{time.perf_counter() - started:9.0f}", flush=True)
    transport.close()
    if args.plot:
        plot(points, args.plot)
    if args.json:
        args.json.write_text(json.dumps({
            "command": f"python examples/digits.py --speedups "
                       f"{' '.join(f'{item:g}' for item in args.speedups)} --seed {args.seed}",
            "seconds": round(time.perf_counter() - started), "samples": len(data.test),
            "points": [asdict(point) for point in points]}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SenteiError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
