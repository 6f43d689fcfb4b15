"""The chip's first error."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import Unit
from golden.spec.registers import Cause
from hw.interfaces import ERROR, FAULT
from hw.stream import Queue

__all__ = ["FaultLatch"]


class FaultLatch(wiring.Component):
    """Keeps the first error, with the unit and instruction that met it.

    Of several in one cycle: the one of the lowest unit, sequencer first; then, of the cycle
    before, semaphore overflows; then the watchdog, which blames the oldest instruction of the
    first unit that has any.

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
    take, retire : In(units)
        The unit takes, or retires, an instruction in this cycle.
    tag : In(ArrayLayout(16, units))
        Tag of the instruction at the head of the unit's queue.
    busy, queued : In(units)
        The unit works; its queue holds something.
    fault : Out(FAULT)
        Held until reset.

    Timing
    ------
    ``fault`` is valid the cycle after an error, or two cycles after an overflow or the watchdog's
    limit. The tag of an overflow is that of the unit's last instruction that retired before this
    cycle; so is that of a unit still busy without any.
    """

    IN_FLIGHT = 8  # instructions that a unit has taken and not retired, at most

    def __init__(self, units):
        self.units = units
        super().__init__({
            "error": In(data.ArrayLayout(ERROR, 1 + len(units))),
            "overflow": In(len(units)),
            "expired": In(1),
            "take": In(len(units)),
            "retire": In(len(units)),
            "tag": In(data.ArrayLayout(16, len(units))),
            "busy": In(len(units)),
            "queued": In(len(units)),
            "fault": Out(FAULT),
        })

    def elaborate(self, platform):
        m = Module()
        active, retired = [], []  # tags: in the units; of the last ones that left
        for index, unit in enumerate(self.units):
            name = unit.name.lower()
            m.submodules[f"{name}_tags"] = tags = Queue(shape=unsigned(16), depth=self.IN_FLIGHT)
            gone = Signal(16, name=f"{name}_retired", reset_less=True)
            m.d.comb += [
                tags.i.valid.eq(self.take[index]),
                tags.i.payload.eq(self.tag[index]),
                tags.o.ready.eq(self.retire[index]),
            ]
            with m.If(self.retire[index]):
                m.d.sync += gone.eq(tags.o.payload)
            active.append(tags.o)
            retired.append(gone)

        # Whom an overflow or the watchdog points at: 0 the sequencer, else 1 + index.
        overflow = self.overflow.any()
        holding = Cat(tags.valid for tags in active)
        suspects = Mux(overflow, self.overflow, holding | self.busy | self.queued)
        suspect = Signal(range(1 + len(self.units)))
        for index in reversed(range(len(self.units))):
            with m.If(suspects[index]):
                m.d.comb += suspect.eq(1 + index)
        after = [overflow | (self.busy[index] & ~tags.valid) for index, tags in enumerate(active)]
        tag = Array([0, *(
            Mux(late, gone, Mux(tags.valid, tags.payload, queued))
            for late, gone, tags, queued in zip(after, retired, active, self.tag, strict=True)
        )])[suspect]
        owners = (Unit.SEQUENCER, *self.units)
        blamed = Signal(FAULT)  # a register: all that takes time
        with m.If(~blamed.valid):
            m.d.sync += [
                blamed.valid.eq(overflow | self.expired),
                blamed.unit.eq(Array(owners)[suspect]),
                blamed.cause.eq(Mux(overflow, Cause.SEMAPHORE_OVERFLOW, Cause.WATCHDOG)),
                blamed.tag.eq(tag),
                blamed.address.eq(0),
            ]

        first = Signal(FAULT)
        with m.If(blamed.valid):
            m.d.comb += first.eq(blamed)
        for error, unit in reversed(list(zip(self.error, owners, strict=True))):
            with m.If(error.valid):
                m.d.comb += [first.valid.eq(1), first.unit.eq(unit), first.cause.eq(error.cause),
                             first.tag.eq(error.tag), first.address.eq(error.address)]
        # Without an error all of ``first`` is zero.
        with m.If(~self.fault.valid):
            m.d.sync += self.fault.eq(first)
        return m
