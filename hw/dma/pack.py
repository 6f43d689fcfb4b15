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
    1 cycle; a word a cycle, and one more at the end of a run whose last word spans two beats.
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

        fill, total = self.i.p.offset, Signal(range(2 * group))
        strb = Signal(2 * group)  # of this beat and the next
        merged = Signal(8 * group)
        free, full = Signal(), Signal()
        out = Signal(self.o.payload.shape(), reset_less=True)
        low_strb = strb[:group]
        # Rotated: what doesn't fit into this beat lies where the next one wants it.
        word = (Cat(self.i.p.data, self.i.p.data) << (fill << 3))[8 * group:16 * group]
        m.d.comb += [
            self.o.payload.eq(out),
            total.eq(fill + self.i.p.bytes),
            full.eq(total >= group),
            strb.eq(((1 << self.i.p.bytes) - 1)[:group] << fill),
            merged.eq(Cat(Mux(held_strb[j], held.word_select(j, 8), word.word_select(j, 8))
                          for j in range(group))),
            free.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(free & ~rest),
        ]
        with m.If(free):
            m.d.sync += [
                self.o.valid.eq(rest | (self.i.valid & (full | self.i.p.last))),
                out.data.eq(Mux(rest, held, merged)),
                out.strb.eq(Mux(rest, held_strb, held_strb | low_strb)),
            ]
            with m.If(rest):
                m.d.sync += [rest.eq(0), held_strb.eq(0)]
            with m.Elif(self.i.valid):
                m.d.sync += [
                    rest.eq(self.i.p.last & (total > group)),
                    held.eq(Mux(full, word, merged)),
                    held_strb.eq(Mux(full, strb[group:],
                                     Mux(self.i.p.last, 0, held_strb | low_strb))),
                ]
        return m
