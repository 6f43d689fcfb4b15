"""Functional coverage: the points a campaign should hit, how often it did, what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from golden.spec.config import Config
from golden.spec.isa import ArrayMode, PostMode, Target
from golden.spec.layout import BlockFormat, index_rows_per_beat
from tb.fuzz.graphs import FUZZ_KINDS

__all__ = ["BINS", "CAUSES", "OPERATORS", "Bins", "Coverage", "Point", "points"]

Point = tuple[str, str]  # group, label

OPERATORS = ("Conv2D", "DepthwiseConv2D", "FullyConnected", "Add", "MaxPool", "AveragePool",
             "Mean", "Clamp", "Concat", "Pad", "Reshape", "Softmax", "Lookup", "Take",
             "DepthToSpace", "SpaceToDepth", "TransposedConv2D", "ResizeLinear", "Multiply")
# Counters that name a cause for which something waits.
CAUSES = ("mac_wait_drain", "mac_wait_weights", "mac_wait_words", "mac_wait_semaphore",
          "mac_idle", "conflicts", "load_wait_semaphore")
UNITS = ("LOAD", "MAC", "STORE")


@dataclass(frozen=True)
class Bins:
    """Ranges of an integer that begin at ``edges``, the last one open."""

    edges: tuple[int, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Of all ranges."""
        pairs = zip(self.edges, self.edges[1:], strict=False)
        return (*(str(a) if b == a + 1 else f"{a} to {b - 1}" for a, b in pairs),
                f"{self.edges[-1]} or more")

    def label(self, value: int) -> str:
        """Of the range that holds the value."""
        return self.labels[max(i for i, edge in enumerate(self.edges) if value >= edge)]


BINS: dict[str, Bins] = {
    "operators of a network": Bins((1, 2, 3, 5, 8)),
    "runs": Bins((1, 2)),
    "chip steps": Bins((1, 2, 3)),
    "instructions": Bins((1, 10, 30, 100)),
    "kernel rows": Bins((1, 2, 3, 4, 5, 6, 8)),
    "kernel columns": Bins((1, 2, 3, 4, 5, 6, 8)),
    "row stride": Bins((1, 2, 3, 4, 6)),
    "column stride": Bins((1, 2, 3, 4, 6)),
    "row dilation": Bins((1, 2, 3, 4)),
    "column dilation": Bins((1, 2, 3, 4)),
    "pad top": Bins((0, 1, 2, 3, 5)),
    "pad bottom": Bins((0, 1, 2, 3, 5)),
    "pad left": Bins((0, 1, 2, 3, 5)),
    "pad right": Bins((0, 1, 2, 3, 5)),
    "groups": Bins((1, 2, 3, 4)),
    "channel multiplier": Bins((1, 2, 3)),
    "lane blocks of a MAC": Bins((1, 2, 3, 4, 8)),
    "entries of a lane block": Bins((1, 2, 5, 20, 100)),
    "blocks of a run": Bins((1, 2, 3, 8, 16)),
    "tiles of a MAC": Bins((1, 2, 3, 10, 30)),
    "MACs of a layer": Bins((1, 2, 3, 5, 10)),
    "DRAM latency": Bins((0, 1, 2, 8, 40, 100)),
    "DRAM bytes per cycle": Bins((1, 2, 4, 8, 16, 32)),
    "stall percent": Bins((0, 1, 20, 40, 60)),
}


def points(chips: Mapping[str, Config]) -> dict[str, tuple[str, ...]]:
    """Every group's labels, for a campaign on these chips."""
    configs = chips.values()
    group = sorted({config.group for config in configs})
    found: dict[str, tuple[str, ...]] = {
        "chip": tuple(chips),
        "kind": FUZZ_KINDS,
        "chip, operator": tuple(f"{c}, {o}" for c in chips for o in OPERATORS),
        "dense": ("False", "True"),
        "weights N": tuple(f"{n} of {m}" for m in group for n in range(m + 1)),
        "block format": tuple(f"{f.name} at {m}" for m in group for f in BlockFormat),
        "rows of the last index beat": tuple(dict.fromkeys(
            f"{r + 1} of {k}" for c in configs for k in [index_rows_per_beat(c)]
            for r in range(min(k, c.group - 1)))),
        "input channels mod M": tuple(f"{c} of {m}" for m in group for c in range(m)),
        "output channels mod M": tuple(f"{c} of {m}" for m in group for c in range(m)),
        "pixels of the last tile": tuple(dict.fromkeys(
            f"{p + 1} of {c.columns}" for c in configs for p in range(c.columns))),
        "array mode": tuple(mode.name for mode in ArrayMode),
        "post mode": tuple(mode.name for mode in PostMode),
        "keep": ("first", "inner", "last"),
        "tile against drain": ("shorter", "equal", "longer"),
        "pad value": ("-128", "negative", "0", "positive", "127"),
        "clamp": ("none", "below", "above", "both"),
        "rounding": ("twice", "once"),
        "window": ("base below 0", "above", "below", "left", "right", "larger than the input",
                   "some in the padding alone"),
        "ring": ("rows wrap", "rows streamed", "entries wrap", "entries streamed",
                 "parameters wrap", "lane blocks wrap"),
        "load": (*(target.name for target in Target), "unaligned", "crosses 4 KiB",
                 "several runs", "unaligned stride", "gathered", "overlapping words",
                 "fill on the left", "fill on the right", "partial tail", "several groups"),
        "store": ("unaligned", "crosses 4 KiB", "several runs", "unaligned stride",
                  "partial tail", "several groups"),
        # A MAC may begin before the one before has ended; the others run one by one.
        "semaphore": tuple(f"{a} to {b}" for a in UNITS for b in UNITS if a != b or a == "MAC"),
        "host operator": ("Softmax", "Mean", "Take"),
        "table": ("of a convolution", "of a pool", "of a concatenation", "alone",
                  "of 512 entries"),
        # A single column never meets another one's bank.
        "chip, waits": tuple(f"{name}, {cause}" for name, config in chips.items()
                             for cause in CAUSES
                             if cause != "conflicts" or config.columns > 1),
    }
    return {**found, **{name: bins.labels for name, bins in BINS.items()}}


class Coverage:
    """Counts cases that hit each point.

    Parameters
    ----------
    chips : mapping of str to Config
        Those of the campaign.
    """

    def __init__(self, chips: Mapping[str, Config]) -> None:
        self.hits = {name: dict.fromkeys(labels, 0) for name, labels in points(chips).items()}

    def add(self, seen: Iterable[Point]) -> None:
        """Count one case; a point that is not listed is a fault of the campaign."""
        for name, label in set(seen):
            if label not in self.hits[name]:
                raise KeyError(f"coverage group {name!r} has no point {label!r}")
            self.hits[name][label] += 1

    def holes(self) -> list[str]:
        """Points that no case has hit, by name."""
        return [f"{name}: {label}" for name, labels in self.hits.items()
                for label, count in labels.items() if not count]

    def summary(self) -> tuple[int, int]:
        """(points hit, points)."""
        total = sum(len(labels) for labels in self.hits.values())
        return total - len(self.holes()), total
