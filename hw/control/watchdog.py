"""Watchdog: notices when a running chip makes no progress."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Watchdog"]


class Watchdog(wiring.Component):
    """Counts cycles without progress while running.

    Members
    -------
    limit : In(32)
        Cycles in a row without progress that are too many; 0 is never. Stands from the cycle
        before ``running``.
    running, progress : In(1)
    expired : Out(1)
        High for one cycle when ``limit`` cycles have gone by.

    Timing
    ------
    ``expired`` comes two cycles after the last one counted.
    """

    limit: In(32)
    running: In(1)
    progress: In(1)
    expired: Out(1)

    def elaborate(self, platform):
        m = Module()
        count = Signal(32, init=1)  # of cycles without progress, if this is one
        armed = Signal()
        begins = Signal(init=1)  # from a register: it stands on many
        m.d.sync += [
            begins.eq(~self.running | self.progress),
            self.expired.eq(0),
            armed.eq(self.limit != 0),
        ]
        with m.If(begins):
            m.d.sync += count.eq(1)
        with m.Else():
            m.d.sync += [count.eq(count + 1), self.expired.eq((count == self.limit) & armed)]
        return m
