"""Weight store against golden.weights: contents, replay, keep, rates, errors."""

import random

import numpy as np
import pytest

from golden.spec import layout
from golden.spec.config import preset
from golden.weights import Block, LaneBlock, pack, unpack
from hw.mem.weight_store import WeightStore
from tb.pysim import collect, drive, simulate
from tb.yosys import cells

CONFIGS = {
    "tiny": preset("tiny"),
    "lanes8": preset("tiny", lanes=8, drain=2),
    "base": preset("base", weight_rows=70, list_entries=33, lane_blocks=6, parameter_beats=47),
    "lanes32": preset("tiny", lanes=32, drain=8, weight_rows=64),
}


def random_lane_block(rng, config, entries, most):
    """A lane block of ``entries`` blocks with up to ``most`` rows together, in mixed formats."""
    blocks = []
    for _ in range(entries):
        n = int(rng.integers(0, min(config.group, most) + 1))
        most -= n
        indices = (np.repeat(np.arange(n)[:, None], config.lanes, 1),
                   np.repeat(np.arange(config.lanes)[None], n, 0),
                   rng.integers(0, config.group, (n, config.lanes)))[rng.integers(3)]
        blocks.append(Block(int(rng.integers(1 << 16)), int(rng.integers(256)),
                            int(rng.integers(256)),
                            rng.integers(-128, 128, (n, config.lanes)).astype(np.int8), indices))
    lanes = config.lanes
    return LaneBlock(rng.integers(-1 << 31, 1 << 31, lanes).astype(np.int32),
                     rng.integers(0, 1 << 31, lanes), rng.integers(0, 32, lanes),
                     rng.integers(0, 32, lanes), blocks)


def random_commands(rng, config, count):
    """[(tiles, keep, lane blocks)] that the rings can serve; after ``keep`` the same again."""
    commands, again = [], None
    while len(commands) < count or again:
        if again:
            lane_blocks, again = again, None
            keep, tiles = False, int(rng.integers(1, 4))
        else:
            keep, tiles = bool(rng.integers(2)), int(rng.integers(1, 4))
            blocks = int(rng.integers(1, 4))
            share = blocks if keep else 1
            most, entries = config.weight_rows // share, config.list_entries // share
            if not keep and tiles == 1:
                most, entries = 3 * most, 3 * entries  # streams through
            lane_blocks = [random_lane_block(rng, config, int(rng.integers(1, entries + 1)), most)
                           for _ in range(blocks)]
            again = lane_blocks if keep else None
        commands.append((tiles, keep, lane_blocks))
    return commands


def beats_of(config, raw):
    return [int.from_bytes(raw[i:i + config.group], "little")
            for i in range(0, len(raw), config.group)]


def stream_of(config, commands):
    """Beats of the weight stream: what a command keeps comes only once."""
    lane_blocks, kept = [], False
    for _, keep, blocks in commands:
        if not kept:
            lane_blocks += blocks
        kept = keep
    raw = pack(config, lane_blocks)
    assert unpack(config, raw)
    return beats_of(config, raw)


def expected(config, commands):
    """Entries, rows and parameter beats that must come out."""
    entries, rows, parameters = [], [], []
    mask = config.words - 1
    for tiles, _, lane_blocks in commands:
        for item in lane_blocks:
            raw = pack(config, [item])
            start = layout.header_beats(config)
            parameters += beats_of(config, raw)[start:start + layout.PARAMETER_BEATS]
            for _ in range(tiles):
                for index, block in enumerate(item.blocks):
                    last = index == len(item.blocks) - 1
                    entries.append((len(block.values), block.dy, block.dx, block.offset & mask,
                                    last))
                    rows += [(tuple(value), tuple(index)) for value, index
                             in zip(block.values.tolist(), block.indices.tolist(), strict=True)]
    return entries, rows, parameters


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
@pytest.mark.parametrize("seed", range(3))
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
    """`base`: 44 DP16KD for the rows, 8 for the entries, 4 for parameters, 1 for lengths."""
    found = cells(WeightStore(preset("base")))
    assert found["DP16KD"] <= 44 + 8 + 4 + 1
    assert found["MULT18X18D"] == 0
