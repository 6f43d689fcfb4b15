"""FIFO of bus beats in block RAM."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BeatFifo"]


class BeatFifo(wiring.Component):
    """First in, first out, with a register behind the block RAM as the last place.

    Block RAM is slow to show what it read: the register keeps that out of the user's paths.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Rows of the RAM, at least 1. ``depth`` items always find room.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)

    Timing
    ------
    LATENCY cycles from ``i`` to ``o``; one item a cycle.
    """

    LATENCY = 3

    def __init__(self, *, shape, depth):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"depth is {depth!r}, accepted is an integer of at least 1")
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        # Only an empty or a full RAM has both addresses equal, and then one port rests. Block RAM
        # whatever the depth: a beat of 32 in LUT RAM costs more LUTs than there are EBR to spare.
        m.submodules.ram = ram = memory.Memory(
            shape=self.shape, depth=self.depth, init=[],
            attrs={"no_rw_check": 1, "ram_style": "block"})
        write, read = ram.write_port(), ram.read_port()
        stored = Signal(range(self.depth + 1))
        some, full = Signal(), Signal()  # stored != 0, stored == depth: straight from registers
        shown, show = Signal(), Signal()  # the RAM's output is an item; it goes to the register
        out = Signal(self.shape, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~full),
            write.en.eq(self.i.valid & self.i.ready),
            write.data.eq(self.i.payload),
            show.eq(~self.o.valid | self.o.ready),
            read.en.eq(some & (~shown | show)),
            self.o.payload.eq(out),
        ]
        for port in (write, read):
            with m.If(port.en):
                m.d.sync += port.addr.eq(Mux(port.addr == self.depth - 1, 0, port.addr + 1))
        with m.If(write.en != read.en):
            m.d.sync += [
                stored.eq(stored + Mux(write.en, 1, -1)),
                some.eq(write.en | (stored != 1)),
                full.eq(write.en & (stored == self.depth - 1)),
            ]
        with m.If(~shown | show):
            m.d.sync += shown.eq(read.en)
        with m.If(show):
            m.d.sync += [self.o.valid.eq(shown), out.eq(read.data)]
        return m
