"""Takes kernel images apart."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.image import ITEM_ALIGN, SECTION, Space, item_bytes
from hw.drp.descriptors import WORD, WORDS
from hw.drp.tile import load_layout
from hw.interfaces import record_layout

__all__ = ["Loader", "word_layout"]


def word_layout(fabric):
    """A word of a descriptor: inputs come first, then outputs."""
    return data.StructLayout({"stream": range(max(fabric.inputs + fabric.outputs, 2)),
                              "index": range(WORDS), "data": WORD})


class Loader(wiring.Component):
    """Sections to items of a tile, and to words of descriptors.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    i : In(stream of a word of ITEM_ALIGN bytes)
    item : Out(stream of load_layout)
    descriptor : Out(stream of word_layout)
    used : Out(Layout of valid and streams)
        Which streams kernels use.
    busy : Out(1)
        In the middle of a section.
    bad : Out(1)
        A section for a space that there isn't; stays so.

    Timing
    ------
    A cycle for each word, four for a word of a table or descriptor, and one for each section.
    """

    def __init__(self, fabric):
        self.fabric = fabric
        super().__init__({
            "i": In(stream.Signature(8 * ITEM_ALIGN)),
            "item": Out(stream.Signature(load_layout(fabric))),
            "descriptor": Out(stream.Signature(word_layout(fabric))),
            "used": Out(data.StructLayout({
                "valid": 1, "streams": fabric.inputs + fabric.outputs})),
            "busy": Out(1), "bad": Out(1)})

    def elaborate(self, platform):
        m = Module()
        fabric = self.fabric
        word = self.i.payload
        parts = ITEM_ALIGN * 8 // WORD
        header = record_layout(SECTION)
        section = Signal(header, reset_less=True)
        words = {space: item_bytes(fabric, space) // ITEM_ALIGN for space in Space}
        assert max(words[space] for space in (Space.ELEMENT, Space.INPUT, Space.OUTPUT,
                                              Space.TABLE)) == 1
        assert words[Space.STATE] == 2
        # A word of an item; the pieces of one go lowest first, a state's other word lies behind.
        held, holds = Signal(8 * ITEM_ALIGN, reset_less=True), Signal()
        place = Signal(range(-(-WORDS // parts)), reset_less=True)  # word of a descriptor
        part = Signal(range(parts), reset_less=True)
        is_table, is_state = section.space == Space.TABLE, section.space == Space.STATE
        is_stream = section.space.matches(Space.INPUT_STREAM, Space.OUTPUT_STREAM)
        in_pieces = is_table | is_stream
        index = Cat(part, place)
        offers, taken, done, fetched = (Signal() for _ in range(4))
        m.d.comb += [
            offers.eq(holds & (~is_state | self.i.valid)),
            self.item.p.space.eq(section.space), self.item.p.unit.eq(section.unit),
            self.item.p.addr.eq(Mux(is_table, Cat(part, section.first), section.first)),
            self.item.p.data.eq(Cat(held, word)),
            self.item.valid.eq(offers & ~is_stream),
            self.descriptor.p.stream.eq(
                section.unit + Mux(section.space == Space.OUTPUT_STREAM, fabric.inputs, 0)),
            self.descriptor.p.index.eq(index), self.descriptor.p.data.eq(held[:WORD]),
            self.descriptor.valid.eq(offers & is_stream & (index < WORDS)),
            taken.eq(offers & Mux(is_stream, self.descriptor.ready | (index >= WORDS),
                                  self.item.ready)),
            done.eq(taken & ((part == parts - 1) | ~in_pieces)),
        ]
        with m.If(taken):
            m.d.sync += part.eq(part + in_pieces)
        with m.If(taken | fetched):
            m.d.sync += held.eq(Mux(fetched, word, held[WORD:]))
        with m.If(done | fetched):
            m.d.sync += holds.eq(fetched)
        with m.If(done):
            m.d.sync += [place.eq(place + 1), section.first.eq(section.first + 1),
                         section.count.eq(section.count - 1), self.busy.eq(section.count != 1)]
        with m.If(self.busy):
            # The word behind a section's last one is a header.
            more = ~self.bad & (~done | (section.count != 1))
            with m.If(is_state & holds):
                m.d.comb += self.i.ready.eq(done)
            with m.Elif((~holds | done) & more):
                m.d.comb += self.i.ready.eq(1)
                m.d.comb += fetched.eq(self.i.valid)
        with m.Else():
            m.d.comb += self.i.ready.eq(~self.bad)
            taken_header = data.View(header, word)
            with m.If(self.i.valid & ~self.bad):
                m.d.comb += [self.used.valid.eq(taken_header.space == Space.USED),
                             self.used.streams.eq(taken_header.first)]
                m.d.sync += [section.eq(word), place.eq(0), part.eq(0),
                             self.bad.eq(taken_header.space > max(Space)),
                             self.busy.eq(taken_header.count != 0)]
        return m
