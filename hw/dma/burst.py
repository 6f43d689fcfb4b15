"""Splitting of runs of beats into AXI bursts."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PAGE_BYTES", "BurstSplitter", "balance", "burst_layout", "run_layout"]

PAGE_BYTES = 4096  # AXI: no burst crosses a multiple of it


def run_layout():
    """A run: byte address (of any byte of the first beat), beats, and a mark for the user."""
    return data.StructLayout({"addr": 32, "beats": 24, "final": 1})


def burst_layout():
    """A burst: beat-aligned address, beats - 1, its run's byte address, end of run, run's mark."""
    return data.StructLayout({"addr": 32, "len": 8, "run": 32, "last": 1, "final": 1})


def balance(beats, one_more, taken, length):
    """A count of beats, with one more and less those of a burst; one adder does both."""
    less = Cat(Mux(taken, ~length, 0), taken.replicate(max(len(beats) - len(length), 0)))
    return (Cat(one_more, beats) + Cat(one_more, less))[1:len(beats) + 1]


class BurstSplitter(wiring.Component):
    """Cuts runs at multiples of ``limit`` beats, which keeps bursts off 4 KiB boundaries.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a beat, a power of two.
    limit : int
        Longest burst in beats, a power of two up to 256; less where 4 KiB are fewer beats.

    Members
    -------
    i : In(stream of run_layout)
        Runs of at least one beat.
    o : Out(stream of burst_layout)

    Timing
    ------
    2 cycles from a run to its first burst, then a burst a cycle; a run of one burst every other
    cycle.
    """

    def __init__(self, *, beat_bytes, limit):
        self.beat_bits = beat_bytes.bit_length() - 1
        self.limit = min(limit, PAGE_BYTES // beat_bytes)
        super().__init__({
            "i": In(stream.Signature(run_layout())),
            "o": Out(stream.Signature(burst_layout())),
        })

    def elaborate(self, platform):
        m = Module()
        limit_bits = self.limit.bit_length() - 1
        place = Signal(limit_bits, reset_less=True)  # beats behind the last boundary
        room = Signal(range(self.limit + 1), reset_less=True)  # and before the next one
        block = Signal(32 - self.beat_bits - limit_bits, reset_less=True)  # of limit beats
        left = Signal(24, reset_less=True)
        run = Signal(32, reset_less=True)
        final, opened = Signal(), Signal()

        ends = Signal()
        m.d.comb += [ends.eq(left <= room), self.i.ready.eq(~opened)]
        with m.If(~opened):
            m.d.sync += [
                opened.eq(self.i.valid),
                Cat(place, block).eq(self.i.p.addr[self.beat_bits:]),
                room.eq(self.limit - self.i.p.addr[self.beat_bits:][:limit_bits]),
                left.eq(self.i.p.beats),
                run.eq(self.i.p.addr),
                final.eq(self.i.p.final),
            ]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(opened),
                self.o.p.addr.eq(Cat(Const(0, self.beat_bits), place, block)),
                self.o.p.len.eq(Mux(ends, left - 1, ~place)),  # or room - 1
                self.o.p.run.eq(run),
                self.o.p.last.eq(ends),
                self.o.p.final.eq(final & ends),
            ]
            with m.If(opened):
                m.d.sync += [
                    opened.eq(~ends),
                    place.eq(0),
                    room.eq(self.limit),
                    block.eq(block + 1),
                    left.eq(left - room),
                ]
        return m
