"""Watchdog: expires exactly at its limit."""

import pytest

from hw.control.watchdog import Watchdog
from tb.pysim import simulate


@pytest.mark.parametrize("limit", [1, 2, 7, 30])
def test_limit(limit):
    dut = Watchdog()

    async def bench(ctx):
        async def count(cycles):
            """Pulses of ``expired`` over idle cycles."""
            seen = 0
            for _ in range(cycles):
                await ctx.tick()
                seen += ctx.get(dut.expired)
            return seen

        ctx.set(dut.limit, limit)
        assert await count(2 * limit + 4) == 0  # not running
        ctx.set(dut.running, 1)
        assert await count(limit - 1) == 0
        ctx.set(dut.progress, 1)
        assert await count(1) == 0  # just in time
        ctx.set(dut.progress, 0)
        assert await count(limit) == 0
        assert await count(1) == 1
        assert await count(5 * limit) == 0  # once
        ctx.set(dut.running, 0)
        assert await count(1) == 0
        ctx.set(dut.running, 1)
        assert await count(limit) == 0
        assert await count(1) == 1
        ctx.set(dut.progress, 1)
        assert await count(3) == 0  # for one cycle, whatever comes then

    simulate(dut, bench, cycles=1000)


def test_never():
    dut = Watchdog()

    async def bench(ctx):
        ctx.set(dut.running, 1)
        for _ in range(400):
            await ctx.tick()
            assert not ctx.get(dut.expired)

    simulate(dut, bench, cycles=1000)
