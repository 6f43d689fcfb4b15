"""Load unit behind the read master: data, order, rates, errors."""

import random
from collections import deque

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from golden.spec.config import preset
from golden.spec.isa import Opcode, Target, encode
from golden.spec.layout import TABLE_ENTRIES
from golden.spec.registers import Cause
from hw.bus.axi import Response
from hw.dma.load import LoadUnit
from hw.dma.read_master import ReadMaster
from tb.pysim import collect, simulate
from tb.unit.dma.fakes import FakeDram, load_words, offer
from tb.unit.dma.shapes import load_shapes, random_load

TINY, BASE = preset("tiny"), preset("base")
REGION, ORIGIN, SIZE = 3, 0x1000, 8192  # tests use one region


class Bench:
    """A load unit with its read master and DRAM, and what it did."""

    def __init__(self, config, seed, *, stall=0.0, latency=7, errors=None):
        self.config, self.rng, self.stall = config, random.Random(seed), stall
        self.memory = bytearray(self.rng.randbytes(ORIGIN + SIZE + 64))
        self.unit, self.master = LoadUnit(config), ReadMaster(config)
        self.dram = FakeDram(self.memory, config.group, self.rng, stall=stall, latency=latency,
                             burst_beats=config.burst_beats, errors=errors)
        self.m = Module()
        self.m.submodules.unit, self.m.submodules.master = self.unit, self.master
        wiring.connect(self.m, self.unit.read, self.master.load)
        self.words, self.weights, self.table, self.retired = [], [], [], []
        self.times = {"words": [], "weights": [], "table": [], "retire": []}

    @property
    def region(self):
        return self.memory[ORIGIN:ORIGIN + SIZE]

    async def _watch(self, ctx):
        unit, cycle = self.unit, 0
        before = deque([(0, 0)] * 3, maxlen=3)  # words and weights; retirement is 2 cycles behind
        while True:
            _, _, words, word, weights, beat, table, entry, retire, post = await ctx.tick().sample(
                unit.words.valid & unit.words.ready, unit.words.payload,
                unit.weights.valid & unit.weights.ready, unit.weights.payload,
                unit.table.valid & unit.table.ready, unit.table.payload,
                unit.retire.valid, unit.retire.post)
            cycle += 1
            before.append((len(self.words) + words, len(self.weights) + weights))
            for name, moved, log, item in (
                    ("words", words, self.words, (word.addr, word.data)),
                    ("weights", weights, self.weights, beat),
                    ("table", table, self.table, (entry.addr, entry.data)),
                    ("retire", retire, self.retired,
                     (post, *before[0], len(self.table)))):
                if moved:
                    log.append(item)
                    self.times[name].append(cycle)

    async def _serve(self, ctx):
        await self.dram.read(ctx, self.master.ar, self.master.r)

    def run(self, programs, *, until=None, weights=1 << 30, refused=None, cycles=20_000):
        """Execute LOADs (fields) until all are retired, or until ``until`` (a signal) is high.

        After ``weights`` beats of the weight stream ``refused`` (a signal) is raised.
        """
        unit = self.unit

        async def command(ctx):
            ctx.set(unit.regions[REGION], {"base": ORIGIN, "bytes": SIZE})
            await offer(ctx, unit.i, [
                int.from_bytes(encode(Opcode.LOAD, **{"region": REGION, **fields}), "little")
                for fields in programs], rng=self.rng, stall=self.stall)

        async def finish(ctx):
            if until is not None:
                await ctx.tick().until(until)
                self.retired_at_error = len(self.retired)
                for _ in range(400):  # nothing more may happen, what was asked for comes
                    await ctx.tick()
                error = ctx.get(unit.error)
                return error.cause, error.tag, error.address
            while len(self.retired) < len(programs):
                await ctx.tick()
            assert not ctx.get(unit.error.valid)
            await ctx.tick()
            assert not ctx.get(unit.busy)

        def sink(port, count=1 << 30):
            async def bench(ctx):
                await collect(ctx, port, count, rng=self.rng, stall=self.stall)
                ctx.set(port.ready, 0)
                await ctx.tick().until(port.valid)
                ctx.set(refused, 1)
            return bench

        benches = [finish] if until is not None else [command, finish]
        return simulate(self.m, *benches, background=[
            *([command] if until is not None else []), self._watch, self._serve,
            sink(unit.words), sink(unit.weights, weights), sink(unit.table)], cycles=cycles)[-1]


def weights(address=0, beats=20, config=BASE, **changes):
    return {"target": Target.WEIGHTS, "address": address, "run_bytes": beats * config.group,
            "runs": 1, **changes}


def table(address=0, entries=16, dst=0, **changes):
    return {"target": Target.TABLE, "address": address, "run_bytes": 4 * entries, "runs": 1,
            "dst": dst, **changes}


def words(count=64, address=0, config=BASE, **changes):
    """A run of aligned words."""
    return {"address": address, "run_bytes": count * config.group, "runs": 1, "count0": 1,
            "count1": count, "step1": config.group, "count2": 1,
            "row_bytes": count * config.group, "tail": config.group, "dst_step1": 1, **changes}


def random_program(rng, config, count):
    """LOADs of all kinds."""
    programs = []
    for n in range(count):
        kind = rng.choice((*load_shapes, "weights", "table"))
        if kind in load_shapes:
            fields = random_load(rng, config, kind)
        else:
            stride = rng.choice((0, 5 * config.group))
            fields = weights(rng.randrange(100) * config.group, rng.randint(1, 30), config,
                             runs=rng.randint(1, 4), run_stride=stride)
            if kind == "table":
                fields["run_bytes"] = rng.randint(1, 5) * config.group
                fields.update(target=Target.TABLE, dst=rng.randrange(TABLE_ENTRIES - 200))
        programs.append({**fields, "tag": n, "post": n + 1})
    return programs


def expectation(config, region, programs):
    """(words, weight beats, table entries, counts at each retirement)."""
    out, beats, entries, retired = [], [], [], []
    for fields in programs:
        if fields.get("target", Target.SCRATCHPAD) == Target.SCRATCHPAD:
            out += [(address, int.from_bytes(word, "little"))
                    for address, word in load_words(config.group, fields, region)]
        else:
            raw = b"".join(
                region[at:at + fields["run_bytes"]] for at in (
                    fields["address"] + run * fields.get("run_stride", 0)
                    for run in range(fields["runs"])))
            if fields["target"] == Target.WEIGHTS:
                beats += [int.from_bytes(raw[n:n + config.group], "little")
                          for n in range(0, len(raw), config.group)]
            else:
                entries += [(fields["dst"] + n // 4,
                             int.from_bytes(raw[n:n + 4], "little", signed=True))
                            for n in range(0, len(raw), 4)]
        retired.append((fields["post"], len(out), len(beats), len(entries)))
    return out, beats, entries, retired


@pytest.mark.parametrize("config", [TINY, BASE], ids=["tiny", "base"])
@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_random_programs(config, stall):
    seed = f"{config.name} {stall}"
    bench = Bench(config, seed, stall=stall)
    programs = random_program(bench.rng, config, 40)
    bench.run(programs)
    expected = expectation(config, bench.region, programs)
    for name, got, right in zip(("words", "weights", "table", "retired"), (
            bench.words, bench.weights, bench.table, bench.retired), expected, strict=True):
        assert got == right, f"seed {seed}: {name}"


def test_many_short_runs():
    bench = Bench(TINY, 5, latency=40)
    programs = [{**words(3, 8 * n, TINY, runs=30, run_stride=20, dst_run_step=3), "post": 1}
                for n in range(2)]
    bench.run(programs)
    assert (bench.words, bench.retired) == (
        expectation(TINY, bench.region, [{**_defaults(), **fields} for fields in programs])[::3])


def _defaults():
    return {name: 0 for name in ("first", "step0", "step2", "dst", "dst_step0", "dst_step2",
                                 "fill", "dst_run_step", "run_stride")}


@pytest.mark.parametrize("name, fields, cycles", [
    ("words", words(400), 399),
    ("words", words(60, runs=6, run_stride=960), 359),
    ("words", {**words(300, 5), "run_bytes": 4800}, 299),
    ("weights", weights(beats=400), 399),
    ("table", table(entries=200), 199),
], ids=["words", "runs", "unaligned", "weights", "table"])
def test_rate(name, fields, cycles):
    bench = Bench(BASE, 6, latency=40)
    bench.run([fields])
    times = bench.times[name]
    assert times[-1] - times[0] == cycles


@pytest.mark.parametrize("first, second, pause", [
    (words(100), words(100, 2048), 2),
    (words(100), weights(2048), 5),
    (weights(beats=100), weights(2048), 0),
    (weights(beats=100), table(2048), 2),
    (weights(beats=100), words(100, 2048), LoadUnit.PAUSE),
])
def test_pauses_between_instructions(first, second, pause):
    bench = Bench(BASE, 7, latency=40)
    bench.run([first, second])
    taken = sorted(bench.times["words"] + bench.times["weights"] + bench.times["table"])
    assert taken[100] - taken[99] - 1 == pause  # the second one's data is there by then


@pytest.mark.parametrize("fields, error", [
    # (cause, tag, address); the region ends at ORIGIN + SIZE.
    (words(4, SIZE - 48), (Cause.REGION, ORIGIN + SIZE - 48)),
    (words(4, 0xFFFFFFF0), (Cause.REGION, ORIGIN - 16)),
    (words(4, 0, runs=3, run_stride=SIZE - 100), (Cause.REGION, ORIGIN + 2 * (SIZE - 100))),
    (words(4, 64, runs=2, run_stride=0xFFFFFFF0), (Cause.REGION, ORIGIN + 48)),
    (words(4, 0, dst=BASE.words - 3), (Cause.ADDRESS, BASE.words)),
    (words(4, 0, dst=10, dst_step1=0xFFFB), (Cause.ADDRESS, 0xFFFB)),
    (table(entries=16, dst=500), (Cause.ADDRESS, TABLE_ENTRIES)),
    (words(20, 0, runs=2, run_stride=1024), (Cause.READ_SLAVE_ERROR, ORIGIN + 1024)),
    (weights(beats=400), (Cause.READ_SLAVE_ERROR, ORIGIN)),
    (table(1024, entries=64), (Cause.READ_SLAVE_ERROR, ORIGIN + 1024)),
    (weights(2048), (Cause.READ_DECODE_ERROR, ORIGIN + 2048)),
])
def test_errors(fields, error):
    bench = Bench(BASE, 8, latency=20, errors={
        ORIGIN + 1024 + 64: Response.SLVERR, ORIGIN + 2048 + 32: Response.DECERR})
    good = {**words(30, 4096), "tag": 7, "post": 1}
    got = bench.run([good, {**fields, "tag": 9, "post": 2}], until=bench.unit.error.valid)
    assert got == (error[0], 9, error[1])
    assert [post for post, *_ in bench.retired] == [1]  # the one before, and nothing else
    if got[0] == Cause.REGION:  # seen early, told in program order
        assert bench.retired_at_error == 1
    assert bench.dram.outstanding == 0


@pytest.mark.parametrize("taken, tag", [(0, 5), (9, 5), (10, 6), (39, 6), (40, 7)])
def test_weights_that_are_refused(taken, tag):
    """The weight store takes no more beats and says why: the LOAD of the next beat is blamed."""
    bench = Bench(BASE, 12, latency=20)
    loads = [weights(beats=10), weights(1024, beats=30), weights(2048)]
    programs = [{**fields, "tag": 5 + n, "post": 1 << n} for n, fields in enumerate(loads)]
    refused = Signal()
    bench.m.d.comb += [
        bench.unit.refusal.valid.eq(refused),
        bench.unit.refusal.cause.eq(Cause.WEIGHT_STREAM),
    ]
    got = bench.run(programs, until=bench.unit.error.valid, weights=taken, refused=refused)
    assert got == (Cause.WEIGHT_STREAM, tag, 0)
    assert len(bench.weights) == taken and len(bench.retired) == tag - 5
    assert bench.dram.outstanding == 0


def test_errors_name_the_right_instruction():
    # The first LOAD's last run still waits for the read master when the second one is taken.
    bench = Bench(BASE, 10, latency=20, errors={ORIGIN + 3 * 1024: Response.SLVERR})
    got = bench.run([{**words(60, runs=4, run_stride=1024), "tag": 4},
                     {**words(60, 4096), "tag": 5}], until=bench.unit.error.valid)
    assert got == (Cause.READ_SLAVE_ERROR, 4, ORIGIN + 3 * 1024)


def test_beats_no_word_needs_are_not_the_next_ones():
    bench = Bench(BASE, 11, latency=20)
    first = {**words(2), "run_bytes": 16 * 100, "row_bytes": 16 * 100, "post": 1}
    programs = [{**_defaults(), **first}, {**weights(4096), "post": 2}]
    bench.run(programs)
    expected = expectation(BASE, bench.region, programs)
    assert (bench.words, bench.weights, bench.retired) == (expected[0], expected[1], expected[3])


@pytest.mark.parametrize("region", [2, 8, 15])
def test_empty_and_missing_regions(region):
    bench = Bench(TINY, 9)
    got = bench.run([{**words(4, 16, TINY), "tag": 3, "region": region}],
                    until=bench.unit.error.valid)
    assert got == (Cause.REGION, 3, 16)
