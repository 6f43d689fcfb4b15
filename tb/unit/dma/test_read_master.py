"""Read master: bursts, order, room, rate, flush."""

import random

import pytest

from golden.spec.config import preset
from hw.bus.axi import Response
from hw.dma.read_master import ReadMaster
from tb.pysim import collect, drive, simulate
from tb.unit.dma.fakes import FakeDram

TINY, BASE = preset("tiny"), preset("base")


def random_runs(rng, config, size, count, most):
    """Runs of {addr, beats} that stay within ``size`` bytes, some across 4 KiB."""
    runs = []
    for _ in range(count):
        beats = rng.randint(1, most)
        addr = rng.randrange(size - (beats + 1) * config.group)
        if rng.random() < 0.3:
            addr = 4096 - rng.randint(1, beats) * config.group
        runs.append({"addr": addr, "beats": beats})
    return runs


def answer(config, memory, runs):
    """(data, last) of every beat of the runs."""
    beats = []
    for run in runs:
        start = run["addr"] // config.group * config.group
        for n in range(run["beats"]):
            at = start + n * config.group
            beats.append((int.from_bytes(memory[at:at + config.group], "little"),
                          int(n == run["beats"] - 1)))
    return beats


CORNERS = {"ones": TINY.replace(burst_beats=1, bursts_in_flight=1, read_beats=2),
           "page": BASE.replace(lanes=32, drp="none", burst_beats=256, read_beats=512),
           "odd": TINY.replace(burst_beats=16, read_beats=37)}


@pytest.mark.parametrize("config, stall", [
    *(pytest.param(config, stall, id=f"{stall}-{config.name}")
      for config in (TINY, BASE) for stall in (0.0, 0.4)),
    *(pytest.param(config, stall, id=f"{stall}-{name}", marks=[] if stall else pytest.mark.slow)
      for name, config in CORNERS.items() for stall in (0.0, 0.4))])
def test_two_clients(config, stall):
    seed = 1
    rng = random.Random(seed)
    memory = bytearray(rng.randbytes(16384))
    dut = ReadMaster(config)
    dram = FakeDram(memory, config.group, rng, stall=stall, burst_beats=config.burst_beats)
    benches, expected, asked = [], [], []
    for port, count, most in ((dut.fetch, 6, 20), (dut.load, 12, 90)):
        runs = random_runs(rng, config, 16384, count, most)
        expected.append(answer(config, memory, runs))
        asked.append(sum(run["beats"] for run in runs))

        async def ask(ctx, port=port, runs=runs):
            await drive(ctx, port.run, runs, rng=rng, stall=stall)

        async def take(ctx, port=port, count=asked[-1]):
            return [(beat.data, beat.last) for beat in await collect(
                ctx, port.beat, count, rng=rng, stall=stall)]
        benches += [ask, take]

    seen = [0]

    async def count(ctx):
        while True:
            _, _, pulse = await ctx.tick().sample(dut.beat_read)
            seen[0] += pulse

    async def serve(ctx):
        await dram.read(ctx, dut.ar, dut.r)

    results = simulate(dut, *benches, background=[serve, count], cycles=30_000)
    assert results[1::2] == expected, f"seed {seed}"
    assert seen[0] == sum(asked)
    assert dram.most_outstanding <= config.bursts_in_flight


@pytest.mark.parametrize("latency", [1, 40])
def test_a_beat_a_cycle(latency):
    rng = random.Random(2)
    memory = bytearray(rng.randbytes(16384))
    dut = ReadMaster(BASE)
    dram = FakeDram(memory, BASE.group, rng, latency=latency)
    runs = [{"addr": 48, "beats": 500}, {"addr": 16, "beats": 300}]

    async def ask(ctx):
        await drive(ctx, dut.load.run, runs)

    async def take(ctx):
        await collect(ctx, dut.load.beat, 1)
        begin = dram.now
        await collect(ctx, dut.load.beat, 799)
        return dram.now - begin

    async def serve(ctx):
        await dram.read(ctx, dut.ar, dut.r)

    cycles = simulate(dut, ask, take, background=[serve])[1]
    # The second run's addresses go out while the first one's beats come in.
    assert cycles == 799, f"{cycles} cycles for 799 beats"


def test_a_client_that_takes_nothing_holds_up_nobody():
    rng = random.Random(3)
    memory = bytearray(rng.randbytes(16384))
    dut = ReadMaster(TINY)
    dram = FakeDram(memory, TINY.group, rng, stall=0.2)

    async def ask(ctx):
        await drive(ctx, dut.load.run, [{"addr": 0, "beats": 1000}])

    async def fetch(ctx):
        for _ in range(60):
            await ctx.tick()
        await drive(ctx, dut.fetch.run, [{"addr": 64, "beats": 50}])

    async def take(ctx):
        return [beat.data for beat in await collect(ctx, dut.fetch.beat, 50)]

    async def serve(ctx):
        await dram.read(ctx, dut.ar, dut.r)

    got = simulate(dut, ask, fetch, take, background=[serve])[2]
    assert got == [data for data, _ in answer(TINY, memory, [{"addr": 64, "beats": 50}])]


def test_responses_come_with_their_beats():
    rng = random.Random(4)
    memory = bytearray(1024)
    dut = ReadMaster(TINY)
    dram = FakeDram(memory, 4, rng, errors={8: Response.SLVERR, 20: Response.DECERR})

    async def ask(ctx):
        await drive(ctx, dut.load.run, [{"addr": 0, "beats": 7}])

    async def take(ctx):
        return [beat.resp for beat in await collect(ctx, dut.load.beat, 7)]

    async def serve(ctx):
        await dram.read(ctx, dut.ar, dut.r)

    got = simulate(dut, ask, take, background=[serve])[1]
    assert got == [0, 0, Response.SLVERR, 0, 0, Response.DECERR, 0]


@pytest.mark.parametrize("wait", range(0, 60, 7))
def test_flush_ends_what_was_begun(wait):
    rng = random.Random(wait)
    dut = ReadMaster(TINY)
    dram = FakeDram(bytearray(4096), 4, rng, latency=5, stall=0.5)

    async def ask(ctx):
        ctx.set(dut.load.run.p, {"addr": 0, "beats": 900})
        ctx.set(dut.load.run.valid, 1)
        ctx.set(dut.load.beat.ready, 1)
        for _ in range(wait):
            await ctx.tick()
        ctx.set(dut.flush, 1)
        await ctx.tick()
        bursts = len(dram.read_bursts)
        await ctx.tick().until(dut.quiet)
        for _ in range(30):
            _, _, quiet = await ctx.tick().sample(dut.quiet)
            assert quiet
        assert dram.outstanding == 0
        assert len(dram.read_bursts) <= bursts + 1  # an address on offer had to stay

    async def serve(ctx):
        await dram.read(ctx, dut.ar, dut.r)

    simulate(dut, ask, background=[serve])


def test_flushed_beats_reach_nobody():
    """Beats that come after the flush began are dropped."""
    dut = ReadMaster(TINY)
    dram = FakeDram(bytearray(4096), 4, random.Random(0), latency=20)

    async def bench(ctx):
        ctx.set(dut.load.run.p, {"addr": 0, "beats": 900})
        ctx.set(dut.load.run.valid, 1)
        while not dram.read_bursts:
            await ctx.tick()
        ctx.set(dut.flush, 1)
        await ctx.tick().until(dut.quiet)
        for _ in range(30):
            await ctx.tick()
            assert not ctx.get(dut.load.beat.valid)

    async def serve(ctx):
        await dram.read(ctx, dut.ar, dut.r)

    simulate(dut, bench, background=[serve])


@pytest.mark.parametrize("read_beats", [8, 10, 11])
def test_no_beat_without_room(read_beats):
    """A client that takes nothing gets no more beats than it has room for."""
    dut = ReadMaster(TINY.replace(burst_beats=4, read_beats=read_beats))
    dram = FakeDram(bytearray(4096), 4, random.Random(0))

    async def bench(ctx):
        await drive(ctx, dut.load.run, [{"addr": 0, "beats": 11}])
        for _ in range(80):
            await ctx.tick()
        # The third burst has three beats.
        assert [beats for _, beats in dram.read_bursts] == [4, 4, 3][:2 + (read_beats == 11)]

    async def serve(ctx):
        await dram.read(ctx, dut.ar, dut.r)

    simulate(dut, bench, background=[serve])
