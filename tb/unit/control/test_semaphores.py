"""Semaphores against a Python model, with random wants and posts of all units."""

import random

import pytest

from golden.spec import isa
from hw.control.semaphores import Semaphores
from tb.pysim import simulate

FULL = (1 << isa.SEMAPHORE_BITS) - 1


def bits(mask):
    return [index for index in range(isa.SEMAPHORES) if mask >> index & 1]


class Model:
    """Counters as the instruction set describes them, one call of ``step`` a cycle."""

    def __init__(self):
        self.counts = [0] * isa.SEMAPHORES
        self.taken = 0  # in the cycle before

    def grants(self, want, waits):
        """Units granted, lowest first; a semaphore goes to one unit in two cycles."""
        gone, granted = self.taken, []
        for unit, (wanted, wait) in enumerate(zip(want, waits, strict=True)):
            if wanted and not wait & gone and all(self.counts[index] for index in bits(wait)):
                granted.append(unit)
                gone |= wait
        return granted

    def missing(self, want, waits):
        """Takes count a cycle late."""
        return sum(1 << index for index in range(isa.SEMAPHORES)
                   if not self.counts[index] and not self.taken >> index & 1
                   and any(wanted and wait >> index & 1
                           for wanted, wait in zip(want, waits, strict=True)))

    def post(self, masks):
        for mask in masks:
            for index in bits(mask):
                self.counts[index] += 1


def sparse(rng, density):
    return sum(1 << index for index in range(isa.SEMAPHORES) if rng.random() < density)


@pytest.mark.parametrize("seed", range(6))
def test_random(seed):
    rng = random.Random(seed)
    dut = Semaphores(units=3)
    model = Model()
    wait_density, post_density = rng.choice(((0.05, 0.1), (0.2, 0.2), (0.5, 0.6)))

    async def bench(ctx):
        want, waits = [0] * 3, [0] * 3
        taken, granted = 0, []
        for cycle in range(600):
            place = f"seed {seed}, cycle {cycle}"
            for unit in range(3):
                # A want stays until it is granted, its waits until the cycle after.
                if not want[unit] and unit not in granted and rng.random() < 0.6:
                    want[unit], waits[unit] = 1, sparse(rng, wait_density)
            posts = [sparse(rng, post_density) if rng.random() < 0.5 else 0 for _ in range(3)]
            posts = [mask & sum(1 << n for n in range(isa.SEMAPHORES) if model.counts[n] < FULL - 3)
                     for mask in posts]
            valid = [rng.random() < 0.8 for _ in range(3)]
            hold = rng.random() < 0.1
            ctx.set(dut.hold, hold)
            ctx.set(dut.want, sum(bit << unit for unit, bit in enumerate(want)))
            for unit in range(3):
                ctx.set(dut.wait[unit], waits[unit])
                ctx.set(dut.retire[unit], {"valid": valid[unit], "post": posts[unit]})
            granted = [] if hold else model.grants(want, waits)
            assert ctx.get(dut.grant) == sum(1 << unit for unit in granted), place
            assert ctx.get(dut.missing) == model.missing(want, waits), place
            assert ctx.get(dut.overflow) == 0, place
            model.taken = 0
            for unit in granted:
                want[unit] = 0
                model.taken |= waits[unit]
                for index in bits(waits[unit]):
                    model.counts[index] -= 1
                taken += 1
            model.post(mask for mask, on in zip(posts, valid, strict=True) if on)
            await ctx.tick()
        assert taken > 20, f"seed {seed}: the test hardly tested"

    simulate(dut, bench, cycles=1000)


def test_one_semaphore_for_all():
    """Three units on one count: every other cycle, in order, and never more than were posted."""
    dut = Semaphores(units=3)

    async def bench(ctx):
        ctx.set(dut.retire[1], {"valid": 1, "post": 0b100})
        await ctx.tick().repeat(2)
        ctx.set(dut.retire[1], {"valid": 0})
        for unit in range(3):
            ctx.set(dut.wait[unit], 0b100)
        ctx.set(dut.want, 0b111)
        for granted in (0b001, 0, 0b010, 0):
            assert ctx.get(dut.grant) == granted
            await ctx.tick()
            ctx.set(dut.want, ctx.get(dut.want) & ~granted)
        for _ in range(3):
            assert ctx.get(dut.grant) == 0 and ctx.get(dut.missing) == 0b100
            await ctx.tick()

    simulate(dut, bench)


@pytest.mark.parametrize("units", [0b001, 0b010, 0b100, 0b110, 0b111])
def test_overflow(units):
    """The post that does not fit is reported, with its units; a take in that cycle makes room."""
    dut = Semaphores(units=3)

    async def bench(ctx):
        async def post(mask, cycles=1):
            for unit in range(3):
                ctx.set(dut.retire[unit], {"valid": mask >> unit & 1, "post": 0x8000})
            await ctx.tick().repeat(cycles)
            for unit in range(3):
                ctx.set(dut.retire[unit], {"valid": 0, "post": 0x8000})

        await post(0b001, FULL)
        await ctx.tick()
        assert ctx.get(dut.overflow) == 0
        ctx.set(dut.wait[1], 0x8000)
        ctx.set(dut.want, 0b010)
        assert ctx.get(dut.grant) == 0b010
        await ctx.tick()
        ctx.set(dut.want, 0)
        await post(0b001)  # back to full
        assert ctx.get(dut.overflow) == 0
        await post(units)
        assert ctx.get(dut.overflow) == 0
        await ctx.tick()
        assert ctx.get(dut.overflow) == units
        await ctx.tick()
        assert ctx.get(dut.overflow) == 0
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        ctx.set(dut.want, 0b010)
        assert ctx.get(dut.grant) == 0 and ctx.get(dut.missing) == 0x8000

    simulate(dut, bench)
