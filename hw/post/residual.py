"""Fetches the words that PostMode.ADD adds, ahead of their tile."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.registers import Cause
from hw.interfaces import ERROR, WordRead
from hw.post.addresses import AddressWalker, walk_layout
from hw.stream import Queue

__all__ = ["ResidualReader"]


class ResidualReader(wiring.Component):
    """One word per column of every tile, in order; those of columns without a pixel mean nothing.

    Parameters
    ----------
    config : Config
    depth : int
        Words asked for and not taken yet, at most.

    Members
    -------
    walk : In(stream of walk_layout)
    read : Out(WordRead)
    word : Out(stream of 8 M bits)
    arrived : Out(1)
        A word joins those at ``word``, where it is from the next cycle on.
    error : Out(ERROR)
        ADDRESS; nothing is read any more.

    Timing
    ------
    One word a cycle; 2 cycles from the transfer of an address to ``word``.
    """

    def __init__(self, config, *, depth):
        self.config, self.depth = config, depth
        super().__init__({
            "walk": In(stream.Signature(walk_layout())),
            "read": Out(WordRead(config)),
            "word": Out(stream.Signature(unsigned(8 * config.group))),
            "arrived": Out(1),
            "error": Out(ERROR),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.walker = walker = AddressWalker(columns=self.config.columns)
        m.submodules.words = words = Queue(shape=self.word.payload.shape(), depth=self.depth)
        wiring.connect(m, wiring.flipped(self.walk), walker.i)
        wiring.connect(m, words.o, wiring.flipped(self.word))

        owed = Signal(range(self.depth + 1))  # words asked for and not taken
        inside, failed, go = Signal(), Signal(), Signal()
        m.d.comb += [
            inside.eq(walker.o.p.addr < self.config.words),
            go.eq((owed != self.depth) & inside & ~failed),
            self.read.addr.valid.eq(walker.o.valid & go),
            self.read.addr.payload.eq(walker.o.p.addr),
            walker.o.ready.eq(self.read.addr.ready & go),
            words.i.valid.eq(self.read.valid),
            words.i.payload.eq(self.read.data),
            self.arrived.eq(self.read.valid),
            self.error.valid.eq(failed),
            self.error.cause.eq(Cause.ADDRESS),
            self.error.tag.eq(walker.o.p.tag),
            self.error.address.eq(walker.o.p.addr),
        ]
        m.d.sync += owed.eq(owed + (self.read.addr.valid & self.read.addr.ready)
                            - (self.word.valid & self.word.ready))
        with m.If(walker.o.valid & ~inside):
            m.d.sync += failed.eq(1)
        return m
