"""SkidBuffer: order, two places, one cycle; and for ever, by induction over its registers.

The induction ties the registers to a model of two places: the head is the older item, the spare
the younger, and there is a spare only behind a head.
"""

import pytest
from amaranth.hdl import Assert, Module, Signal

from hw.stream import SkidBuffer
from tb.formal.order import Order, stream_rules
from tb.formal.prover import Property, faulty, refute, verify
from tb.lib.quick import quick

BITS = 4
FAULTS = [
    ("m.d.sync += head.eq(spare)", "m.d.sync += head.eq(self.i.payload)"),
    ("self.i.ready.eq(ready)", "self.i.ready.eq(1)"),
    ("head_valid.eq(self.i.valid | spare_valid)", "head_valid.eq(self.i.valid)"),
]


class ModelProperty(Property):
    """The buffer is a list of at most two items, the older one on offer."""

    def describe(self, m: Module, block):
        self.free(m, block.i.valid, block.i.payload, block.o.ready)
        stream_rules(m, block.o, "o")
        older, younger, count = Signal(BITS), Signal(BITS), Signal(range(3))
        push, pop = block.i.valid & block.i.ready, block.o.valid & block.o.ready
        m.d.sync += count.eq(count + push - pop)
        with m.If(pop):
            m.d.sync += older.eq(younger)
        with m.If(push):
            with m.If(count == pop):
                m.d.sync += older.eq(block.i.payload)
            with m.Else():
                m.d.sync += younger.eq(block.i.payload)
        spare_valid = ~block.i.ready
        m.d.comb += [
            Assert(spare_valid == self.inner["spare_valid"], "ready without a spare"),
            Assert(count == block.o.valid + spare_valid, "count"),
            Assert(~spare_valid | block.o.valid, "a spare only behind a head"),
            Assert(~block.o.valid | (block.o.payload == older), "the older one is on offer"),
            Assert(~spare_valid | (self.inner["spare"] == younger), "the spare is the younger"),
        ]


def test_order():
    verify(Order(SkidBuffer(BITS), capacity=2, most=2, latency=1), depth=12)


def test_for_ever():
    verify(ModelProperty(SkidBuffer(BITS)), depth=3, inductive=True)


@pytest.mark.parametrize("old, new", quick(1, *FAULTS))
def test_fault(old, new):
    refute(Order(faulty(SkidBuffer, old, new)(BITS), capacity=2, most=2, latency=1), depth=8)


@pytest.mark.slow
def test_fault_in_the_model():
    refute(ModelProperty(faulty(SkidBuffer, *FAULTS[0])(BITS)), depth=8)
