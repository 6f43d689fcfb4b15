"""BusPort: beats written with their strobes, from any lane on, read byte by byte, slow buses."""

import random

import pytest

from hw.bus.axi import AXI4, AXI4Lite, Response
from hw.link.bus_port import BusPort
from tb.pysim import simulate


@pytest.mark.parametrize("bus", [AXI4Lite(), AXI4(4), AXI4(16)], ids=repr)
@pytest.mark.parametrize("seed", range(2))
def test_beats(bus, seed):
    rng = random.Random(seed)
    dut = BusPort(bus)
    size = dut.beat_bytes
    memory = bytearray(rng.randbytes(16 * size))

    async def answer(ctx, channels, response):
        """Take every request of ``channels`` after a while, then give ``response``."""
        for channel in channels:
            for _ in range(rng.randrange(4)):
                assert ctx.get(channel.valid), f"seed {seed}: a request was withdrawn"
                await ctx.tick()
            ctx.set(channel.ready, 1)
            await ctx.tick()
            ctx.set(channel.ready, 0)
        for _ in range(rng.randrange(4)):
            assert ctx.get(dut.busy)
            await ctx.tick()
        ctx.set(response.valid, 1)
        await ctx.tick()
        ctx.set(response.valid, 0)

    async def bench(ctx):
        for _ in range(20):
            place = rng.randrange(16) * size
            first = rng.randrange(size)
            kept = [lane >= first and rng.random() < 0.6 for lane in range(size)]
            data = rng.randbytes(size)
            for lane in range(first, size):
                ctx.set(dut.address, place + lane)
                ctx.set(dut.byte, data[lane])
                ctx.set(dut.keep, kept[lane])
                ctx.set(dut.put, 1)
                await ctx.tick()
            ctx.set(dut.put, 0)
            ctx.set(dut.write, 1)
            await ctx.tick()
            ctx.set(dut.write, 0)
            assert ctx.get(dut.busy)
            await ctx.tick()
            assert ctx.get(dut.busy) and ctx.get(dut.bus.aw.p.addr) == place
            wanted = sum(keep << lane for lane, keep in enumerate(kept))
            assert ctx.get(dut.bus.w.p.strb) == wanted, f"seed {seed}"
            word = ctx.get(dut.bus.w.p.data).to_bytes(size, "little")
            for lane in range(size):
                if kept[lane]:
                    memory[place + lane] = word[lane]
                    assert word[lane] == data[lane], f"seed {seed}, lane {lane}"
            ctx.set(dut.bus.b.p.resp, Response.SLVERR)
            await answer(ctx, (dut.bus.aw, dut.bus.w), dut.bus.b)
            assert not ctx.get(dut.busy) and ctx.get(dut.response) == Response.SLVERR

            ctx.set(dut.address, place)
            ctx.set(dut.read, 1)
            await ctx.tick()
            ctx.set(dut.read, 0)
            assert ctx.get(dut.busy)
            await ctx.tick()
            assert ctx.get(dut.bus.ar.p.addr) == place
            ctx.set(dut.bus.r.p.data, int.from_bytes(memory[place:place + size], "little"))
            ctx.set(dut.bus.r.p.resp, Response.OKAY)
            await answer(ctx, (dut.bus.ar,), dut.bus.r)
            assert not ctx.get(dut.busy) and ctx.get(dut.response) == Response.OKAY
            for lane in range(size):
                ctx.set(dut.address, place + lane)
                assert ctx.get(dut.got) == memory[place + lane], f"seed {seed}, lane {lane}"

    simulate(dut, bench)
