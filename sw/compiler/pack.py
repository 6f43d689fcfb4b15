"""Weights of a WindowOp to the chip's weight stream, block by block in the better form."""

from dataclasses import dataclass

import numpy as np

from golden.spec import layout
from golden.spec.config import Config
from golden.spec.isa import ArrayMode
from golden.weights import Block, LaneBlock, pack
from sw.compiler.pairs import int8_parts, most_pairs
from sw.compiler.window import Taps, WindowOp

__all__ = ["PackedBlock", "PackedOp", "pack_op", "padded_post", "select_blocks"]


@dataclass
class PackedBlock:
    """One lane block: entries (where) with their N rows of values and indices.

    ``real`` counts the model's weights that are issued, ``again`` the pairs that some of them take
    besides their first.
    """

    where: np.ndarray            # (E, 4)
    counts: np.ndarray           # (E,) N
    values: list[np.ndarray]     # E arrays (N, L) int8
    indices: list[np.ndarray]    # E arrays (N, L)
    real: int
    again: int


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

    A block's N is the largest number of pairs that the nonzero weights (``dense``: the weights that
    exist) of any lane take. A block that is all zero is dropped; one with more pairs than channels
    is listed again with those that are left. With a single tile the stream is the bound, so a block
    whose pairs take no fewer beats than the dense form is stored dense.
    """
    group = config.group
    parts = int8_parts(taps.weights)
    # Channels as often as there are parts, one part after the other.
    weights, keep = np.concatenate(parts, axis=1), np.concatenate(parts != 0, axis=1)
    if dense:
        keep[:, :group] |= taps.present
    real, again = int(keep[:, :group].sum()), int(keep[:, group:].sum())
    counts, beyond = most_pairs(keep), most_pairs(keep[:, group:])
    whole = counts == group + beyond
    if single_tile and not dense:
        dense_beats = layout.block_beats(config, layout.BlockFormat.DENSE, group)
        pair_beats = np.array([layout.block_beats(config, layout.BlockFormat.PAIRS, n)
                               for n in range(group + 1)])
        whole |= (beyond == 0) & (pair_beats[np.minimum(counts, group)] >= dense_beats)
    # Such blocks begin with all channels in order, zeros too: the dense form.
    keep[whole, :group] = True
    counts = most_pairs(keep)
    live = np.flatnonzero(counts)
    # A stable sort puts the kept channels first, in order.
    order = np.argsort(~keep[live], axis=1, kind="stable")
    values = np.take_along_axis(np.where(keep[live], weights[live], 0), order, axis=1)
    where, rows_values, rows_indices = [], [], []
    for first in range(0, int(counts.max(initial=0)), group):
        for e in np.flatnonzero(counts[live] > first):
            rows = slice(first, min(first + group, counts[live[e]]))
            where.append(taps.where[live[e]])
            rows_values.append(values[e, rows])
            rows_indices.append(order[e, rows] % group)
    return PackedBlock(np.array(where, dtype=int).reshape(-1, 4),
                       np.array([len(rows) for rows in rows_values], dtype=int),
                       rows_values, rows_indices, real, again)


def _end(config: Config, block: PackedBlock) -> None:
    """An entry without rows at the end."""
    none = np.zeros((0, config.lanes), dtype=int)
    block.where = np.concatenate([block.where, np.zeros((1, 4), dtype=int)])
    block.counts = np.append(block.counts, 0)
    block.values.append(none.astype(np.int8))
    block.indices.append(none)


def pack_op(config: Config, op: WindowOp, *, dense: bool, single_tile: bool) -> PackedOp:
    """Pack all lane blocks."""
    blocks = [select_blocks(config, taps, dense=dense, single_tile=single_tile)
              for taps in op.blocks]
    if op.array_mode == ArrayMode.MAX:
        for block in blocks:
            _end(config, block)
    return PackedOp(blocks, *padded_post(config, op))


def padded_post(config: Config, op: WindowOp) -> tuple[np.ndarray, ...]:
    """(bias, multiplier, pre, post) of each channel, padded to whole lane blocks."""
    width = len(op.blocks) * config.lanes

    def padded(values: np.ndarray) -> np.ndarray:
        return np.pad(np.asarray(values, dtype=np.int64), (0, width - len(values)))

    post = op.post
    return padded(post.bias), padded(post.multiplier), padded(post.pre), padded(post.post)
