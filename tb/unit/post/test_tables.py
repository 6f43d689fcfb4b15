"""Tables: every copy holds what was written last, LATENCY cycles from address to data."""

import random
from collections import deque

import pytest

from golden.spec.layout import TABLE_ENTRIES
from hw.post.tables import Tables
from tb.pysim import drive, simulate


@pytest.mark.parametrize("drain", [1, 2, 5])
def test_tables(drain):
    """Filled twice, the second time only here and there; all lanes read at random after each."""
    rng, dut = random.Random(drain), Tables(drain=drain)
    model = [0] * TABLE_ENTRIES

    async def fill(ctx, entries):
        items = [{"addr": entry, "data": rng.randint(-2**31, 2**31 - 1)} for entry in entries]
        for item in items:
            model[item["addr"]] = item["data"]
        await drive(ctx, dut.write, items, rng=rng, stall=0.2)

    async def check(ctx):
        asked = deque()
        orders = [rng.sample(range(TABLE_ENTRIES), TABLE_ENTRIES) for _ in range(drain)]
        for addresses in zip(*orders, strict=True):
            ctx.set(dut.addr, addresses)
            asked.append([model[address] for address in addresses])
            await ctx.tick()
            if len(asked) == Tables.LATENCY:
                assert list(ctx.get(dut.data)) == asked.popleft(), f"seed {drain}, {addresses}"

    async def bench(ctx):
        await fill(ctx, rng.sample(range(TABLE_ENTRIES), TABLE_ENTRIES))
        await check(ctx)
        await fill(ctx, rng.choices(range(TABLE_ENTRIES), k=40))
        await check(ctx)

    simulate(dut, bench)
