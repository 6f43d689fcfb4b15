"""Bytes to serial line."""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.link.baud import phase_step

__all__ = ["UartTransmitter"]

FRAME_BITS = 10  # start, eight of data, stop


class UartTransmitter(wiring.Component):
    """Sends 8N1, least bit first.

    Parameters
    ----------
    clock_hz, baud : int
        At least 8 cycles a bit.

    Members
    -------
    i : In(stream of 8)
    tx : Out(1)
        The line, idle at 1.

    Timing
    ------
    The start bit begins 1 cycle after a byte is taken. A byte is taken in the last cycle of the
    one before: the line has no pauses then, and its rate is exact over any number of bytes.
    """

    def __init__(self, *, clock_hz, baud):
        self.phase_bits, self.step = phase_step(clock_hz, baud)
        super().__init__({
            "i": In(stream.Signature(unsigned(8))),
            "tx": Out(1, init=1),
        })

    def elaborate(self, platform):
        m = Module()
        phase = Signal(self.phase_bits)
        stepped = Signal(self.phase_bits + 1)
        left = Signal(range(FRAME_BITS + 1))  # bits to send, the one on the line included
        shift = Signal(FRAME_BITS - 1, init=-1)
        tick = Signal()
        m.d.comb += [
            stepped.eq(phase + self.step),
            self.i.ready.eq((left == 0) | ((left == 1) & tick)),
            self.tx.eq(shift[0]),
        ]
        m.d.sync += [phase.eq(stepped), tick.eq(stepped[-1])]
        with m.If(self.i.ready):
            with m.If(left == 0):
                m.d.sync += phase.eq(self.step)  # ``tick`` follows a cycle late
            m.d.sync += left.eq(0)
            with m.If(self.i.valid):
                m.d.sync += [left.eq(FRAME_BITS), shift.eq(Cat(Const(0, 1), self.i.payload))]
        with m.Elif(tick):
            m.d.sync += [left.eq(left - 1), shift.eq(Cat(shift[1:], Const(1, 1)))]
        return m
