"""Initialization of the part, then its refresh."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.interface import AUTO_BIT, Command, command_layout

__all__ = ["Upkeep"]


class Upkeep(wiring.Component):
    """Commands that need all banks closed: after power-up, and at every refresh interval.

    Power-up: a pause, PRECHARGE of all banks, INITIAL refreshes, mode register. A refresh asks
    for quiet first; those that became due meanwhile follow at once.

    Parameters
    ----------
    geometry : Geometry
    cycles : SdramCycles

    Members
    -------
    command : Out(stream of command_layout)
    hold : Out(1)
        No new segments, please.
    quiet : In(1)
        With ``hold``: no command will come, and all banks may be precharged.
    closed : Out(1)
        All rows are closed, now.
    ready : Out(1)
        Initialized.
    """

    INITIAL = 8
    OWED = 8  # refreshes that may be late; data sheets allow as many

    def __init__(self, geometry, cycles):
        self.geometry, self.cycles = geometry, cycles
        super().__init__({
            "command": Out(stream.Signature(command_layout(geometry), always_ready=True)),
            "hold": Out(1, init=1),
            "quiet": In(1),
            "closed": Out(1),
            "ready": Out(1),
        })

    @property
    def mode(self):
        """Mode register: sequential bursts of the geometry's length, both ways."""
        return (self.geometry.burst.bit_length() - 1) | self.cycles.cas << 4

    def elaborate(self, platform):
        m = Module()
        cycles = self.cycles
        interval = Signal(range(cycles.interval), init=cycles.interval - 1)
        due = Signal()  # a refresh, once an interval
        owed = Signal(range(max(self.INITIAL, self.OWED) + 1), init=self.INITIAL)
        power_up = Signal(range(cycles.power_up + 1), init=cycles.power_up)
        pause = Signal(range(max(cycles.rp, cycles.rfc, cycles.mrd, 2)))
        refresh = Signal()
        m.d.comb += due.eq(interval == 0)
        m.d.sync += interval.eq(Mux(due, cycles.interval - 1, interval - 1))
        with m.If(power_up != 0):
            m.d.sync += power_up.eq(power_up - due)
        with m.Elif(due & ~refresh):
            m.d.sync += owed.eq(owed + 1)
        with m.Elif(refresh & ~due):
            m.d.sync += owed.eq(owed - 1)
        with m.If(pause != 0):
            m.d.sync += pause.eq(pause - 1)

        def send(command, cycles_after, **fields):
            m.d.comb += [self.command.valid.eq(1), self.command.p.command.eq(command)]
            m.d.comb += [self.command.p[name].eq(value) for name, value in fields.items()]
            m.d.sync += pause.eq(cycles_after - 1)

        with m.FSM():
            with m.State("REST"):
                m.d.sync += self.hold.eq((owed != 0) | ~self.ready)
                with m.If(self.hold & self.quiet & (power_up == 0)):
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                send(Command.PRECHARGE, cycles.rp, a=1 << AUTO_BIT)
                m.d.comb += self.closed.eq(1)
                m.next = "REFRESH"
            with m.State("REFRESH"):
                with m.If(pause == 0):
                    with m.If(owed != 0):
                        send(Command.REFRESH, cycles.rfc)
                        m.d.comb += refresh.eq(1)
                    with m.Elif(~self.ready):
                        send(Command.MODE, cycles.mrd, a=self.mode)
                        m.d.sync += self.ready.eq(1)
                    with m.Else():
                        m.d.sync += self.hold.eq(0)
                        m.next = "REST"
        return m
