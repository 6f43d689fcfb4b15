"""SoftReset: flush until quiet, one cycle of reset, time for it to arrive, and nothing else."""

import pytest

from hw.control.reset import SoftReset
from tb.pysim import simulate


@pytest.mark.parametrize("wait", [0, 1, 2, 9])
def test_sequence(wait):
    """``quiet`` is high at first, as if the masters had not seen ``flush`` yet."""
    dut = SoftReset()
    trace = []

    async def bench(ctx):
        async def cycle():
            trace.append((ctx.get(dut.flush), ctx.get(dut.unit_reset), ctx.get(dut.busy)))
            await ctx.tick()

        ctx.set(dut.quiet, 1)
        for _ in range(SoftReset.DELAY + 1):
            await cycle()
        ctx.set(dut.request, 1)
        await cycle()
        ctx.set(dut.request, 0)
        await cycle()
        ctx.set(dut.quiet, 0)
        for _ in range(wait):
            await cycle()
        ctx.set(dut.request, 1)  # part of the one under way
        ctx.set(dut.quiet, 1)
        await cycle()
        ctx.set(dut.request, 0)
        for _ in range(3 + SoftReset.DELAY):
            await cycle()

    simulate(dut, bench)
    flushing, resetting, idle = (1, 0, 1), (1, 1, 1), (0, 0, 0)
    began, trace = trace[:SoftReset.DELAY], trace[SoftReset.DELAY:]
    assert began == [flushing] * SoftReset.DELAY
    assert trace == [idle] * 2 + [flushing] * (2 + wait) + [resetting] + (
        [flushing] * SoftReset.DELAY + [idle] * 2)
