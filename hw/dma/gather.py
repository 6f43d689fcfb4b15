"""Runs of beats, realigned and spread over the scratchpad."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import Opcode
from hw.dma.gather_walk import GatherWalk, place_layout
from hw.interfaces import instruction_layout
from hw.stream import Queue

__all__ = ["Gather", "gathered_layout"]


def gathered_layout(config):
    """A word for the scratchpad, whether its address is bad, and the instruction's last one."""
    return data.StructLayout({"addr": 16, "data": 8 * config.group, "bad": 1, "last": 1})


class Gather(wiring.Component):
    """Makes the words of LOADs to the scratchpad, as golden.spec.isa.Target says.

    Positions never go down within a run, so two beats are enough: the last one taken and the one
    on offer. A word that needs no byte of the latter doesn't wait for it.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of LOAD)
        The next instruction is taken while words of this one are on their way.
    beat : In(stream of one beat)
        All beats of all runs, in order; those of no word are dropped.
    o : Out(stream of gathered_layout)
    idle : Out(1)
        No more beats are wanted for the instructions taken so far.

    Timing
    ------
    LATENCY cycles from ``i`` to the first word if the beat is there; then a word a cycle, or a
    beat a cycle where a word is more than a beat further. One more cycle at the end of a run that
    has beats no word needs.
    """

    LATENCY = GatherWalk.LATENCY + 4
    PLACES_AHEAD = 2  # between walk and beats, so that neither waits for the other's answer

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(instruction_layout(Opcode.LOAD))),
            "beat": In(stream.Signature(unsigned(8 * config.group))),
            "o": Out(stream.Signature(gathered_layout(config))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        group = self.config.group
        m.submodules.walk = walk = GatherWalk(self.config)
        wiring.connect(m, wiring.flipped(self.i), walk.i)

        m.submodules.places = places = Queue(shape=place_layout(self.config),
                                             depth=self.PLACES_AHEAD)
        wiring.connect(m, walk.o, places.i)

        # s0: beats go by. As many as ``left`` and two more are to come.
        window = Signal(8 * group, reset_less=True)  # the last beat taken
        s0_valid, s0_free, waits = Signal(), Signal(), Signal()
        s0 = Signal(place_layout(self.config), reset_less=True)
        left = Signal(len(s0.advance) + 1, reset_less=True)
        single = left[-1]
        s1_valid, s1_move = Signal(), Signal()  # s1: the window stands right for this word
        s1 = Signal.like(s0, reset_less=True)
        free, take, done = Signal(), Signal(), Signal()
        m.d.comb += [
            s1_move.eq(s1_valid & (~self.o.valid | self.o.ready)
                       & (~s1.straddles | self.beat.valid)),
            free.eq(~s1_valid | s1_move),
            self.beat.ready.eq(waits & free),
            take.eq(self.beat.valid & self.beat.ready),
            done.eq(s0_valid & free & (~waits | (self.beat.valid & single))),
            s0_free.eq(~s0_valid | done),
            places.o.ready.eq(s0_free),
            self.idle.eq(walk.idle & ~places.o.valid & ~s0_valid & ~s1_valid),
        ]
        with m.If(take):
            m.d.sync += window.eq(self.beat.payload)
        with m.If(s0_free):
            m.d.sync += [
                s0.eq(places.o.p),
                s0_valid.eq(places.o.valid),
                waits.eq(places.o.valid & ~places.o.p.still),
            ]
        with m.If(s0_free | take):
            m.d.sync += left.eq(Mux(s0_free, places.o.p.advance, left) - Mux(s0_free, 2, 1))
        with m.If(done):
            m.d.sync += [s1.eq(s0), s1_valid.eq(s0.word)]
        with m.Elif(s1_move):
            m.d.sync += s1_valid.eq(0)

        shifted = Signal(8 * group)
        m.d.comb += shifted.eq(Cat(window, self.beat.payload) >> (s1.shift << 3))
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(s1_move),
                self.o.p.addr.eq(s1.addr),
                self.o.p.bad.eq(s1.bad),
                self.o.p.last.eq(s1.last),
                self.o.p.data.eq(Cat(
                    Mux(s1.mask[j], shifted.word_select(j, 8), s1.fill) for j in range(group))),
            ]
        return m
