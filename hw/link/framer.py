"""Bodies of responses to bytes for the line."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.link import CRC_BYTES, ESCAPE, ESCAPE_XOR, FLAG
from hw.link.crc import Crc32

__all__ = ["Framer"]


class Framer(wiring.Component):
    """Adds CRC, stuffing and FLAGs.

    Members
    -------
    i : In(stream of {data: 8, last: 1})
        Bodies; ``last`` marks the last byte of each.
    o : Out(stream of 8)

    Timing
    ------
    A byte at most every 10 cycles, which a serial line does not see.
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"data": 8, "last": 1}))),
            "o": Out(stream.Signature(unsigned(8))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = Crc32()
        raw = Signal(8)             # next byte before stuffing
        plain = Signal()            # it needs none
        escaped = Signal()          # its ESCAPE has been sent
        free, taken = Signal(), Signal()
        tail = Signal(range(CRC_BYTES))
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            plain.eq((raw != FLAG) & (raw != ESCAPE)),
            crc.byte.eq(raw),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        def send(value):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(value)]

        def stuff():
            """Offer ``raw``, in one or two bytes; ``taken`` with the last."""
            m.d.comb += taken.eq(plain | escaped)
            m.d.sync += escaped.eq(~taken)
            send(Mux(plain, raw, Mux(escaped, raw ^ ESCAPE_XOR, ESCAPE)))

        with m.FSM(name="frame"):
            with m.State("OPEN"):
                m.d.comb += crc.clear.eq(1)
                m.d.sync += tail.eq(0)
                with m.If(self.i.valid & free):
                    send(FLAG)
                    m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += raw.eq(self.i.p.data)
                with m.If(self.i.valid & free & ~crc.busy):
                    stuff()
                    m.d.comb += [self.i.ready.eq(taken), crc.start.eq(taken)]
                    with m.If(taken & self.i.p.last):
                        m.next = "CRC"
            with m.State("CRC"):
                m.d.comb += [raw.eq(~crc.value[:8]), crc.drain.eq(1)]
                with m.If(free & ~crc.busy):
                    stuff()
                    m.d.comb += crc.start.eq(taken)
                    with m.If(taken):
                        m.d.sync += tail.eq(tail + 1)
                        with m.If(tail == CRC_BYTES - 1):
                            m.next = "CLOSE"
            with m.State("CLOSE"):
                with m.If(free & ~crc.busy):
                    send(FLAG)
                    m.next = "OPEN"
        return m
