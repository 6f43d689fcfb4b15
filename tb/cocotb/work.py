"""Random MAC instructions with their weights, and what golden computes of them."""

import numpy as np

from golden.machine.instruction import Instruction
from golden.machine.post import post_process
from golden.machine.windows import Entries, Windows
from golden.spec.isa import ArrayMode, Opcode, PostMode
from golden.spec.layout import PARAMETER_BEATS, header_beats
from golden.spec.numerics import ROUND_ONCE, quantize_multiplier
from golden.weights import Block, LaneBlock, pack

__all__ = ["MacWork"]


def _draw(rng, *choices):
    return int(rng.choice(choices))


class MacWork:
    """One MAC instruction and its lane blocks.

    Parameters
    ----------
    config : Config
    rng : numpy.random.Generator
    post_mode : PostMode

    Members
    -------
    fields : dict
        Of the instruction.
    lane_blocks : list of LaneBlock
    """

    def __init__(self, config, rng, post_mode):
        self.config = config
        mode = ArrayMode(_draw(rng, *ArrayMode))
        width, height = (int(n) for n in rng.integers(1, 7, 2))
        self.fields = {
            "opcode": Opcode.MAC, "tag": _draw(rng, *range(1 << 16)),
            "post": _draw(rng, *range(1 << 16)), "wait": 0, "array_mode": mode,
            "post_mode": post_mode, "keep": _draw(rng, 0, 1), "blocks": _draw(rng, 1, 2, 3),
            "out_width": width, "out_height": height, "tiles": -(-width * height // config.columns),
            "in_base": _draw(rng, *range(1 << 16)), "in_row_step": _draw(rng, *range(1 << 16)),
            "iy0": _draw(rng, -4096, 4090, *range(-4, 2)), "ix0": _draw(rng, *range(-4, 2)),
            "stride_y": _draw(rng, 1, 2, 3), "stride_x": _draw(rng, 0, 1, 1, 2, 63),
            "in_height": _draw(rng, 4095, *range(2, 12)), "in_width": _draw(rng, *range(2, 12)),
            "pad_value": _draw(rng, *range(-128, 128)),
            **self._scalars(rng, "", 9), **self._scalars(rng, "add_", 8),
            **dict(zip(("add_multiplier", "add_pre", "add_post"), self._factor(rng, 20),
                       strict=True))}
        for kind in ("out", "res"):  # steps may lead down; all words exist
            self.fields |= {f"{kind}_base": config.words // 2,
                            f"{kind}_row_step": _draw(rng, *range(-9, 10)) & 0xFFFF,
                            f"{kind}_block_step": _draw(rng, *range(-30, 31)) & 0xFFFF}
        self.lane_blocks = [self._lane_block(rng, mode) for _ in range(self.fields["blocks"])]
        self._windows = Windows(config, Instruction(0, Opcode.MAC, self.fields))

    @staticmethod
    def _scalars(rng, prefix, bits):
        low, high = -1 << bits - 1, (1 << bits - 1) - 1
        least, most = sorted(_draw(rng, low, high, *range(low, high + 1)) for _ in range(2))
        return {f"{prefix}zero": _draw(rng, *range(low, high + 1)), f"{prefix}least": least,
                f"{prefix}most": most}

    @staticmethod
    def _factor(rng, bits):
        """(multiplier, pre, post) that bring values of so many bits to about a byte."""
        return quantize_multiplier(rng.uniform(0.3, 3) * 2.0 ** (7 - bits))

    def _lane_block(self, rng, mode):
        lanes, group = self.config.lanes, self.config.group
        blocks = []
        for _ in range(rng.integers(1, 6)):
            n = 1 if mode == ArrayMode.MAX else _draw(rng, 0, 1, 2, group)
            values = rng.integers(-128, 128, (n, lanes))
            if mode == ArrayMode.MAX:
                values = np.ones_like(values)
            blocks.append(Block(_draw(rng, *range(1 << 16)), _draw(rng, 0, 1, 2, 255),
                                _draw(rng, 0, 1, 2), values.astype(np.int8),
                                rng.integers(0, group, (n, lanes))))
        if mode == ArrayMode.MAX:
            blocks.append(Block(0, 0, 0, np.zeros((0, lanes), np.int8),
                                np.zeros((0, lanes), int)))
        factors = [self._factor(rng, rng.integers(3, 33)) for _ in range(lanes)]
        multiplier, pre, post = (np.array(item) for item in zip(*factors, strict=True))
        once = (post > 0) & (rng.random(lanes) < 0.3)
        bias = rng.integers(-1 << 31, 1 << 31, lanes) >> rng.integers(0, 32, lanes)
        return LaneBlock(bias.astype(np.int32), multiplier, pre, post + ROUND_ONCE * once, blocks)

    def replayed(self):
        """What the weight store replays: entries, and rows as (values [L], indices [L])."""
        entries, rows = [], []
        for lane_block in self.lane_blocks:
            for _ in range(self.fields["tiles"]):
                for block in lane_block.blocks:
                    entries.append({"n": len(block.values), "dy": block.dy, "dx": block.dx,
                                    "offset": block.offset % self.config.words,
                                    "last": block is lane_block.blocks[-1]})
                    rows += zip(block.values, block.indices, strict=True)
        return entries, rows

    def parameter_beats(self):
        """Beats [beats, M] that tell post-processing of each lane block's parameters."""
        first = header_beats(self.config)
        return np.concatenate([
            np.frombuffer(pack(self.config, [item]), np.uint8).reshape(-1, self.config.group)
            [first:first + PARAMETER_BEATS] for item in self.lane_blocks])

    def accumulators(self, words):
        """Sums of products [blocks, P, L] int32, of scratchpad words [words, M] uint8."""
        sums = []
        for item in self.lane_blocks:
            entries = Entries([({"n": len(block.values), "dy": block.dy, "dx": block.dx,
                                 "offset": block.offset}, (block.values, block.indices))
                               for block in item.blocks])
            sums.append(self._windows.accumulate(entries, words))
        return np.stack(sums).astype(np.int32)

    def outputs(self, sums, words, table):
        """[(word address, word [M] uint8)] that accumulators [blocks, P, L] become, in order."""
        found = []
        for block, item in enumerate(self.lane_blocks):
            residual = None
            if self.fields["post_mode"] == PostMode.ADD:
                residual = words.view(np.int8)[self._windows.outputs("res", block)]
            made = post_process(self.fields, (item.bias, item.multiplier, item.pre, item.post),
                                sums[block], residual, table).view(np.uint8)
            found += zip(self._windows.outputs("out", block).tolist(), made, strict=True)
        return found
