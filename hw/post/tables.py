"""Lookup tables, one copy per drain lane."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.layout import TABLE_ENTRIES
from hw.interfaces import table_write_layout

__all__ = ["Tables"]


class Tables(wiring.Component):
    """TABLE_ENTRIES int32, read by ``drain`` lanes at once.

    Parameters
    ----------
    drain : int
        D.

    Members
    -------
    write : In(stream of table_write_layout)
        Always ready.
    addr : In(array of D addresses)
    data : Out(array of D signed 32)

    Timing
    ------
    LATENCY cycles from ``addr`` to ``data``. An entry is written in the cycle after it was taken;
    what is read in that cycle is undefined.
    """

    LATENCY = 2  # block RAM is slow to answer: its data is registered

    def __init__(self, *, drain):
        self.drain = drain
        super().__init__({
            "write": In(stream.Signature(table_write_layout())),
            "addr": In(data.ArrayLayout(range(TABLE_ENTRIES), drain)),
            "data": Out(data.ArrayLayout(signed(32), drain)),
        })

    def elaborate(self, platform):
        m = Module()
        writes, entry = Signal(), Signal(table_write_layout(), reset_less=True)
        m.d.comb += self.write.ready.eq(1)
        m.d.sync += [writes.eq(self.write.valid), entry.eq(self.write.p)]
        for lane in range(self.drain):
            ram = memory.Memory(shape=signed(32), depth=TABLE_ENTRIES, init=[],
                                attrs={"no_rw_check": 1})
            m.submodules[f"ram_{lane}"] = ram
            write, read = ram.write_port(), ram.read_port()
            answer = Signal(signed(32), reset_less=True, name=f"answer_{lane}")
            m.d.comb += [
                write.en.eq(writes),
                write.addr.eq(entry.addr),
                write.data.eq(entry.data),
                read.addr.eq(self.addr[lane]),
                self.data[lane].eq(answer),
            ]
            m.d.sync += answer.eq(read.data)
        return m
