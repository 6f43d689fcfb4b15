"""SDRAM controller against a device that checks how it is used: traffic, speed, latency."""

import dataclasses
import random

import pytest

from hw.bus.axi import Response
from hw.sdram.controller import SdramController
from hw.sdram.interface import Command
from hw.sdram.timing import PARTS
from tb.lib.axi_traffic import AxiTraffic
from tb.lib.quick import quick as few
from tb.lib.sdram import INITIAL_REFRESHES, SdramDevice, serve
from tb.pysim import simulate

PAGE = 4096
SLOW = PARTS["any-32MiB-7"]


def quick(part):
    """The part with a short pause at power-up."""
    return dataclasses.replace(part, power_up=500)


def served(dut, *, part, mhz, rng):
    """(device with random contents, background bench that connects it)."""
    device = SdramDevice(part, mhz=mhz)
    device.data[:1 << 20] = rng.randbytes(1 << 20)

    async def bench(ctx):
        await serve(ctx, dut.pins, device, capture=dut.capture, rng=rng)

    return device, bench


def run(dut, rng, *, part, mhz, early=False, **traffic):
    """Traffic to the end; (traffic, device). ``early``: it begins before initialization."""
    device, connect = served(dut, part=part, mhz=mhz, rng=rng)
    memory = bytearray(device.data)
    bench = AxiTraffic(dut.axi, dut.geometry.beat_bytes, rng, memory, **traffic)

    async def end(ctx):
        while len(bench.times("b")) < bench.counts["w"]:
            await ctx.tick()
        for _ in range(80):  # an answer may come before the last word is on the pins
            await ctx.tick()

    def later(begin):
        async def wait(ctx):
            while not (early or ctx.get(dut.ready)):
                await ctx.tick()
            await begin(ctx)
        return wait

    simulate(dut, end, *map(later, bench.benches), background=[*bench.background, connect],
             cycles=60_000)
    assert bytes(device.data) == bytes(memory), "contents"
    return bench, device


@pytest.mark.parametrize("beat_bytes, mhz, cas, name, trip", few(
    3, (16, 100, 3, "any-32MiB-7", 0), (4, 133, 3, "AS4C16M16SA-7", 1),
    (32, 80, 2, "any-32MiB-7", 2), (16, 100, 2, "IS42S16160B-7", 2),
    (4, 75, 2, "IS42S16160G-7", 0), (8, 50, 3, "IS42S16160B-7", 0)))
def test_random_traffic(beat_bytes, mhz, cas, name, trip):
    for seed, stall in enumerate((0.0, 0.6)):
        rng = random.Random(f"{seed} {beat_bytes}")
        part = quick(PARTS[name])
        dut = SdramController(part, mhz=mhz, beat_bytes=beat_bytes, cas=cas, capture=cas + 1 + trip)
        # Few rows of few banks, so that many bursts miss; two pages beyond the part.
        end = part.size // PAGE
        pages = [0, 1, 2, 64, end - 1, end, (1 << 20) - 1]
        bursts = 96 // beat_bytes + 12
        try:
            run(dut, rng, part=part, mhz=mhz, pages=pages, reads=bursts, writes=bursts, stall=stall,
                most_beats=20, early=True)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def share(device):
    """Of the data pins' cycles, those with a word, from the first command on; not the last ones."""
    edges = device.columns[:len(device.columns) * 7 // 8]
    return (len(edges) - 1) * device.burst / (edges[-1] - edges[0])


@pytest.mark.parametrize("beat_bytes, bursts", [(16, 20), (4, 80)])
@pytest.mark.parametrize("reads", [True, False])
def test_a_word_a_cycle(beat_bytes, bursts, reads):
    """Bursts of 16 beats, one after the other, through rows, banks and refreshes."""
    part, rng = quick(SLOW), random.Random(1)
    dut = SdramController(part, mhz=100, beat_bytes=beat_bytes, cas=3)
    _, device = run(dut, rng, part=part, mhz=100, pages=list(range(8)), sequential=True,
                    reads=bursts * reads, writes=bursts * (not reads))
    assert device.refreshes > 1
    assert share(device) > 0.96, f"{share(device):.3f} words a cycle"


@pytest.mark.parametrize("beat_bytes, bursts, least", [(16, 14, 0.93), (4, 50, 0.85)])
def test_both_ways_at_once(beat_bytes, bursts, least):
    part, rng = quick(SLOW), random.Random(1)
    dut = SdramController(part, mhz=100, beat_bytes=beat_bytes, cas=3)
    bench, device = run(dut, rng, part=part, mhz=100, pages=list(range(16)), sequential=True,
                        reads=bursts, writes=bursts)
    assert share(device) > least, f"{share(device):.3f} words a cycle"
    ends = bench.times("r")[-1], bench.times("b")[-1]
    assert max(ends) < 1.3 * min(ends), f"reads and writes end after {ends} cycles"


@pytest.mark.parametrize("beat_bytes, mhz, cas", [(16, 100, 3), (4, 100, 2), (32, 133, 3)])
def test_latency(beat_bytes, mhz, cas):
    """As documented, for a bank without a row, an open row and another row."""
    part, rng = quick(SLOW), random.Random(1)
    dut = SdramController(part, mhz=mhz, beat_bytes=beat_bytes, cas=cas)
    _, connect = served(dut, part=part, mhz=mhz, rng=rng)
    row = part.banks * part.columns * 2

    async def read(ctx, address):
        for _ in range(60):  # rows may be closed again, and no refresh is due
            await ctx.tick()
        ctx.set(dut.axi.ar.valid, 1)
        ctx.set(dut.axi.ar.p.addr, address)
        assert ctx.get(dut.axi.ar.ready)
        await ctx.tick()
        ctx.set(dut.axi.ar.valid, 0)
        waited = 1
        while not ctx.get(dut.axi.r.valid):
            await ctx.tick()
            waited += 1
        return waited

    async def bench(ctx):
        ctx.set(dut.axi.r.ready, 1)
        while not ctx.get(dut.ready):
            await ctx.tick()
        return [await read(ctx, address) for address in (0, 64, row)]

    latencies, = simulate(dut, bench, background=[connect])
    assert latencies == [dut.latency + more for more in (dut.closed_latency, 0, dut.miss_latency)]


def test_initialization():
    """Commands of the power-up, and no burst before its end."""
    part, rng = dataclasses.replace(SLOW, power_up=2 * SLOW.interval - 1), random.Random(1)
    dut = SdramController(part, mhz=50, beat_bytes=4)
    _, connect = served(dut, part=part, mhz=50, rng=rng)
    seen = []

    async def watch(ctx):
        last = 0
        async for *_, cs, ras, cas, we, a in ctx.tick().sample(
                dut.pins.cs_n, dut.pins.ras_n, dut.pins.cas_n, dut.pins.we_n, dut.pins.a):
            last += 1
            if not cs and (ras, cas, we) != (1, 1, 1):
                seen.append((last, Command(ras << 2 | cas << 1 | we), a))

    async def bench(ctx):
        ctx.set(dut.axi.ar.valid, 1)
        ctx.set(dut.axi.r.ready, 1)
        while not ctx.get(dut.axi.r.valid):
            await ctx.tick()

    simulate(dut, bench, background=[watch, connect])
    first, names = seen[0][0], [command for _, command, _ in seen]
    assert first * 20 >= part.power_up
    assert names[:12] == [Command.PRECHARGE, *[Command.REFRESH] * 8, Command.MODE,
                          Command.ACTIVATE, Command.READ]
    assert seen[9][2] == 1 | 2 << 4  # bursts of two words, CAS latency 2
    assert INITIAL_REFRESHES <= 8


def test_slow_managers_hold_up_nobody():
    """Reads go on when write data doesn't come, writes when read data isn't taken."""
    part, rng = quick(SLOW), random.Random(1)
    dut = SdramController(part, mhz=100, beat_bytes=4, cas=3)
    _, connect = served(dut, part=part, mhz=100, rng=rng)
    axi = dut.axi

    async def address(ctx, channel, first, beats):
        ctx.set(channel.payload, {"addr": first, "len": beats - 1})
        ctx.set(channel.valid, 1)
        ready = False
        while not ready:
            _, _, ready = await ctx.tick().sample(channel.ready)
        ctx.set(channel.valid, 0)

    async def bench(ctx):
        await address(ctx, axi.aw, 0, 256)
        ctx.set(axi.w.valid, 1)  # half a segment
        for _ in range(8):
            await ctx.tick()
        ctx.set(axi.w.valid, 0)
        ctx.set(axi.r.ready, 1)
        for _ in range(3):
            await address(ctx, axi.ar, 4096, 16)
            beats = 0
            while beats < 16:
                _, _, valid = await ctx.tick().sample(axi.r.valid)
                beats += valid
        ctx.set(axi.r.ready, 0)
        await address(ctx, axi.ar, 8192, 256)
        ctx.set(axi.w.valid, 1)
        ctx.set(axi.b.ready, 1)
        answered = False
        while not answered:
            _, _, answered, resp = await ctx.tick().sample(axi.b.valid, axi.b.p.resp)
        assert resp == Response.OKAY

    simulate(dut, bench, background=[connect], cycles=5000)


def test_refused():
    for changes, text in (({"beat_bytes": 2}, "beat_bytes is 2"), ({"capture": 2}, "capture is 2"),
                          ({"mhz": 20}, "mhz is 20"), ({"mhz": 150}, "mhz is 150"),
                          ({"cas": 4}, "cas is 4")):
        with pytest.raises(ValueError, match=text):
            SdramController(SLOW, **{"mhz": 120, "beat_bytes": 16, **changes})
