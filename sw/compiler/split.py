"""Operators of many channels in parts of few, where one output pixel's window is too large."""

import dataclasses

import numpy as np

from golden.spec.config import Config
from golden.spec.isa import MAC
from sw.compiler.window import LayerTensor, WindowOp

__all__ = ["split_wide"]

_MAX_BLOCKS = MAC.field("blocks").range[1]


def split_wide(config: Config, op: WindowOp, tensors: dict[str, LayerTensor]) -> list[WindowOp]:
    """Split an operator by lane blocks if not even one output pixel fits the scratchpad.

    The same goes for more lane blocks than an instruction counts. It helps where each lane block
    reads few channel groups: depthwise convolution, pooling, addition, copies. Parts are as large
    as fit the scratchpad twice (so that loads can overlap the array) or, failing that, once. An
    operator that can't be split so is left as it is.
    """
    def fits(parts: list[WindowOp], copies: int) -> bool:
        return all(len(part.blocks) <= _MAX_BLOCKS and config.words >= copies * sum(
            part.words(tensors[name], 1, 1) for name in part.operands) for part in parts)

    def split(size: int) -> list[WindowOp]:
        return [_part(config, op, first, size) for first in range(0, len(op.blocks), size)]

    if fits([op], 1):
        return [op]
    for copies in (2, 1):
        if fits(split(1), copies):
            least, most = 1, min(len(op.blocks) - 1, _MAX_BLOCKS)
            while least < most:
                size = (least + most + 1) // 2
                if fits(split(size), copies):
                    least = size
                else:
                    most = size - 1
            return split(least)
    return [op]


def _part(config: Config, op: WindowOp, first: int, size: int) -> WindowOp:
    """An operator's lane blocks from ``first`` on, with the sources that they read."""
    taps = op.blocks[first:first + size]
    used = sorted({int(number) for block in taps for number in block.where[:, 0]}) or [0]
    blocks = []
    for block in taps:
        where = block.where.copy()
        where[:, 0] = np.searchsorted(used, where[:, 0])
        blocks.append(dataclasses.replace(block, where=where))
    post = op.post.part(slice(first * config.lanes, (first + size) * config.lanes))
    return dataclasses.replace(
        op, sources=[op.sources[number] for number in used], blocks=blocks, post=post,
        macs=op.macs * len(post.bias) // len(op.post.bias), first_block=op.first_block + first)
