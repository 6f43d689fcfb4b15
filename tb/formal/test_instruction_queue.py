"""InstructionQueue: whole instructions in order, each offered once per grant, and progress.

The k-th beat out is the k-th in; an instruction is offered from the cycle after its grant until
it is taken, and unchanged; ``want`` stands, with its semaphores, until the grant, never beside an
offer; a whole instruction inside is wanted or offered within a few cycles; there is room for
``queue_depth`` instructions. The granter is assumed to grant only what is wanted, as Semaphores
does.
"""

import pytest
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Cat, Module, Signal

from golden.spec import isa
from golden.spec.config import Config
from hw.control.queue import InstructionQueue
from hw.interfaces import record_layout
from tb.formal.order import COUNT_BITS, stream_rules
from tb.formal.prover import Property, faulty, refute, verify
from tb.lib.quick import quick

CONFIG = Config(lanes=32, queue_depth=2)  # two beats an instruction
WAIT_AT = record_layout(isa.HEADER)["wait"].offset


class QueueProperty(Property):
    """Instructions against a count of beats in, grants and instructions out."""

    def describe(self, m: Module, block):
        self.free(m, block.i.valid, block.o.ready, block.grant)
        # The queue never looks at the bits: four of the header's wait stand for all.
        m.d.comb += block.i.payload.eq(AnySeq(4) << WAIT_AT)
        m.d.comb += Assume(~block.grant | block.want)
        stream_rules(m, block.o, "o")
        beats, grants, takes = (Signal(COUNT_BITS, name=n) for n in ("beats", "grants", "takes"))
        index, item = AnyConst(COUNT_BITS), Signal(block.beat_bits)
        idle = Signal(range(8))
        push, take = block.i.valid & block.i.ready, block.o.valid & block.o.ready
        m.d.sync += [beats.eq(beats + push), grants.eq(grants + block.grant),
                     takes.eq(takes + take)]
        with m.If(push & (beats == index)):
            m.d.sync += item.eq(block.i.payload)
        part, number = index % block.beats, index // block.beats
        with m.If(block.o.valid & (takes == number)):
            m.d.comb += Assert(block.o.payload.word_select(part, block.beat_bits) == item,
                               "the k-th beat out is the k-th in")
        inside = beats - takes * block.beats
        m.d.sync += idle.eq(0)
        with m.If((inside >= block.beats) & ~block.want & ~block.o.valid):
            m.d.sync += idle.eq(idle + 1)
        head = Cat(block.wait, block.tag)
        wanted = self.before(m, block.want & ~block.grant, "wanted")
        was = self.before(m, head, "head")
        m.d.comb += [
            Assert(block.o.valid == (grants != takes), "an offer for each grant"),
            Assert(grants - takes <= 1, "one grant at a time"),
            Assert(~(block.want & block.o.valid), "a want or an offer"),
            Assert(~block.want | (inside >= block.beats), "only a whole one is wanted"),
            Assert(~wanted | (block.want & (head == was)), "a want stands until its grant"),
            Assert(idle <= block.beats, "progress"),
            Assert((inside >= block.rows) | block.i.ready, "room"),
            Assert(block.busy == (inside != 0), "busy"),
        ]


@pytest.mark.parametrize("cycles", [7, pytest.param(10, marks=pytest.mark.slow)])
def test_queue(cycles):
    verify(QueueProperty(InstructionQueue(CONFIG)), depth=cycles)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("held == self.beats - 1", "held == self.beats - 2"),
    ("m.d.sync += held.eq(0)", "pass"),
    ("self.o.valid.eq(granted)", "self.o.valid.eq(whole)"),
    ("beats.o.ready.eq(~whole)", "beats.o.ready.eq(~whole | granted)"),
))
def test_fault(old, new):
    refute(QueueProperty(faulty(InstructionQueue, old, new)(CONFIG)), depth=7)
