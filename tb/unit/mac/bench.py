"""The MAC unit's surroundings in Python, and what it must compute."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Value

from golden.spec.isa import ArrayMode, Opcode, encode
from hw.interfaces import BankRead, entry_layout, row_layout
from hw.mac.unit import MacUnit
from tb.pysim import simulate

__all__ = ["Job", "Record", "conflicts", "expected", "job", "run", "windows"]


@dataclass(frozen=True)
class Job:
    """A MAC instruction: its fields, and for each lane block the entries.

    An entry is (dy, dx, offset, values (N, L) int8, indices (N, L)).
    """

    fields: dict
    blocks: list


@dataclass
class Record:
    """What the unit did: per kind of event the cycles, or values, in order."""

    vectors: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    post: list = field(default_factory=list)
    row_cycles: list = field(default_factory=list)
    vector_cycles: list = field(default_factory=list)
    row_columns: int = 0
    conflicts: int = 0
    waits: dict = field(default_factory=lambda: {"drain": 0, "weights": 0, "words": 0})
    busy: int = 0


def job(config, blocks, **fields):
    """A Job with ``blocks`` and ``tiles`` filled in."""
    pixels = fields["out_width"] * fields["out_height"]
    return Job({"blocks": len(blocks), "tiles": -(-pixels // config.columns), "tag": 0,
                "keep": 0, "zero": 0, "array_mode": int(ArrayMode.SUM), "pad_value": 0,
                "add_multiplier": 0, **fields}, blocks)


def windows(config, fields):
    """Per tile the list of (base, iy, ix), one per pixel."""
    row_step = (fields["out_width"] - 1) * fields["stride_x"] + fields["in_row_step"]
    pixels = [(fields["in_base"] + y * row_step + x * fields["stride_x"],
               fields["iy0"] + y * fields["stride_y"], fields["ix0"] + x * fields["stride_x"])
              for y in range(fields["out_height"]) for x in range(fields["out_width"])]
    return [pixels[i:i + config.columns] for i in range(0, len(pixels), config.columns)]


def _address(config, fields, window, entry):
    """The word of a window and entry, None in the padding."""
    (base, iy, ix), (dy, dx, offset, *_) = window, entry
    inside = 0 <= iy + dy < fields["in_height"] and 0 <= ix + dx < fields["in_width"]
    return (base + offset) % config.words if inside else None


def expected(config, image, task):
    """Per tile an array (pixels, L) of accumulators; ``image`` is (words, M) int8."""
    fields, tiles = task.fields, []
    lanes = np.arange(config.lanes)
    pad = np.full(config.group, fields["pad_value"], np.int64)
    for entries in task.blocks:
        for tile_windows in windows(config, fields):
            tile = np.zeros((len(tile_windows), config.lanes), np.int64)
            for q, window in enumerate(tile_windows):
                products = []
                for entry in entries:
                    address = _address(config, fields, window, entry)
                    word = pad if address is None else image[address].astype(np.int64)
                    values, indices = entry[3], entry[4]
                    products += [values[r, lanes] * word[indices[r]] for r in range(len(values))]
                if products:
                    is_max = fields["array_mode"] == ArrayMode.MAX
                    tile[q] = np.max(products, 0) if is_max else np.sum(products, 0)
            tiles.append(tile)
    return tiles


def conflicts(config, task):
    """Extra cycles that equal banks cost."""
    extra = 0
    for entries in task.blocks:
        for tile_windows in windows(config, task.fields):
            for entry in entries:
                found = [_address(config, task.fields, window, entry) for window in tile_windows]
                banks = [a % config.banks for a in found if a is not None and len(entry[3])]
                extra += max((banks.count(b) for b in banks), default=1) - 1
    return extra


def _weight_streams(config, tasks):
    """Entries and rows as the weight store replays them, as bits."""
    entries, rows = [], []
    for task in tasks:
        for block in task.blocks:
            once = [entry_layout(config).const({
                "n": len(values), "dy": dy, "dx": dx, "offset": offset,
                "last": place == len(block) - 1}).as_bits()
                for place, (dy, dx, offset, values, _) in enumerate(block)]
            block_rows = [row_layout(config).const(
                {"value": value.tolist(), "index": index.tolist()}).as_bits()
                for _, _, _, values, indices in block
                for value, index in zip(values, indices, strict=True)]
            entries += once * task.fields["tiles"]
            rows += block_rows * task.fields["tiles"]
    return entries, rows


class _Source:
    """Offers items on a stream, pausing at random."""

    def __init__(self, port, items, rng, stall):
        self.port, self.items, self.rng, self.stall = port, items, rng, stall
        self.raw, self.next, self.offered = Value.cast(port.payload), 0, False

    def drive(self, ctx):
        more = self.next < len(self.items)
        if more and not self.offered and self.rng.random() >= self.stall:
            ctx.set(self.raw, self.items[self.next])
            ctx.set(self.port.valid, 1)
            self.offered = True
        elif not self.offered:
            ctx.set(self.port.valid, 0)

    def step(self, ctx):
        if self.offered and ctx.get(self.port.ready):
            self.next, self.offered = self.next + 1, False


class _TileSink:
    """Takes whole tiles: at random begins one, then one vector every ``pace`` cycles.

    With ``pause`` it waits at random before the vectors within a tile, too.
    """

    def __init__(self, port, vectors, pace, rng, stall, pause):
        self.port, self.vectors, self.pace, self.rng = port, vectors, pace, rng
        self.stall, self.pause = stall, pause
        self.taken, self.wait = 0, 0

    def drive(self, ctx):
        stall = self.pause if self.taken % self.vectors else self.stall
        ctx.set(self.port.ready, self.wait == 0 and self.rng.random() >= stall)

    def step(self, ctx, record, cycle):
        valid, ready = ctx.get(self.port.valid), ctx.get(self.port.ready)
        if ready:
            assert valid or self.taken % self.vectors == 0, "a pause within a tile"
        if valid and ready:
            record.vectors.append(list(ctx.get(self.port.payload)))
            record.vector_cycles.append(cycle)
            self.taken, self.wait = self.taken + 1, self.pace - 1
        elif self.wait:
            self.wait -= 1


def _count(ctx, dut, record, cycle):
    """Counter outputs of one cycle; while busy exactly one of four is set."""
    row, busy = ctx.get(dut.busy_row), ctx.get(dut.busy)
    waits = {"drain": ctx.get(dut.wait_drain), "weights": ctx.get(dut.wait_weights),
             "words": ctx.get(dut.wait_words)}
    assert row + sum(waits.values()) == busy, f"cycle {cycle}: row {row}, {waits}, busy {busy}"
    columns = ctx.get(dut.row_columns)
    assert row or not columns
    record.busy += busy
    record.row_columns += columns
    record.conflicts += ctx.get(dut.conflict)
    if row:
        record.row_cycles.append(cycle)
    for name, value in waits.items():
        record.waits[name] += value


def run(config, image, tasks, rng, *, pace=1, stall=0.0, tile_stall=0.0, pause=0.0,
        cycles=20_000):
    """Simulate instructions one after the other; returns the Record.

    ``stall``: probability, a cycle, that a source pauses; ``tile_stall``: that no tile is begun;
    ``pause``: that no vector is taken within one.
    """
    dut = MacUnit(config)
    entries, rows = _weight_streams(config, tasks)
    raw = [int.from_bytes(encode(Opcode.MAC, **task.fields), "little") for task in tasks]
    sources = [_Source(dut.i, raw, rng, stall), _Source(dut.entries, entries, rng, stall),
               _Source(dut.rows, rows, rng, stall)]
    sink = _TileSink(dut.tile, config.drain_cycles, pace, rng, tile_stall, pause)
    total = sum(task.fields["tiles"] * len(task.blocks) for task in tasks) * config.drain_cycles
    words = [int.from_bytes(word.tobytes(), "little") for word in image]
    record = Record()

    async def bench(ctx):
        cycle, answers = 0, deque([[]] * BankRead.LATENCY)  # of the banks, on their way
        while len(record.vectors) < total:
            for bank, word in answers.popleft():
                ctx.set(dut.banks.data[bank], word)
            for source in sources:
                source.drive(ctx)
            sink.drive(ctx)
            for port in (dut.weights, dut.post):
                ctx.set(port.ready, rng.random() >= stall)
            for port, kept in ((dut.weights, record.commands), (dut.post, record.post)):
                if ctx.get(port.valid) and ctx.get(port.ready):
                    kept.append(ctx.get(port.payload))
            en = ctx.get(dut.banks.en)
            answers.append([(bank, words[ctx.get(dut.banks.row[bank]) * config.banks + bank])
                            for bank in range(config.banks) if en >> bank & 1])
            for source in sources:
                source.step(ctx)
            sink.step(ctx, record, cycle)
            _count(ctx, dut, record, cycle)
            await ctx.tick()
            cycle += 1
        await ctx.tick()
        assert not ctx.get(dut.busy), "busy after the last vector"
        for source in sources:
            assert source.next == len(source.items), "something was not taken"

    simulate(dut, bench, cycles=cycles)
    return record
