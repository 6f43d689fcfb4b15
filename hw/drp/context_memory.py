"""Contexts of one element or stream."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ContextMemory", "context_write"]


def context_write(depth, shape):
    """What is written, and whether."""
    return data.StructLayout({"en": 1, "addr": range(depth), "data": shape})


class ContextMemory(wiring.Component):
    """Block RAM with a register behind it.

    Parameters
    ----------
    shape : ShapeLike
        Of a context.
    depth : int

    Members
    -------
    advance : In(1)
        A step on.
    address : In(range(depth))
    o : Out(shape)
    write : In(context_write)
        Not what is read at the same time.

    Timing
    ------
    LATENCY times ``advance`` from address to context.
    """

    LATENCY = 2

    def __init__(self, shape, depth):
        self.shape, self.depth = shape, depth
        super().__init__({"advance": In(1), "address": In(range(depth)), "o": Out(shape),
                          "write": In(context_write(depth, shape))})

    def elaborate(self, platform):
        m = Module()
        # A context that is being written isn't running: no need to say what a reader would see.
        m.submodules.ram = ram = memory.Memory(
            shape=self.shape, depth=self.depth, init=[], attrs={"no_rw_check": 1})
        write, read = ram.write_port(), ram.read_port()
        context = Signal(self.shape, reset_less=True)
        m.d.comb += [write.en.eq(self.write.en), write.addr.eq(self.write.addr),
                     write.data.eq(self.write.data), read.en.eq(self.advance),
                     read.addr.eq(self.address), self.o.eq(context)]
        with m.If(self.advance):
            m.d.sync += context.eq(read.data)
        return m
