"""Serial line to bytes."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.link.baud import phase_step

__all__ = ["UartReceiver"]

DATA_BITS = 8


class UartReceiver(wiring.Component):
    """Receives 8N1, least bit first.

    The line goes through two synchronizing flip-flops and a majority over three cycles; a bit is
    taken in its middle. The phase begins anew with each start bit, so the sender's rate may be
    off by 3 %.

    Parameters
    ----------
    clock_hz, baud : int
        At least 8 cycles a bit.

    Members
    -------
    rx : In(1)
        The line, asynchronous, idle at 1.
    valid : Out(1)
        Pulse: ``data`` is a byte.
    data : Out(8)
    error : Out(1)
        Pulse: a stop bit was 0. Its byte is not given; the line must go to 1 first.

    Timing
    ------
    ``valid`` comes 4 to 5 cycles after the middle of the stop bit.
    """

    def __init__(self, *, clock_hz, baud):
        self.phase_bits, self.step = phase_step(clock_hz, baud)
        super().__init__({
            "rx": In(1, init=1),
            "valid": Out(1),
            "data": Out(DATA_BITS),
            "error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        samples = Signal(4, init=-1)  # two that may be metastable, then three to vote
        line = Signal(init=1)
        a, b, c = samples[1], samples[2], samples[3]
        m.d.sync += [samples.eq(Cat(self.rx, samples)), line.eq((a & b) | (b & c) | (a & c))]

        phase = Signal(self.phase_bits, reset_less=True)
        tick = Signal()
        stepped = Signal(self.phase_bits + 1)
        bits = Signal(range(DATA_BITS + 2), reset_less=True)  # taken, start bit included
        shift = Signal(DATA_BITS, reset_less=True)
        m.d.comb += [stepped.eq(phase + self.step), self.data.eq(shift)]
        # The tick is a cycle late, from a register; the phase begins a step further on.
        m.d.sync += [self.valid.eq(0), self.error.eq(0), phase.eq(stepped), tick.eq(stepped[-1])]
        with m.FSM(name="receive"):
            with m.State("IDLE"):
                # The first tick comes half a bit after the edge, seen one or two cycles ago.
                m.d.sync += [phase.eq((1 << (self.phase_bits - 1)) + 5 * self.step // 2),
                             bits.eq(0), tick.eq(0)]
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"):
                with m.If(tick):
                    m.d.sync += bits.eq(bits + 1)
                    with m.If(bits == DATA_BITS + 1):
                        m.d.sync += [self.valid.eq(line), self.error.eq(~line)]
                        m.next = "HIGH"
                    with m.Elif((bits == 0) & line):  # a glitch, no start bit
                        m.next = "IDLE"
                    with m.Else():
                        m.d.sync += shift.eq(Cat(shift[1:], line))
            with m.State("HIGH"):
                with m.If(line):
                    m.next = "IDLE"
        return m
