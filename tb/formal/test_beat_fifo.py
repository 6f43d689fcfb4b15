"""BeatFifo: order, room for ``depth`` items, two more behind it, latency.

Both ports never meet on a row (the block RAM is told so): checked on the addresses.
"""

import itertools

import pytest
from amaranth.hdl import Assert

from hw.dma.beat_fifo import BeatFifo
from tb.formal.order import Order
from tb.formal.prover import faulty, refute, verify
from tb.lib.quick import quick


class FifoProperty(Order):
    """Order, and no row is written and read in one cycle."""

    def __init__(self, fifo):
        super().__init__(fifo, capacity=fifo.depth, most=fifo.depth + 2, latency=fifo.LATENCY)

    def describe(self, m, block):
        super().describe(m, block)
        # Amaranth finds no name for the write port, which the block names in a tuple.
        write, read = self.inner["$signature__addr"], self.inner["read__addr"]
        m.d.comb += Assert(~(block.i.valid & block.i.ready & self.inner["read__en"])
                           | (write != read), "no row is written and read")


@pytest.mark.parametrize("depth, cycles", quick(1, *itertools.product((2, 1, 3), (10, 24))))
def test_fifo(depth, cycles):
    verify(FifoProperty(BeatFifo(shape=2, depth=depth)), depth=cycles)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("read.en.eq(some & (~shown | show))", "read.en.eq(some)"),
    ("show.eq(~self.o.valid | self.o.ready)", "show.eq(1)"),
    ("self.i.ready.eq(~full)", "self.i.ready.eq(1)"),
    ("(stored != 1)", "1"),
))
def test_fault(old, new):
    refute(FifoProperty(faulty(BeatFifo, old, new)(shape=2, depth=2)), depth=10)
