"""Haul: order, no loss, and never more under way than there is room for, for ever.

Whatever both ends do: the k-th item out is the k-th in, what is inside is on offer LATENCY cycles
later at the latest, the queue at the end never refuses one, and there is room as long as fewer than
DEPTH are inside or were taken in the last two cycles. By induction over its registers; the queue is
any that keeps what test_queue.py proves.
"""

import pytest
from amaranth.hdl import Assert, Cat, Module, Mux, Signal

from hw.haul import Haul
from tb.formal.abstract import Kept, ListQueue
from tb.formal.order import stream_rules
from tb.formal.prover import Property, faulty, made_of, refute, verify
from tb.lib.quick import quick

BITS = 4


class HaulProperty(Property):
    """A ledger of what is inside, bound to the registers.

    Parameters
    ----------
    make : callable
        Class Haul of the parts it is given by name.
    depth : int
        Instead of its own.
    bind : bool
        Add the invariants of the registers that induction needs.
    """

    def __init__(self, make, *, depth, bind=False):
        self.queues, self.bind = Kept(ListQueue), bind
        kind = make(Queue=self.queues)
        kind.DEPTH = depth
        super().__init__(kind(BITS))

    def describe(self, m: Module, block):
        i, o, depth = block.i, block.o, block.DEPTH
        self.free(m, i.valid, i.payload, o.ready)
        stream_rules(m, o, "o")
        m.submodules.ledger = ledger = ListQueue(shape=BITS, depth=depth)
        queue, = self.queues.made
        came, went = i.valid & i.ready, o.valid & o.ready
        back = Signal(2)  # taken in the last two cycles
        idle = Signal(range(block.LATENCY + 1))
        m.d.sync += [back.eq(Cat(went, back)), idle.eq(0)]
        with m.If((ledger.level != 0) & ~o.valid):
            m.d.sync += idle.eq(idle + 1)
        m.d.comb += [
            ledger.i.valid.eq(came), ledger.i.payload.eq(i.payload), ledger.o.ready.eq(went),
            Assert(~came | ledger.i.ready, "no more than there is room for"),
            Assert(~queue.i.valid | queue.i.ready, "the end never refuses"),
            Assert(~o.valid | (ledger.o.valid & (o.payload == ledger.o.payload)), "order"),
            Assert(idle < block.LATENCY, "on offer in time"),
            Assert(i.ready | (ledger.level + back[0] + back[1] >= depth), "room"),
        ]
        if self.bind:
            self._bind(m, block, queue, ledger, back, idle)

    def _bind(self, m, block, queue, ledger, back, idle):
        """The registers in terms of the ledger."""
        o, inner, depth = block.o, self.inner, block.DEPTH
        hauled = [(inner["sent_1"], inner["held_1"]), (inner["sent_0"], inner["held_0"])]
        m.d.comb += [
            Assert(Cat(inner["taken_0"], inner["taken_1"]) == back, "on the way back"),
            Assert(ledger.level == queue.level + hauled[0][0] + hauled[1][0], "on the way"),
            Assert(inner["places"] + ledger.level + back[0] + back[1] == depth, "places"),
            Assert(inner["room"] == (inner["places"] != 0), "room is known"),
            Assert(o.valid | (idle <= hauled[0][0]), "how long the oldest has waited"),
        ]
        for index, (item, kept) in enumerate(zip(queue.items, ledger.items, strict=True)):
            m.d.comb += Assert((index >= queue.level) | (item == kept), "items at the end")
        place = queue.level
        for sent, held in hauled:
            kept = Signal(BITS, name=f"kept_{held.name}")
            m.d.comb += [kept.eq(Mux(sent, ledger_item(ledger, place), held)),
                         Assert(held == kept, "items on the way")]
            place = place + sent


def ledger_item(ledger, place):
    """The item at ``place``; zero beyond the last."""
    value = 0
    for index, item in enumerate(ledger.items):
        value = Mux(place == index, item, value)
    return value


@pytest.mark.parametrize("depth", [Haul.DEPTH, pytest.param(3, marks=pytest.mark.slow)])
def test_for_ever(depth):
    verify(HaulProperty(lambda **parts: made_of(Haul, **parts), depth=depth, bind=True), depth=2,
           inductive=True)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("Signal(range(self.DEPTH + 1), init=self.DEPTH)",
     "Signal(range(self.DEPTH + 2), init=self.DEPTH + 1)"),
    ("with m.If(sent[0] != taken[-1]):", "with m.If(sent[0] & ~taken[-1]):"),
    ("end.i.payload.eq(payloads[-1])", "end.i.payload.eq(payloads[-2])"),
    ("end.i.valid.eq(sent[-1])", "end.i.valid.eq(sent[-1] & ~end.o.valid)"),
))
def test_fault(old, new):
    refute(HaulProperty(lambda **parts: faulty(Haul, old, new, **parts), depth=2), depth=10)
