"""Queue: order, capacity, latency and ``level``, for odd and even depths, with a register or not.

The planted faults never wrap the write address, let a full queue take one more item, or forget
that an item left while one came.
"""

import pytest
from amaranth.hdl import Assert

from hw.stream import HeadQueue, Queue
from tb.formal.order import Order
from tb.formal.prover import faulty, refute, verify
from tb.lib.quick import quick


class QueueProperty(Order):
    """Order, and ``level`` is the number of items inside."""

    def __init__(self, queue):
        super().__init__(queue, capacity=queue.depth, most=queue.depth,
                         latency=2 if queue.registered else 1)

    def describe(self, m, block):
        super().describe(m, block)
        m.d.comb += Assert(block.level == self.inside, "level is what is inside")


@pytest.mark.parametrize("depth, registered, cycles", quick(
    1, (3, True, 10), (3, False, 10), (1, False, 10),
    (1, False, 24), (3, False, 24), (3, True, 24)))
def test_queue(depth, registered, cycles):
    verify(QueueProperty(Queue(shape=2, depth=depth, registered=registered)), depth=cycles)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("write.addr.eq(self._after(write.addr))", "write.addr.eq(write.addr + 1)"),
    ("self.level == self.depth - 1", "self.level == self.depth"),
    ("self.level.eq(self.level + Mux(push, 1, -1))", "self.level.eq(self.level + 1)"),
))
def test_fault(old, new):
    refute(QueueProperty(faulty(Queue, old, new)(shape=2, depth=3)), depth=10)


def head(queue):
    return Order(queue, capacity=queue.depth, most=queue.depth, latency=1)


@pytest.mark.parametrize("depth, cycles", quick(1, (3, 10), (2, 24), (4, 24)))
def test_head(depth, cycles):
    verify(head(HeadQueue(shape=2, depth=depth)), depth=cycles)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("self.i.valid & (behind.o.valid | ~moves)", "self.i.valid & ~moves"),
    ("valid.eq(behind.o.valid | (self.i.valid & self.i.ready))", "valid.eq(behind.o.valid)"),
))
def test_head_fault(old, new):
    refute(head(faulty(HeadQueue, old, new)(shape=2, depth=3)), depth=10)
