"""Arbiter: every burst reaches the bus once, its answers go to who asked, and nobody starves.

Whatever managers and memory do: an address taken from a manager is offered on the bus from the next
cycle on, in the order of taking, until the bus takes it; write data likewise, of the oldest burst
chosen and not complete, and of nobody else; read data and answers go to the manager whose burst is
the oldest unanswered one, as they are. A manager that has a burst to offer sees one of the other
one's go first at most, and one of them goes whenever there is a place for it. By induction this
holds for ever. The memory is assumed to answer only what was asked for.

The lists of owners are proven on their own, and any that keep what is proven are in their place.
"""

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal, Value

from hw.bus.arbiter import Arbiter, _Owners
from tb.formal.abstract import Kept, ListQueue
from tb.formal.order import stream_rules
from tb.formal.prover import Property, faulty, made_of, refute, verify
from tb.lib.quick import quick

IN_FLIGHT = 2


class OwnersProperty(Property):
    """A queue: what it holds is in its lowest bits, the oldest on top.

    Parameters
    ----------
    block : _Owners
    bind : bool
        Add the invariants of the registers that induction needs.
    """

    def __init__(self, block, *, bind=False):
        self.bind = bind
        super().__init__(block)

    def describe(self, m: Module, block):
        self.free(m, block.i.valid, block.i.payload, block.o.ready)
        m.submodules.ledger = ledger = ListQueue(shape=1, depth=block.depth)
        m.d.comb += [
            ledger.i.valid.eq(block.i.valid), ledger.i.payload.eq(block.i.payload),
            ledger.o.ready.eq(block.o.ready),
            Assert(block.i.ready == ledger.i.ready, "room"),
            Assert(block.o.valid == ledger.o.valid, "what is inside is on offer"),
            Assert(~block.o.valid | (block.o.payload == ledger.o.payload), "order"),
        ]
        if not self.bind:
            return
        m.d.comb += Assert(self.inner["count"] == ledger.level, "count")
        for index, item in enumerate(ledger.items):
            m.d.comb += Assert((index >= ledger.level) | (item == self.inner["bits"].bit_select(
                (ledger.level - 1 - index)[:2], 1)), "bits")


class ArbiterProperty(Property):
    """Ledgers of the bursts chosen, of their data and of their answers.

    Parameters
    ----------
    make : callable
        Class Arbiter of the parts it is given by name.
    bind : bool
        Add the invariants of the registers that induction needs.
    """

    def __init__(self, make, *, bind=False):
        self.owners, self.bind = Kept(ListQueue), bind
        super().__init__(make(_Owners=lambda depth: self.owners(shape=1, depth=depth))(
            1, in_flight=IN_FLIGHT))

    def describe(self, m: Module, block):
        reads, data, writes = (self._ledger(m, name, owners) for name, owners in zip(
            ("reads", "data", "writes"), self.owners.made, strict=True))
        for port in (block.a, block.b):
            self.free(m, *(signal for name in ("ar", "aw", "w") for signal in (
                getattr(port, name).valid, getattr(port, name).payload)),
                port.r.ready, port.b.ready)
        self.free(m, *(getattr(block.bus, name).ready for name in ("ar", "aw", "w")),
                  block.bus.r.valid, block.bus.r.payload, block.bus.b.valid, block.bus.b.payload)
        self._addresses(m, block, "ar", [reads])
        self._addresses(m, block, "aw", [data, writes])
        self._data(m, block, data)
        self._answers(m, block, "r", reads, block.bus.ar, block.bus.r.p.last)
        self._answers(m, block, "b", writes, block.bus.aw, 1)

    def _ledger(self, m, name, owners):
        """Whose the bursts are, the oldest first."""
        m.submodules[name] = ledger = ListQueue(shape=1, depth=IN_FLIGHT)
        if not self.bind:
            return ledger
        m.d.comb += Assert((owners.level == ledger.level) & (ledger.level <= IN_FLIGHT),
                           f"{name}: level")
        for index, (item, kept) in enumerate(zip(owners.items, ledger.items, strict=True)):
            m.d.comb += Assert((index >= ledger.level) | (item == kept), f"{name}: owners")
        return ledger

    def _held(self, m, name, out, take, payload):
        """What was taken is on offer until it has gone, and nothing else."""
        held, value = Signal(name=f"{name}_held"), Signal(payload.shape(), name=f"{name}_value")
        m.d.sync += held.eq(take | (held & ~out.ready))
        with m.If(take):
            m.d.sync += value.eq(payload)
        m.d.comb += [
            Assert(~take | ~held | out.ready, f"{name}: nothing is overwritten"),
            Assert(out.valid == held, f"{name}: what was taken is on offer"),
            Assert(~held | (Value.cast(out.payload) == value), f"{name}: as it was"),
        ]
        stream_rules(m, out, name)

    def _addresses(self, m, block, name, ledgers):
        a, b, out = (getattr(port, name) for port in (block.a, block.b, block.bus))
        of_a, of_b, room = (Signal(name=f"{name}_{what}") for what in ("of_a", "of_b", "room"))
        m.d.comb += [
            of_a.eq(a.valid & a.ready), of_b.eq(b.valid & b.ready), room.eq(~out.valid | out.ready),
            Assert(~of_a | ~of_b, f"{name}: one at a time"),
        ]
        for ledger in ledgers:
            m.d.comb += [ledger.i.valid.eq(of_a | of_b), ledger.i.payload.eq(of_b),
                         Assert(~(of_a | of_b) | ledger.i.ready, f"{name}: in flight")]
            room = room & ledger.i.ready
        m.d.comb += Assert((of_a | of_b) == (room & (a.valid | b.valid)), f"{name}: progress")
        self._held(m, name, out, of_a | of_b, Value.cast(Mux(of_b, b.payload, a.payload)))
        last = self.inner[f"{name}_last"]
        for mine, port, own, other in ((0, a, of_a, of_b), (1, b, of_b, of_a)):
            passed = Signal(2, name=f"{name}_passed_{mine}")
            m.d.sync += passed.eq(Mux(port.valid & ~own, passed + other, 0))
            m.d.comb += Assert(passed <= 1, f"{name}: one of the other's at most")
            if self.bind:
                m.d.comb += Assert((passed == 0) | (last != mine), f"{name}: then it is its turn")

    def _data(self, m, block, ledger):
        a, b, out = block.a.w, block.b.w, block.bus.w
        of_a, of_b, last = Signal(), Signal(), Signal()
        m.d.comb += [
            of_a.eq(a.valid & a.ready), of_b.eq(b.valid & b.ready),
            last.eq(Mux(of_b, b.p.last, a.p.last)),
            ledger.o.ready.eq((of_a | of_b) & last),
            Assert(~of_a | (ledger.o.valid & ~ledger.o.payload), "data of the oldest burst"),
            Assert(~of_b | (ledger.o.valid & ledger.o.payload), "data of the oldest burst"),
            Assert((of_a | of_b) == (ledger.o.valid & (~out.valid | out.ready)
                                     & Mux(ledger.o.payload, b.valid, a.valid)), "data goes on"),
        ]
        self._held(m, "w", out, of_a | of_b, Value.cast(Mux(of_b, b.payload, a.payload)))

    def _answers(self, m, block, name, ledger, asked, last):
        a, b, bus = (getattr(port, name) for port in (block.a, block.b, block.bus))
        owner = ledger.o.payload
        m.d.comb += [
            # Those chosen whose address the memory has not taken can't be answered.
            Assume(~bus.valid | (ledger.level > asked.valid)),
            ledger.o.ready.eq(bus.valid & bus.ready & last),
            Assert(a.valid == (bus.valid & ~owner), f"{name}: to who asked"),
            Assert(b.valid == (bus.valid & owner), f"{name}: to who asked"),
            Assert(~bus.valid | (bus.ready == Mux(owner, b.ready, a.ready)), f"{name}: taken"),
            Assert(~a.valid | (Value.cast(a.payload) == Value.cast(bus.payload)), f"{name}: as is"),
            Assert(~b.valid | (Value.cast(b.payload) == Value.cast(bus.payload)), f"{name}: as is"),
            Assert(ledger.level >= asked.valid, f"{name}: what is on offer is not answered"),
        ]


def test_owners_for_ever():
    verify(OwnersProperty(_Owners(3), bind=True), depth=2, inductive=True)


def test_for_ever():
    verify(ArbiterProperty(lambda **parts: made_of(Arbiter, **parts), bind=True), depth=2,
           inductive=True)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("owner.eq(b.valid & (~a.valid | ~last))", "owner.eq(b.valid & ~a.valid)"),
    ("free.eq((~bus.valid | bus.ready) & Cat(", "free.eq(Cat("),
    ("free.eq((~bus.valid | bus.ready) & owners.o.valid)", "free.eq(owners.o.valid)"),
    ("owners.o.ready.eq(free & valid & last)", "owners.o.ready.eq(free & valid)"),
    ("owners.o.ready.eq(bus.valid & bus.ready & last)", "owners.o.ready.eq(bus.valid & bus.ready)"),
    ("a.valid.eq(bus.valid & ~owner)", "a.valid.eq(bus.valid)"),
))
def test_fault(old, new):
    refute(ArbiterProperty(lambda **parts: faulty(Arbiter, old, new, **parts)), depth=7)


@pytest.mark.parametrize("old, new", quick(
    0,
    ("[(count - 1)[:len(count)]]", "[0]"),
    ("with m.If(push & ~pop):", "with m.If(push):"),
    ("self.i.ready.eq(count != self.depth)", "self.i.ready.eq(1)"),
))
def test_fault_of_owners(old, new):
    refute(OwnersProperty(faulty(_Owners, old, new)(3)), depth=6)
