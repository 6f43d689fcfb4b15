"""Semaphores: no lost post, no wait satisfied early, count = posts - takes, overflow flagged.

Whatever the units do: a counter is the posts less the takes since the last clear; a unit is
granted just when each of its semaphores has one left, counting takes at once and posts from the
next cycle, and no other unit took it in the cycle before nor one of lower index takes it in this
one; ``missing`` names what lacks; a post that does not fit is flagged for its unit two cycles
later. After that the counters say nothing (the chip stops) until the next clear. By induction
this holds for ever. Units keep their waits, and want nothing, in the cycle after a grant.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal

from golden.spec import isa
from hw.control.semaphores import Semaphores
from tb.formal.prover import Property, faulty, refute, verify
from tb.lib.quick import quick

UNITS = 3


class SemaphoreProperty(Property):
    """A ledger of each semaphore: what was posted less what was taken."""

    def describe(self, m: Module, block):
        self.free(m, block.clear, block.hold, block.want, block.wait, block.retire)
        most = (1 << isa.SEMAPHORE_BITS) - 1
        ledger = [Signal(isa.SEMAPHORE_BITS, name=f"ledger_{n}") for n in range(isa.SEMAPHORES)]
        posts = [unit.post & unit.valid.replicate(isa.SEMAPHORES) for unit in block.retire]
        takes = [wait & grant.replicate(isa.SEMAPHORES)
                 for wait, grant in zip(block.wait, block.grant, strict=True)]
        full, some = Signal(isa.SEMAPHORES), Signal(isa.SEMAPHORES)
        stopped, flags, debt = Signal(), Signal(block.units), Signal(isa.SEMAPHORES)
        flagged = self.before(m, self.before(m, ~stopped, "runs"), "ran")  # that cycle counted
        granted = self.before(m, block.grant, "granted")
        recent = [self.before(m, post, f"posts_{unit}") for unit, post in enumerate(posts)]
        m.d.comb += Assume(~block.clear | ~Cat(unit.valid for unit in block.retire).any())
        for unit, wait in enumerate(block.wait):
            was = self.before(m, wait, f"wait_{unit}")
            m.d.comb += Assume(~granted[unit] | (~block.want[unit] & (wait == was)))
        m.d.sync += [
            debt.eq(Mux(block.clear, 0, Cat(sum(t[n] for t in takes) != 0
                                            for n in range(isa.SEMAPHORES)))),
            flags.eq(Cat((post & full).any() for post in posts)),
            stopped.eq(~block.clear & (stopped | full.any())),
        ]
        late = self.before(m, Mux(block.clear, 0, flags), "flags")
        for index, count in enumerate(ledger):
            posted = Signal(range(most + block.units + 1), name=f"posted_{index}")
            came = sum(post[index] for post in recent)
            m.d.comb += [
                posted.eq(count + sum(post[index] for post in posts)),
                full[index].eq(posted > most),
                some[index].eq(count != 0),
            ]
            m.d.sync += count.eq(Mux(block.clear, 0, posted - sum(t[index] for t in takes)))
            with m.If(~stopped):
                m.d.comb += [
                    Assert(sum(t[index] for t in takes) <= some[index], "one take of what is"),
                    # Posts and takes come a cycle behind.
                    Assert(self.inner[f"count_{index}"] + came == count + debt[index], "the count"),
                    Assert(count >= came, "no take of the posts of its cycle"),
                    Assert(count + debt[index] <= most, "the last posts fitted"),
                ]
        gone, missing = 0, 0
        with m.If(~stopped):
            for unit in range(block.units):
                wait = block.wait[unit]
                m.d.comb += Assert(
                    block.grant[unit] == (block.want[unit] & ~block.hold
                                          & ~(wait & (~some | gone | debt)).any()), "grant")
                gone = gone | takes[unit]
                missing = missing | (wait & ~(some | debt)
                                     & block.want[unit].replicate(isa.SEMAPHORES))
            able = Cat(~(wait & (~some | debt)).any() for wait in block.wait) & block.want
            owed = 0
            for unit, wait in enumerate(block.wait):
                owed = owed | (wait & self.inner["taking"][unit].replicate(isa.SEMAPHORES))
                m.d.comb += Assert(self.inner[f"posts_{unit}"] == recent[unit], "posts under way")
            m.d.comb += [Assert(block.hold | (able == 0) | block.grant.any(), "progress"),
                         Assert(block.missing == missing, "missing"),
                         Assert(self.inner["available"] == (some | debt), "availability"),
                         Assert(owed == debt, "takes under way")]
        with m.If(flagged):
            m.d.comb += Assert(block.overflow == late, "a post that did not fit is flagged")


@pytest.mark.parametrize("bits", [
    pytest.param(isa.SEMAPHORE_BITS, marks=pytest.mark.slow), 3])
def test_for_ever(monkeypatch, bits):
    monkeypatch.setattr(isa, "SEMAPHORE_BITS", bits)
    verify(SemaphoreProperty(Semaphores(units=UNITS)), depth=2, inductive=True)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("more = sum(recent)", "more = recent.any()"),
    ("(count[0] & ~taken[index])", "count[0]"),
    ("(clash[:unit] & self.grant[:unit]).any()", "(clash & 0).any()"),
    ("& ~(clash & taking).any()", ""),
    ("taking.eq(self.grant)", "taking.eq(0)"),
))
def test_fault(old, new):
    refute(SemaphoreProperty(faulty(Semaphores, old, new)(units=UNITS)), depth=6)


@pytest.mark.parametrize("old, new", [
    ("Cat((post & full).any() for post in posts)", "Cat((post & full).all() for post in posts)"),
    pytest.param("(count[:low] + more)[low:].any()", "(count[:low] + more)[low + 1:].any()",
                 marks=pytest.mark.slow),
])
def test_fault_of_overflow(monkeypatch, old, new):
    monkeypatch.setattr(isa, "SEMAPHORE_BITS", 3)  # full within a few cycles
    refute(SemaphoreProperty(faulty(Semaphores, old, new)(units=UNITS)), depth=7)
