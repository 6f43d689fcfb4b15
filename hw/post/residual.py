"""Fetches the words that PostMode.ADD adds, ahead of their tile."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.registers import Cause
from hw.interfaces import ERROR, WordRead
from hw.post.addresses import AddressWalker, walk_layout
from hw.post.counts import TileCounter, counts_layout
from hw.stream import Queue, SkidBuffer

__all__ = ["ResidualReader", "residual_layout"]


def residual_layout():
    """StructLayout of a walk and how far it leads."""
    return data.StructLayout({"walk": walk_layout(), "counts": counts_layout()})


class ResidualReader(wiring.Component):
    """One word per column of every tile, in order; those of columns without a pixel mean nothing.

    Parameters
    ----------
    config : Config
    depth : int
        Words asked for and not taken yet, at most.

    Members
    -------
    walk : In(stream of residual_layout)
    read : Out(WordRead)
    word : Out(stream of 8 M bits)
    arrived : Out(1)
        A word joins those at ``word``, where it is from the next cycle on.
    error : Out(ERROR)
        ADDRESS; nothing is read any more.

    Timing
    ------
    One word a cycle, with at least WordRead.LATENCY + 3 places; 2 cycles from a walk to its first
    address, WordRead.LATENCY + 1 from the transfer of an address to ``word``.
    """

    def __init__(self, config, *, depth):
        self.config, self.depth = config, depth
        super().__init__({
            "walk": In(stream.Signature(residual_layout())),
            "read": Out(WordRead(config)),
            "word": Out(stream.Signature(unsigned(8 * config.group))),
            "arrived": Out(1),
            "error": Out(ERROR),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.walker = walker = AddressWalker()
        m.submodules.counter = counter = TileCounter(columns=self.config.columns)
        m.submodules.asks = asks = SkidBuffer(unsigned(16))
        m.submodules.words = words = Queue(shape=self.word.payload.shape(), depth=self.depth)
        wiring.connect(m, asks.o, wiring.flipped(self.read.addr))
        wiring.connect(m, words.o, wiring.flipped(self.word))

        owed = Signal(range(self.depth + 1))  # words asked for and not taken
        full = Signal()  # owed == depth
        inside, failed, go, ask, taken = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            walker.i.valid.eq(self.walk.valid),
            walker.i.payload.eq(self.walk.p.walk),
            self.walk.ready.eq(walker.i.ready),
            counter.counts.eq(self.walk.p.counts),
            counter.load.eq(walker.i.ready),
            counter.step.eq(ask),
            walker.block_end.eq(counter.block_end),
            walker.last.eq(counter.last),
            inside.eq(walker.o.p.addr < self.config.words),
            go.eq(~full & inside & ~failed),
            ask.eq(walker.o.valid & go & asks.i.ready),
            asks.i.valid.eq(walker.o.valid & go),
            asks.i.payload.eq(walker.o.p.addr),
            walker.o.ready.eq(asks.i.ready & go),
            words.i.valid.eq(self.read.valid),
            words.i.payload.eq(self.read.data),
            taken.eq(self.word.valid & self.word.ready),
            self.arrived.eq(self.read.valid),
            self.error.valid.eq(failed),
            self.error.cause.eq(Cause.ADDRESS),
            self.error.tag.eq(walker.o.p.tag),
            self.error.address.eq(walker.o.p.addr),
        ]
        m.d.sync += owed.eq(owed + ask - taken)
        with m.If(ask != taken):
            m.d.sync += full.eq(ask & (owed == self.depth - 1))
        with m.If(walker.o.valid & ~inside):
            m.d.sync += failed.eq(1)
        return m
