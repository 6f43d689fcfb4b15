"""Bytes from the line to the bodies of good frames."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.link import (
    CRC_BYTES,
    CRC_RESIDUE,
    ESCAPE,
    ESCAPE_XOR,
    FLAG,
    HEADER_BYTES,
    PAYLOAD_BYTES,
)
from hw.link.crc import Crc32
from hw.link.frame_buffer import FrameBuffer

__all__ = ["BUFFER_BYTES", "Deframer"]

# One frame is acted upon while the next one comes in.
BUFFER_BYTES = 2 * PAYLOAD_BYTES


class Deframer(wiring.Component):
    """Finds frames, takes the stuffing out, checks CRC and length, keeps what is good.

    A frame that is not good, or for which the buffer has no room, leaves no trace.

    Members
    -------
    valid, data, error : In(1), In(8), In(1)
        As a `UartReceiver` gives them: at least 10 cycles from one to the next.
    o : Out(stream of {data: 8, last: 1})
        Bodies of requests, one after the other; ``last`` is not used.
    good : Out(1)
        Pulse: a frame has come.

    Timing
    ------
    ``good`` comes in the cycle after the FLAG that ends a frame, its first byte on ``o`` 4 cycles
    later.
    """

    def __init__(self):
        self.buffer = FrameBuffer(depth=BUFFER_BYTES)
        super().__init__({
            "valid": In(1),
            "data": In(8),
            "error": In(1),
            "o": self.buffer.signature.members["o"],
            "good": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        m.submodules.crc = crc = Crc32()
        wiring.connect(m, wiring.flipped(self.o), buffer.o)
        # Bytes, begun below zero: it comes to the length of the data, header and CRC not counted.
        over = HEADER_BYTES + CRC_BYTES
        count = Signal(range(2 * BUFFER_BYTES), reset_less=True)
        first = 2 * BUFFER_BYTES - over
        # What comes next may be the CRC's end, so a byte is kept when that many have followed.
        delay = Signal(8 * CRC_BYTES, reset_less=True)
        delayed = Signal(reset_less=True)     # it is full
        length = Signal(16, reset_less=True)  # of the header
        carries = Signal(reset_less=True)     # the header's opcode brings data
        escape, bad = Signal(), Signal(init=1)
        is_flag, byte, keep = Signal(), Signal(8), Signal()
        after, good = Signal(), Signal()      # the cycle after a FLAG; it ended a good frame
        m.d.comb += [
            is_flag.eq(self.data == FLAG),
            keep.eq(self.valid & ~is_flag & (escape | (self.data != ESCAPE))),
            byte.eq(Mux(escape, self.data ^ ESCAPE_XOR, self.data)),
            crc.byte.eq(byte),
            crc.start.eq(keep),
            crc.clear.eq(after),
            buffer.byte.data.eq(delay[:8]),
            buffer.write.eq(keep & delayed & ~bad & buffer.room),
            buffer.commit.eq(good),
            buffer.rewind.eq(after & ~good),
            self.good.eq(good),
        ]
        m.d.sync += [
            after.eq(self.valid & is_flag),
            good.eq(self.valid & is_flag & ~bad & ~escape & (crc.value == CRC_RESIDUE)
                    & (count == Mux(carries, length, 0))),
        ]
        with m.If(self.valid):
            m.d.sync += escape.eq(~is_flag & ~keep)
        with m.If(after):
            m.d.sync += [count.eq(first), delayed.eq(0), bad.eq(0)]
        with m.Elif(self.error | (keep & delayed & ~buffer.room)):
            m.d.sync += bad.eq(1)
        with m.If(keep):
            m.d.sync += [count.eq(count + 1), delay.eq(Cat(delay[8:], byte))]
            with m.Switch(count):
                with m.Case(first):
                    m.d.sync += carries.eq(byte[0])
                with m.Case(first + 2):
                    m.d.sync += length[:8].eq(byte)
                with m.Case(first + 3):
                    m.d.sync += [length[8:].eq(byte), delayed.eq(1)]
        return m
