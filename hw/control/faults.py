"""The chip's first error."""

from amaranth.hdl import Module, Mux, Signal
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

        first = Signal(FAULT)
        with m.If(self.error[0].valid):
            m.d.comb += self._from_unit(first, 0, Unit.SEQUENCER)
        for index, unit in enumerate(self.units, start=1):
            with m.Elif(self.error[index].valid):
                m.d.comb += self._from_unit(first, index, unit)
        for index, unit in enumerate(self.units):
            with m.Elif(self.overflow[index]):
                m.d.comb += self._own(first, Cause.SEMAPHORE_OVERFLOW, unit, taken[index])
        with m.Elif(self.expired):
            m.d.comb += self._own(first, Cause.WATCHDOG, Unit.SEQUENCER, 0)
            for index, unit in reversed(list(enumerate(self.units))):
                with m.If(self.busy[index] | self.queued[index]):
                    m.d.comb += self._own(first, Cause.WATCHDOG, unit, Mux(
                        self.busy[index], taken[index], self.tag[index]))
        with m.If(~self.fault.valid):
            m.d.sync += self.fault.eq(first)
        return m

    def _from_unit(self, fault, index, unit):
        error = self.error[index]
        return [fault.valid.eq(1), fault.unit.eq(unit), fault.cause.eq(error.cause),
                fault.tag.eq(error.tag), fault.address.eq(error.address)]

    @staticmethod
    def _own(fault, cause, unit, tag):
        return [fault.valid.eq(1), fault.unit.eq(unit), fault.cause.eq(cause), fault.tag.eq(tag)]
