"""Keyword spotting, pruned and retrained: accuracy and cycles against the same training without.

``python bench/keywords.py DATA [--speedup 1.55] [--folds 5] [--json FILE]``. DATA holds
``mfcc_int8.npy`` (samples x 49 x 10) and ``labels.csv``. Needs the extra ``[torch]``.

The published DS-CNN is tuned to four fifths of the samples and judged on the others, by index
modulo 5. From there it is trained further, with quantization, twice: with all its weights, and
pruned. Both see the same batches for as long, learn from the labels and from the tuned network's
answers and feature maps, and are compared as they run on the chip: the exported networks on the
golden engine, every output byte of some samples checked on the simulated RTL, which counts the
cycles.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from golden import executor
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.rtl.engine import RtlTransport
from sw.errors import InputError, SenteiError
from sw.frontend.flatbuffer import read
from sw.frontend.onnx import load
from sw.prune import Pruner, Schedule
from sw.prune.torch.adopt import HOME, key
from sw.zoo import NETWORKS

FOLDS = 5
BATCH = 50
TUNING = 40  # epochs at RATE of the published network
RATE = 5e-4
EPOCHS, PRUNED_BY = 150, 60  # of further training; by when the last weight has gone
FURTHER_RATE = 2e-3
NOISE = 0.1  # of a feature's deviation
TEMPERATURE = 2.0
FEATURES = 0.3  # weight of the feature maps' error
CHECKED = 5  # samples of each network on the RTL
WIDTH, BLOCKS, CLASSES = 64, 4, 12


class DsCnn(nn.Module):
    """MLPerf Tiny's keyword network; its normalizations are folded in already."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((1, 1, 4, 5))
        self.first = nn.Conv2d(1, WIDTH, (10, 4), 2)
        self.depthwise = nn.ModuleList(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH) for _ in range(BLOCKS))
        self.pointwise = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 1) for _ in range(BLOCKS))
        self.last = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of (batch, 1, 49, 10)."""
        x = F.relu(self.first(self.pad(x)))
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            x = F.relu(pointwise(F.relu(depthwise(x))))
        return self.last(x.mean((2, 3)))

    def layers(self) -> list[nn.Module]:
        """Those with weights, in the order they run."""
        pairs = zip(self.depthwise, self.pointwise, strict=True)
        return [self.first, *(layer for pair in pairs for layer in pair), self.last]


def published() -> tuple[DsCnn, float, int]:
    """(the zoo's network in float, scale and zero point of its input)."""
    model = DsCnn()
    raw = read(NETWORKS["dscnn"].model)
    weighted = [op for op in raw.operators
                if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")]
    for layer, op in zip(model.layers(), weighted, strict=True):
        kernel, bias = (raw.tensors[index] for index in op.inputs[1:3])
        values = np.frombuffer(kernel.data, np.int8).reshape(kernel.shape).astype(np.float32)
        shape = [1] * values.ndim
        shape[kernel.axis] = -1
        values = torch.from_numpy(values * kernel.scales.reshape(shape))
        if op.name == "DEPTHWISE_CONV_2D":
            values = values.permute(3, 0, 1, 2)
        elif op.name == "CONV_2D":
            values = values.permute(0, 3, 1, 2)
        layer.weight.data.copy_(values)
        layer.bias.data.copy_(torch.from_numpy(np.frombuffer(bias.data, np.int32) * bias.scales))
    source = raw.tensors[raw.inputs[0]]
    return model, float(source.scales[0]), int(source.zero_points[0])


def samples(folder: Path, scale: float, zero: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(features (samples, 1, 49, 10) as reals, labels)."""
    try:
        codes = np.load(folder / "mfcc_int8.npy")
        with (folder / "labels.csv").open(newline="") as file:
            labels = [int(row["label"]) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: mfcc_int8.npy and labels.csv can't be read: "
                         f"{error}") from error
    if codes.shape != (len(labels), 49, 10):
        raise InputError(f"{folder}: features are {codes.shape}, labels {len(labels)}; accepted "
                         "are (samples, 49, 10) and as many")
    values = (codes.astype(np.float32) - zero) * scale
    return torch.from_numpy(values)[:, None], torch.tensor(labels)


@dataclass(frozen=True)
class Variation:
    """How far samples are changed, at most or by deviation.

    Parameters
    ----------
    shift : float
        Frames earlier or later.
    stretch : float
        Share of the time, longer or shorter.
    gain, band : float
        Added to a coefficient and multiplied with it, as deviations.
    mixed : float
        Share of another sample.
    """

    shift: float
    stretch: float
    gain: float
    band: float
    mixed: float


NEAR = Variation(shift=2, stretch=0, gain=0, band=0, mixed=0.3)  # to tune
FAR = Variation(shift=6, stretch=0.2, gain=0.4, band=0.15, mixed=0.5)  # to learn from answers


class Sounds:
    """Batches of samples, varied: other pace, voice and moment, other words and noise mixed in."""

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor, variation: Variation,
                 seed: int) -> None:
        self.inputs, self.labels, self.variation = inputs, labels, variation
        self.deviation = inputs.std(0, keepdim=True)
        self.rng = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.inputs) // BATCH

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(len(self.inputs), generator=self.rng)
        for chosen in order.split(BATCH)[:len(self)]:
            yield self._varied(self.inputs[chosen]), self.labels[chosen]

    def _varied(self, given: torch.Tensor) -> torch.Tensor:
        far = self.variation
        count, _, frames, bands = given.shape

        def wide(*shape: int) -> torch.Tensor:
            return 2 * torch.rand(shape, generator=self.rng) - 1

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=self.rng)

        time = (torch.linspace(-1, 1, frames) * (1 + far.stretch * wide(count, 1))
                + 2 * far.shift / frames * wide(count, 1))
        grid = torch.stack([torch.linspace(-1, 1, bands).expand(count, frames, bands),
                            time[:, :, None].expand(count, frames, bands)], dim=-1)
        given = F.grid_sample(given, grid, padding_mode="border", align_corners=True)
        given = (given * (1 + far.band * normal(count, 1, 1, bands)) + far.gain
                 * self.deviation.mean(2, keepdim=True) * normal(count, 1, 1, bands))
        share = far.mixed * torch.rand((count, 1, 1, 1), generator=self.rng)
        other = given[torch.randperm(len(given), generator=self.rng)]
        return (1 - share) * given + share * other + NOISE * self.deviation * normal(*given.shape)


class FeatureMaps:
    """What the layers of a network gave last, activations included."""

    def __init__(self, model: DsCnn) -> None:
        self.last: dict[str, torch.Tensor] = {}
        self._handles = []
        for name in ["first", *(f"{kind}.{number}" for number in range(BLOCKS)
                                for kind in ("depthwise", "pointwise"))]:
            self._handles.append(self._source(model, name).register_forward_hook(self._keep(name)))

    def close(self) -> None:
        """Keep none any more."""
        for handle in self._handles:
            handle.remove()

    def error(self, wanted: "FeatureMaps") -> torch.Tensor:
        """Squared error, as shares of the maps wanted, summed over the layers."""
        return sum(((found - wanted.last[name]) ** 2).sum() / (wanted.last[name] ** 2).sum()
                   for name, found in self.last.items())

    def _keep(self, name: str) -> Callable[..., None]:
        def keep(module: nn.Module, given: object, found: torch.Tensor) -> None:
            self.last[name] = F.relu(found)

        return keep

    @staticmethod
    def _source(model: DsCnn, name: str) -> nn.Module:
        """The layer, or in a network that a pruner has adopted the quantizer behind it."""
        home = getattr(model, HOME, None)
        return model.get_submodule(name) if home is None else home[f"at_{key(name)}"]


def tune(model: DsCnn, teacher: DsCnn, sounds: Sounds) -> None:
    """The published network to the samples at hand, in float."""
    _learn(model, teacher, sounds, TUNING, RATE, 1.0)


def train(model: DsCnn, teacher: DsCnn, pruner: Pruner, sounds: Sounds) -> None:
    """On from the tuned network, towards its answers and feature maps, and the labels."""
    _learn(model, teacher, sounds, EPOCHS, FURTHER_RATE, 0.3, pruner)


def _learn(model: DsCnn, teacher: DsCnn, sounds: Sounds, epochs: int, rate: float, labels: float,
           pruner: Pruner | None = None) -> None:
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, pct_start=0.1,
                                                   total_steps=epochs * len(sounds))
    mine, theirs = FeatureMaps(model), FeatureMaps(teacher)
    model.train()
    for _ in range(epochs):
        for given, right in sounds:
            with torch.no_grad():
                told = F.softmax(teacher(given) / TEMPERATURE, dim=1)
            found = model(given)
            loss = labels * F.cross_entropy(found, right) + TEMPERATURE**2 * F.kl_div(
                F.log_softmax(found / TEMPERATURE, dim=1), told, reduction="batchmean")
            if pruner:
                loss = loss + FEATURES * mine.error(theirs)
            loss.backward()
            optimizer.step()
            if pruner:
                pruner.step()
            optimizer.zero_grad()
            schedule.step()
    mine.close()
    theirs.close()
    model.eval()


def on_chip(pruner: Pruner, inputs: torch.Tensor, labels: torch.Tensor,
            transport: RtlTransport | None) -> dict[str, float | int]:
    """Accuracy of the exported network, and its cycles on the RTL."""
    config = preset("base")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keywords.onnx"
        pruner.export(path)
        graph = load(path)
    (source,), (result,) = graph.inputs, graph.outputs
    answers = [executor.run(graph, {source: sample[None].numpy()})[result] for sample in inputs]
    right = sum(int(answer.argmax()) == int(label)
                for answer, label in zip(answers, labels, strict=True))
    found: dict[str, float | int] = {"right": right, "of": len(labels),
                                     "machine_cycles": pruner.cycles}
    if transport:
        device = Device(transport)
        # Skipping or not is the same for both: the dense one has no blocks to skip.
        device.load(compile_graph(graph, config))
        for sample, answer in zip(inputs[:CHECKED], answers[:CHECKED], strict=True):
            run = device.run({source: sample[None].numpy()})
            if run.outputs[result].tobytes() != answer.tobytes():
                raise SystemExit("the RTL's output differs from golden")
            found["rtl_cycles"] = run.cycles
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--speedup", type=float, default=1.55)
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--criterion", default="fisher")
    parser.add_argument("--machine", action="store_true", help="no RTL")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)  # small layers: threads wait for each other
    teacher, scale, zero = published()
    teacher.eval()
    inputs, labels = samples(args.data, scale, zero)
    with torch.no_grad():
        base = int((teacher(inputs).argmax(dim=1) == labels).sum())
    print(f"published network in float: {base} of {len(labels)} right", flush=True)
    transport = None if args.machine else RtlTransport(preset("base"), memory_bytes=1 << 22)
    rows = []
    for fold in range(args.folds):
        held = torch.arange(len(labels)) % FOLDS == fold
        tuned, row = published()[0], {"fold": fold, "seed": fold}
        tune(tuned, teacher, Sounds(inputs[~held], labels[~held], NEAR, fold))
        with torch.no_grad():
            row["tuned_right"] = int((tuned(inputs[held]).argmax(dim=1) == labels[held]).sum())
        for name, speedup in (("dense", 1.0), ("pruned", args.speedup)):
            started = time.perf_counter()
            model = published()[0]
            model.load_state_dict(tuned.state_dict())
            sounds = Sounds(inputs[~held], labels[~held], FAR, FOLDS + fold)
            end = PRUNED_BY * len(sounds)
            pruner = Pruner(model, inputs[~held][:200], preset="base", speedup=speedup,
                            criterion=args.criterion,
                            schedule=Schedule(begin=end // 10, end=end, every=end // 20))
            train(model, tuned, pruner, sounds)
            row[name] = on_chip(pruner, inputs[held], labels[held], transport) | {
                "kept": {layer: round(float(mask.float().mean()), 4)
                         for layer, mask in pruner.masks.items()},
                "excluded": pruner.excluded, "seconds": round(time.perf_counter() - started, 1)}
            print(json.dumps({"fold": fold, "tuned_right": row["tuned_right"], name: row[name]}),
                  flush=True)
        rows.append(row)
    summary = summarize(rows)
    print(json.dumps(summary, indent=1))
    if args.json:
        args.json.write_text(json.dumps({
            "command": f"python bench/keywords.py DATA --speedup {args.speedup:g} --criterion "
                       f"{args.criterion}{' --machine' if args.machine else ''}",
            "data": "mfcc_int8.npy of the shared samples",
            "published_right": base, "samples": len(labels), "rows": rows, **summary},
            indent=1) + "\n")
    return 0


def summarize(rows: list) -> dict[str, object]:
    """Mean and spread over the folds."""
    def accuracy(name: str) -> np.ndarray:
        return np.array([100 * row[name]["right"] / row[name]["of"] for row in rows])

    which = "rtl_cycles" if "rtl_cycles" in rows[0]["dense"] else "machine_cycles"
    gain = np.array([row["dense"][which] / row["pruned"][which] for row in rows])
    lost = accuracy("dense") - accuracy("pruned")
    return {name: {"mean": round(float(values.mean()), 3),
                   "deviation": round(float(values.std(ddof=len(values) > 1)), 3)}
            for name, values in (("dense_accuracy", accuracy("dense")),
                                 ("pruned_accuracy", accuracy("pruned")), ("points_lost", lost),
                                 ("speedup", gain))}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SenteiError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
