"""Linear interpolation, as windows that weigh neighbours.

Outputs repeat themselves: so many, so many input pixels further. As in `lower_movement`, those of
a row that lie side by side are channels of one pixel, each with weights of its own, and rows are
written in turn. Where the first or last pixel stands in for what is beyond it, weights differ:
such rows and columns are windows of their own.
"""

import dataclasses
from itertools import product
from typing import NamedTuple

import numpy as np

from golden.attributes import LARGEST_WEIGHT
from golden.graph import Node
from golden.resize import ResizeLinear
from sw.compiler.lowering import MAX_STRIDE, MOST_COPIES, Lowering
from sw.compiler.taps import scattered_taps

__all__ = ["resize_linear"]

_LONGEST = 16  # outputs that may repeat themselves
_Taps = tuple[tuple[int, int], ...]  # pixels from a block's first one on, and their weights


class _Run(NamedTuple):
    """Blocks [first, first + size) of outputs: alike, ``step`` input pixels apart.

    ``taps`` has those of each output of a block, from input pixel ``start`` on for the first.
    """

    first: int
    size: int
    start: int
    step: int
    taps: tuple[_Taps, ...]


class _Axis:
    """Outputs of one axis in blocks of as many."""

    def __init__(self, places: tuple[int, ...], parts: int, block: int, together: bool) -> None:
        self.block = block
        self.size = -(-len(places) // block) * block  # whole blocks: the last output is repeated
        every = (*places, *places[-1:] * (self.size - len(places)))
        taps = [tuple((place // parts + beyond, weight) for beyond, weight in
                      ((0, parts - place % parts), (1, place % parts)) if weight)
                for place in every]
        rows = [taps[at:at + block] for at in range(0, self.size, block)]
        # What is computed together: a block's outputs, or those that are alike in all blocks.
        self.phases = [_runs(rows)] if together else [
            _runs([[row[phase]] for row in rows]) for phase in range(block)]

    @property
    def windows(self) -> int:
        """How many there are."""
        return sum(map(len, self.phases))


def _runs(blocks: list[list[_Taps]]) -> list[_Run]:
    """The fewest runs, from the first block on."""
    starts = [min(at for taps in block for at, _ in taps) for block in blocks]
    alike = [tuple(tuple((at - start, weight) for at, weight in taps) for taps in block)
             for start, block in zip(starts, blocks, strict=True)]
    found, first = [], 0
    while first < len(blocks):
        size, step = 1, 1
        if first + 1 < len(blocks) and 1 <= starts[first + 1] - starts[first] <= MAX_STRIDE:
            step = starts[first + 1] - starts[first]
        while (first + size < len(blocks) and alike[first + size] == alike[first]
               and starts[first + size] == starts[first] + size * step):
            size += 1
        found.append(_Run(first, size, starts[first], step, alike[first]))
        first += size
    return found


def _best(places: tuple[int, ...], parts: int, together: bool) -> _Axis:
    """Blocks with few windows; large ones bring many weights, and columns that lie apart."""
    return min((_Axis(places, parts, block, together)
                for block in range(1, min(_LONGEST, len(places)) + 1)),
               key=lambda axis: axis.windows + axis.block)


def resize_linear(net: Lowering, node: Node) -> None:
    """A window for each run of rows and columns that are weighed alike."""
    attrs = node.attrs
    assert isinstance(attrs, ResizeLinear)
    rows, columns = (_best(places, parts, together) for places, parts, together in zip(
        (attrs.rows, attrs.columns), attrs.parts, (False, True), strict=True))
    largest = [max(weight for phase in axis.phases for run in phase for taps in run.taps
                   for _, weight in taps) for axis in (rows, columns)]
    if largest[0] * largest[1] > LARGEST_WEIGHT:
        net.leave(node, f"weights of 1/{attrs.parts[0]} x 1/{attrs.parts[1]} reach "
                        f"{largest[0] * largest[1]}, accepted are {LARGEST_WEIGHT}")
        return
    if rows.windows * columns.windows > MOST_COPIES:
        net.leave(node, f"{rows.windows} x {columns.windows} rectangles that are weighed "
                        f"differently, accepted are {MOST_COPIES}")
        return
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    whole = (rows.size, columns.size) == (output.height, output.width)
    target = output if whole else dataclasses.replace(
        output, name=f"{output.name}@whole", height=rows.size, width=columns.size)
    net.out.tensors[target.name] = target
    phases = net.interleaved(target, rows.block, columns.block)
    count, width = source.channels, columns.size // columns.block
    steps = attrs.parts[0] * attrs.parts[1]
    for phase, across in product(range(rows.block), columns.phases[0]):
        for down in rows.phases[phase]:
            weights = [(dy, dx, side * count, first * second)
                       for dy, first in down.taps[0]
                       for side, taps in enumerate(across.taps) for dx, second in taps]
            dy, dx, lane, value = np.repeat(np.array(weights), count, axis=0).T
            channel = np.tile(np.arange(count), len(weights))
            blocks = scattered_taps(
                net.config, dy, dx, channel, lane + channel,
                value.astype(np.int8 if value.max() < 1 << 7 else np.int16),
                columns.block * count)
            post = net.uniform_post(
                columns.block * count, attrs.scale, -attrs.input_zero * steps, attrs.output_zero,
                attrs.least, attrs.most)
            net.emit(node, [source], phases, blocks, post, stride=(down.step, across.step),
                     pad=(-down.start, -across.start),
                     rect=(down.first, phase * width + across.first, down.size, across.size))
    if not whole:
        net.identity(node, [target], output)
