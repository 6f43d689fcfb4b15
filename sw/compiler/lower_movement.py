"""Operators that only move values, as windows that copy.

The array writes the pixels of a row one after the other. Where pixels of one row come from
different columns in turn (upsampling, blocks out of channels, transposed convolution), the row is
written as fewer pixels of more channels: its bytes in DRAM are the same.
"""

from typing import NamedTuple

import numpy as np

from golden.graph import Node
from golden.movement import DepthToSpace, SpaceToDepth, Take
from sw.compiler.lowering import MAX_STRIDE, MAX_WINDOW, MOST_COPIES, Lowering
from sw.compiler.taps import sparse_taps
from sw.compiler.views import ChannelView, takes_channels

__all__ = ["depth_to_space", "space_to_depth", "take"]


class _Run(NamedTuple):
    """Outputs [first, first + size) read input ``start`` and so on in steps."""

    first: int
    size: int
    start: int
    step: int


def _runs(chosen: np.ndarray) -> list[_Run]:
    """The fewest runs of rising indices, from the first on."""
    runs, first = [], 0
    while first < len(chosen):
        steps = np.diff(chosen[first:])
        step = int(steps[0]) if len(steps) and 1 <= steps[0] <= MAX_STRIDE else 1
        same = np.append(steps == step, False)
        size = int(np.argmin(same)) + 1
        runs.append(_Run(first, size, int(chosen[first]), step))
        first += size
    return runs


def _repeated(chosen: np.ndarray) -> tuple[int, np.ndarray]:
    """(times, indices) of a run each of whose indices is repeated as often; otherwise (1, all)."""
    for times in range(len(chosen), 1, -1):
        if len(chosen) % times == 0:
            rows = chosen.reshape(-1, times)
            if (rows == rows[:, :1]).all() and len(_runs(rows[:, 0])) == 1:
                return times, rows[:, 0]
    return 1, chosen


def take(net: Lowering, node: Node) -> None:
    """Copies of rectangles, channels in any order."""
    attrs = node.attrs
    assert isinstance(attrs, Take)
    if takes_channels(net.graph, node):
        view, which = net.channels(node.inputs[0]), attrs.indices[3]
        net.viewed(node, view if which is None else view.chosen(np.array(which)))
        return
    shape = net.graph.tensors[node.inputs[0]].shape
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    sizes = (source.height, source.width, source.channels)
    # What stands before rows, columns and channels is 1, or else rows are several axes.
    spatial = (None,) * 3 + attrs.indices if len(shape) < 3 else attrs.indices
    if any(item is not None for item in spatial[:-3]) or (
            spatial[-3] is not None and sizes[0] != shape[-3]):
        net.leave(node, f"indices along axes of {shape} other than rows, columns and channels")
        return
    rows, columns, channels = (np.arange(size) if item is None else np.array(item)
                               for item, size in zip(spatial[-3:], sizes, strict=True))
    (tall, rows), (wide, columns) = _repeated(rows), _repeated(columns)
    copies = [(down, across) for down in _runs(rows) for across in _runs(columns)]
    if len(copies) > MOST_COPIES:
        net.leave(node, f"{len(copies)} rectangles to copy, accepted are {MOST_COPIES}")
        return
    chosen = np.tile(channels, wide)
    kernel = np.ones((len(chosen), 1, 1, 1), np.int8)
    blocks = sparse_taps(net.config, kernel, np.zeros(len(chosen), int), chosen)
    phases = net.interleaved(output, tall, wide)
    for down, across in copies:
        for phase in range(tall):
            net.emit(node, [source], phases, blocks, net.uniform_post(len(chosen)),
                     stride=(down.step, across.step), pad=(-down.start, -across.start),
                     rect=(down.first, phase * len(columns) + across.first, down.size,
                           across.size))


def depth_to_space(net: Lowering, node: Node) -> None:
    """A copy for each row of a block, whose channels are side by side already."""
    attrs = node.attrs
    assert isinstance(attrs, DepthToSpace)
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    count = source.channels // attrs.block
    kernel = np.ones((count, 1, 1, 1), np.int8)
    phases = net.interleaved(output, attrs.block, attrs.block)
    for phase in range(attrs.block):
        blocks = sparse_taps(net.config, kernel, np.zeros(count, int),
                             np.arange(count) + phase * count)
        net.emit(node, [source], phases, blocks, net.uniform_post(count),
                 rect=(0, phase * source.width, source.height, source.width))


def space_to_depth(net: Lowering, node: Node) -> None:
    """A window as high as a block over pixels as wide as one."""
    attrs = node.attrs
    assert isinstance(attrs, SpaceToDepth)
    block = attrs.block
    if block > min(MAX_WINDOW, MAX_STRIDE):
        net.leave(node, f"blocks of {block} are beyond {min(MAX_WINDOW, MAX_STRIDE)}")
        return
    given = net.plain(node.inputs[0])
    source = net.view(given, given.height, given.width // block, given.channels * block)
    each = np.tile(np.arange(source.channels), block)
    net.viewed(node, ChannelView((source,), np.zeros_like(each), each,
                                 np.repeat(np.arange(block), source.channels), block))
