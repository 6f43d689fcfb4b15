"""Multipliers, operand selection and the walker by themselves."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from golden.spec.config import preset
from golden.spec.isa import ArrayMode, Opcode
from hw.interfaces import instruction_layout
from hw.mac.column import Column
from hw.mac.multiplier import Multiplier
from hw.mac.walker import Walker
from tb.pysim import collect, drive, simulate
from tb.unit.mac.bench import job, windows
from tb.yosys import cells

TINY = preset("tiny")


@pytest.mark.parametrize("lut", [False, True])
def test_multiplier_all_values(lut):
    dut = Multiplier(lut=lut)

    async def bench(ctx):
        for a in range(-128, 128):
            ctx.set(dut.a, a)
            for b in range(-128, 128):
                ctx.set(dut.b, b)
                await ctx.tick()
                assert ctx.get(dut.o) == a * b, (a, b)

    simulate(dut, bench, cycles=1 << 17)


@pytest.mark.parametrize("lut, dsp", [(False, TINY.lanes), (True, 0)])
def test_multipliers_in_silicon(lut, dsp):
    """One DSP block a lane, or none."""
    assert cells(Column(TINY, lut=lut))["MULT18X18D"] == dsp


def test_reset_clears_accumulators():
    """What a tile had summed up before a reset is not part of the next one."""
    column, reset = Column(TINY, lut=False), Signal()
    token = {"value": [3] * TINY.lanes, "index": [0] * TINY.lanes, "next": {"pop": 1}}

    async def bench(ctx):
        ctx.set(column.en, 1)
        ctx.set(column.word, {"word": 5})
        await ctx.tick()
        ctx.set(column.i, {"flags": {"pop": 1, "add": 1}, **token})
        await ctx.tick().repeat(Column.LATENCY + 2)
        ctx.set(column.i, {**token})
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        ctx.set(column.i, {"flags": {"pop": 1, "add": 1, "last": 1}, **token})
        await ctx.tick()
        ctx.set(column.i, {})
        await ctx.tick().repeat(Column.LATENCY)
        assert ctx.get(column.loaded)
        assert list(ctx.get(column.sums.acc)) == [3 * 5] * TINY.lanes

    simulate(ResetInserter(reset)(column), bench)


@pytest.mark.parametrize("columns", [1, 3, 8])
def test_walker(columns):
    """Windows in order, lane block after lane block, instruction after instruction."""
    seed = columns
    config, rng = TINY.replace(columns=columns, lut_columns=0), np.random.default_rng(seed)
    dut, layout = Walker(config), instruction_layout(Opcode.MAC)
    tasks = [job(config, [[]] * int(rng.integers(1, 4)), array_mode=int(rng.integers(0, 2)),
                 out_width=int(rng.integers(1, 9)), out_height=int(rng.integers(1, 5)),
                 in_base=int(rng.integers(0, 1 << 16)), in_row_step=int(rng.integers(0, 1 << 16)),
                 iy0=int(rng.integers(-4, 4090)), ix0=int(rng.integers(-4096, 4)),
                 stride_y=int(rng.integers(0, 64)), stride_x=int(rng.integers(0, 64)),
                 in_height=int(rng.integers(1, 4096)), in_width=int(rng.integers(1, 4096)),
                 pad_value=int(rng.integers(-128, 128))) for _ in range(5)]
    tiles = [(task, tile) for task in tasks for _ in task.blocks
             for tile in windows(config, task.fields)]

    async def source(ctx):
        await drive(ctx, dut.i, [{k: v for k, v in t.fields.items()
                                  if k in layout.members} for t in tasks],
                    rng=random.Random(seed), stall=0.2)

    async def sink(ctx):
        return await collect(ctx, dut.tile, len(tiles), rng=random.Random(seed), stall=0.3)

    _, got = simulate(dut, source, sink)
    for number, (tile, (task, expected)) in enumerate(zip(got, tiles, strict=True)):
        note = f"seed {seed}, tile {number}"
        assert tile.count == len(expected), note
        assert tile.pad_value == task.fields["pad_value"] % 256, note
        assert tile.max == (task.fields["array_mode"] == ArrayMode.MAX), note
        for q, column in enumerate(tile.columns):
            base, *positions = expected[q] if q < len(expected) else (0, 0, 0)
            inside = [[distance for distance in range(256) if 0 <= position + distance < size]
                      for position, size in zip(positions, (
                          task.fields["in_height"], task.fields["in_width"]), strict=True)]
            present = q < len(expected) and all(inside)
            assert column.present == present, (note, q)
            if present:
                assert column.base == base % config.words, (note, q)
                found = [(column.dy_first, column.dy_last), (column.dx_first, column.dx_last)]
                assert found == [(some[0], some[-1]) for some in inside], (note, q)
