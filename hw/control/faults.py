"""The chip's first error."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import Unit
from golden.spec.registers import Cause
from hw.interfaces import ERROR, FAULT

__all__ = ["FaultLatch"]


class FaultLatch(wiring.Component):
    """Keeps the first error, with the unit and instruction that met it.

    Of several in one cycle: the one of the lowest unit, sequencer first; then semaphore overflows;
    then the watchdog, which blames the first unit that works or has something in its queue.

    Parameters
    ----------
    units : tuple of isa.Unit
        The units with queues; the arrays below are in their order.

    Members
    -------
    error : In(ArrayLayout(ERROR, 1 + units))
        The sequencer's own, then the units'.
    overflow : In(units)
        A semaphore the unit posted was full.
    expired : In(1)
        The watchdog's limit is reached.
    take : In(units)
        The unit takes an instruction in this cycle.
    tag : In(ArrayLayout(16, units))
        Tag of the instruction at the head of the unit's queue.
    busy, queued : In(units)
        The unit works; its queue holds something.
    fault : Out(FAULT)
        Held until reset.

    Timing
    ------
    ``fault`` is valid the cycle after an error. The tag of an overflow or a busy unit is that of
    the last instruction the unit took.
    """

    def __init__(self, units):
        self.units = units
        super().__init__({
            "error": In(data.ArrayLayout(ERROR, 1 + len(units))),
            "overflow": In(len(units)),
            "expired": In(1),
            "take": In(len(units)),
            "tag": In(data.ArrayLayout(16, len(units))),
            "busy": In(len(units)),
            "queued": In(len(units)),
            "fault": Out(FAULT),
        })

    def elaborate(self, platform):
        m = Module()
        taken = [Signal(16, name=f"taken_tag_{unit.name.lower()}") for unit in self.units]
        for index, tag in enumerate(taken):
            with m.If(self.take[index]):
                m.d.sync += tag.eq(self.tag[index])

        # Whom an overflow or the watchdog points at: 0 the sequencer, else 1 + index.
        overflow = self.overflow.any()
        suspects = Mux(overflow, self.overflow, self.busy | self.queued)
        suspect = Signal(range(1 + len(self.units)))
        for index in reversed(range(len(self.units))):
            with m.If(suspects[index]):
                m.d.comb += suspect.eq(1 + index)
        tag = Array([0, *(Mux(overflow | self.busy[index], taken[index], self.tag[index])
                          for index in range(len(self.units)))])[suspect]

        first = Signal(FAULT)
        owners = (Unit.SEQUENCER, *self.units)
        m.d.comb += [
            first.valid.eq(overflow | self.expired),
            first.unit.eq(Array(owners)[suspect]),
            first.cause.eq(Mux(overflow, Cause.SEMAPHORE_OVERFLOW, Cause.WATCHDOG)),
            first.tag.eq(tag),
        ]
        for error, unit in reversed(list(zip(self.error, owners, strict=True))):
            with m.If(error.valid):
                m.d.comb += [first.valid.eq(1), first.unit.eq(unit), first.cause.eq(error.cause),
                             first.tag.eq(error.tag), first.address.eq(error.address)]
        with m.If(first.valid & ~self.fault.valid):
            m.d.sync += self.fault.eq(first)
        return m
