"""Weight store against golden.weights: contents, replay, keep, rates, errors."""

import random

import numpy as np
import pytest

from golden.spec.config import preset
from golden.weights import Block
from hw.mem.weight_store import WeightStore
from tb.lib.quick import quick
from tb.pysim import collect, drive, simulate
from tb.unit.mem.weights import expected, random_commands, random_lane_block, stream_of
from tb.yosys import cells

CONFIGS = {
    "tiny": preset("tiny"),
    "lanes8": preset("tiny", lanes=8, drain=2),
    "base": preset("base", weight_rows=70, list_entries=33, lane_blocks=6, parameter_beats=47),
    "lanes32": preset("tiny", lanes=32, drain=8, weight_rows=64),
}


def run(dut, config, seed, commands, stalls, cycles):
    """What came out, as ``expected`` gives it."""
    want = expected(config, commands)
    beats = stream_of(config, commands)
    orders = [dict(blocks=len(blocks), tiles=tiles, keep=keep) for tiles, keep, blocks in commands]

    def feed(port, items, number):
        return lambda ctx: drive(ctx, port, items, rng=random.Random(seed + number),
                                 stall=stalls[number])

    def take(port, count, number):
        return lambda ctx: collect(ctx, port, count, rng=random.Random(seed + number),
                                   stall=stalls[number])

    _, _, entries, rows, parameters = simulate(
        dut, feed(dut.beats, beats, 0), feed(dut.command, orders, 1),
        take(dut.entries, len(want[0]), 2), take(dut.rows, len(want[1]), 3),
        take(dut.parameters, len(want[2]), 4), cycles=cycles)
    got = ([(e.n, e.dy, e.dx, e.offset, e.last) for e in entries],
           [(tuple(row.value), tuple(row.index)) for row in rows], parameters)
    return got, want


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", quick(1, *range(3)))
def test_random_commands(name, seed):
    config = CONFIGS[name]
    commands = random_commands(np.random.default_rng(seed), config, 5)
    rng = random.Random(seed)
    stalls = [rng.choice((0, 0.2, 0.6)) for _ in range(5)]
    got, want = run(WeightStore(config), config, 10 * seed, commands, stalls, 30000)
    for what, left, right in zip(("entries", "rows", "parameters"), got, want, strict=True):
        assert left == right, f"{what}, {name} seed {seed} stalls {stalls}"


def test_rates():
    """One beat in a cycle while there is room; then entries and rows without a gap."""
    config = preset("tiny", weight_rows=512, list_entries=64, lane_blocks=16,
                    parameter_beats=160)
    rng = np.random.default_rng(5)
    commands = []
    for tiles, sizes in ((3, (4, 1, 2)), (1, (1, 1, 1, 1)), (2, (3,))):
        blocks = []
        for n in sizes:
            item = random_lane_block(rng, config, 1, 0)
            values = rng.integers(-128, 128, (n, 4)).astype(np.int8)
            item.blocks[:] = [Block(1, 2, 3, values, rng.integers(0, 4, (n, 4)))]
            blocks.append(item)
        commands.append((tiles, False, blocks))
    dut = WeightStore(config)
    beats, want = stream_of(config, commands), expected(config, commands)
    seen = {"entries": [], "rows": [], "parameters": []}

    async def feed(ctx):
        for beat in beats:
            ctx.set(dut.beats.payload, beat)
            ctx.set(dut.beats.valid, 1)
            assert ctx.get(dut.beats.ready)
            await ctx.tick()
        ctx.set(dut.beats.valid, 0)
        for name in seen:
            ctx.set(getattr(dut, name).ready, 1)
        await drive(ctx, dut.command, [dict(blocks=len(blocks), tiles=tiles, keep=keep)
                                       for tiles, keep, blocks in commands])
        for _ in range(180):
            await ctx.tick()

    async def watch(ctx):
        ports = [getattr(dut, name) for name in seen]
        async for _, _, *valids in ctx.tick().sample(*(port.valid for port in ports)):
            for name, valid in zip(seen, valids, strict=True):
                seen[name].append(valid)

    simulate(dut, feed, background=[watch], cycles=1000)
    for name, items in zip(seen, want, strict=True):
        begin = seen[name].index(1)
        assert all(seen[name][begin:begin + len(items)]), name
        assert sum(seen[name]) == len(items), name


@pytest.mark.slow
def test_block_ram():
    """`base`: 48 DP16KD for the rows, 9 for the entries, 4 for parameters, 1 for lengths."""
    found = cells(WeightStore(preset("base")))
    assert found["DP16KD"] <= 48 + 9 + 4 + 1
    assert found["MULT18X18D"] == 0
