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
        Cycles in a row without progress that are too many; 0 is never.
    running, progress : In(1)
    expired : Out(1)
        High for one cycle when ``limit`` cycles have gone by.

    Timing
    ------
    ``expired`` comes the cycle after the last one counted.
    """

    limit: In(32)
    running: In(1)
    progress: In(1)
    expired: Out(1)

    def elaborate(self, platform):
        m = Module()
        count = Signal(32)
        following = Signal(32)
        m.d.comb += following.eq(count + 1)
        m.d.sync += self.expired.eq(0)
        with m.If(~self.running | self.progress):
            m.d.sync += count.eq(0)
        with m.Else():
            m.d.sync += [count.eq(following),
                         self.expired.eq((following == self.limit) & (self.limit != 0))]
        return m
