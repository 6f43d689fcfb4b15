"""Soft reset: lets the bus come to rest, then resets the units."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SoftReset"]


class SoftReset(wiring.Component):
    """Orders flush and reset, so that no AXI transaction is cut off.

    Members
    -------
    request : In(1)
        Pulse; one that comes while ``busy`` is part of the reset under way.
    quiet : In(1)
        The AXI masters have nothing outstanding and offer nothing; looked at from the second
        cycle of ``flush``, and must then stay until ``flush`` ends.
    flush : Out(1)
        AXI masters end what they began, dropping read data and writing without strobes, and
        begin nothing.
    unit_reset : Out(1)
        High for one cycle: reset of units, masters and sequencer. ``flush`` lasts DELAY cycles
        more, so that it may arrive that much later.
    busy : Out(1)
        A reset is under way.
    """

    DELAY = 2

    request: In(1)
    quiet: In(1)
    flush: Out(1)
    unit_reset: Out(1)
    busy: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.busy.eq(self.flush)
        # After a reset of the whole chip, too, the units' arrives later.
        with m.FSM(name="reset", init="WAY_0"):
            with m.State("IDLE"):
                with m.If(self.request):
                    m.next = "STOP"
            with m.State("STOP"):
                m.d.comb += self.flush.eq(1)
                m.next = "FLUSH"
            with m.State("FLUSH"):
                m.d.comb += self.flush.eq(1)
                with m.If(self.quiet):
                    m.next = "RESET"
            with m.State("RESET"):
                m.d.comb += [self.flush.eq(1), self.unit_reset.eq(1)]
                m.next = "WAY_0"
            for way in range(self.DELAY):
                with m.State(f"WAY_{way}"):
                    m.d.comb += self.flush.eq(1)
                    m.next = f"WAY_{way + 1}" if way + 1 < self.DELAY else "IDLE"
        return m
