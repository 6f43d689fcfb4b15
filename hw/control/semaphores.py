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

    Members
    -------
    clear : In(1)
        All counters to zero.
    hold : In(1)
        Grant nothing.
    want : In(units)
        The unit has an instruction that is not granted yet.
    wait : In(ArrayLayout(16, units))
        Semaphores that instruction waits for.
    grant : Out(units)
        Every one of them is above zero: they are taken in this cycle.
    retire : In(ArrayLayout(RETIRE, units))
        Semaphores to post; several units may post the same one in one cycle.
    missing : Out(16)
        Semaphores some wanting unit waits for that are zero.
    overflow : Out(units)
        In the cycle before, the unit posted a semaphore that was full.

    Timing
    ------
    ``grant`` is combinational from ``want`` and ``wait``; a post counts from the next cycle.
    """

    def __init__(self, *, units):
        self.units = units
        super().__init__({
            "clear": In(1),
            "hold": In(1),
            "want": In(units),
            "wait": In(data.ArrayLayout(isa.SEMAPHORES, units)),
            "grant": Out(units),
            "retire": In(data.ArrayLayout(RETIRE, units)),
            "missing": Out(isa.SEMAPHORES),
            "overflow": Out(units),
        })

    def elaborate(self, platform):
        m = Module()
        # A grant subtracts one cycle later, which keeps the adders off the grants' path;
        # until then ``taken`` says that the counter is one too high.
        taken = Signal(isa.SEMAPHORES)
        available = Signal(isa.SEMAPHORES)
        full = Signal(isa.SEMAPHORES)
        posts = [self.retire[unit].post & self.retire[unit].valid.replicate(isa.SEMAPHORES)
                 for unit in range(self.units)]
        for index in range(isa.SEMAPHORES):
            count = Signal(isa.SEMAPHORE_BITS, name=f"count_{index}")
            after = Signal(range((1 << isa.SEMAPHORE_BITS) + self.units), name=f"after_{index}")
            change = Signal(range(-1, self.units + 1), name=f"change_{index}")  # one wide adder
            m.d.comb += [
                available[index].eq(count[1:].any() | (count[0] & ~taken[index])),
                change.eq(sum(post[index] for post in posts) - taken[index]),
                after.eq(count + change),
                full[index].eq(after[isa.SEMAPHORE_BITS:].any()),
            ]
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.Elif(~full[index]):
                m.d.sync += count.eq(after)

        granted = 0  # semaphores given to units before this one
        missing = 0
        for unit in range(self.units):
            wait = self.wait[unit]
            m.d.comb += self.grant[unit].eq(
                self.want[unit] & ~self.hold & ~(wait & (~available | granted)).any())
            granted = granted | (wait & self.grant[unit].replicate(isa.SEMAPHORES))
            missing = missing | (wait & ~available & self.want[unit].replicate(isa.SEMAPHORES))
        m.d.comb += self.missing.eq(missing)
        m.d.sync += [
            taken.eq(granted),
            self.overflow.eq(Cat((post & full).any() for post in posts)),
        ]
        with m.If(self.clear):
            m.d.sync += [taken.eq(0), self.overflow.eq(0)]
        return m
