"""The memory of one lane of an element: look up, store, add to."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import LATENCY, Kind
from hw.drp.decode import MEMORY
from hw.drp.split_adder import SplitAdder

__all__ = ["TableMemory", "table_write"]


def table_write(words):
    """Payload of the stream that fills a memory."""
    return data.StructLayout({"addr": range(words), "data": 32})


class TableMemory(wiring.Component):
    """Operations of Kind.MEMORY.

    Parameters
    ----------
    words : int
        A power of two.

    Members
    -------
    step : In(1)
    acts : In(1)
        The operation of this step may write.
    a, b : In(32)
    code : In(MEMORY)
    o : Out(32)
    load : In(stream of table_write)
        Waits while an operation writes.

    Timing
    ------
    LATENCY - 1 steps after its operands. Writes are done in the cycle after their step, even if
    the next one waits; what is read at that moment is what is written.
    """

    LATENCY = LATENCY[Kind.MEMORY]

    def __init__(self, words):
        self.words = words
        super().__init__({"step": In(1), "acts": In(1), "a": In(32), "b": In(32),
                          "code": In(MEMORY), "o": Out(32),
                          "load": In(stream.Signature(table_write(words)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = memory.Memory(shape=32, depth=self.words, init=[])
        m.submodules.total = total = SplitAdder()
        write = table.write_port()
        read = table.read_port(transparent_for=(write,))
        writes = self.code.store | self.code.add
        pending, adds = Signal(), Signal(reset_less=True)
        address = Signal.like(write.addr, reset_less=True)
        value = Signal(32, reset_less=True)
        m.d.sync += pending.eq(self.step & self.acts & writes)
        with m.If(self.step):
            m.d.sync += [address.eq(self.a), value.eq(self.b), adds.eq(self.code.add)]
        m.d.comb += [
            read.en.eq(self.step),
            read.addr.eq(self.a + Mux(writes, 0, self.b)),
            self.o.eq(read.data),
            self.load.ready.eq(~pending),
            write.en.eq(pending | self.load.valid),
            write.addr.eq(Mux(pending, address, self.load.p.addr)),
            # What isn't added comes out as it is: nothing behind the sum, which comes last.
            total.a.eq(read.data), total.b.eq(Mux(pending, value, self.load.p.data)),
            total.adds.eq(pending & adds), write.data.eq(total.o),
        ]
        return m
