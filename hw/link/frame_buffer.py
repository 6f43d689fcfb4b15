"""A ring of bytes in block RAM that is filled frame by frame."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FrameBuffer"]


class FrameBuffer(wiring.Component):
    """A frame is written at any offsets and becomes readable when it is committed.

    What was written and not committed is written over by the next frame.

    Parameters
    ----------
    depth : int
        Bytes, a power of two.

    Members
    -------
    offset : In
        Where in the frame ``byte`` goes.
    room : Out(1)
        There is a place for ``offset``.
    write : In(1)
        Only with ``room``.
    byte : In({data: 8, last: 1})
    commit : In(1)
        The first ``size`` bytes are a frame.
    size : In
    o : Out(stream of {data: 8, last: 1})
        The committed bytes, in order.

    Timing
    ------
    ``o`` offers a byte 2 cycles after its commit, then one every other cycle.
    """

    def __init__(self, *, depth):
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth is {depth}, accepted is a power of two of at least 2")
        self.depth = depth
        shape = data.StructLayout({"data": 8, "last": 1})
        super().__init__({
            "offset": In(range(depth + 1)),
            "room": Out(1),
            "write": In(1),
            "byte": In(shape),
            "commit": In(1),
            "size": In(range(depth + 1)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()
        # Only bytes committed earlier are read, and none is written before it has been taken.
        m.submodules.ram = ram = memory.Memory(shape=self.o.payload.shape(), depth=self.depth,
                                               init=[], attrs={"no_rw_check": 1})
        write, read = ram.write_port(), ram.read_port()
        base = Signal(range(self.depth))      # of the frame being written
        used = Signal(range(self.depth + 1))  # committed and not taken
        take = Signal()
        m.d.comb += [
            self.room.eq(used + self.offset < self.depth),
            write.addr.eq((base + self.offset)[:len(base)]),
            write.data.eq(self.byte),
            write.en.eq(self.write),
            take.eq(self.o.valid & self.o.ready),
            read.en.eq(~self.o.valid),
            self.o.payload.eq(read.data),
        ]
        with m.If(self.commit):
            m.d.sync += base.eq(base + self.size)
        m.d.sync += used.eq(used + Mux(self.commit, self.size, 0) - take)
        with m.If(take):
            m.d.sync += [read.addr.eq(read.addr + 1), self.o.valid.eq(0)]
        with m.Else():
            m.d.sync += self.o.valid.eq(used != 0)
        return m
