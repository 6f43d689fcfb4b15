"""Writes output words where they belong and says when an instruction is done."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.registers import Cause
from hw.interfaces import ERROR, RETIRE, word_write_layout
from hw.post.addresses import AddressWalker, walk_layout
from hw.stream import Queue

__all__ = ["WordWriter"]


class WordWriter(wiring.Component):
    """Takes one word per column of every tile; those of columns without a pixel are dropped.

    Parameters
    ----------
    config : Config
    depth : int
        Words that can wait.

    Members
    -------
    walk : In(stream of walk_layout)
    word : In(stream of 8 M bits)
    left : Out(1)
        A waiting word gave up its place.
    write : Out(stream of word_write_layout)
    retire : Out(RETIRE)
        In the cycle after the last word was written.
    error : Out(ERROR)
        ADDRESS; nothing is written any more.

    Timing
    ------
    One word a cycle; 2 cycles from ``word`` to ``write``.
    """

    def __init__(self, config, *, depth):
        self.config, self.depth = config, depth
        super().__init__({
            "walk": In(stream.Signature(walk_layout())),
            "word": In(stream.Signature(unsigned(8 * config.group))),
            "left": Out(1),
            "write": Out(stream.Signature(word_write_layout(config))),
            "retire": Out(RETIRE),
            "error": Out(ERROR),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.walker = walker = AddressWalker(columns=self.config.columns)
        m.submodules.words = words = Queue(shape=self.word.payload.shape(), depth=self.depth)
        wiring.connect(m, wiring.flipped(self.walk), walker.i)
        wiring.connect(m, wiring.flipped(self.word), words.i)

        place = walker.o.p
        held = Signal(data.StructLayout({  # the word that is being written, or dropped
            "write": word_write_layout(self.config), "used": 1, "last": 1,
            "post": place.post.shape()}), reset_less=True)
        valid, gone = Signal(), Signal()
        inside, failed, take = Signal(), Signal(), Signal()
        m.d.comb += [
            self.write.valid.eq(valid & held.used),
            self.write.payload.eq(held.write),
            gone.eq(self.write.ready | ~held.used),
            inside.eq((place.addr < self.config.words) | ~place.used),
            take.eq(words.o.valid & walker.o.valid & (~valid | gone) & inside & ~failed),
            words.o.ready.eq(take),
            walker.o.ready.eq(take),
            self.left.eq(take),
            self.error.valid.eq(failed),
            self.error.cause.eq(Cause.ADDRESS),
            self.error.tag.eq(place.tag),
            self.error.address.eq(place.addr),
        ]
        with m.If(take):
            m.d.sync += [
                valid.eq(1),
                held.write.addr.eq(place.addr),
                held.write.data.eq(words.o.payload),
                held.used.eq(place.used),
                held.last.eq(place.last),
                held.post.eq(place.post),
            ]
        with m.Elif(gone):
            m.d.sync += valid.eq(0)
        with m.If(walker.o.valid & ~inside):
            m.d.sync += failed.eq(1)
        m.d.sync += [
            self.retire.valid.eq(valid & gone & held.last),
            self.retire.post.eq(held.post),
        ]
        return m
