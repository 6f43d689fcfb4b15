"""Gather: words of random LOADs, and how many a cycle."""

import random

import pytest

from golden.spec.config import preset
from golden.spec.isa import Opcode, encode
from hw.dma.gather import Gather
from tb.pysim import collect, drive, simulate
from tb.unit.dma.fakes import load_words
from tb.unit.dma.shapes import load_shapes, random_load

TINY, BASE = preset("tiny"), preset("base")
WIDE = BASE.replace(lanes=32, drp="none")


def run_beats(group, fields, memory):
    """All beats of all runs of a LOAD."""
    beats = []
    for run in range(fields["runs"]):
        start = fields["address"] + run * fields["run_stride"]
        for at in range(start // group * group, start + fields["run_bytes"], group):
            beats.append(int.from_bytes(memory[at:at + group], "little"))
    return beats


def run_gather(config, memory, programs, *, rng=None, stall=0.0):
    """Words of LOADs one after the other: [(cycle, item)]."""
    dut = Gather(config)
    words = [load_words(config.group, fields, memory) for fields in programs]
    beats = [beat for fields in programs for beat in run_beats(config.group, fields, memory)]
    raw = [int.from_bytes(encode(Opcode.LOAD, **fields), "little") for fields in programs]
    left = [sum(map(len, words))]

    async def command(ctx):
        await drive(ctx, dut.i, [dut.i.payload.shape().from_bits(item) for item in raw])

    async def feed(ctx):
        await drive(ctx, dut.beat, beats, rng=rng, stall=stall)

    async def take(ctx):
        return await collect(ctx, dut.o, left[0], rng=rng, stall=stall)

    async def rest(ctx):
        await ctx.tick().until(dut.idle & (dut.i.valid == 0))

    times = []

    async def clock(ctx):
        cycle = 0
        while True:
            _, _, moved = await ctx.tick().sample(dut.o.valid & dut.o.ready)
            cycle += 1
            if moved:
                times.append(cycle)

    async def finish(ctx):
        got = await take(ctx)
        await rest(ctx)
        return got

    got = simulate(dut, command, feed, finish, background=[clock])[2]
    expected = [(address, int.from_bytes(word, "little"), int(address >= config.words),
                 int(n == len(part) - 1))
                for part in words for n, (address, word) in enumerate(part)]
    assert [(item.addr, item.data, item.bad, item.last) for item in got] == expected, programs
    return times


@pytest.mark.parametrize("config", [TINY, BASE, WIDE], ids=["tiny", "base", "wide"])
@pytest.mark.parametrize("shape", load_shapes)
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_words(config, shape, stall):
    seed = f"{config.group} {shape} {stall}"
    rng = random.Random(seed)
    memory = bytearray(rng.randbytes(8192))
    run_gather(config, memory, [random_load(rng, config, shape) for _ in range(12)],
               rng=rng, stall=stall)


def test_mixed_instructions_follow_one_another():
    rng = random.Random(7)
    memory = bytearray(rng.randbytes(8192))
    run_gather(TINY, memory,
               [random_load(rng, TINY, rng.choice(load_shapes)) for _ in range(60)])


def fields(**changes):
    """One run of 64 aligned words, changed."""
    return {"address": 0, "run_bytes": 1024, "runs": 1, "run_stride": 0, "first": 0, "count0": 1,
            "step0": 0, "count1": 64, "step1": 16, "count2": 1, "step2": 0, "row_bytes": 1024,
            "tail": 16, "fill": 0, "dst": 0, "dst_step0": 0, "dst_step1": 1, "dst_step2": 64,
            "dst_run_step": 64, **changes}


@pytest.mark.parametrize("load, cycles", [
    (fields(), 63),                                                 # a word and a beat a cycle
    (fields(runs=4, run_stride=1024), 255),                         # also from run to run
    (fields(count1=8, count2=8, step2=128, row_bytes=128), 63),     # and from row to row
    (fields(address=5), 63),                                        # unaligned
    (fields(count1=200, step1=3, run_bytes=612, row_bytes=612, address=7), 199),  # short steps
    (fields(count1=32, step1=24), 47),                              # 3 beats every 2 words
], ids=["aligned", "runs", "rows", "unaligned", "short", "long"])
def test_rate(load, cycles):
    rng = random.Random(8)
    times = run_gather(BASE, bytearray(rng.randbytes(8192)), [load])
    assert abs(times[-1] - times[0] - cycles) <= 1, f"{times[-1] - times[0]}, not {cycles}"


def test_latency():
    times = run_gather(BASE, bytearray(1024), [fields(count1=1, run_bytes=16, row_bytes=16)])
    assert times[0] == Gather.LATENCY + 1  # the transfer itself is in cycle 1


def test_gap_between_instructions():
    times = run_gather(BASE, bytearray(1024), [fields(), fields()])
    assert times[64] - times[63] == 3  # two cycles without a word


def test_bad_address_is_marked():
    rng = random.Random(9)
    load = fields(dst=BASE.words - 3, count1=5, run_bytes=80, row_bytes=80)
    run_gather(BASE, bytearray(rng.randbytes(1024)), [load])
