"""WeightParser: what it passes on, one beat a cycle, and what it refuses."""

import numpy as np
import pytest
from amaranth.hdl import Value

from golden.spec import layout
from golden.spec.config import preset
from golden.spec.registers import Cause
from golden.weights import Block, LaneBlock, pack
from hw.mem.weight_parser import WeightParser
from tb.pysim import drive, simulate

CONFIG = preset("tiny")


def words_of(word, beats):
    """An integer as that many beats of `tiny`."""
    bits = 8 * CONFIG.group
    return [word >> bits * beat & (1 << bits) - 1 for beat in range(beats)]


def test_order_and_rate():
    """Everything of a lane block comes in the stream's order, in the cycle of its beat."""
    indices = np.array([[3, 2, 1, 0], [0, 1, 2, 3], [1, 1, 1, 1]])
    values = np.arange(12, dtype=np.int8).reshape(3, 4) - 6
    lane = LaneBlock(np.zeros(4, int), np.ones(4, int), np.zeros(4, int), np.zeros(4, int),
                     [Block(7, 1, 2, values, indices), Block(8, 3, 4, values[:0], indices[:0])])
    raw = pack(CONFIG, [lane])
    beats = words_of(int.from_bytes(raw, "little"), len(raw) // CONFIG.group)
    dut = WeightParser(CONFIG)
    seen = []

    async def bench(ctx):
        ports = {name: getattr(dut, name) for name in ("blocks", "entries", "rows", "parameters")}
        for port in ports.values():
            ctx.set(port.ready, 1)
        for cycle, beat in enumerate(beats):
            ctx.set(dut.beats.payload, beat)
            ctx.set(dut.beats.valid, 1)
            assert ctx.get(dut.beats.ready), cycle
            seen.extend((cycle, name, ctx.get(Value.cast(port.payload)))
                        for name, port in ports.items() if ctx.get(port.valid))
            await ctx.tick()

    simulate(dut, bench, cycles=100)
    head = layout.header_beats(CONFIG)
    at = head + layout.PARAMETER_BEATS  # the first block
    names = {head - 1: "blocks", **dict.fromkeys(range(head, at), "parameters"),
             at + head - 1: "entries", at + head: "rows", at + head + 2: "rows",
             at + head + 3: "rows", at + 2 * head + 3: "entries"}
    assert [item[:2] for item in seen] == list(names.items())
    rows = [item for _, name, item in seen if name == "rows"]
    bits = [sum(int(index) << 2 * lane for lane, index in enumerate(row)) for row in indices]
    assert rows == [int.from_bytes(value.tobytes(), "little") | index << 32
                    for value, index in zip(values, bits, strict=True)]


def header(record, **fields):
    return words_of(record.encode(fields), layout.header_beats(CONFIG))


def lane_block(entries, rows, *blocks):
    """Beats of a lane block of `tiny` with headers as given."""
    beats = header(layout.PARAMETER_HEADER, kind=1, entries=entries, rows=rows)
    beats += [0] * layout.PARAMETER_BEATS
    for block in blocks:
        beats += header(layout.BLOCK_HEADER, **dict(kind=2) | block)
        beats += [0] * block.get("n", 0)
    return beats


@pytest.mark.parametrize("beats, good", [
    (lane_block(1, 2, dict(n=2)), True),
    (lane_block(2, 2, dict(n=2), dict(n=0)), True),
    (lane_block(1, 0, dict(n=0)) + lane_block(1, 1, dict(n=1)), True),
    ([0, 0, 0], False),
    (header(layout.BLOCK_HEADER, kind=2), False),
    (header(layout.PARAMETER_HEADER, kind=3, entries=1), False),
    (lane_block(0, 0), False),
    (lane_block(1, 0, dict(kind=1)), False),
    (lane_block(1, 0, dict(kind=0)), False),
    (lane_block(1, 0, dict(format=3)), False),
    (lane_block(1, 5, dict(n=5)), False),
    (lane_block(1, 1, dict(n=2)), False),
    (lane_block(1, 3, dict(n=2)), False),
    (lane_block(2, 3, dict(n=2), dict(n=2)), False),
    (lane_block(2, 3, dict(n=2), dict(n=0)), False),
    (lane_block(1, 1, dict(n=1)) + header(layout.BLOCK_HEADER, kind=2), False),
])
def test_errors(beats, good):
    """An illegal header stops the parser for good, a legal one never does."""
    dut = WeightParser(CONFIG)

    def open_outputs(ctx):
        for port in (dut.blocks, dut.entries, dut.rows, dut.parameters):
            ctx.set(port.ready, 1)

    async def accept(ctx):
        open_outputs(ctx)
        await drive(ctx, dut.beats, beats)
        await ctx.tick()
        assert not ctx.get(dut.error.valid)

    async def offend(ctx):
        open_outputs(ctx)
        for beat in beats:
            ctx.set(dut.beats.payload, beat)
            ctx.set(dut.beats.valid, 1)
            await ctx.tick()
            if ctx.get(dut.error.valid):
                break
        for _ in range(3):
            assert ctx.get(dut.error.valid) and not ctx.get(dut.beats.ready)
            assert ctx.get(dut.error.cause) == Cause.WEIGHT_STREAM
            await ctx.tick()

    simulate(dut, accept if good else offend, cycles=300)
