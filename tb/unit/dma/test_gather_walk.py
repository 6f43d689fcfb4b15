"""Gather walk: beats that go by, left-over beats, masks, never more beats than the run has."""

import random

import pytest

from golden.spec.config import preset
from golden.spec.isa import Opcode, encode
from hw.dma.gather_walk import GatherWalk
from tb.pysim import collect, drive, simulate
from tb.unit.dma.shapes import load_shapes, random_load


@pytest.mark.parametrize("config", [preset("tiny"), preset("base")], ids=["tiny", "base"])
@pytest.mark.parametrize("shape", load_shapes)
def test_beats_and_masks(config, shape):
    group, seed = config.group, f"{config.name} {shape}"
    rng = random.Random(seed)
    loads = [random_load(rng, config, shape) for _ in range(10)]
    expected = []  # (run, position in the run's beats, mask) of each word
    beats = []     # of each run
    for fields in loads:
        for run in range(fields["runs"]):
            low = (fields["address"] + run * fields["run_stride"]) % group
            beats.append(-(-(low + fields["run_bytes"]) // group))
            for i2 in range(fields["count2"]):
                for i1 in range(fields["count1"]):
                    for i0 in range(fields["count0"]):
                        row = fields["first"] + i0 * fields["step0"] + i1 * fields["step1"]
                        size = fields["tail"] if i0 == fields["count0"] - 1 else group
                        mask = sum(1 << j for j in range(size)
                                   if 0 <= row + j < fields["row_bytes"])
                        expected.append((len(beats) - 1, low + row + i2 * fields["step2"], mask))
    dut = GatherWalk(config)
    raw = [int.from_bytes(encode(Opcode.LOAD, **fields), "little") for fields in loads]

    async def feed(ctx):
        await drive(ctx, dut.i, [dut.i.payload.shape().from_bits(item) for item in raw])

    async def take(ctx):
        run, gone, n = 0, 0, 0
        while n < len(expected) or run < len(beats):
            place, = await collect(ctx, dut.o, 1, rng=rng, stall=0.2)
            if n < len(expected) and expected[n][0] == run and place.word:
                gone += place.advance
                _, position, mask = expected[n]
                assert place.mask == mask, f"seed {seed}: word {n}"
                if mask:
                    assert (gone - 1, place.shift) == divmod(position, group), f"{seed}: {n}"
                    end = place.shift + mask.bit_length()
                    assert place.straddles == (end > group), f"{seed}: {n}"
                assert not (place.straddles and gone == beats[run])
                n += 1
            else:
                assert not place.word and place.advance, f"{seed}: {n}"
                gone += place.advance
                assert gone == beats[run], f"{seed}: beats left over after run {run}"
            assert gone <= beats[run]
            assert place.still == (place.advance == 0)
            if gone == beats[run] and (n == len(expected) or expected[n][0] != run):
                run, gone = run + 1, 0
        await ctx.tick().until(dut.idle)

    simulate(dut, feed, take)


def test_latency_and_pause():
    config = preset("base")
    fields = {"run_bytes": 64, "runs": 1, "count0": 1, "count1": 4, "step1": 16, "count2": 1,
              "row_bytes": 64, "tail": 16}
    dut = GatherWalk(config)
    raw = int.from_bytes(encode(Opcode.LOAD, **fields), "little")

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.payload, dut.i.payload.shape().from_bits(raw))
        ctx.set(dut.i.valid, 1)
        offers = []
        for _ in range(GatherWalk.LATENCY + 10):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            offers.append(valid)
        assert offers == [0] * GatherWalk.LATENCY + [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]

    simulate(dut, bench)
