"""Counting semaphores between the units."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from hw.interfaces import RETIRE

__all__ = ["Semaphores"]


class Semaphores(wiring.Component):
    """16 counters: granting a unit's instruction takes one of each it waits for, retiring posts.

    Parameters
    ----------
    units : int
        Units that take and post; a lower index goes first where two want the same semaphore.
    early : bool
        One more poster: the last unit, before it retires an instruction.

    Members
    -------
    clear : In(1)
        All counters to zero; only when nothing retires.
    hold : In(1)
        Grant nothing.
    want : In(units)
        The unit has an instruction that is not granted yet; low in the cycle after a grant.
    wait : In(ArrayLayout(16, units))
        Semaphores that instruction waits for; holds until the cycle after its grant.
    grant : Out(units)
        Every one of them is above zero: they are taken in this cycle. A unit that waits for one
        that another unit took in the cycle before is put off, as counters follow a cycle late.
    retire : In(ArrayLayout(RETIRE, units + early))
        Semaphores to post; several units may post the same one in one cycle.
    missing : Out(16)
        Semaphores some wanting unit waits for that are zero.
    overflow : Out(units + early)
        Two cycles before, the unit posted a semaphore that was full.

    Timing
    ------
    ``grant`` is combinational from ``want`` and ``wait``; a post counts from the next cycle.
    ``retire`` goes to registers.
    """

    def __init__(self, *, units, early=False):
        self.units, self.posters = units, units + early
        super().__init__({
            "clear": In(1),
            "hold": In(1),
            "want": In(units),
            "wait": In(data.ArrayLayout(isa.SEMAPHORES, units)),
            "grant": Out(units),
            "retire": In(data.ArrayLayout(RETIRE, self.posters)),
            "missing": Out(isa.SEMAPHORES),
            "overflow": Out(self.posters),
        })

    def elaborate(self, platform):
        m = Module()
        taking = Signal(self.units)  # granted in the cycle before
        m.d.sync += taking.eq(self.grant)
        with m.If(self.clear):
            m.d.sync += taking.eq(0)
        available = self._count(m, taking)
        able = Signal(self.units)  # to be granted if no unit before it takes the same
        wanted = 0
        for unit in range(self.units):
            wait, clash = self.wait[unit], Signal(self.units, name=f"clash_{unit}")
            wanted = wanted | (wait & self.want[unit].replicate(isa.SEMAPHORES))
            for other in range(self.units):
                if other != unit:
                    m.d.comb += clash[other].eq((wait & self.wait[other]).any())
            m.d.comb += [
                able[unit].eq(self.want[unit] & ~self.hold & ~(wait & ~available).any()
                              & ~(clash & taking).any()),
                self.grant[unit].eq(able[unit] & ~(clash[:unit] & self.grant[:unit]).any()),
            ]
        m.d.comb += self.missing.eq(wanted & ~available)
        return m

    def _count(self, m, taking):
        """The counters; which of them are above zero, but for what ``taking`` takes."""
        # Posts and takes reach the counters one cycle late, which keeps the adders off the paths
        # of both; ``available`` knows posts at once.
        posts = [Signal(isa.SEMAPHORES, name=f"posts_{unit}") for unit in range(self.posters)]
        available = Signal(isa.SEMAPHORES)
        full = Signal(isa.SEMAPHORES)
        posted = taken = 0
        for unit, retire in enumerate(self.retire):
            with m.If(retire.valid):
                m.d.sync += posts[unit].eq(retire.post)
            with m.Else():
                m.d.sync += posts[unit].eq(0)
            posted = posted | (retire.post & retire.valid.replicate(isa.SEMAPHORES))
        for unit in range(self.units):
            taken = taken | (self.wait[unit] & taking[unit].replicate(isa.SEMAPHORES))

        low = self.posters.bit_length()  # bits enough for all posts of a cycle
        for index in range(isa.SEMAPHORES):
            count = Signal(isa.SEMAPHORE_BITS, name=f"count_{index}")
            after = Signal(isa.SEMAPHORE_BITS, name=f"after_{index}")
            change = Signal(range(-1, self.posters + 1), name=f"change_{index}")  # one wide adder
            recent = Cat(post[index] for post in posts)
            more = sum(recent)
            m.d.comb += [
                change.eq(more - taken[index]),
                after.eq(count + change),
                # A take of the posts' cycle makes no room for them.
                full[index].eq(count[low:].all() & (count[:low] + more)[low:].any()),
            ]
            with m.If(self.clear):
                m.d.sync += [count.eq(0), available[index].eq(0)]
            with m.Elif(~full[index]):
                # Taken are only counts above zero: this is after != 0 without the adder.
                m.d.sync += [count.eq(after), available[index].eq(
                    posted[index] | recent.any() | count[1:].any() | (count[0] & ~taken[index]))]
        m.d.sync += self.overflow.eq(Cat((post & full).any() for post in posts))
        with m.If(self.clear):
            m.d.sync += self.overflow.eq(0)
        return available
