"""Rows and columns by themselves: which commands, when, and who gives way."""

import dataclasses
import itertools

import pytest

from hw.sdram.columns import Columns
from hw.sdram.interface import Command, Geometry
from hw.sdram.rows import Rows
from hw.sdram.timing import PARTS
from tb.lib.sdram_pair import Pair
from tb.pysim import simulate

PART = PARTS["any-32MiB-7"]
MOST = 8
CYCLES = PART.cycles(100, cas=3)


def pair(beat_bytes=16, cycles=CYCLES):
    return Pair(Geometry(PART, beat_bytes), cycles, most_beats=MOST, rows=Rows, columns=Columns)


def commands(dut, segments, *, cycles=160):
    """[(cycle, Command, bank, address)] of segments offered as fast as they are taken."""
    seen = []

    async def feed(ctx):
        for segment in segments:
            ctx.set(dut.i.payload, segment)
            ctx.set(dut.i.valid, 1)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def watch(ctx):
        row, column = dut.rows.command, dut.columns.command
        for cycle in range(cycles):
            _, _, r, ready, c, first, second = await ctx.tick().sample(
                row.valid, row.ready, column.valid, row.payload, column.payload)
            assert not (r and ready and c)
            if c or (r and ready):
                item = second if c else first
                seen.append((cycle, Command(item.command), item.ba, item.a))

    simulate(dut, feed, watch)
    return seen


def segment(bank, row, *, start=0, beats=1, **flags):
    return {"bank": bank, "row": row, "start": start, "len": beats - 1, "write": 0, "error": 0,
            "last": 1, **flags}


def gaps(seen):
    return [(b[0] - a[0], b[1].name) for a, b in itertools.pairwise(seen)]


def test_the_next_row_opens_while_data_runs():
    seen = commands(pair(), [segment(0, 1, beats=4), segment(1, 1, beats=2), segment(0, 1)])
    reads = [item for item in seen if item[1] == Command.READ]
    assert [(bank, address) for _, _, bank, address in reads] == [
        (0, 0), (0, 8), (0, 16), (0, 24), (1, 0), (1, 8), (0, 0)]
    assert [b[0] - a[0] for a, b in itertools.pairwise(reads)] == [8] * 6
    opened = [(bank, row) for _, command, bank, row in seen if command == Command.ACTIVATE]
    assert opened == [(0, 1), (1, 1)]


@pytest.mark.parametrize("write, after", [(0, 8), (1, 8 - 1 + CYCLES.wr)])
def test_another_row_of_the_same_bank(write, after):
    """Waits for the last word, and in a write for its recovery."""
    seen = commands(pair(), [segment(2, 1, write=write), segment(2, 9, write=write)])
    name = "WRITE" if write else "READ"
    assert gaps(seen) == [(CYCLES.rcd, name), (after, "PRECHARGE"), (CYCLES.rp, "ACTIVATE"),
                          (CYCLES.rcd, name)]
    assert [item[3] for item in seen] == [1, 0, 0, 9, 0]


def test_each_bank_keeps_its_row():
    seen = commands(pair(4), [segment(bank, 3 + bank) for bank in range(PART.banks)] * 2)
    opened = [(bank, row) for _, command, bank, row in seen if command == Command.ACTIVATE]
    assert opened == [(bank, 3 + bank) for bank in range(PART.banks)]
    assert [item[2] for item in seen if item[1] == Command.READ] == [*range(PART.banks)] * 2
    assert len(seen) == 3 * PART.banks


def test_a_row_stays_until_its_segment_has_run():
    """Also while that waits for the data of the one before, in another bank."""
    seen = commands(pair(), [segment(0, 1), segment(1, 1, beats=4), segment(0, 1), segment(0, 2)])
    assert [command.name for _, command, bank, _ in seen if bank == 0] == [
        "ACTIVATE", "READ", "READ", "PRECHARGE", "ACTIVATE", "READ"]


def test_row_time_and_cycle_time():
    """Not closed before tRAS, nor tRC - tRP, though the data is through."""
    for changes, least in (({"ras": 9}, 9), ({"rc": 12}, 12 - CYCLES.rp)):
        cycles = dataclasses.replace(CYCLES, **changes)
        seen = commands(pair(4, cycles), [segment(0, 1), segment(0, 2)])
        opened, _, closed = (item[0] for item in seen[:3])
        assert seen[2][1] == Command.PRECHARGE and closed - opened == least


@pytest.mark.parametrize("first, gap", [(0, 8 + 1 + CYCLES.cas), (1, 8)])
def test_turnaround(first, gap):
    seen = commands(pair(), [segment(0, 1, write=first), segment(0, 1, write=1 - first)])
    assert gaps(seen)[1][0] == gap


def test_two_commands_a_beat():
    dut = pair(32)
    marks = []

    async def watch(ctx):
        columns = dut.columns
        for _ in range(60):
            _, _, column, *flags = await ctx.tick().sample(
                columns.column, columns.begins, columns.ends, columns.last)
            if column:
                marks.append(tuple(flags))

    async def feed(ctx):
        ctx.set(dut.i.payload, segment(0, 1, start=3, beats=2))
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)

    simulate(dut, feed, watch)
    assert marks == [(1, 0, 0), (0, 1, 0), (1, 0, 0), (0, 1, 1)]
    seen = commands(pair(32), [segment(0, 1, start=3, beats=2)])
    assert [item[3] for item in seen[1:]] == [48, 56, 64, 72]


def test_an_error_takes_its_time_and_touches_nothing():
    seen = commands(pair(), [segment(0, 1), segment(0, 7, error=1, beats=2), segment(0, 1)])
    assert [item[1] for item in seen] == [Command.ACTIVATE, Command.READ, Command.NOP, Command.NOP,
                                          Command.READ]
    assert gaps(seen)[1:] == [(8, "NOP"), (8, "NOP"), (8, "READ")]


def test_quiet_and_closed():
    """Quiet when every bank may be precharged; rows are opened again after that."""
    dut = pair()

    async def bench(ctx):
        assert ctx.get(dut.quiet)
        for _ in range(2):
            ctx.set(dut.i.payload, segment(1, 3, write=1))
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            written = None
            for cycle in range(60):
                _, _, quiet, column = await ctx.tick().sample(dut.quiet, dut.columns.column)
                written = cycle if column else written
                assert quiet == (written is not None and cycle - written >= 8 - 1 + CYCLES.wr)
            assert written == 1 + CYCLES.rcd  # after a look at the bank
            ctx.set(dut.closed, 1)
            await ctx.tick()
            ctx.set(dut.closed, 0)

    simulate(dut, bench)
