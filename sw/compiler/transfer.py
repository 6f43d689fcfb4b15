"""LOAD and STORE instructions for boxes of feature maps."""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

from golden.spec.config import Config
from golden.spec.isa import Opcode, Target
from golden.spec.registers import Region
from sw.compiler.plan import Buffer
from sw.compiler.window import LayerTensor
from sw.instructions.sync import Instruction, Span

__all__ = ["Box", "Home", "buffer_spans", "load_box", "store_box"]

_MOD = 1 << 16


@dataclass(frozen=True)
class Home:
    """Where a feature map lies in DRAM: as the model's bytes (NHWC) or planar by group.

    Planar ones may have another ``stride`` from group to group than what their bytes take, and
    may be stored several times, ``copies`` bytes behind ``offset``.
    """

    region: Region
    offset: int
    planar: bool
    stride: int = 0
    copies: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Box:
    """Rows [y0, y1), columns [x0, x1) and channel groups [g0, g1) of a feature map."""

    y0: int
    y1: int
    x0: int
    x1: int
    g0: int
    g1: int

    @property
    def empty(self) -> bool:
        """No pixel in it."""
        return self.y0 >= self.y1 or self.x0 >= self.x1

    @property
    def rows(self) -> int:
        """Rows in it."""
        return self.y1 - self.y0

    @property
    def columns(self) -> int:
        """Columns in it."""
        return self.x1 - self.x0


def buffer_spans(buffer: Buffer, groups: tuple[int, int], first_row: int,
                 end_row: int) -> list[Span]:
    """Scratchpad words of some buffer rows in channel groups [first, end)."""
    if first_row == 0 and end_row == buffer.rows:
        return [("sp", buffer.group(groups[0]), buffer.group(groups[1]))]
    return [("sp", buffer.group(group) + first_row * buffer.columns,
             buffer.group(group) + end_row * buffer.columns) for group in range(*groups)]


def load_box(config: Config, tag: int, tensor: LayerTensor, home: Home, buffer: Buffer, box: Box,
             origin: tuple[int, int]) -> list[Instruction]:
    """Load a box; buffer position (0, 0) is feature-map position ``origin``."""
    if box.empty:
        return []
    inside, spans = _place(buffer, box, origin)
    common = {"tag": tag, "target": Target.SCRATCHPAD, "region": home.region}
    if home.planar:
        size = config.group
        return [Instruction(Opcode.LOAD, {
            **common, "address": run.address, "run_bytes": run.bytes, "runs": run.runs,
            "run_stride": run.stride, "count0": 1, "step0": 0, "tail": size,
            "count1": box.columns, "step1": size, "count2": run.rows,
            "step2": box.columns * size, "row_bytes": box.columns * size,
            "dst": (buffer.group(run.group) + inside) % _MOD, "dst_step1": 1,
            "dst_step2": buffer.columns, "dst_run_step": run.step % _MOD},
            _dram(home, run.address, run.runs, run.stride, run.bytes), spans)
            for run in _planar(config, tensor, home, buffer, box)]
    fields = (_gathered(config, tensor, home, box) if tensor.gather
              else _bytes(config, tensor, home, box))
    return [Instruction(Opcode.LOAD, {
        **common, **fields, "dst": buffer.group(box.g0) + inside,
        "dst_step0": buffer.plane % _MOD, "dst_step1": 1, "dst_step2": buffer.columns,
        "dst_run_step": buffer.columns}, _whole(home, fields), spans)]


def store_box(config: Config, tag: int, tensor: LayerTensor, home: Home, buffer: Buffer, box: Box,
              origin: tuple[int, int]) -> list[Instruction]:
    """Store a box; the opposite of `load_box`."""
    if box.empty:
        return []
    inside, spans = _place(buffer, box, origin)
    common = {"tag": tag, "region": home.region}
    if home.planar:
        return [Instruction(Opcode.STORE, {
            **common, "address": run.address + copy, "run_bytes": run.bytes, "runs": run.runs,
            "run_stride": run.stride, "count0": 1, "tail": config.group, "count1": box.columns,
            "count2": run.rows, "src": (buffer.group(run.group) + inside) % _MOD,
            "src_step1": 1, "src_step2": buffer.columns, "src_run_step": run.step % _MOD}, spans,
            _dram(home, run.address + copy, run.runs, run.stride, run.bytes))
            for run in _planar(config, tensor, home, buffer, box) for copy in home.copies]
    if box.g1 - box.g0 < tensor.groups(config.group):
        return _store_pixels(config, common, tensor, home, buffer, box, inside, spans)
    fields = _bytes(config, tensor, home, box)
    chosen = {name: fields[name] for name in ("address", "run_bytes", "runs", "run_stride",
                                              "count0", "count1", "count2", "tail")}
    return [Instruction(Opcode.STORE, {
        **common, **chosen, "src": buffer.group(0) + inside, "src_step0": buffer.plane % _MOD,
        "src_step1": 1, "src_step2": buffer.columns, "src_run_step": buffer.columns}, spans,
        _whole(home, chosen))]


def _store_pixels(config: Config, common: dict[str, int], tensor: LayerTensor, home: Home,
                  buffer: Buffer, box: Box, inside: int, spans: list[Span]) -> list[Instruction]:
    """Some channels of NHWC bytes: a run for each pixel, an instruction for each row."""
    result = []
    for row in range(box.rows):
        fields = _bytes(config, tensor, home, dataclasses.replace(
            box, y0=box.y0 + row, y1=box.y0 + row + 1, x1=box.x0 + 1))
        size = fields["run_bytes"]
        result.append(Instruction(Opcode.STORE, {
            **common, "address": fields["address"], "run_bytes": size, "runs": box.columns,
            "run_stride": tensor.channels, "count0": fields["count0"], "count1": 1, "count2": 1,
            "tail": fields["tail"], "src": buffer.group(box.g0) + inside + row * buffer.columns,
            "src_step0": buffer.plane % _MOD, "src_run_step": 1}, spans,
            _dram(home, fields["address"], box.columns, tensor.channels, size)))
    return result


def _place(buffer: Buffer, box: Box, origin: tuple[int, int]) -> tuple[int, list[Span]]:
    """A box in a buffer: words from a group's beginning to its first one, and all its words."""
    top, left = box.y0 - origin[0], box.x0 - origin[1]
    spans = buffer_spans(buffer, (box.g0, box.g1), top, top + box.rows)
    return top * buffer.columns + left, spans


def _dram(home: Home, address: int, runs: int, stride: int, size: int) -> list[Span]:
    """DRAM bytes of each run, in regions that are written as well as read."""
    if home.region == Region.INPUT:
        return []
    return [(home.region.name, address + run * stride, address + run * stride + size)
            for run in range(runs)]


def _whole(home: Home, fields: dict[str, int]) -> list[Span]:
    """As `_dram`, in one piece."""
    size = (fields["runs"] - 1) * fields["run_stride"] + fields["run_bytes"]
    return _dram(home, fields["address"], 1, 0, size)


class _Run(NamedTuple):
    """Runs of one instruction on a planar feature map.

    Each has ``rows`` rows; the first one is of channel group ``group``, and ``step`` words of the
    buffer lie between two of them.
    """

    address: int
    runs: int
    stride: int
    rows: int
    bytes: int
    group: int
    step: int


def _planar(config: Config, tensor: LayerTensor, home: Home, buffer: Buffer,
            box: Box) -> list[_Run]:
    """A run for each group where rows are whole, else for each row of each group."""
    word = config.group
    plane = home.stride or tensor.height * tensor.width * word
    start = home.offset + (box.y0 * tensor.width + box.x0) * word
    if box.columns == tensor.width:
        return [_Run(start + box.g0 * plane, box.g1 - box.g0, plane, box.rows,
                     box.rows * box.columns * word, box.g0, buffer.plane)]
    return [_Run(start + group * plane, box.rows, tensor.width * word, 1, box.columns * word,
                 group, buffer.columns) for group in range(box.g0, box.g1)]


def _bytes(config: Config, tensor: LayerTensor, home: Home, box: Box) -> dict[str, int]:
    """Run and word pattern of a box of NHWC bytes."""
    channels, groups = tensor.channels, box.g1 - box.g0
    used = min(box.g1 * config.group, channels) - box.g0 * config.group
    row = tensor.width * channels
    row_bytes = (box.columns - 1) * channels + used
    rows = box.rows if box.columns == tensor.width else 1  # of a run
    return {
        "address": home.offset + box.y0 * row + box.x0 * channels + box.g0 * config.group,
        "run_bytes": (rows - 1) * row + row_bytes,
        "runs": box.rows // rows, "run_stride": row, "first": 0,
        "count0": groups, "step0": config.group, "count1": box.columns, "step1": channels,
        "count2": rows, "step2": row, "row_bytes": row_bytes,
        "tail": used - (groups - 1) * config.group, "fill": 0}


def _gathered(config: Config, tensor: LayerTensor, home: Home, box: Box) -> dict[str, int]:
    """Run and word pattern of gathered windows: one word per output column."""
    gather = tensor.gather
    assert gather is not None
    row = gather.width * gather.channels
    rows = box.rows
    step = gather.stride * gather.channels
    first = (box.x0 * gather.stride - gather.pad_left) * gather.channels
    skipped = max(first, 0)
    if skipped >= row:  # nothing but padding; a byte of each row is read all the same
        first = skipped = row - 1
        row_bytes = 0
    else:
        row_bytes = row - skipped
    data = max(row_bytes, 1)
    # Positions may not go back from one row to the next, or each row is a run of its own.
    one_run = (box.columns - 1) * step <= row
    return {
        "address": home.offset + box.y0 * row + skipped,
        "run_bytes": (rows - 1) * row + data if one_run else data,
        "runs": 1 if one_run else rows, "run_stride": row, "first": first - skipped,
        "count0": 1, "step0": 0, "count1": box.columns, "step1": step,
        "count2": rows if one_run else 1, "step2": row, "row_bytes": row_bytes,
        "tail": tensor.channels, "fill": tensor.zero_point & 0xFF}
