"""Dispatcher: a program's beats wait only for the queue of their own unit.

While it runs without error, a beat on offer that neither its own queue refuses nor, after SYNC,
the units hold up leaves within three cycles, whatever the other queues do. One queue at most is
offered something, and that stays on offer until it is taken. Nothing moves while halted. END is
done the stated number of cycles after it found everything finished, no earlier and no later. The
chip is assumed to halt from the cycle after an error on.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal

from golden.spec.config import Config
from hw.control.dispatcher import Dispatcher
from hw.control.sequencer import units_of
from tb.formal.abstract import offer_anything
from tb.formal.order import stream_rules
from tb.formal.prover import Property, faulty, refute, verify
from tb.lib.quick import quick

CONFIG = Config(lanes=32)  # two beats an instruction
UNITS = units_of(CONFIG)


class DispatchProperty(Property):
    """How long a beat has waited for nobody."""

    def describe(self, m: Module, block):
        # Beyond the opcode it never looks at the bits.
        offer_anything(m, block.i, block.i.p.data[:8], block.i.p.resp)
        self.free(m, block.start, block.halt, block.first, block.exhausted, block.settled,
                  block.drained, *(port.ready for port in block.o))
        failed = self.before(m, block.error.valid | block.halt, "failed")
        running = self.before(m, block.running & ~block.done, "running")
        offers = Cat(port.valid for port in block.o)
        taken = Cat(port.valid & port.ready for port in block.o).any()
        waited, ending, spent = (Signal(range(8), name=n) for n in ("waited", "ending", "spent"))
        m.d.comb += [
            Assume(~block.start | ~block.running),
            Assume(block.halt | ~failed),
            Assume(~block.exhausted | ~block.i.valid),
            Assert(~running | block.running, "it runs until it is done"),
            Assert((offers & (offers - 1)) == 0, "one queue at most"),
            Assert(~offers.any() | block.i.valid, "only what is there"),
            Assert(~offers.any() | (taken == block.i.ready), "taken by its queue"),
            Assert(~block.halt | ~(offers.any() | block.i.ready), "nothing while halted"),
            Assert(waited <= 2, "progress"),
            Assert(ending <= block.SETTLE, "END comes to its end"),
            Assert(~block.done | (spent >= block.SETTLE), "the last posts are looked at"),
        ]
        for index, port in enumerate(block.o):
            with m.If(~block.halt):
                stream_rules(m, port, f"o{index}")
        m.d.sync += waited.eq(0)
        with m.If(block.running & block.i.valid & ~block.i.ready & ~block.halt
                  & ~block.error.valid & block.drained & block.settled
                  & ~Cat(port.valid & ~port.ready for port in block.o).any() & ~block.ended):
            m.d.sync += waited.eq(waited + 1)
        m.d.sync += [ending.eq(0), spent.eq(0)]
        with m.If(block.ended & ~block.done & block.drained & block.settled & ~block.halt):
            m.d.sync += ending.eq(ending + 1)
        with m.If(block.ended & ~block.done):
            m.d.sync += spent.eq(Mux(spent.all(), spent, spent + 1))


@pytest.mark.parametrize("cycles", [10, pytest.param(20, marks=pytest.mark.slow)])
def test_dispatcher(cycles):
    verify(DispatchProperty(Dispatcher(CONFIG, UNITS)), depth=cycles)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("(target & Cat(1, *(port.ready for port in self.o))).any()",
     "(target.any() & Cat(port.ready for port in self.o).all())"),
    ("m.d.comb += self.retire.eq(1)\n                    m.next = \"DECODE\"",
     "m.d.comb += self.retire.eq(1)"),
    ("port.valid.eq(self.i.valid & good & target[1 + index])",
     "port.valid.eq(self.i.valid & good)"),
    ("(waited == self.SETTLE - 1)", "(waited == 0)"),
    ("waited.eq(waited + 1)", "waited.eq(0)"),
))
def test_fault(old, new):
    refute(DispatchProperty(faulty(Dispatcher, old, new)(CONFIG, UNITS)), depth=10)
