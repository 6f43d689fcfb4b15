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
    A cycle for each word, four for a word of a table or descriptor.
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
        words = {space: item_bytes(fabric, space) // ITEM_ALIGN for space in Space
                 if space not in (Space.INPUT_STREAM, Space.OUTPUT_STREAM, Space.USED)}
        wide = max(words[space] for space in (Space.ELEMENT, Space.INPUT, Space.OUTPUT,
                                              Space.STATE))
        # Words of the item so far, the last one highest.
        before = Signal(8 * ITEM_ALIGN * (wide - 1), reset_less=True)
        # Word of the item, or of the descriptor.
        place = Signal(range(max(*words.values(), WORDS // parts)), reset_less=True)
        part = Signal(range(parts))
        last, ends = Signal(), Signal()
        with m.Switch(section.space):
            for space, count in words.items():
                with m.Case(space):
                    m.d.comb += last.eq(place == count - 1)
        is_table = section.space == Space.TABLE
        is_stream = section.space.matches(Space.INPUT_STREAM, Space.OUTPUT_STREAM)
        whole = last | is_stream
        piece = word.word_select(part, WORD)
        index = Cat(part, place)
        m.d.comb += [
            self.item.p.space.eq(section.space), self.item.p.unit.eq(section.unit),
            self.item.p.addr.eq(Mux(is_table, Cat(part, section.first), section.first)),
            self.item.p.data.eq(Mux(is_table, piece, self._joined(before, word, wide, place))),
            self.descriptor.p.stream.eq(
                section.unit + Mux(section.space == Space.OUTPUT_STREAM, fabric.inputs, 0)),
            self.descriptor.p.index.eq(index), self.descriptor.p.data.eq(piece),
        ]
        taken = Signal()  # what is offered of this word
        with m.If(self.busy & self.i.valid):
            m.d.comb += [
                self.descriptor.valid.eq(is_stream & (index < WORDS)),
                self.item.valid.eq(~is_stream & (is_table | last)),
                taken.eq(Mux(is_stream, self.descriptor.ready | (index >= WORDS),
                             self.item.ready | ~(is_table | last))),
                ends.eq(taken & ((part == parts - 1) | ~(is_table | is_stream))),
                self.i.ready.eq(ends),
            ]
            with m.If(taken):
                m.d.sync += part.eq(part + (is_table | is_stream))
            with m.If(ends):
                m.d.sync += [before.eq(Cat(before, word)[8 * ITEM_ALIGN:]),
                             place.eq(Mux(last, 0, place + 1))]
                with m.If(whole):
                    m.d.sync += [section.first.eq(section.first + 1),
                                 section.count.eq(section.count - 1),
                                 self.busy.eq(section.count != 1)]
        with m.Elif(~self.busy):
            m.d.comb += self.i.ready.eq(~self.bad)
            taken_header = data.View(header, word)
            with m.If(self.i.valid & ~self.bad):
                m.d.comb += [self.used.valid.eq(taken_header.space == Space.USED),
                             self.used.streams.eq(taken_header.first)]
                m.d.sync += [section.eq(word), place.eq(0), part.eq(0),
                             self.bad.eq(taken_header.space > max(Space)),
                             self.busy.eq(taken_header.count != 0)]
        return m

    def _joined(self, before, word, wide, place):
        """The item's words, first one lowest."""
        if wide == 1:
            return word
        # Those before it are at the top of ``before``; items of one word have none.
        whole = Cat(before, word)
        return Mux(place == 0, word, whole) if wide == 2 else whole
