"""Write master: data before addresses, order of endings, errors, stop, flush."""

import random

import pytest

from golden.spec.config import preset
from hw.bus.axi import Response
from hw.dma.write_master import WriteMaster
from tb.pysim import simulate
from tb.unit.dma.fakes import FakeDram, offer

CONFIG = preset("tiny")
GROUP = CONFIG.group


def watch(dut, log):
    """Bench that logs (what, when) of endings."""
    async def bench(ctx):
        cycle = 0
        while True:
            _, _, done, bad, cause, address = await ctx.tick().sample(
                dut.done, dut.bad, dut.cause, dut.address)
            cycle += 1
            if done or bad:
                log.append((int(done), Response(cause).name if bad else "", address))
    return bench


def serve(dut, dram):
    async def bench(ctx):
        await dram.write(ctx, dut.aw, dut.w, dut.b)
    return bench


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_runs_and_endings(stall):
    seed = f"{stall}"
    rng = random.Random(seed)
    dram = FakeDram(bytearray(16384), GROUP, rng, stall=stall, burst_beats=CONFIG.burst_beats)
    dut, log = WriteMaster(CONFIG), []
    runs, beats, expected, place = [], [], bytearray(16384), 0
    for n in range(20):
        size = rng.randint(1, 40)
        runs.append({"addr": place + rng.randrange(GROUP), "beats": size, "final": n % 3 == 2})
        for j in range(size):
            data, strb = rng.randbytes(GROUP), rng.getrandbits(GROUP)
            beats.append({"data": int.from_bytes(data, "little"), "strb": strb})
            for b in range(GROUP):
                if strb >> b & 1:
                    expected[place + j * GROUP + b] = data[b]
        place += (size + rng.randrange(50)) * GROUP

    async def ask(ctx):
        await offer(ctx, dut.run, runs, rng=rng, stall=stall)

    async def feed(ctx):
        await offer(ctx, dut.beat, beats, rng=rng, stall=stall)

    async def finish(ctx):
        while len(log) < 6:
            await ctx.tick()
        for _ in range(500):
            await ctx.tick()
        assert ctx.get(dut.quiet)

    simulate(dut, ask, feed, finish, background=[serve(dut, dram), watch(dut, log)])
    assert dram.data == expected, f"seed {seed}"
    assert log == [(1, "", run["addr"]) for run in runs if run["final"]]
    assert dram.most_outstanding <= CONFIG.bursts_in_flight


def test_no_address_without_its_data():
    rng = random.Random(1)
    dram = FakeDram(bytearray(4096), GROUP, rng)
    dut = WriteMaster(CONFIG)

    async def bench(ctx):
        await offer(ctx, dut.run, [{"addr": 0, "beats": 6, "final": 1}], rng=rng)
        for held, bursts in ((3, []), (1, [(0, 4)]), (1, [(0, 4)]), (1, [(0, 4), (16, 2)])):
            await offer(ctx, dut.beat, [{"data": 1, "strb": 15}] * held, rng=rng)
            for _ in range(30):
                await ctx.tick()
            assert dram.write_bursts == bursts
            assert ctx.get(dut.quiet)

    simulate(dut, bench, background=[serve(dut, dram)])


def test_data_does_not_wait_for_its_address():
    """AXI lets a subordinate wait for data before it takes the address."""
    rng = random.Random(1)
    dut = WriteMaster(CONFIG)
    count = CONFIG.burst_beats

    async def bench(ctx):
        await offer(ctx, dut.run, [{"addr": 0, "beats": count, "final": 1}], rng=rng)
        await offer(ctx, dut.beat, [{"data": 1, "strb": 15}] * count, rng=rng)
        seen = []  # from the cycle after that of the last beat on
        for _ in range(4):
            seen.append((ctx.get(dut.aw.valid), ctx.get(dut.w.valid)))
            await ctx.tick()
        assert seen == [(0, 0), (0, 0), (1, 0), (1, 1)]
        ctx.set(dut.w.ready, 1)
        for n in range(count):
            assert ctx.get(dut.w.valid)
            assert ctx.get(dut.w.p.last) == (n == count - 1)
            await ctx.tick()
        assert not ctx.get(dut.w.valid)
        assert ctx.get(dut.aw.valid) and not ctx.get(dut.quiet)

    simulate(dut, bench)


@pytest.mark.parametrize("place, ends", [(136, [(0, "SLVERR", 130), (1, "", 130)]),
                                         (144, [(0, "SLVERR", 130)])])
def test_errors_name_their_run(place, ends):
    """Nor does a run end well whose last burst fails."""
    rng = random.Random(2)
    dram = FakeDram(bytearray(4096), GROUP, rng,
                    errors={20: Response.DECERR, place: Response.SLVERR})
    dut, log = WriteMaster(CONFIG), []

    async def bench(ctx):
        await offer(ctx, dut.run, [{"addr": 3, "beats": 12}, {"addr": 130, "beats": 5,
                                                              "final": 1}], rng=rng)

    async def feed(ctx):
        await offer(ctx, dut.beat, [{"data": 1, "strb": 15}] * 17, rng=rng)
        for _ in range(60):
            await ctx.tick()

    simulate(dut, bench, feed, background=[serve(dut, dram), watch(dut, log)])
    # The second run is two bursts.
    assert log == [(0, "DECERR", 3), *ends]


@pytest.mark.parametrize("wait", range(3, 40, 4))
@pytest.mark.parametrize("port", ["stop", "flush"])
def test_stop_and_flush(port, wait):
    rng = random.Random(wait)
    dram = FakeDram(bytearray(4096), GROUP, rng, stall=0.3)
    dut = WriteMaster(CONFIG)

    async def ask(ctx):
        await offer(ctx, dut.run, [{"addr": 0, "beats": 60}], rng=rng)

    async def feed(ctx):
        await offer(ctx, dut.beat, [{"data": 1, "strb": 15}] * 60, rng=rng)

    async def bench(ctx):
        for _ in range(wait):
            await ctx.tick()
        ctx.set(getattr(dut, port), 1)
        await ctx.tick()
        bursts, beats = len(dram.write_bursts), len(dram.strobes)
        await ctx.tick().until(dut.quiet)
        assert len(dram.write_bursts) <= bursts + 1
        assert sum(n for _, n in dram.write_bursts) == len(dram.strobes)
        late = dram.strobes[beats + 1:]  # one may have been on offer
        assert not any(late) if port == "flush" else all(late)

    simulate(dut, bench, background=[ask, feed, serve(dut, dram)])
