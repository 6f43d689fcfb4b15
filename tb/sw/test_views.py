"""Copies that don't happen: channels read in place, blocks, maxima of rows and then of those."""

import numpy as np
import pytest

from golden.attributes import Concat, MaxPool
from golden.movement import Take
from golden.spec.config import preset
from sw.compiler.lower import lower
from sw.engines.machine import MachineTransport
from tb.lib.compare import check_graph
from tb.lib.graph_builder import Builder

CONFIG = preset("tiny")


def compiled(build):
    """Operators of the chip; what they compute is golden's."""
    check_graph(CONFIG, build, MachineTransport(CONFIG, memory_bytes=1 << 20), None)
    return [op.operator for op in lower(build.graph, CONFIG).ops]


@pytest.mark.parametrize(("stride", "dilation"), [((1, 1), (1, 1)), ((2, 1), (1, 2))])
def test_large_maxima_in_two_stages(stride, dilation):
    build = Builder((1, 14, 15, 3))
    window = (9, 11)
    pads = tuple((size - 1) * step // 2 for size, step in zip(window, dilation, strict=True)
                 for _ in range(2))
    output = build.add(MaxPool(window=window, stride=stride, dilation=dilation, pads=tuple(
        min(pad, size - 1) for pad, size in zip(pads, (9, 9, 11, 11), strict=True)),
        least=-100, most=90), "t0")
    assert compiled(build.finish(output)) == ["MaxPool", "MaxPool"]


def test_focus_is_part_of_the_convolution():
    """Strided parts in any order, rows first or columns first."""
    build, parts = Builder((1, 12, 8, 3)), []
    for x in (1, 0):
        columns = build.add(Take(indices=(None, None, tuple(range(x, 8, 2)), None)), "t0")
        parts += [build.add(Take(indices=(None, tuple(range(y, 12, 2)), None, None)), columns)
                  for y in (0, 1)]
    build.conv(build.add(Concat(axis=3), *parts), 6, 3, 1)
    assert compiled(build.finish(f"t{len(build.graph.tensors) - 1}")) == ["Conv2D"]


def test_parts_that_are_no_blocks():
    build = Builder((1, 12, 8, 4))
    parts = [build.add(Take(indices=(None, tuple(range(y, 12, 2)), tuple(range(0, 8, 2)), None)),
                       "t0") for y in (0, 1, 0, 1)]
    output = build.conv(build.add(Concat(axis=3), *parts), 6, 3, 1)
    assert compiled(build.finish(output)) == ["Take"] * 4 + ["Conv2D"]


def test_channels_in_place():
    """Joined, shuffled and parted; a reader that needs them together gets a copy."""
    build = Builder((1, 6, 5, 4))
    first = build.conv("t0", 8)
    whole = build.add(Concat(axis=3), first, build.conv(first, 8))
    order = tuple(np.random.default_rng(0).permutation(16).tolist())
    mixed = build.add(Take(indices=(None, None, None, order)), whole)
    half = build.add(Take(indices=(None, None, None, tuple(range(5, 13)))), mixed)
    one, two = build.conv(half, 4, 3, 1), build.conv(mixed, 8, 3, 1, 2)
    assert compiled(build.finish(one, two)) == ["Conv2D"] * 4
    build = Builder((1, 6, 5, 4))
    pool = MaxPool(window=(2, 2))
    both = build.add(Concat(axis=3), "t0", build.conv("t0", 8))
    ends = build.conv(both, 4), build.add(pool, both)
    assert compiled(build.finish(*ends)) == ["Conv2D", "Concat", "Conv2D", "MaxPool"]
