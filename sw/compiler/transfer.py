"""LOAD and STORE instructions for rectangles of feature maps."""

from dataclasses import dataclass

from golden.spec.config import Config
from golden.spec.isa import Opcode, Target
from golden.spec.registers import Region
from sw.compiler.plan import Buffer
from sw.compiler.sync import Instruction, Span
from sw.compiler.window import LayerTensor

__all__ = ["Home", "Rect", "buffer_spans", "load_rect", "store_rect"]

_MOD = 1 << 16


@dataclass(frozen=True)
class Home:
    """Where a feature map lies in DRAM: as the model's bytes (NHWC) or planar by group."""

    region: Region
    offset: int
    planar: bool


@dataclass(frozen=True)
class Rect:
    """Rows [y0, y1) and columns [x0, x1) of a feature map."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def empty(self) -> bool:
        """No pixel in it."""
        return self.y0 >= self.y1 or self.x0 >= self.x1


def buffer_spans(buffer: Buffer, groups: int, first_row: int, end_row: int) -> list[Span]:
    """Scratchpad words of some buffer rows in all groups."""
    if first_row == 0 and end_row == buffer.rows:
        return [("sp", buffer.base, buffer.base + groups * buffer.plane)]
    return [("sp", base + first_row * buffer.columns, base + end_row * buffer.columns)
            for base in range(buffer.base, buffer.base + groups * buffer.plane, buffer.plane)]


def load_rect(config: Config, tag: int, tensor: LayerTensor, home: Home, buffer: Buffer,
              rect: Rect, origin: tuple[int, int]) -> list[Instruction]:
    """Load a rectangle; buffer position (0, 0) is feature-map position ``origin``."""
    if rect.empty:
        return []
    groups = tensor.groups(config.group)
    top, left = rect.y0 - origin[0], rect.x0 - origin[1]
    dst = buffer.base + top * buffer.columns + left
    writes = buffer_spans(buffer, groups, top, top + rect.y1 - rect.y0)
    common = {"tag": tag, "target": Target.SCRATCHPAD, "region": home.region}
    if home.planar:
        pieces = _planar(config, tensor, home, rect)
        return [Instruction(Opcode.LOAD, {
            **common, "address": address, "run_bytes": rows * columns * config.group,
            "runs": runs, "run_stride": stride, "count0": 1, "step0": 0, "tail": config.group,
            "count1": columns, "step1": config.group, "count2": rows,
            "step2": columns * config.group, "row_bytes": columns * config.group,
            "dst": (dst + group * buffer.plane) % _MOD, "dst_step1": 1,
            "dst_step2": buffer.columns,
            "dst_run_step": (buffer.plane if whole else buffer.columns) % _MOD},
            _dram(home, address, runs, stride, rows * columns * config.group), writes)
            for address, runs, stride, rows, columns, group, whole in pieces]
    fields = (_gathered(config, tensor, home, rect) if tensor.gather
              else _bytes(config, tensor, home, rect))
    return [Instruction(Opcode.LOAD, {
        **common, **fields, "dst": dst, "dst_step0": buffer.plane % _MOD, "dst_step1": 1,
        "dst_step2": buffer.columns, "dst_run_step": buffer.columns}, _whole(home, fields), writes)]


def store_rect(config: Config, tag: int, tensor: LayerTensor, home: Home, buffer: Buffer,
               rect: Rect, origin: tuple[int, int]) -> list[Instruction]:
    """Store a rectangle; the opposite of `load_rect`."""
    if rect.empty:
        return []
    groups = tensor.groups(config.group)
    top, left = rect.y0 - origin[0], rect.x0 - origin[1]
    src = buffer.base + top * buffer.columns + left
    reads = buffer_spans(buffer, groups, top, top + rect.y1 - rect.y0)
    common = {"tag": tag, "region": home.region}
    if home.planar:
        return [Instruction(Opcode.STORE, {
            **common, "address": address, "run_bytes": rows * columns * config.group,
            "runs": runs, "run_stride": stride, "count0": 1, "tail": config.group,
            "count1": columns, "count2": rows, "src": (src + group * buffer.plane) % _MOD,
            "src_step1": 1, "src_step2": buffer.columns,
            "src_run_step": (buffer.plane if whole else buffer.columns) % _MOD}, reads,
            _dram(home, address, runs, stride, rows * columns * config.group))
            for address, runs, stride, rows, columns, group, whole
            in _planar(config, tensor, home, rect)]
    fields = _bytes(config, tensor, home, rect)
    chosen = {name: fields[name] for name in ("address", "run_bytes", "runs", "run_stride",
                                              "count0", "count1", "count2", "tail")}
    return [Instruction(Opcode.STORE, {
        **common, **chosen, "src": src, "src_step0": buffer.plane % _MOD, "src_step1": 1,
        "src_step2": buffer.columns, "src_run_step": buffer.columns}, reads, _whole(home, chosen))]


def _dram(home: Home, address: int, runs: int, stride: int, size: int) -> list[Span]:
    """DRAM bytes of each run, in regions that are written as well as read."""
    if home.region not in (Region.WORK, Region.OUTPUT):
        return []
    return [(home.region.name, address + run * stride, address + run * stride + size)
            for run in range(runs)]


def _whole(home: Home, fields: dict[str, int]) -> list[Span]:
    """As `_dram`, in one piece."""
    size = (fields["runs"] - 1) * fields["run_stride"] + fields["run_bytes"]
    return _dram(home, fields["address"], 1, 0, size)


def _planar(config: Config, tensor: LayerTensor, home: Home,
            rect: Rect) -> list[tuple[int, int, int, int, int, int, bool]]:
    """(address, runs, stride, rows of a run, columns, first group, runs are groups) of each."""
    word = config.group
    groups = tensor.groups(word)
    plane = tensor.height * tensor.width * word
    start = home.offset + (rect.y0 * tensor.width + rect.x0) * word
    rows, columns = rect.y1 - rect.y0, rect.x1 - rect.x0
    if columns == tensor.width:
        return [(start, groups, plane, rows, columns, 0, True)]
    return [(start + group * plane, rows, tensor.width * word, 1, columns, group, False)
            for group in range(groups)]


def _bytes(config: Config, tensor: LayerTensor, home: Home, rect: Rect) -> dict[str, int]:
    """Run and word pattern of a rectangle of NHWC bytes."""
    channels, groups = tensor.channels, tensor.groups(config.group)
    row = tensor.width * channels
    rows, columns = rect.y1 - rect.y0, rect.x1 - rect.x0
    whole = columns == tensor.width
    return {
        "address": home.offset + rect.y0 * row + rect.x0 * channels,
        "run_bytes": columns * channels * (rows if whole else 1),
        "runs": 1 if whole else rows, "run_stride": row, "first": 0,
        "count0": groups, "step0": config.group, "count1": columns, "step1": channels,
        "count2": rows if whole else 1, "step2": row, "row_bytes": columns * channels,
        "tail": channels - (groups - 1) * config.group, "fill": 0}


def _gathered(config: Config, tensor: LayerTensor, home: Home, rect: Rect) -> dict[str, int]:
    """Run and word pattern of gathered windows: one word per output column."""
    gather = tensor.gather
    assert gather is not None
    row = gather.width * gather.channels
    rows = rect.y1 - rect.y0
    step = gather.stride * gather.channels
    first = (rect.x0 * gather.stride - gather.pad_left) * gather.channels
    skipped = max(first, 0)
    # Positions may not go back from one row to the next, or each row is a run of its own.
    one_run = (rect.x1 - rect.x0 - 1) * step <= row
    data = row - skipped
    return {
        "address": home.offset + rect.y0 * row + skipped,
        "run_bytes": (rows - 1) * row + data if one_run else data,
        "runs": 1 if one_run else rows, "run_stride": row, "first": first - skipped,
        "count0": 1, "step0": 0, "count1": rect.x1 - rect.x0, "step1": step,
        "count2": rows if one_run else 1, "step2": row, "row_bytes": data,
        "tail": tensor.channels, "fill": tensor.zero_point & 0xFF}
