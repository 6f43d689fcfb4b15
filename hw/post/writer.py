"""Writes output words where they belong and says when an instruction is done."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.registers import Cause
from hw.interfaces import ERROR, RETIRE, word_write_layout
from hw.post.addresses import AddressWalker, walk_layout
from hw.stream import Queue

__all__ = ["WordWriter", "word_layout"]


def word_layout(config):
    """Payload of a stream of words: whether its column ends a lane block, and the last one."""
    return data.StructLayout({"data": 8 * config.group, "block_end": 1, "last": 1})


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
    word : In(stream of word_layout)
    left : Out(1)
        A waiting word gave up its place.
    write : Out(stream of word_write_layout)
    retire : Out(RETIRE)
        In the cycle after the last word was written.
    error : Out(ERROR)
        ADDRESS, of a word that is there; nothing is written any more.

    Timing
    ------
    One word a cycle; 2 cycles from ``word`` to ``write``.
    """

    def __init__(self, config, *, depth):
        self.config, self.depth = config, depth
        super().__init__({
            "walk": In(stream.Signature(walk_layout())),
            "word": In(stream.Signature(word_layout(config))),
            "left": Out(1),
            "write": Out(stream.Signature(word_write_layout(config))),
            "retire": Out(RETIRE),
            "error": Out(ERROR),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.walker = walker = AddressWalker()
        m.submodules.words = words = Queue(shape=self.word.payload.shape(), depth=self.depth)
        wiring.connect(m, wiring.flipped(self.walk), walker.i)
        wiring.connect(m, wiring.flipped(self.word), words.i)

        place = walker.o.p
        # The word that is being written, dropped, or that can't be written.
        held = Signal(data.StructLayout({
            "write": word_write_layout(self.config), "used": 1, "last": 1, "tag": place.tag.shape(),
            "post": place.post.shape()}), reset_less=True)
        valid, gone, failed = Signal(), Signal(), Signal()
        inside, take = Signal(), Signal()
        m.d.comb += [
            self.write.valid.eq(valid & held.used),
            self.write.payload.eq(held.write),
            gone.eq((self.write.ready | ~held.used) & ~failed),
            inside.eq(place.addr < self.config.words),
            take.eq(words.o.valid & walker.o.valid & (~valid | gone)),
            words.o.ready.eq(take),
            walker.o.ready.eq(take),
            walker.block_end.eq(words.o.p.block_end),
            walker.last.eq(words.o.p.last),
            self.left.eq(take),
            self.error.valid.eq(failed),
            self.error.cause.eq(Cause.ADDRESS),
            self.error.tag.eq(held.tag),
            self.error.address.eq(held.write.addr),
        ]
        with m.If(take):
            m.d.sync += [
                valid.eq(1),
                held.write.addr.eq(place.addr),
                held.write.data.eq(words.o.p.data),
                held.used.eq(place.used & inside),
                held.last.eq(words.o.p.last),
                held.tag.eq(place.tag),
                held.post.eq(place.post),
                failed.eq(place.used & ~inside),
            ]
        with m.Elif(gone):
            m.d.sync += valid.eq(0)
        m.d.sync += [
            self.retire.valid.eq(valid & gone & held.last),
            self.retire.post.eq(held.post),
        ]
        return m
