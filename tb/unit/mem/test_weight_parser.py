"""WeightParser: what it passes on, one beat a cycle, and what it refuses."""

import random

import numpy as np
import pytest
from amaranth.hdl import Value

from golden.spec import layout
from golden.spec.config import preset
from golden.spec.registers import Cause
from golden.weights import Block, LaneBlock, pack
from hw.mem.weight_parser import WeightParser
from tb.pysim import collect, drive, simulate

CONFIG = preset("tiny")


def words_of(word, beats):
    """An integer as that many beats of `tiny`."""
    bits = 8 * CONFIG.group
    return [word >> bits * beat & (1 << bits) - 1 for beat in range(beats)]


def test_order_and_rate():
    """Everything of a lane block comes in the stream's order, LATENCY after its beat was taken.

    A beat takes one cycle; one more passes after a block of no rows.
    """
    indices = np.array([[3, 2, 1, 0], [0, 1, 2, 3], [1, 1, 1, 1]])
    values = np.arange(12, dtype=np.int8).reshape(3, 4) - 6
    zeros = np.zeros(4, int)
    lane = LaneBlock(zeros, np.ones(4, int), zeros, zeros, [
        Block(7, 1, 2, values, indices), Block(8, 3, 4, values[:0], indices[:0]),
        Block(9, 3, 4, values[:1], indices[:1])])
    raw = pack(CONFIG, [lane])
    beats = words_of(int.from_bytes(raw, "little"), len(raw) // CONFIG.group)
    dut = WeightParser(CONFIG)
    seen, taken = [], []
    head = layout.header_beats(CONFIG)
    at = head + layout.PARAMETER_BEATS  # the first block
    rowless = at + 2 * head + 3

    async def bench(ctx):
        ports = {name: getattr(dut, name) for name in ("blocks", "entries", "rows", "parameters")}
        for port in ports.values():
            ctx.set(port.ready, 1)
        at_hand = None
        for number, beat in enumerate([*beats, None]):
            ctx.set(dut.beats.payload, beat or 0)
            ctx.set(dut.beats.valid, beat is not None)
            while True:
                ready = ctx.get(dut.beats.ready)
                seen.extend((at_hand, name, ctx.get(Value.cast(port.payload)))
                            for name, port in ports.items() if ctx.get(port.valid))
                taken.append(ready)
                await ctx.tick()
                if ready:
                    break
                at_hand = None
            at_hand = number

    simulate(dut, bench, cycles=100)
    names = {head - 1: "blocks", **dict.fromkeys(range(head, at), "parameters"),
             at + head - 1: "entries", at + head: "rows", at + head + 2: "rows",
             at + head + 3: "rows", rowless: "entries", rowless + head: "entries",
             rowless + head + 1: "rows"}
    assert [item[:2] for item in seen] == list(names.items())
    assert [cycle for cycle, ready in enumerate(taken) if not ready] == [rowless + 1]
    rows = [item for _, name, item in seen if name == "rows"][:3]
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
        beats += [0] * block.get("n", 0) * (1 + block.get("more", 0))
    return beats


@pytest.mark.parametrize("seed", range(6))
def test_runs(seed):
    """Every block of a run gets its entry; without stalls no beat of several rows waits."""
    rng, stall = np.random.default_rng(seed), 0.4 * (seed % 2)
    blocks = []
    for _ in range(5):
        count, n = int(rng.integers(1, 17)), int(rng.integers(2 - seed % 2, 5))
        step, offset = (int(value) for value in rng.integers(1 << 16, size=2))
        index = np.repeat(np.arange(n)[:, None], 4, 1)
        blocks += [Block((offset + i * step) % (1 << 16), n, 2,
                         rng.integers(-128, 128, (n, 4)).astype(np.int8), index)
                   for i in range(count)]
    zeros = np.zeros(4, int)
    raw = pack(CONFIG, [LaneBlock(zeros, zeros, zeros, zeros, blocks)])
    beats = words_of(int.from_bytes(raw, "little"), len(raw) // CONFIG.group)
    dut = WeightParser(CONFIG)
    draws = random.Random(seed)

    async def produce(ctx):
        await drive(ctx, dut.beats, beats, rng=draws, stall=stall)

    def consumer(name, count):
        return lambda ctx: collect(ctx, getattr(dut, name), count, rng=draws, stall=stall)

    rows = sum(len(block.values) for block in blocks)
    _, _, _, entries, values = simulate(
        dut, produce, consumer("blocks", 1), consumer("parameters", layout.PARAMETER_BEATS),
        consumer("entries", len(blocks)), consumer("rows", rows),
        cycles=20 * len(beats) if stall else len(beats) + 3)
    assert [(e["n"], e["dy"], e["offset"]) for e in entries] == [
        (len(b.values), b.dy, b.offset % CONFIG.words) for b in blocks], seed
    assert [list(row.value) for row in values] == [
        row.tolist() for b in blocks for row in b.values], seed


@pytest.mark.parametrize("beats, good", [
    (lane_block(1, 2, dict(n=2)), True),
    (lane_block(1, 4, dict(n=4)), True),
    (lane_block(2, 2, dict(n=2), dict(n=0)), True),
    (lane_block(1, 0, dict(n=0)) + lane_block(1, 1, dict(n=1)), True),
    (lane_block(3, 6, dict(n=2, more=2)), True),
    (lane_block(3, 5, dict(n=2, more=1), dict(n=1)), True),
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
    (lane_block(2, 6, dict(n=2, more=2)), False),
    (lane_block(3, 5, dict(n=2, more=2)), False),
    (lane_block(3, 7, dict(n=2, more=2)), False),
    (lane_block(2, 0, dict(n=0, more=1)), False),
    (lane_block(2, 2, dict(n=1, more=1, format=1)), False),
    (lane_block(2, 2, dict(n=1, more=1, format=2)), False),
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
            while not ctx.get(dut.beats.ready) and not ctx.get(dut.error.valid):
                await ctx.tick()
            if ctx.get(dut.error.valid):
                break
            await ctx.tick()
        for _ in range(WeightParser.LATENCY):
            await ctx.tick()
        for _ in range(3):
            assert ctx.get(dut.error.valid) and not ctx.get(dut.beats.ready)
            assert ctx.get(dut.error.cause) == Cause.WEIGHT_STREAM
            await ctx.tick()

    simulate(dut, accept if good else offend, cycles=300)
