"""FaultLatch: first error kept, priorities, whom the watchdog blames."""

import random

import pytest

from golden.spec.isa import Unit
from golden.spec.registers import Cause
from hw.control.faults import FaultLatch
from hw.control.sequencer import UNITS
from tb.pysim import simulate

TAKEN, WAITING = (101, 102, 103), (201, 202, 203)  # tags: in the units, in their queues


async def prepare(ctx, dut):
    for index, tag in enumerate(TAKEN):
        ctx.set(dut.tag[index], tag)
    ctx.set(dut.take, 0b111)
    await ctx.tick()
    ctx.set(dut.take, 0)
    for index, tag in enumerate(WAITING):
        ctx.set(dut.tag[index], tag)


def expected(errors, overflow, expired, busy, queued):
    """(cause, unit, tag, address) of the error that counts, or None."""
    for unit, error in enumerate(errors):
        if error["valid"]:
            return error["cause"], unit, error["tag"], error["address"]
    for index, unit in enumerate(UNITS):
        if overflow >> index & 1:
            return Cause.SEMAPHORE_OVERFLOW, unit, TAKEN[index], 0
    if not expired:
        return None
    for index, unit in enumerate(UNITS):
        if busy >> index & 1:
            return Cause.WATCHDOG, unit, TAKEN[index], 0
        if queued >> index & 1:
            return Cause.WATCHDOG, unit, WAITING[index], 0
    return Cause.WATCHDOG, Unit.SEQUENCER, 0, 0


@pytest.mark.parametrize("seed", range(40))
def test_random(seed):
    """Sparse random errors: nothing before the first, and only the first."""
    rng = random.Random(seed)
    dut = FaultLatch(UNITS)

    async def bench(ctx):
        await prepare(ctx, dut)
        want = None
        for cycle in range(12):
            errors = [{"valid": rng.random() < 0.08, "cause": rng.choice(list(Cause)[1:]),
                       "tag": rng.getrandbits(16), "address": rng.getrandbits(32)}
                      for _ in range(1 + len(UNITS))]
            overflow = rng.randrange(8) if rng.random() < 0.1 else 0
            expired = rng.random() < 0.2
            busy, queued = (rng.choice((0, rng.randrange(8))) for _ in range(2))
            for index, error in enumerate(errors):
                ctx.set(dut.error[index], error)
            for name, value in (("overflow", overflow), ("expired", expired), ("busy", busy),
                                ("queued", queued)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            want = want or expected(errors, overflow, expired, busy, queued)
            fault = ctx.get(dut.fault)
            got = fault.cause, fault.unit, fault.tag, fault.address
            assert fault.valid == (want is not None), f"seed {seed}, cycle {cycle}"
            assert got == (want or (0, 0, 0, 0)), f"seed {seed}, cycle {cycle}"

    simulate(dut, bench)
