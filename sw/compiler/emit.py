"""Instructions of planned operators, one chip step at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from golden.spec.config import Config
from golden.spec.isa import Opcode, PostMode, Target
from golden.spec.layout import LOG_BYTES
from golden.spec.registers import Region
from sw.compiler.overlap import Pass, Ready, cut_passes
from sw.compiler.pack import PackedOp
from sw.compiler.plan import Buffer, OpPlan, Tile
from sw.compiler.transfer import Box, Home, buffer_spans, load_box, store_box
from sw.compiler.window import LayerTensor, WindowOp
from sw.instructions.constants import Constants
from sw.instructions.sync import Instruction

__all__ = ["Emitter"]

WEIGHT_RUN = 1 << 23  # bytes of a longer stream's runs, within LOAD.run_bytes
_MOD = 1 << 16
_LOGGED_CYCLES = 256  # a record takes the store unit some 60


@dataclass
class _View:
    """A buffer with the feature-map rectangle that it holds now."""

    buffer: Buffer
    y0: int
    x0: int
    y1: int
    x1: int

    def address(self, y: int, x: int, group: int = 0) -> int:
        return self.buffer.group(group) + (y - self.y0) * self.buffer.columns + x - self.x0


@dataclass
class Emitter:
    """Emits operators in order into ``instructions``; `flush` starts the next chip step."""

    config: Config
    tensors: dict[str, LayerTensor]
    homes: dict[str, Home]
    resident: dict[str, Buffer]
    constants: Constants
    instructions: list[Instruction] = field(default_factory=list)
    loaded_rows: dict[str, int] = field(default_factory=dict)
    log_records: int = 0
    ready: Ready | None = None
    streams: dict[int, tuple[int, int]] = field(default_factory=dict)  # by layer, made ahead

    def operator(self, op: WindowOp, packed: PackedOp, plan: OpPlan) -> None:
        """Loads, weights, array passes and stores of one operator."""
        stay = len(plan.tiles) > 1 and packed.stays(self.config, 0, len(packed.blocks))
        stream = self.stream(op, packed, plan)
        for number, tile in enumerate(plan.tiles):
            last = number + 1 == len(plan.tiles)
            cut = partial(cut_passes, self.config, op, tile, packed.rows,
                          partial(packed.stays, self.config), ready=self.ready, ends=last,
                          keep=stay and not last)
            self._strip(op, plan, number, partial(
                self._load_constants, op, packed, None if number and stay else stream,
                not number), cut)
        self.log(op.layer)

    def chain(self, members: list[tuple[WindowOp, PackedOp, OpPlan]], turns: list[int]) -> None:
        """The same of operators that take turns: ``turns`` has the member whose tile is next.

        Long steps have a log record each, so that every operator's cycles are known.
        """
        streams = [self.stream(*member) for member in members]
        numbers = [0] * len(members)
        table = None
        for turn in turns:
            op, packed, plan = members[turn]
            new = op.post.table is not None and table != turn
            table = turn if new else table
            whole = Pass(plan.tiles[numbers[turn]], 0, len(packed.blocks))
            rows = sum(max(count, self.config.drain_cycles) for count in packed.rows)
            pixels = whole.tile.height * whole.tile.width
            long = pixels * rows >= _LOGGED_CYCLES * self.config.columns
            last = numbers[turn] + 1 == len(plan.tiles)
            self._strip(op, plan, numbers[turn], partial(
                self._load_constants, op, packed, streams[turn], new), partial(_uncut, whole),
                logged=long and not last)
            numbers[turn] += 1
            if last:
                self.log(op.layer)

    def _strip(self, op: WindowOp, plan: OpPlan, number: int, constants: Callable[[], None],
               cut: Callable[[], tuple[list[Pass], Ready | None]], logged: bool = False) -> None:
        """One tile; ``constants`` loads weights and table, ``cut`` gives its passes.

        With ``logged`` a record follows the array's part.
        """
        tile, last = plan.tiles[number], number + 1 == len(plan.tiles)
        views = {name: self._source(op, plan, name, tile, number, last) for name in op.sources}
        residual = None
        if op.residual in views:
            residual = views[op.residual]
        elif op.residual:
            residual = self._residual(op, plan, tile, number)
        constants()
        output = self._output_view(op, plan, tile, number)
        passes, self.ready = cut()
        for part in passes:
            self._mac(op, part, views, residual, output)
        if logged:
            self.log(op.layer)
        self._store(op, tile, output)

    def append(self, instructions: list[Instruction]) -> None:
        """Instructions made elsewhere."""
        self.instructions += instructions

    def log(self, layer: int) -> None:
        """A log record when everything emitted for the layer is done."""
        done = next(item for item in reversed(self.instructions)
                    if item.opcode in (Opcode.MAC, Opcode.DRP) and item.fields["tag"] == layer)
        self.instructions.append(Instruction(
            Opcode.LOG, {"tag": layer, "region": Region.LOG,
                         "address": self.log_records * LOG_BYTES}, after=[done]))
        self.log_records += 1

    def flush(self) -> list[Instruction]:
        """Take the instructions of a finished step."""
        done, self.instructions = self.instructions, []
        return done

    def stream(self, op: WindowOp, packed: PackedOp, plan: OpPlan) -> tuple[int, int]:
        """(offset in the constants, bytes) of an operator's weight stream."""
        if op.layer not in self.streams:
            self.streams[op.layer] = self._made(op, packed, plan)
        return self.streams[op.layer]

    def _made(self, op: WindowOp, packed: PackedOp, plan: OpPlan) -> tuple[int, int]:
        buffers = [self._buffers(plan, name)[0] for name in op.sources]
        raw = packed.stream(self.config, [b.group(0) - buffers[0].group(0) for b in buffers],
                            [b.plane for b in buffers], buffers[0].columns)
        return self.constants.add(raw), len(raw)

    def _buffers(self, plan: OpPlan, name: str) -> list[Buffer]:
        if name in plan.slides:
            return [plan.slides[name].buffer]
        return [self.resident[name]] if name in self.resident else plan.strips[name]

    def _slide(self, plan: OpPlan, name: str, tile: Tile) -> _View:
        """A feature map inside a chain."""
        tensor, slide = self.tensors[name], plan.slides[name]
        return _View(slide.buffer, slide.origins[tile.part], 0, tensor.height, tensor.width)

    def _load_constants(self, op: WindowOp, packed: PackedOp, stream: tuple[int, int] | None,
                        table: bool) -> None:
        """Load the weights, if there are any to load, and the table if it is asked for."""
        # A table waits until the one before isn't read any more. Weights need not wait with it,
        # unless they wait themselves for the array, which needs the table.
        table = table and op.post.table is not None
        last = packed.stays(self.config, 0, len(packed.blocks))
        if table and not last:
            self._table(op)
        if stream:
            self._weights(op, stream)
        if table and last:
            self._table(op)

    def _table(self, op: WindowOp) -> None:
        assert op.post.table is not None
        raw = op.post.table.astype("<i4").tobytes()
        self.instructions.append(Instruction(Opcode.LOAD, {
            "tag": op.layer, "target": Target.TABLE, "region": Region.CONSTANTS,
            "address": self.constants.add(raw), "run_bytes": len(raw), "runs": 1},
            writes=[("table", 0, 1)]))

    def _weights(self, op: WindowOp, stream: tuple[int, int]) -> None:
        address, size = stream
        # Others are constant: there is nothing to wait for.
        spans = [(Region.CONSTANTS.name, address, address + size)] if op.gate else []
        while size:  # at most twice: the runs of an instruction are equally long
            run = min(size, WEIGHT_RUN)
            runs = size // run
            self.instructions.append(Instruction(Opcode.LOAD, {
                "tag": op.layer, "target": Target.WEIGHTS, "region": Region.CONSTANTS,
                "address": address, "run_bytes": run, "runs": runs, "run_stride": run}, spans))
            address, size = address + runs * run, size - runs * run

    def _source(self, op: WindowOp, plan: OpPlan, name: str, tile: Tile, number: int,
                last: bool) -> _View:
        if name in plan.slides:
            return self._slide(plan, name, tile)
        tensor = self.tensors[name]
        y0 = tile.y * op.stride_y - op.pad_top
        y1 = y0 + (tile.height - 1) * op.stride_y + op.kernel_height
        x0 = tile.x * op.stride_x - op.pad_left
        x1 = x0 + (tile.width - 1) * op.stride_x + op.kernel_width
        box = Box(_limit(y0, tensor.height), _limit(y1, tensor.height),
                  _limit(x0, tensor.width), _limit(x1, tensor.width), *op.groups(name))
        if name in self.resident:
            buffer = self.resident[name]
            self._load_rows(op.layer, name, tensor.height if last else box.y1)
            return _View(buffer, 0, 0, tensor.height, tensor.width)
        buffers = plan.strips[name]
        buffer = buffers[number % len(buffers)]
        self._load(op.layer, name, buffer, box, (box.y0, box.x0))
        return _View(buffer, box.y0, box.x0, box.y1, box.x1)

    def _load_rows(self, layer: int, name: str, end: int) -> None:
        """Load what is missing of a resident feature map's rows up to ``end``."""
        tensor, first = self.tensors[name], self.loaded_rows.get(name, end)
        if first < end:
            self._load(layer, name, self.resident[name], Box(
                first, end, 0, tensor.width, 0, tensor.groups(self.config.group)), (0, 0))
            self.loaded_rows[name] = end

    def _load(self, layer: int, name: str, buffer: Buffer, box: Box,
              origin: tuple[int, int]) -> None:
        self.instructions.extend(load_box(self.config, layer, self.tensors[name],
                                          self.homes[name], buffer, box, origin))

    def _residual(self, op: WindowOp, plan: OpPlan, tile: Tile, number: int) -> _View:
        assert op.residual is not None
        if op.residual in plan.slides:
            return self._slide(plan, op.residual, tile)
        tensor = self.tensors[op.residual]
        if op.residual in self.resident:
            self._load_rows(op.layer, op.residual, tensor.height)
            return _View(self.resident[op.residual], 0, 0, tensor.height, tensor.width)
        buffers = plan.strips[op.residual]
        buffer = buffers[number % len(buffers)]
        view = _output_view(op, tile, buffer)
        self._load(op.layer, op.residual, buffer, Box(
            view.y0, view.y1, view.x0, view.x1, *op.groups(op.residual)), (view.y0, view.x0))
        return view

    def _output_view(self, op: WindowOp, plan: OpPlan, tile: Tile, number: int) -> _View:
        if op.output in plan.slides:
            return self._slide(plan, op.output, tile)
        if op.output in self.resident:
            tensor = self.tensors[op.output]
            return _View(self.resident[op.output], 0, 0, tensor.height, tensor.width)
        buffers = plan.strips[op.output]
        return _output_view(op, tile, buffers[number % len(buffers)])

    def _store(self, op: WindowOp, tile: Tile, view: _View) -> None:
        if op.output not in self.homes:
            return
        y, x = op.out_y + tile.y, op.out_x + tile.x
        self.instructions.extend(store_box(
            self.config, op.layer, self.tensors[op.output], self.homes[op.output], view.buffer,
            Box(y, y + tile.height, x, x + tile.width, *op.groups(op.output)),
            (view.y0, view.x0)))

    def _mac(self, op: WindowOp, part: Pass, views: dict[str, _View], residual: _View | None,
             output: _View) -> None:
        config, post, tile = self.config, op.post, part.tile
        first = views[op.sources[0]]
        pitch = first.buffer.columns
        y = tile.y * op.stride_y - op.pad_top
        x = tile.x * op.stride_x - op.pad_left
        out_y, out_x = op.out_y + tile.y, op.out_x + tile.x
        blocks = op.first_block + part.first, op.first_block + part.end
        fields = {
            "tag": op.layer, "array_mode": op.array_mode, "post_mode": post.mode,
            "keep": part.keep, "blocks": part.end - part.first,
            "out_width": tile.width, "out_height": tile.height,
            "tiles": -(-tile.width * tile.height // config.columns),
            "in_base": first.address(y, x) % _MOD,
            "in_row_step": (op.stride_y * pitch - (tile.width - 1) * op.stride_x) % _MOD,
            "iy0": y - first.y0, "ix0": x - first.x0,
            "stride_y": op.stride_y, "stride_x": op.stride_x,
            "in_height": first.y1 - first.y0, "in_width": first.x1 - first.x0,
            "pad_value": op.pad_value,
            "out_base": output.address(out_y, out_x, blocks[0]) % _MOD,
            "out_row_step": (output.buffer.columns - (tile.width - 1)) % _MOD,
            "out_block_step": output.buffer.plane % _MOD,
            "zero": post.zero, "least": post.least, "most": post.most}
        reads = []
        for name, view in views.items():
            top = _limit(y, self.tensors[name].height) - view.y0
            end = _limit(y + (tile.height - 1) * op.stride_y + op.kernel_height,
                         self.tensors[name].height) - view.y0
            groups = op.groups(name, part.first, part.end)
            reads += buffer_spans(view.buffer, groups, top, max(end, top))
        out_row = out_y - output.y0
        if post.mode == PostMode.ADD:
            assert residual is not None
            fields |= {
                "res_base": residual.address(out_y, out_x, blocks[0]) % _MOD,
                "res_row_step": (residual.buffer.columns - (tile.width - 1)) % _MOD,
                "res_block_step": residual.buffer.plane % _MOD,
                "add_multiplier": post.add_multiplier, "add_pre": post.add_pre,
                "add_post": post.add_post, "add_zero": post.add_zero,
                "add_least": post.add_least, "add_most": post.add_most}
            reads += buffer_spans(residual.buffer, blocks, out_y - residual.y0,
                                  out_y - residual.y0 + tile.height)
        if post.table is not None:
            reads.append(("table", 0, 1))
        self.instructions.append(Instruction(
            Opcode.MAC, fields, reads,
            buffer_spans(output.buffer, blocks, out_row, out_row + tile.height)))


def _uncut(whole: Pass) -> tuple[list[Pass], None]:
    return [whole], None


def _limit(value: int, size: int) -> int:
    return min(max(value, 0), size)


def _output_view(op: WindowOp, tile: Tile, buffer: Buffer) -> _View:
    y, x = op.out_y + tile.y, op.out_x + tile.x
    return _View(buffer, y, x, y + tile.height, x + tile.width)
