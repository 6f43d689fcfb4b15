"""Beat FIFO: order, room, rate, latency, block RAM."""

import random

import pytest
from amaranth.hdl import unsigned

from golden.spec.config import preset
from hw.dma.beat_fifo import BeatFifo
from hw.dma.read_master import ReadMaster
from tb.pysim import collect, drive, simulate
from tb.yosys import cells


@pytest.mark.parametrize("depth", [1, 2, 5, 16])
@pytest.mark.parametrize("stalls", [(0.0, 0.6), (0.6, 0.0), (0.4, 0.4)])
def test_order(depth, stalls):
    seed = f"{depth} {stalls}"
    rng = random.Random(seed)
    items = [rng.getrandbits(9) for _ in range(200)]
    dut = BeatFifo(shape=unsigned(9), depth=depth)

    async def feed(ctx):
        await drive(ctx, dut.i, items, rng=rng, stall=stalls[0])

    async def take(ctx):
        return await collect(ctx, dut.o, len(items), rng=rng, stall=stalls[1])

    assert simulate(dut, feed, take)[1] == items, f"seed {seed}"


def test_room_latency_rate():
    dut = BeatFifo(shape=unsigned(9), depth=8)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for n in range(8):  # the promised room, with nothing taken
            ctx.set(dut.i.payload, n)
            _, _, ready, valid = await ctx.tick().sample(dut.i.ready, dut.o.valid)
            assert ready
            assert valid == (n >= BeatFifo.LATENCY)
        ctx.set(dut.o.ready, 1)
        for n in range(8, 100):
            ctx.set(dut.i.payload, n)
            _, _, ready, valid, item = await ctx.tick().sample(
                dut.i.ready, dut.o.valid, dut.o.payload)
            assert (ready, valid, item) == (1, 1, n - 8)

    simulate(dut, bench)


def test_refuses_depth():
    with pytest.raises(ValueError, match="depth is 0"):
        BeatFifo(shape=unsigned(1), depth=0)


def test_block_ram():
    # Two clients' FIFOs of 128 + 3 bits, 36 bits a block; nothing emulated around them.
    assert cells(ReadMaster(preset("base")))["DP16KD"] == 8
