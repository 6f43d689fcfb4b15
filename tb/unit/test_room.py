"""counted_room: as many as there is room for, to the cycle."""

import random

import pytest
from amaranth.hdl import Module, Signal

from hw.room import counted_room
from tb.pysim import simulate


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_counted_room(depth):
    """There is room in a cycle while fewer than ``depth`` have come before it and not gone, and
    room to spare while one fewer has."""
    rng, m = random.Random(f"room {depth}"), Module()
    comes, goes = Signal(), Signal()
    room, spare = counted_room(m, depth, comes, goes)

    async def bench(ctx):
        inside, full = 0, 0
        for _ in range(500):
            assert ctx.get(room) == (inside < depth)
            assert ctx.get(spare) == (inside < depth - 1)
            full += inside == depth
            come, go = inside < depth and rng.random() < 0.6, inside > 0 and rng.random() < 0.5
            ctx.set(comes, come)
            ctx.set(goes, go)
            await ctx.tick()
            inside += come - go
        assert full

    simulate(m, bench, cycles=600)
