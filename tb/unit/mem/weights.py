"""Random weights and MAC commands, and what a weight store must make of them."""

import numpy as np

from golden.spec import layout
from golden.weights import Block, LaneBlock, pack, unpack

__all__ = ["expected", "random_commands", "random_lane_block", "stream_of"]


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
