"""Bytes from the line to the bodies of good frames."""

from amaranth.hdl import Module, Mux, Signal
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
    ``good`` comes in the cycle after the FLAG that ends a frame, its first byte on ``o`` 2 cycles
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
        count = Signal(range(BUFFER_BYTES + 1), reset_less=True)  # bytes, CRC included
        length = Signal(16, reset_less=True)  # of the header
        carries = Signal(reset_less=True)     # the header's opcode brings data
        escape, bad = Signal(), Signal(init=1)
        is_flag, keep, good = Signal(), Signal(), Signal()
        over = CRC_BYTES + HEADER_BYTES
        m.d.comb += [
            is_flag.eq(self.data == FLAG),
            keep.eq(self.valid & ~is_flag & (escape | (self.data != ESCAPE))),
            buffer.byte.data.eq(Mux(escape, self.data ^ ESCAPE_XOR, self.data)),
            buffer.offset.eq(count),
            buffer.write.eq(keep & ~bad & buffer.room),
            buffer.size.eq(count - CRC_BYTES),
            buffer.commit.eq(good),
            self.good.eq(good),
            crc.byte.eq(buffer.byte.data),
            crc.start.eq(keep),
        ]
        m.d.sync += good.eq(0)
        with m.If(self.error):
            m.d.sync += bad.eq(1)
        with m.If(self.valid & is_flag):
            m.d.sync += [
                good.eq(~bad & ~escape & (crc.value == CRC_RESIDUE)
                        & (count == over + Mux(carries, length, 0))),
                escape.eq(0),
            ]
        with m.Elif(self.valid):
            m.d.sync += escape.eq(~keep)
        # The cycle after a FLAG begins the next frame, when `size` has been used.
        after = Signal()
        m.d.comb += crc.clear.eq(after)
        m.d.sync += after.eq(self.valid & is_flag)
        with m.If(after):
            m.d.sync += [count.eq(0), bad.eq(0)]
        with m.Elif(keep):
            m.d.sync += count.eq(count + 1)
            with m.If(~buffer.room):
                m.d.sync += bad.eq(1)
            with m.Switch(count):
                with m.Case(0):
                    m.d.sync += carries.eq(buffer.byte.data[0])
                with m.Case(2):
                    m.d.sync += length[:8].eq(buffer.byte.data)
                with m.Case(3):
                    m.d.sync += length[8:].eq(buffer.byte.data)
        return m
