"""A ring of bytes in block RAM that is filled frame by frame."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FrameBuffer"]


class FrameBuffer(wiring.Component):
    """A frame is written byte by byte and becomes readable when it is committed.

    Parameters
    ----------
    depth : int
        Bytes, a power of two.

    Members
    -------
    room : Out(1)
    write : In(1)
        Only with ``room``.
    byte : In({data: 8, last: 1})
    commit : In(1)
        What has been written since the last commit, in this cycle too, is a frame.
    rewind : In(1)
        It is forgotten. Not with ``write`` or ``commit``.
    o : Out(stream of {data: 8, last: 1})
        The committed bytes, in order.

    Timing
    ------
    ``o`` offers a byte 4 cycles after its commit, then one every third cycle.
    """

    def __init__(self, *, depth):
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth is {depth}, accepted is a power of two of at least 2")
        self.depth = depth
        shape = data.StructLayout({"data": 8, "last": 1})
        super().__init__({
            "room": Out(1),
            "write": In(1),
            "byte": In(shape),
            "commit": In(1),
            "rewind": In(1),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()
        # Only bytes committed earlier are read, and none is written before it has been taken.
        m.submodules.ram = ram = memory.Memory(shape=self.o.payload.shape(), depth=self.depth,
                                               init=[], attrs={"no_rw_check": 1})
        write, read = ram.write_port(), ram.read_port()
        # Counts modulo twice the depth: equal is empty, a depth apart is full.
        written, committed, taken = (Signal(range(2 * self.depth), name=name)
                                     for name in ("written", "committed", "taken"))
        after = Signal.like(written)
        there = Signal.like(committed)  # is in the RAM: what comes gets a register first
        fetch, fetched = Signal(), Signal()  # block RAM is slow: its output gets a register
        m.d.comb += [
            self.room.eq(written != taken ^ self.depth),
            after.eq(written + self.write),
            fetch.eq((there != taken) & ~fetched & ~self.o.valid),
            read.addr.eq(taken[:-1]),
            read.en.eq(fetch),
        ]
        m.d.sync += [
            written.eq(Mux(self.rewind, committed, after)),
            write.addr.eq(written[:-1]),
            write.data.eq(self.byte),
            write.en.eq(self.write),
            there.eq(committed),
            taken.eq(taken + fetched),
            fetched.eq(fetch),
        ]
        with m.If(fetched):
            m.d.sync += [self.o.payload.eq(read.data), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.commit):
            m.d.sync += committed.eq(after)
        return m
