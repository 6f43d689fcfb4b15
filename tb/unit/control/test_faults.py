"""FaultLatch: first error kept, priorities, whom the watchdog blames."""

import random
from collections import deque

import pytest

from golden.spec.config import preset
from golden.spec.isa import Unit
from golden.spec.registers import Cause
from hw.control.faults import FaultLatch
from hw.control.sequencer import units_of
from tb.pysim import simulate

UNITS = units_of(preset("base"))
WAITING = 201, 202, 203, 204  # tags at the heads of the queues


class Units:
    """Instructions of each unit that were taken and not retired, and the last one retired."""

    def __init__(self, dut, rng):
        self.dut, self.rng = dut, rng
        self.active = [deque() for _ in UNITS]
        self.retired = [0 for _ in UNITS]

    def work(self, ctx, index):
        """Let a unit take or retire something, or both; its tags count from the next cycle on."""
        active, dut = self.active[index], self.dut
        take = self.rng.random() < 0.4 and len(active) < dut.IN_FLIGHT
        retire = self.rng.random() < 0.4 and bool(active)
        tag = self.rng.getrandbits(16) if take else WAITING[index]
        ctx.set(dut.tag[index], tag)
        ctx.set(dut.take[index], take)
        ctx.set(dut.retire[index], retire)
        return lambda: self._after(index, tag if take else None, retire)

    def _after(self, index, tag, retire):
        if retire:
            self.retired[index] = self.active[index].popleft()
        if tag is not None:
            self.active[index].append(tag)


def blame(ctx, dut, units, overflow, expired, busy, queued):
    """(cause, unit, tag, address) of an overflow or the watchdog, or None."""
    for index, unit in enumerate(UNITS):
        if overflow >> index & 1:
            return Cause.SEMAPHORE_OVERFLOW, unit, units.retired[index], 0
    if not expired:
        return None
    for index, unit in enumerate(UNITS):
        if units.active[index]:
            return Cause.WATCHDOG, unit, units.active[index][0], 0
        if busy >> index & 1:
            return Cause.WATCHDOG, unit, units.retired[index], 0
        if queued >> index & 1:
            return Cause.WATCHDOG, unit, ctx.get(dut.tag[index]), 0
    return Cause.WATCHDOG, Unit.SEQUENCER, 0, 0


@pytest.mark.parametrize("seed", range(40))
def test_random(seed):
    """Sparse random errors: nothing before the first, and only the first."""
    rng = random.Random(seed)
    dut = FaultLatch(UNITS)

    async def bench(ctx):
        units, want, blamed = Units(dut, rng), None, None
        for cycle in range(40):
            errors = [{"valid": rng.random() < 0.02, "cause": rng.choice(list(Cause)[1:]),
                       "tag": rng.getrandbits(16), "address": rng.getrandbits(32)}
                      for _ in range(1 + len(UNITS))]
            overflow = 0  # only what has retired can have posted
            if cycle > 5 and rng.random() < 0.1 and all(units.retired):
                overflow = rng.randrange(8)
            expired = rng.random() < 0.1
            busy, queued = (rng.choice((0, rng.randrange(8))) for _ in range(2))
            if not all(units.retired):
                busy = 0
            moves = [units.work(ctx, index) for index in range(len(UNITS))]
            for index, error in enumerate(errors):
                ctx.set(dut.error[index], error)
            for name, value in (("overflow", overflow), ("expired", expired), ("busy", busy),
                                ("queued", queued)):
                ctx.set(getattr(dut, name), value)
            now = [(error["cause"], unit, error["tag"], error["address"])
                   for unit, error in enumerate(errors) if error["valid"]]
            want = want or (now[0] if now else blamed)
            blamed = blamed or blame(ctx, dut, units, overflow, expired, busy, queued)
            await ctx.tick()
            for move in moves:
                move()
            fault = ctx.get(dut.fault)
            got = fault.cause, fault.unit, fault.tag, fault.address
            assert fault.valid == (want is not None), f"seed {seed}, cycle {cycle}"
            assert got == (want or (0, 0, 0, 0)), f"seed {seed}, cycle {cycle}"

    simulate(dut, bench)
