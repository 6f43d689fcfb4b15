"""Which points of coverage a case has hit, from its network, its program and its counters."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from golden.attributes import Conv2D, DepthwiseConv2D, FullyConnected, Weighted, Window
from golden.lookup import Lookup
from golden.spec.config import Config
from golden.spec.isa import INSTRUCTION_BYTES, ArrayMode, Opcode, PostMode, Target, Unit, decode
from golden.spec.layout import PARAMETER_BEATS, BlockFormat, ItemKind, index_rows_per_beat
from golden.spec.numerics import ROUND_ONCE
from golden.spec.program import ChipStep, HostStep, Program
from golden.weights import read_item
from tb.fuzz.case import Case
from tb.fuzz.check import Outcome
from tb.fuzz.coverage import BINS, CAUSES, Point

__all__ = ["observe"]

PAGE = 4096
# Layers that end with a table, which is a Lookup or a Clamp of the network.
TABLES = {f"{op}{end}": label for op, label in (
    ("Conv2D", "of a convolution"), ("DepthwiseConv2D", "of a convolution"),
    ("FullyConnected", "of a convolution"), ("TransposedConv2D", "of a convolution"),
    ("MaxPool", "of a pool"), ("AveragePool", "of a pool"), ("Mean", "of a pool"),
    ("Concat", "of a concatenation"))
    for end in ("+Lookup", "+Clamp")} | {"Lookup": "alone"}


def observe(case: Case, outcome: Outcome) -> set[Point]:
    """Points of coverage."""
    seen: set[Point] = {
        ("chip", case.chip), ("kind", case.kind), ("dense", str(case.dense)),
        *_binned({"operators of a network": len(case.graph.nodes), "runs": len(case.inputs),
                  "DRAM latency": case.dram_latency, "DRAM bytes per cycle": case.dram_bytes,
                  "stall percent": case.stall_percent})}
    seen.update(_network(case))
    seen.update(("table", TABLES[op]) for op in _tables(outcome.program))
    seen.update(("table", "of 512 entries") for node in case.graph.nodes
                if isinstance(node.attrs, Lookup) and node.attrs.wide)
    seen.update(_Program(case.config, outcome.program).points())
    for result in outcome.rtl:
        seen.update(("chip, waits", f"{case.chip}, {cause}") for cause in CAUSES
                    if result.counters[cause])
    return seen - ({("chip, waits", f"{case.chip}, conflicts")} if case.config.columns == 1
                   else set())


def _tables(program: Program) -> set[str]:
    """Operators of layers that a table of one operand ends."""
    return {operator for operator in (str(layer["operator"]) for layer in program.layers)
            if operator in TABLES}


def _binned(values: dict[str, int]) -> Iterator[Point]:
    return ((name, BINS[name].label(value)) for name, value in values.items())


def _network(case: Case) -> Iterator[Point]:
    group = case.config.group
    for node in case.graph.nodes:
        attrs = node.attrs
        shape = case.graph.tensors[node.inputs[0]].shape
        yield "chip, operator", f"{case.chip}, {node.op}"
        if isinstance(attrs, Window):
            yield from _window(attrs, shape)
        if isinstance(attrs, Conv2D):
            yield from _binned({"groups": attrs.groups})
        if isinstance(attrs, DepthwiseConv2D):
            yield from _binned({"channel multiplier": attrs.channel_multiplier})
        if isinstance(attrs, Weighted):
            yield "input channels mod M", f"{shape[-1] % group} of {group}"
            yield "output channels mod M", f"{len(attrs.bias) % group} of {group}"
            ends = (attrs.least > -128, attrs.most < 127)
            yield "clamp", {(False, False): "none", (True, False): "below",
                            (False, True): "above", (True, True): "both"}[ends]
        if isinstance(attrs, FullyConnected):
            yield "rounding", "once" if (attrs.post > ROUND_ONCE).any() else "twice"


def _window(attrs: Window, shape: tuple[int, ...]) -> Iterator[Point]:
    top, bottom, left, right = attrs.pads
    yield from _binned({
        "kernel rows": attrs.window[0], "kernel columns": attrs.window[1],
        "row stride": attrs.stride[0], "column stride": attrs.stride[1],
        "row dilation": attrs.dilation[0], "column dilation": attrs.dilation[1],
        "pad top": top, "pad bottom": bottom, "pad left": left, "pad right": right})
    for axis, (before, after) in enumerate(((top, bottom), (left, right))):
        size, step = shape[1 + axis], attrs.stride[axis]
        extent = (attrs.window[axis] - 1) * attrs.dilation[axis] + 1
        last = (size + before + after - extent) // step * step - before
        if before:
            yield "window", ("above", "left")[axis]
        if last + extent > size:
            yield "window", ("below", "right")[axis]
        if extent > size:
            yield "window", "larger than the input"
        # In steps of the dilation a window may pass over the whole input.
        taps = np.arange(-before, last + 1, step)[:, np.newaxis] + attrs.dilation[
            axis] * np.arange(attrs.window[axis])
        if not ((taps >= 0) & (taps < size)).any(axis=1).all():
            yield "window", "some in the padding alone"


class _Program:
    """Walks a program's instructions and weight streams."""

    def __init__(self, config: Config, program: Program) -> None:
        self.config, self.program = config, program
        # Items of each weight LOAD: lane blocks of (N, format) of their entries.
        self.streams: dict[int, list[list[tuple[int, int]]]] = {}
        self.runs: set[int] = set()  # blocks that share a header

    def points(self) -> Iterator[Point]:
        chip = [step for step in self.program.steps if isinstance(step, ChipStep)]
        yield from _binned({"chip steps": len(chip)})
        for step in self.program.steps:
            if isinstance(step, HostStep):
                yield "host operator", step.op
            else:
                yield from self._step(step)

    def _step(self, step: ChipStep) -> Iterator[Point]:
        raw = self.program.constants
        instructions = [decode(raw[at:at + INSTRUCTION_BYTES]) for at in range(
            step.offset, step.offset + step.bytes, INSTRUCTION_BYTES)]
        yield from _binned({"instructions": len(instructions)})
        macs, lane_blocks = defaultdict(list), []
        for opcode, fields in instructions:
            yield from self._semaphores(fields["post"])
            if opcode == Opcode.LOAD:
                yield from self._load(fields)
                if fields["target"] == Target.WEIGHTS:
                    lane_blocks += self._stream(fields)
            elif opcode == Opcode.STORE:
                yield from self._transfer("store", fields)
            elif opcode == Opcode.MAC:
                macs[fields["tag"]].append(fields)
        yield from self._rings(lane_blocks)
        for run in self.runs:
            yield from _binned({"blocks of a run": run})
        position = 0  # of the lane block that the array reads next
        for layer in macs.values():
            yield from _binned({"MACs of a layer": len(layer)})
            before = 0
            for mac in layer:
                kept = mac["keep"]
                yield from self._mac(mac, lane_blocks[position:position + mac["blocks"]])
                if before or kept:
                    yield "keep", "inner" if before and kept else "first" if kept else "last"
                before = kept
                if not kept:
                    position += mac["blocks"]

    def _semaphores(self, post: int) -> Iterator[Point]:
        for bit in range(16):
            if post >> bit & 1:
                yield "semaphore", f"{Unit(bit // 4).name} to {Unit(bit % 4).name}"

    def _mac(self, mac: dict[str, int], blocks: list[list[tuple[int, int]]]) -> Iterator[Point]:
        config = self.config
        pixels = mac["out_width"] * mac["out_height"]
        yield "array mode", ArrayMode(mac["array_mode"]).name
        yield "post mode", PostMode(mac["post_mode"]).name
        yield "pixels of the last tile", (f"{(pixels - 1) % config.columns + 1} of "
                                          f"{config.columns}")
        value = mac["pad_value"]
        yield "pad value", (str(value) if value in (-128, 0, 127)
                            else "negative" if value < 0 else "positive")
        if mac["in_base"] >= config.words:  # negative, modulo 2**16
            yield "window", "base below 0"
        yield from _binned({"lane blocks of a MAC": len(blocks), "tiles of a MAC": mac["tiles"]})
        for entries in blocks:
            rows = max(sum(n for n, _ in entries), 1)
            drain = config.drain_cycles
            yield "tile against drain", ("shorter" if rows < drain else
                                         "equal" if rows == drain else "longer")

    def _stream(self, load: dict[str, int]) -> list[list[tuple[int, int]]]:
        address, group = load["address"], self.config.group
        if address in self.streams:
            return self.streams[address]
        raw = self.program.constants[address:address + load["run_bytes"]]
        beats = np.frombuffer(raw, np.uint8).reshape(-1, group)
        blocks: list[list[tuple[int, int]]] = []
        fields, at = None, 0
        while at < len(beats):
            before = fields
            fields, _, at = read_item(self.config, beats, at, before)
            if not (before and before.get("more")):
                self.runs.add(fields.get("more", 0) + 1)
            if fields["kind"] == ItemKind.PARAMETERS:
                blocks.append([])
                continue
            blocks[-1].append((fields["n"], fields["format"]))
        self.streams[address] = blocks
        return blocks

    def _rings(self, blocks: list[list[tuple[int, int]]]) -> Iterator[Point]:
        config, each = self.config, index_rows_per_beat(self.config)
        for n, style in {entry for entries in blocks for entry in entries}:
            yield "weights N", f"{n} of {config.group}"
            if n:
                yield "block format", f"{BlockFormat(style).name} at {config.group}"
            if style == BlockFormat.PAIRS and n > 1:
                yield "rows of the last index beat", f"{(n - 2) % each + 1} of {each}"
        for name, size, used in (
                ("rows", config.weight_rows, [sum(n for n, _ in part) for part in blocks]),
                ("entries", config.list_entries, [len(part) for part in blocks]),
                ("parameters", config.parameter_beats, [PARAMETER_BEATS] * len(blocks))):
            if sum(used) > size:
                yield "ring", f"{name} wrap"
            if max(used, default=0) > size:
                yield "ring", f"{name} streamed"
        if len(blocks) > config.lane_blocks:
            yield "ring", "lane blocks wrap"
        for entries in blocks:
            yield from _binned({"entries of a lane block": len(entries)})

    def _load(self, load: dict[str, int]) -> Iterator[Point]:
        group = self.config.group
        yield "load", Target(load["target"]).name
        if load["target"] != Target.SCRATCHPAD:
            return
        yield from self._transfer("load", load)
        last = load["first"] + (load["count0"] - 1) * load["step0"] + (
            load["count1"] - 1) * load["step1"]
        if load["first"] < 0:
            yield "load", "fill on the left"
        if last + load["tail"] > load["row_bytes"]:
            yield "load", "fill on the right"
        if load["count1"] > 1 and load["step1"] < (load["count0"] - 1) * group + load["tail"]:
            yield "load", "overlapping words"
        if load["dst_step1"] != 1 or load["step1"] % group:
            yield "load", "gathered"

    def _transfer(self, name: str, fields: dict[str, int]) -> Iterator[Point]:
        group, address, size = self.config.group, fields["address"], fields["run_bytes"]
        if address % group:
            yield name, "unaligned"
        # Regions begin at multiples of a page.
        if address // PAGE != (address + size - 1) // PAGE:
            yield name, "crosses 4 KiB"
        if fields["runs"] > 1:
            yield name, "several runs"
            if fields["run_stride"] % group:
                yield name, "unaligned stride"
        if fields["tail"] < group:
            yield name, "partial tail"
        if fields["count0"] > 1:
            yield name, "several groups"
