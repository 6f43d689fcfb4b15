"""ResidualReader: the words of a walk in order, never more asked for than there is room."""

import random
from collections import deque

import pytest

from golden.spec.config import preset
from golden.spec.registers import Cause
from hw.interfaces import WordRead
from hw.post.residual import ResidualReader
from tb.pysim import collect, drive, simulate
from tb.unit.post.walks import expected, random_walk, steps_of

CONFIGS = {
    "tiny": preset("tiny"),
    "odd": preset("tiny").replace(columns=5, lanes=8, drain=4, weight_rows=64),
}
PLACES = WordRead.LATENCY + 3  # for those on their way and the one at the output


def whole(walk):
    """The walk as a ResidualReader is given it."""
    return {"walk": steps_of(walk), "counts": {name: walk[name] for name in ("tiles", "blocks")}}


def memory(dut, image, rng, stall):
    """Background bench that answers reads from ``image``, a list of words."""
    async def run(ctx):
        flight = deque([None] * (WordRead.LATENCY - 1))
        while True:
            ctx.set(dut.read.addr.ready, not stall or rng.random() >= stall)
            _, _, valid, ready, addr = await ctx.tick().sample(
                dut.read.addr.valid, dut.read.addr.ready, dut.read.addr.payload)
            flight.append(image[addr] if valid & ready else None)
            word = flight.popleft()
            ctx.set(dut.read.valid, word is not None)
            # Without a transfer the data means nothing.
            ctx.set(dut.read.data, rng.getrandbits(32) if word is None else word)
    return run


def books(dut, depth, record):
    """Background bench that counts words asked for, arrived and taken."""
    async def run(ctx):
        asked = arrived = taken = 0
        while True:
            _, _, ask, room, new, valid, ready = await ctx.tick().sample(
                dut.read.addr.valid, dut.read.addr.ready, dut.arrived, dut.word.valid,
                dut.word.ready)
            assert valid == (arrived > taken), "words are there from the cycle after arrived on"
            asked, arrived, taken = asked + (ask & room), arrived + new, taken + (valid & ready)
            assert asked - taken <= depth
            record["most"] = max(record.get("most", 0), asked - taken)
    return run


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("depth", [1, 4, PLACES, 8])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_words(name, depth, stall):
    config, rng = CONFIGS[name], random.Random(depth)
    image = [rng.getrandbits(8 * config.group) for _ in range(config.words)]
    walks = [random_walk(rng, config.columns, steps=64) for _ in range(8)]
    want = [image[place[0]] for walk in walks for place in expected(walk, config.columns)]
    dut, record = ResidualReader(config, depth=depth), {}

    def source(ctx):
        return drive(ctx, dut.walk, [whole(walk) for walk in walks], rng=random.Random(2),
                     stall=stall)

    def sink(ctx):
        return collect(ctx, dut.word, len(want), rng=random.Random(3), stall=stall and 0.6)

    # With places for all that are on their way, one word a cycle.
    cycles = len(want) + 6 + WordRead.LATENCY if depth >= PLACES and not stall else 20 * len(want)
    _, got = simulate(dut, source, sink, cycles=cycles, background=(
        memory(dut, image, random.Random(4), stall), books(dut, depth, record)))
    assert got == want, f"{name}, depth {depth}"


def test_room():
    """Nobody takes a word: as many are asked for as there is room."""
    config, record = CONFIGS["tiny"], {}
    dut, walk = ResidualReader(config, depth=5), random_walk(random.Random(1), 3, steps=64)
    walk |= {"out_width": 6, "out_height": 4, "tiles": 8}

    async def bench(ctx):
        await drive(ctx, dut.walk, [whole(walk)])
        await ctx.tick().repeat(30)

    simulate(dut, bench, background=(
        memory(dut, list(range(config.words)), random.Random(1), 0), books(dut, 5, record)))
    assert record["most"] == 5


@pytest.mark.parametrize("good", [0, 1, 4])
def test_address_error(good):
    """The words before the one beyond the scratchpad come, then nothing but the error."""
    config = CONFIGS["tiny"]
    dut = ResidualReader(config, depth=8)
    walk = {"base": config.words - good, "row_step": 1, "block_step": 1, "out_width": 6,
            "out_height": 1, "tiles": 2, "blocks": 1, "tag": 77, "post": 0}

    async def bench(ctx):
        await drive(ctx, dut.walk, [whole(walk)])
        got = await collect(ctx, dut.word, good)
        await ctx.tick().until(dut.error.valid)
        error = ctx.get(dut.error)
        assert (error.cause, error.tag, error.address) == (Cause.ADDRESS, 77, config.words)
        for _ in range(10):
            _, _, asked, failed = await ctx.tick().sample(dut.read.addr.valid, dut.error.valid)
            assert failed and not asked
        return got

    got, = simulate(dut, bench, background=(
        memory(dut, list(range(config.words)), random.Random(1), 0),))
    assert got == list(range(config.words - good, config.words))
