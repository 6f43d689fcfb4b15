"""Store unit: bytes in DRAM, order, rates, log records, errors, flush."""

import random
from collections import deque

import pytest

from golden.spec.config import preset
from golden.spec.isa import Opcode, encode
from golden.spec.layout import LOG_BYTES
from golden.spec.registers import COUNTERS, Cause
from hw.bus.axi import Response
from hw.dma.store import StoreUnit
from hw.interfaces import WordRead
from tb.pysim import simulate
from tb.unit.dma.fakes import FakeDram, offer, store_bytes
from tb.unit.dma.shapes import random_store, store_shapes

TINY, BASE = preset("tiny"), preset("base")
REGION, ORIGIN, SIZE = 5, 0x2000, 8192


class Bench:
    """A store unit between a scratchpad and DRAM, and what it did."""

    def __init__(self, config, seed, *, stall=0.0, latency=7, errors=None):
        self.config, self.rng, self.stall = config, random.Random(seed), stall
        self.memory = bytearray(self.rng.randbytes(ORIGIN + SIZE + 64))
        self.before = bytes(self.memory)
        self.scratchpad = {n: self.rng.randbytes(config.group) for n in range(config.words)}
        self.unit = StoreUnit(config)
        self.dram = FakeDram(self.memory, config.group, self.rng, stall=stall, latency=latency,
                             burst_beats=config.burst_beats, errors=errors)
        self.retired, self.beats, self.reads = [], [], []  # posts, cycles of beats and reads
        self.cycle, self.count = 0, False  # does a cycle change the counters?

    async def _serve(self, ctx):
        await self.dram.write(ctx, self.unit.aw, self.unit.w, self.unit.b)

    async def _words(self, ctx):
        read, flight = self.unit.read, deque([None] * (WordRead.LATENCY - 1))
        while True:
            ready = not self.stall or self.rng.random() >= self.stall
            ctx.set(read.addr.ready, ready)
            _, _, valid, address = await ctx.tick().sample(read.addr.valid, read.addr.payload)
            if valid and ready:
                self.reads.append(self.cycle)
            flight.append(self.scratchpad[address] if valid and ready else None)
            word = flight.popleft()
            ctx.set(read.valid, word is not None)
            ctx.set(read.data, self.rng.getrandbits(8 * self.config.group) if word is None
                    else int.from_bytes(word, "little"))

    async def _watch(self, ctx):
        unit = self.unit
        while True:
            for n in range(len(COUNTERS) if self.count else 0):
                ctx.set(unit.counters[n], (self.cycle << 8) + n)
            _, _, retire, post, beat = await ctx.tick().sample(
                unit.retire.valid, unit.retire.post, unit.beat_written)
            self.cycle += 1
            if retire:
                self.retired.append((post, self.dram.outstanding, self.cycle))
            if beat:
                self.beats.append(self.cycle)

    def start(self, programs):
        """The bench that drives instructions (opcode, fields)."""
        raw = [int.from_bytes(encode(opcode, **{"region": REGION, **fields}), "little")
               for opcode, fields in programs]

        async def command(ctx):
            ctx.set(self.unit.regions[REGION], {"base": ORIGIN, "bytes": SIZE})
            await offer(ctx, self.unit.i, raw, rng=self.rng, stall=self.stall)
        return command

    def run(self, programs, *, until=None, cycles=30_000):
        """Execute until all are retired, or until ``until`` is high; then gives the error."""
        unit, command = self.unit, self.start(programs)

        async def finish(ctx):
            if until is not None:
                await ctx.tick().until(until)
                for _ in range(100):
                    await ctx.tick()
                assert ctx.get(unit.quiet)
                error = ctx.get(unit.error)
                return error.cause, error.tag, error.address
            while len(self.retired) < len(programs):
                await ctx.tick()
            assert not ctx.get(unit.error.valid)
            await ctx.tick()
            assert not ctx.get(unit.busy)
            assert ctx.get(unit.quiet)

        background = [self._watch, self._serve, self._words]
        if until is not None:
            return simulate(unit, finish, background=[command, *background], cycles=cycles)[0]
        return simulate(unit, command, finish, background=background, cycles=cycles)[1]


def store(count=32, address=0, config=BASE, **changes):
    """Words 0 to count - 1 as one run."""
    return Opcode.STORE, {"address": address, "run_bytes": count * config.group, "runs": 1,
                          "count0": 1, "count1": count, "count2": 1, "tail": config.group,
                          "src_step1": 1, **changes}


def log(address, **changes):
    return Opcode.LOG, {"address": address, **changes}


@pytest.mark.parametrize("config", [
    TINY, BASE, BASE.replace(lanes=32, drp="none"), TINY.replace(burst_beats=1, bursts_in_flight=1),
], ids=["tiny", "base", "wide", "ones"])
@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_random_programs(config, stall):
    seed = f"{config.hardware()} {stall}"
    bench = Bench(config, seed, stall=stall)
    rng = bench.rng
    fields = [random_store(rng, config, rng.choice(store_shapes)) for _ in range(15)]
    bench.run([(Opcode.STORE, {**item, "tag": n, "post": n + 1})
               for n, item in enumerate(fields)])
    expected = bytearray(bench.before)
    region = bytearray(expected[ORIGIN:ORIGIN + SIZE])
    for item in fields:
        store_bytes(config.group, item, bench.scratchpad, region)
    expected[ORIGIN:ORIGIN + SIZE] = region
    assert bench.memory == expected, f"seed {seed}"
    assert [post for post, *_ in bench.retired] == list(range(1, len(fields) + 1))
    assert bench.dram.most_outstanding <= config.bursts_in_flight
    assert len(bench.beats) == len(bench.dram.strobes)


@pytest.mark.parametrize("address", [0, 64, 4096 - 2320, 5])
def test_a_beat_a_cycle(address):
    bench = Bench(BASE, 1, latency=40)
    bench.run([store(400, address)])
    # A full burst waits for its data once, behind a shorter first one.
    full = -(-address // 256) * 256 // 16 - address // 16
    assert len(bench.beats) == 400 + (address % 16 != 0)
    assert bench.beats[-1] - bench.beats[full] == len(bench.beats) - 1 - full
    assert bench.beats[-1] - bench.reads[-1] <= BASE.burst_beats + 10 + WordRead.LATENCY - 1


def test_runs_follow_one_another():
    bench = Bench(BASE, 2, latency=40)
    bench.run([store(32, 0, runs=10, run_stride=512, src_run_step=32)])
    assert bench.beats[-1] - bench.beats[0] == 319


def test_first_word():
    bench = Bench(BASE, 2)
    bench.run([store(3)])
    assert bench.reads[0] == 1 + StoreUnit.LATENCY  # the instruction is taken in cycle 1


def test_retires_after_the_last_response_only():
    bench = Bench(BASE, 3, latency=50)
    bench.run([store(40, 0, post=1), store(40, 2048, post=2)])
    assert bench.retired[0][1] <= 3  # the second one's bursts may be outstanding
    assert bench.retired[1][1] == 0
    assert bench.retired[1][2] > bench.beats[-1] + 50
    # The second one's words were read before the first one's responses came.
    assert bench.reads[40] < bench.retired[0][2]
    assert bench.reads[40] - bench.reads[39] - 1 == StoreUnit.PAUSE


@pytest.mark.parametrize("config", [TINY, BASE, BASE.replace(lanes=32, drp="none")],
                         ids=["tiny", "base", "wide"])
@pytest.mark.parametrize("address", [0, 1024 + 7])
def test_log_record(config, address):
    bench = Bench(config, 4, latency=20)
    bench.count = True
    bench.run([store(20, 2048, config, post=1), log(address, tag=0x1234, post=2)])
    at = ORIGIN + address
    record = bench.memory[at:at + LOG_BYTES]
    words = [int.from_bytes(record[n:n + 4], "little") for n in range(0, LOG_BYTES, 4)]
    assert words[0] == 0x1234
    cycle = words[1] >> 8
    assert words[1:] == [(cycle << 8) + n for n in range(len(COUNTERS))]  # all of one cycle
    assert bench.retired[0][2] <= cycle + 1 <= bench.retired[0][2] + 2
    rest = bytearray(bench.before)
    rest[at:at + LOG_BYTES] = record
    rest[ORIGIN + 2048:ORIGIN + 2048 + 20 * config.group] = b"".join(
        bench.scratchpad[n] for n in range(20))
    assert bench.memory == rest


@pytest.mark.parametrize("bad, error", [
    (store(4, SIZE - 48), (Cause.REGION, ORIGIN + SIZE - 48)),
    (store(4, 0, runs=3, run_stride=SIZE - 100), (Cause.REGION, ORIGIN + 2 * (SIZE - 100))),
    (log(SIZE - LOG_BYTES + 4), (Cause.REGION, ORIGIN + SIZE - LOG_BYTES + 4)),
    (log(16, region=9), (Cause.REGION, 16)),
    (store(30, 0, src=BASE.words - 20), (Cause.ADDRESS, BASE.words)),
    (store(40, 0, runs=2, run_stride=1024), (Cause.WRITE_SLAVE_ERROR, ORIGIN + 1024)),
    (store(40, 2000), (Cause.WRITE_DECODE_ERROR, ORIGIN + 2000)),
    (log(1024 + 24), (Cause.WRITE_SLAVE_ERROR, ORIGIN + 1024 + 24)),
])
def test_errors(bad, error):
    bench = Bench(BASE, 5, latency=20, errors={
        ORIGIN + 1024 + 64: Response.SLVERR, ORIGIN + 2048 + 32: Response.DECERR})
    good = store(30, 4096, tag=7, post=1)
    got = bench.run([good, (bad[0], {**bad[1], "tag": 9, "post": 2}), store(9, 0, tag=10)],
                    until=bench.unit.error.valid)
    assert got == (error[0], 9, error[1])
    assert [post for post, *_ in bench.retired] == [1]


@pytest.mark.parametrize("wait", range(1, 120, 13))
@pytest.mark.parametrize("config", [TINY, BASE], ids=["tiny", "base"])
def test_flush_in_mid_burst(config, wait):
    bench = Bench(config, wait, stall=0.4)
    unit = bench.unit

    async def flush(ctx):
        for _ in range(wait):
            await ctx.tick()
        ctx.set(unit.flush, 1)
        await ctx.tick()
        bursts, beats = len(bench.dram.write_bursts), len(bench.dram.strobes)
        await ctx.tick().until(unit.quiet)
        assert bench.dram.outstanding == 0
        assert len(bench.dram.write_bursts) <= bursts + 1  # an address on offer had to stay
        assert not any(bench.dram.strobes[beats + 1:])     # a beat on offer, too
        assert sum(n for _, n in bench.dram.write_bursts) == len(bench.dram.strobes)
        for _ in range(40):
            _, _, quiet = await ctx.tick().sample(unit.quiet)
            assert quiet

    simulate(unit, flush, background=[
        bench.start([store(60, 7, config), store(60, 2048, config)]),
        bench._watch, bench._serve, bench._words])
