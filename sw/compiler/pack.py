"""Weights of a WindowOp to the chip's weight stream, block by block in the better form."""

from dataclasses import dataclass

import numpy as np

from golden.spec import layout
from golden.spec.config import Config
from golden.weights import Block, LaneBlock, pack
from sw.compiler.window import Taps, WindowOp

__all__ = ["PackedBlock", "PackedOp", "pack_op", "select_blocks"]


@dataclass
class PackedBlock:
    """One lane block: entries (where) with their N rows of values and indices."""

    where: np.ndarray            # (E, 4)
    counts: np.ndarray           # (E,) N
    values: list[np.ndarray]     # E arrays (N, L) int8
    indices: list[np.ndarray]    # E arrays (N, L)
    real: int                    # weights that exist in the model and are issued


@dataclass
class PackedOp:
    """All lane blocks of an operator, independent of where its tensors lie."""

    blocks: list[PackedBlock]
    bias: np.ndarray
    multiplier: np.ndarray
    pre: np.ndarray
    post: np.ndarray

    @property
    def rows(self) -> list[int]:
        """Weight rows of each lane block."""
        return [int(block.counts.sum()) for block in self.blocks]

    @property
    def entries(self) -> list[int]:
        """Entries of each lane block, at least one."""
        return [max(len(block.counts), 1) for block in self.blocks]

    def stays(self, config: Config, first: int, end: int) -> bool:
        """Do the lane blocks [first, end) fit in the weight store at once?"""
        blocks = end - first
        return (sum(self.rows[first:end]) <= config.weight_rows
                and sum(self.entries[first:end]) <= config.list_entries
                and blocks * layout.PARAMETER_BEATS <= config.parameter_beats
                and blocks <= config.lane_blocks)

    def stream(self, config: Config, source_offsets: list[int], plane_words: list[int],
               pitch: int) -> bytes:
        """The weight stream for sources at word offsets, with words per channel group and row."""
        lane_blocks = []
        lanes = config.lanes
        for number, block in enumerate(self.blocks):
            chosen = slice(number * lanes, (number + 1) * lanes)
            source, group, dy, dx = block.where.T
            offset = (np.take(source_offsets, source) + group * np.take(plane_words, source)
                      + dy * pitch + dx) % config.words
            lane_blocks.append(LaneBlock(
                bias=self.bias[chosen], multiplier=self.multiplier[chosen],
                pre=self.pre[chosen], post=self.post[chosen],
                blocks=[Block(offset=int(offset[e]), dy=int(dy[e]), dx=int(dx[e]),
                              values=block.values[e], indices=block.indices[e])
                        for e in range(len(block.counts))]))
        return pack(config, lane_blocks)


def select_blocks(config: Config, taps: Taps, *, dense: bool, single_tile: bool) -> PackedBlock:
    """Pick the rows of every block of a lane block.

    A block's N is the largest number of nonzero weights (``dense``: of weights that exist) of any
    lane. A block that is all zero is dropped. With a single tile the stream is the bound, so a
    block whose pairs take no fewer beats than the dense form is stored dense.
    """
    keep = taps.present if dense else taps.weights != 0
    counts = keep.sum(axis=1).max(axis=-1) if len(keep) else np.zeros(0, dtype=int)
    group = config.group
    if single_tile and not dense:
        dense_beats = layout.block_beats(config, layout.BlockFormat.DENSE, group)
        pair_beats = np.array([layout.block_beats(config, layout.BlockFormat.PAIRS, n)
                               for n in range(group + 1)])
        counts = np.where(pair_beats[counts] >= dense_beats, group, counts)
    live = np.flatnonzero(counts)
    # A stable sort puts the kept channels first, in order.
    order = np.argsort(~keep[live], axis=1, kind="stable")
    values = np.take_along_axis(np.where(keep[live], taps.weights[live], 0), order, axis=1)
    counts = counts[live]
    natural = np.repeat(np.arange(group)[:, None], config.lanes, axis=1)
    rows_values, rows_indices = [], []
    for e, n in enumerate(counts):
        if n == group:
            rows_values.append(taps.weights[live[e]])
            rows_indices.append(natural)
        else:
            rows_values.append(values[e, :n])
            rows_indices.append(order[e, :n])
    issued = keep[live] if dense else (taps.weights[live] != 0)
    return PackedBlock(taps.where[live], counts, rows_values, rows_indices, int(issued.sum()))


def pack_op(config: Config, op: WindowOp, *, dense: bool, single_tile: bool) -> PackedOp:
    """Pack all lane blocks; per-channel parameters are padded to whole lane blocks."""
    blocks = [select_blocks(config, taps, dense=dense, single_tile=single_tile)
              for taps in op.blocks]
    width = len(blocks) * config.lanes

    def padded(values: np.ndarray) -> np.ndarray:
        return np.pad(np.asarray(values, dtype=np.int64), (0, width - len(values)))

    post = op.post
    return PackedOp(blocks, padded(post.bias), padded(post.multiplier), padded(post.pre),
                    padded(post.post))
