"""Arbiter: two managers' traffic into one memory; turns, whole bursts, who waits for whom."""

import dataclasses
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.bus.arbiter import Arbiter
from hw.bus.axi import AXI4
from hw.sdram.controller import SdramController
from hw.sdram.timing import PARTS
from tb.lib.axi_traffic import AxiTraffic, watch
from tb.lib.sdram import SdramDevice, serve
from tb.pysim import simulate

BEAT = 4
PAGE = 4096
PART = dataclasses.replace(PARTS["IS42S16160B-7"], power_up=300)


class Memory(wiring.Component):
    """The arbiter in front of an SDRAM controller."""

    def __init__(self, in_flight):
        self.arbiter = Arbiter(BEAT, in_flight=in_flight)
        self.controller = SdramController(PART, mhz=100, beat_bytes=BEAT, cas=2)
        super().__init__({"a": In(AXI4(BEAT)), "b": In(AXI4(BEAT))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.arbiter, m.submodules.controller = self.arbiter, self.controller
        wiring.connect(m, wiring.flipped(self.a), self.arbiter.a)
        wiring.connect(m, wiring.flipped(self.b), self.arbiter.b)
        wiring.connect(m, self.arbiter.bus, self.controller.axi)
        return m


@pytest.mark.parametrize("in_flight, stall_a, stall_b", [
    (8, 0.0, 0.0), (3, 0.3, 0.9), (1, 0.0, 0.5), (2, 0.7, 0.1)])
def test_two_managers(in_flight, stall_a, stall_b):
    """Each gets what it wrote, in order, whatever the other one does."""
    seed = f"{in_flight} {stall_a}"
    rng = random.Random(seed)
    dut, device = Memory(in_flight), SdramDevice(PART, mhz=100)
    device.data[:1 << 16] = rng.randbytes(1 << 16)
    memory = bytearray(device.data)
    beyond = PART.size // PAGE
    managers = [
        AxiTraffic(port, BEAT, rng, memory, pages, reads=12, writes=12, most_beats=40, stall=stall)
        for port, pages, stall in ((dut.a, [0, 2, 4, 6, beyond], stall_a),
                                   (dut.b, [1, 3, 5, beyond + 1], stall_b))]

    async def connect(ctx):
        await serve(ctx, dut.controller.pins, device, capture=dut.controller.capture, rng=rng)

    async def end(ctx):
        while any(len(each.times("b")) < 12 for each in managers):
            await ctx.tick()
        for _ in range(80):
            await ctx.tick()

    try:
        simulate(dut, end, *(bench for each in managers for bench in each.benches),
                 background=[connect, watch(dut.arbiter.bus, "bus"),
                             *(bench for each in managers for bench in each.background)],
                 cycles=60_000)
    except AssertionError as error:
        raise AssertionError(f"seed {seed!r}: {error}") from error
    assert bytes(device.data) == bytes(memory), f"seed {seed!r}"


@pytest.mark.parametrize("name", ["ar", "aw"])
@pytest.mark.parametrize("both", [True, False])
def test_turns(name, both):
    """One by one when both ask; every cycle a burst when only one does."""
    dut = Arbiter(BEAT, in_flight=20)

    async def bench(ctx):
        out = getattr(dut.bus, name)
        ctx.set(out.ready, 1)
        for index, port in enumerate((dut.a, dut.b)):
            ctx.set(getattr(port, name).valid, both or index)
            ctx.set(getattr(port, name).p.addr, index)
        await ctx.tick()
        seen = []
        for _ in range(8):
            _, _, valid, payload = await ctx.tick().sample(out.valid, out.payload)
            assert valid
            seen.append(payload.addr)
        return seen

    seen, = simulate(dut, bench)
    assert seen in ([0, 1] * 4, [1, 0] * 4) if both else seen == [1] * 8


def test_write_data_follows_the_addresses():
    """Beats of the burst chosen second wait for those of the first one, and stay together."""
    dut = Arbiter(BEAT)

    async def bench(ctx):
        ctx.set(dut.bus.aw.ready, 1)
        ctx.set(dut.bus.w.ready, 1)
        ctx.set(dut.b.w.valid, 1)  # before any address
        ctx.set(dut.b.w.p.data, 0xB)
        for _ in range(3):
            _, _, taken = await ctx.tick().sample(dut.b.w.ready)
            assert not taken
        for port in (dut.a, dut.b):
            ctx.set(port.aw.valid, 1)
            _, _, taken = await ctx.tick().sample(port.aw.ready)
            assert taken
            ctx.set(port.aw.valid, 0)
        seen = []
        for n in range(12):  # A's beats come late, with gaps
            ctx.set(dut.a.w.valid, n in (4, 7))
            ctx.set(dut.a.w.p.data, 0xA)
            ctx.set(dut.a.w.p.last, n == 7)
            _, _, valid, payload = await ctx.tick().sample(dut.bus.w.valid, dut.bus.w.payload)
            if valid:
                seen.append(payload.data)
        return seen

    seen, = simulate(dut, bench)
    assert seen == [0xA, 0xA, 0xB, 0xB, 0xB]


def test_in_flight_is_limited():
    dut = Arbiter(BEAT, in_flight=3)

    async def bench(ctx):
        for name in ("ar", "aw"):
            ctx.set(getattr(dut.bus, name).ready, 1)
            ctx.set(getattr(dut.a, name).valid, 1)
        taken = {"ar": 0, "aw": 0}
        for n in range(20):
            ctx.set(dut.bus.r.valid, n == 10)
            ctx.set(dut.bus.r.p.last, 1)
            ctx.set(dut.a.r.ready, 1)
            _, _, *moved = await ctx.tick().sample(*(getattr(dut.a, name).ready for name in taken))
            for name, one in zip(taken, moved, strict=True):
                taken[name] += one
        return taken

    taken, = simulate(dut, bench)
    assert taken == {"ar": 4, "aw": 3}


@pytest.mark.parametrize("in_flight", [0, True, 1.5])
def test_refused(in_flight):
    with pytest.raises(ValueError, match="in_flight is"):
        Arbiter(BEAT, in_flight=in_flight)
