"""Words of 1 to M bytes, packed into bus beats."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Pack", "packed_layout", "unpacked_layout"]


def unpacked_layout(config):
    """A word's low ``bytes`` bytes; ``offset`` is where in a beat they begin."""
    return data.StructLayout({
        "data": 8 * config.group, "bytes": range(config.group + 1),
        "offset": range(config.group), "last": 1})


def packed_layout(config):
    """A beat and its byte strobes."""
    return data.StructLayout({"data": 8 * config.group, "strb": config.group})


class Pack(wiring.Component):
    """Puts the bytes of a run's words one after the other, from any byte of the first beat.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of unpacked_layout)
        ``offset`` of a word is where the one before it in its run ended; ``last`` ends the run.
    o : Out(stream of packed_layout)
        Bytes before and behind the run have no strobe.

    Timing
    ------
    2 cycles; a word a cycle, and one more at the end of a run whose last word spans two beats.
    """

    def __init__(self, config):
        self.group = config.group
        super().__init__({
            "i": In(stream.Signature(unpacked_layout(config))),
            "o": Out(stream.Signature(packed_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        group = self.group
        held = Signal(8 * group, reset_less=True)  # the beat under way
        held_strb = Signal(group)
        rest = Signal()  # a run's last beat is still held

        # Rotated: what doesn't fit into this beat lies where the next one wants it. Behind a
        # register: block RAM in front of it is slow.
        turned = Signal(8 * group, reset_less=True)
        strb = Signal(2 * group, reset_less=True)  # of this beat and the next
        valid, full, last, spans = Signal(), *(Signal(name=name, reset_less=True)
                                               for name in ("full", "last", "spans"))
        fill, total = self.i.p.offset, Signal(range(2 * group))
        merged = Signal(8 * group)
        free, take = Signal(), Signal()
        out = Signal(self.o.payload.shape(), reset_less=True)
        low_strb = strb[:group]
        m.d.comb += [
            self.o.payload.eq(out),
            total.eq(fill + self.i.p.bytes),
            merged.eq(Cat(Mux(held_strb[j], held.word_select(j, 8), turned.word_select(j, 8))
                          for j in range(group))),
            free.eq(~self.o.valid | self.o.ready),
            take.eq(free & ~rest),
            self.i.ready.eq(~valid | take),
        ]
        with m.If(self.i.ready):
            m.d.sync += [
                valid.eq(self.i.valid),
                turned.eq((Cat(self.i.p.data, self.i.p.data) << (fill << 3))
                          [8 * group:16 * group]),
                # Bit by bit: a chain to subtract in takes longer.
                strb.eq(Cat(self.i.p.bytes > byte for byte in range(group)) << fill),
                full.eq(total >= group),
                last.eq(self.i.p.last),
                spans.eq(total > group),
            ]
        with m.If(free):
            m.d.sync += [
                self.o.valid.eq(rest | (valid & (full | last))),
                out.data.eq(Mux(rest, held, merged)),
                out.strb.eq(Mux(rest, held_strb, held_strb | low_strb)),
            ]
            with m.If(rest):
                m.d.sync += [rest.eq(0), held_strb.eq(0)]
            with m.Elif(valid):
                m.d.sync += [
                    rest.eq(last & spans),
                    held.eq(Mux(full, turned, merged)),
                    held_strb.eq(Mux(full, strb[group:], Mux(last, 0, held_strb | low_strb))),
                ]
        return m
