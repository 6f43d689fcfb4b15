"""Upkeep: commands of the power-up, refreshes in time however long quiet takes."""

import dataclasses
import itertools
import random

import pytest

from hw.sdram.interface import Command, Geometry
from hw.sdram.timing import PARTS
from hw.sdram.upkeep import Upkeep
from tb.pysim import simulate

PART = PARTS["IS42S16160B-7"]
MHZ = 25


def make(beat_bytes=16, cas=2, **changes):
    cycles = dataclasses.replace(PART.cycles(MHZ, cas=cas), **changes)
    return Upkeep(Geometry(PART, beat_bytes), cycles)


def record(dut, *, cycles, quiet):
    """[(cycle, Command, address)], with ``quiet(cycles of hold)``."""
    seen = []

    async def bench(ctx):
        held = 0
        for cycle in range(cycles):
            ctx.set(dut.quiet, quiet(held))
            _, _, valid, command, hold, closed, ready = await ctx.tick().sample(
                dut.command.valid, dut.command.payload, dut.hold, dut.closed, dut.ready)
            held = held + 1 if hold else 0
            assert hold or ready
            if valid:
                assert hold
                assert closed == (command.command == Command.PRECHARGE)
                seen.append((cycle, Command(command.command), command.a))
    simulate(dut, bench, cycles=cycles + 10)
    return seen


@pytest.mark.parametrize("beat_bytes, cas, mode", [(4, 2, 0x21), (8, 3, 0x32), (16, 2, 0x23),
                                                   (32, 3, 0x33)])
def test_power_up(beat_bytes, cas, mode):
    dut = make(beat_bytes, cas)
    cycles = dut.cycles
    seen = record(dut, cycles=5400, quiet=lambda held: True)[:10]
    assert [item[1] for item in seen] == [Command.PRECHARGE, *[Command.REFRESH] * 8, Command.MODE]
    assert seen[0][0] >= PART.power_up * MHZ / 1000
    assert seen[0][2] == 1 << 10 and seen[9][2] == mode
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(seen)]
    assert gaps == [cycles.rp, *[cycles.rfc] * 8]


def test_refresh_to_the_cycle():
    """None lost, also when one goes as the next becomes due; no interval longer than asked for."""
    interval = 40
    late = range(interval - 12, interval)
    waits = itertools.chain([0, 0], *((0, cycle) for cycle in late), itertools.repeat(0))
    wait = [0]

    def quiet(held):
        if held == 1:
            wait[0] = next(waits)
        return held > wait[0]

    seen = record(make(interval=interval, power_up=1), cycles=60 * interval, quiet=quiet)
    start = next(index for index, item in enumerate(seen) if item[1] == Command.MODE)
    first, *refreshes = [item[0] for item in seen[start:] if item[1] == Command.REFRESH]
    due = [first + interval * (n + 1) for n in range(len(refreshes))]
    assert refreshes[-8:] == due[-8:]
    delays = [cycle - at for cycle, at in zip(refreshes, due, strict=True)]
    assert set(delays) > {0, *late}


@pytest.mark.parametrize("seed", range(2))
def test_refresh_rate(seed):
    """As many refreshes as intervals, though each may be late."""
    rng = random.Random(seed)
    interval = 50
    dut = make(interval=interval, power_up=1)
    wait = [0]

    def quiet(held):
        if held <= 1:
            wait[0] = rng.choice([0, 3, interval // 2, 3 * interval])
        return held > wait[0]

    cycles = 80 * interval
    seen = record(dut, cycles=cycles, quiet=quiet)
    start = next(cycle for cycle, command, _ in seen if command == Command.MODE)
    refreshes = [cycle for cycle, command, _ in seen if command == Command.REFRESH
                 and cycle > start]
    for n, cycle in enumerate(refreshes):
        late = (cycle - start) // interval - n
        assert late <= 5, f"seed {seed}: {late} refreshes are owed at cycle {cycle}"
    assert abs(len(refreshes) - (cycles - start) // interval) <= 5
    assert any(b[0] - a[0] == dut.cycles.rfc and a[0] > start
               for a, b in itertools.pairwise(seen)), "none were late"
