"""Pack: bytes and strobes of random runs."""

import random

import pytest

from golden.spec.config import preset
from hw.dma.pack import Pack
from tb.pysim import collect, drive, simulate


@pytest.mark.parametrize("config", [preset("tiny"), preset("base")], ids=["tiny", "base"])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_runs(config, stall):
    group, seed = config.group, f"{config.name} {stall}"
    rng = random.Random(seed)
    items, expected = [], []
    for _ in range(80):
        offset = rng.randrange(group)
        sizes = [rng.choice((group, rng.randint(1, group))) for _ in range(rng.randint(1, 6))]
        run = [None] * offset  # bytes in beats; None has no strobe
        for n, size in enumerate(sizes):
            word = rng.randbytes(group)
            items.append({"data": int.from_bytes(word, "little"), "bytes": size,
                          "offset": len(run) % group,
                          "last": n == len(sizes) - 1})
            run += word[:size]
        run += [None] * (-len(run) % group)
        expected += [run[n:n + group] for n in range(0, len(run), group)]
    dut = Pack(config)

    async def feed(ctx):
        await drive(ctx, dut.i, items, rng=rng, stall=stall)

    async def take(ctx):
        return await collect(ctx, dut.o, len(expected), rng=rng, stall=stall)

    beats = simulate(dut, feed, take)[1]
    got = [[beat.data >> 8 * j & 0xFF if beat.strb >> j & 1 else None for j in range(group)]
           for beat in beats]
    assert got == expected, f"seed {seed}"
