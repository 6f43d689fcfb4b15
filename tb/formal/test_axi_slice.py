"""AXISlice: in every channel, in its own direction, order and room for two, for ever.

The buffers are any that keep what test_skid_buffer.py proves. By induction the k-th item out of a
channel is the k-th in, there is room for two, and what is inside is on offer.
"""

import pytest
from amaranth.hdl import Assert, Module, Value

from hw.bus.axi import AXI4
from hw.bus.slice import AXISlice
from tb.formal.abstract import Kept, ListQueue
from tb.formal.order import stream_rules
from tb.formal.prover import Property, faulty, made_of, refute, verify
from tb.lib.quick import quick

CHANNELS = ("aw", "w", "ar", "b", "r")  # in the order in which the slice makes them


class SliceProperty(Property):
    """A ledger of what is in each channel.

    Parameters
    ----------
    make : callable
        Class AXISlice of the parts it is given by name.
    bind : bool
        Add the invariants of the registers that induction needs.
    """

    def __init__(self, make, *, bind=False):
        self.buffers, self.bind = Kept(ListQueue), bind
        super().__init__(make(SkidBuffer=lambda shape: self.buffers(shape=shape, depth=2))(AXI4(1)))

    def describe(self, m: Module, block):
        for name, buffer in zip(CHANNELS, self.buffers.made, strict=True):
            asks = name in ("aw", "w", "ar")
            source, sink = ((block.manager, block.subordinate) if asks else
                            (block.subordinate, block.manager))
            i, o = getattr(source, name), getattr(sink, name)
            self.free(m, i.valid, i.payload, o.ready)
            stream_rules(m, o, name)
            m.submodules[f"{name}_ledger"] = ledger = ListQueue(shape=i.payload.shape(), depth=2)
            m.d.comb += [
                ledger.i.valid.eq(i.valid & i.ready), ledger.i.payload.eq(i.payload),
                ledger.o.ready.eq(o.valid & o.ready),
                Assert(i.ready == (ledger.level != 2), f"{name}: room for two"),
                Assert(o.valid == (ledger.level != 0), f"{name}: what is inside is on offer"),
                Assert(~o.valid | (Value.cast(o.payload) == Value.cast(ledger.items[0])),
                       f"{name}: the k-th out is the k-th in"),
            ]
            if not self.bind:
                continue
            m.d.comb += Assert((buffer.level == ledger.level) & (ledger.level <= 2), "level")
            for index, (item, kept) in enumerate(zip(buffer.items, ledger.items, strict=True)):
                m.d.comb += Assert((index >= ledger.level)
                                   | (Value.cast(item) == Value.cast(kept)), "items")


def test_for_ever():
    verify(SliceProperty(lambda **parts: made_of(AXISlice, **parts), bind=True), depth=2,
           inductive=True)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("connect(m, buffer.o, flipped(after))",
     "connect(m, buffer.o, flipped(after)); m.d.comb += buffer.o.ready.eq(1)"),
    ("connect(m, flipped(before), buffer.i)",
     "connect(m, flipped(before), buffer.i); m.d.comb += before.ready.eq(1)"),
))
def test_fault(old, new):
    refute(SliceProperty(lambda **parts: faulty(AXISlice, old, new, **parts)), depth=5)
