"""Loader: words of tables to the addresses they belong to."""

import random

import pytest

from golden.spec.drp.fabric import fabric
from golden.spec.drp.image import SECTION, Space
from hw.drp.loader import Loader
from tb.pysim import collect, drive, simulate

PIECES = 4  # 32-bit words of an item


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_tables(stall):
    """Four words to an item, lowest first, sections one after the other, from any first item."""
    rng = random.Random(f"loader {stall}")
    dut = Loader(fabric("tiny"))
    stream, wanted = [], []
    for first, count in ((0, 2), (5, 1), (1, 3)):
        stream.append(SECTION.encode(
            {"space": Space.TABLE, "unit": 2, "first": first, "count": count}))
        for item in range(first, first + count):
            data = [rng.getrandbits(32) for _ in range(PIECES)]
            stream.append(sum(word << 32 * part for part, word in enumerate(data)))
            wanted += [(PIECES * item + part, word) for part, word in enumerate(data)]
    found = []

    async def send(ctx):
        await drive(ctx, dut.i, stream, rng=rng, stall=stall)

    async def receive(ctx):
        found.extend(await collect(ctx, dut.item, len(wanted), rng=rng, stall=stall))

    simulate(dut, send, receive)
    assert {(item.space, item.unit) for item in found} == {(Space.TABLE, 2)}
    assert [(item.addr, item.data & 0xFFFF_FFFF) for item in found] == wanted
