"""WordWriter: used words at their addresses, then the instruction's retirement."""

import random

import pytest

from golden.spec.config import preset
from golden.spec.registers import Cause
from hw.post.writer import WordWriter
from tb.pysim import collect, drive, simulate
from tb.unit.post.walks import ends_of, expected, random_walk, steps_of

CONFIGS = {
    "tiny": preset("tiny"),
    "odd": preset("tiny").replace(columns=5, lanes=8, drain=4, weight_rows=64),
}


def word(value, block_end, last):
    return {"data": value, "block_end": block_end, "last": last}


def events(dut, found):
    """Background bench: appends (addr, data) per write, the post mask per retirement."""
    async def run(ctx):
        while True:
            _, _, retire, post, valid, ready, item, left = await ctx.tick().sample(
                dut.retire.valid, dut.retire.post, dut.write.valid, dut.write.ready,
                dut.write.payload, dut.left)
            # The retirement of this cycle belongs to the write or drop of the previous one.
            if retire:
                found["events"].append(post)
            if valid & ready:
                found["events"].append((item.addr, item.data))
            found["left"] += left
    return run


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("depth", [1, 6])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_writes(name, depth, stall):
    config, rng = CONFIGS[name], random.Random(depth)
    walks = [random_walk(rng, config.columns, steps=64) for _ in range(10)]
    words, want = [], []
    for walk in walks:
        for (addr, used, last, _, post), (block_end, _) in zip(
                expected(walk, config.columns), ends_of(walk, config.columns), strict=True):
            words.append(word(rng.getrandbits(8 * config.group), block_end, last))
            want += [(addr, words[-1]["data"])] if used else []
            want += [post] if last else []
    dut, found = WordWriter(config, depth=depth), {"events": [], "left": 0}

    def walk_source(ctx):
        return drive(ctx, dut.walk, [steps_of(walk) for walk in walks], rng=random.Random(2),
                     stall=stall)

    def word_source(ctx):
        return drive(ctx, dut.word, words, rng=random.Random(3), stall=stall)

    async def sink(ctx):
        await collect(ctx, dut.write, sum(isinstance(item, tuple) for item in want),
                      rng=random.Random(4), stall=stall)
        ctx.set(dut.write.ready, 1)
        await ctx.tick().repeat(config.columns + 2 if not stall else 200)

    # With more than one place, one word a cycle.
    cycles = 10 * len(words) + 400 if stall or depth == 1 else len(words) + config.columns + 6
    simulate(dut, walk_source, word_source, sink, cycles=cycles,
             background=(events(dut, found),))
    assert found["events"] == want, f"{name}, depth {depth}, stall {stall}"
    assert found["left"] == len(words)


def test_latency():
    """2 cycles from word to write, and the retirement in the cycle after it."""
    config = CONFIGS["tiny"].replace(columns=1)
    dut = WordWriter(config, depth=2)
    walk = {"base": 9, "row_step": 1, "block_step": 1, "out_width": 1, "out_height": 1,
            "tag": 1, "post": 6}

    async def bench(ctx):
        ctx.set(dut.write.ready, 1)
        await drive(ctx, dut.walk, [walk])
        await drive(ctx, dut.word, [word(5, 1, 1)])
        seen = []
        for _ in range(4):
            seen.append((ctx.get(dut.write.valid), ctx.get(dut.retire.valid)))
            await ctx.tick()
        # The word was transferred in the cycle before the first of these.
        assert seen == [(0, 0), (1, 0), (0, 1), (0, 0)]

    simulate(dut, bench)


@pytest.mark.parametrize("good", [0, 1, 4])
def test_address_error(good):
    """The words before the one beyond the scratchpad are written; nothing else, no retirement."""
    config, found = CONFIGS["tiny"], {"events": [], "left": 0}
    dut = WordWriter(config, depth=2)
    walk = {"base": config.words - good, "row_step": 1, "block_step": 1, "out_width": 6,
            "out_height": 1, "tag": 77, "post": 1}

    async def bench(ctx):
        ctx.set(dut.write.ready, 1)
        await drive(ctx, dut.walk, [walk])
        await drive(ctx, dut.word, [word(1, 0, 0)] * (good + 2))
        await ctx.tick().repeat(12)
        error = ctx.get(dut.error)
        assert (error.valid, error.cause, error.tag, error.address) == (
            1, Cause.ADDRESS, 77, config.words)

    simulate(dut, bench, background=(events(dut, found),))
    assert found["events"] == [(config.words - good + i, 1) for i in range(good)]
