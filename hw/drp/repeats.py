"""How often states have been repeated."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Repeats", "repeats_layout"]


def repeats_layout():
    """A count, and whether that is enough: found when it is written, since block RAM is slow."""
    return data.StructLayout({"count": 16, "enough": 1})


class Repeats(wiring.Component):
    """A count for each state, all 0 when a kernel begins.

    Two sets: while a kernel uses one, the other is cleared, a state a cycle.

    Parameters
    ----------
    states : int

    Members
    -------
    begin : In(1)
        A kernel begins in the next cycle; only with ``ready``.
    ready : Out(1)
    state : In(range(states))
    o : Out(repeats_layout)
        Of the state, a cycle later.
    write : In(1)
        That of ``at`` becomes ``value``.
    at : In(range(states))
    value : In(repeats_layout)
    """

    def __init__(self, states):
        self.states = states
        super().__init__({
            "begin": In(1), "ready": Out(1), "state": In(range(states)),
            "o": Out(repeats_layout()), "write": In(1), "at": In(range(states)),
            "value": In(repeats_layout())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = memory.Memory(
            shape=repeats_layout(), depth=2 * self.states, init=[])
        write, read = ram.write_port(), ram.read_port()
        used = Signal()
        cleared = Signal(range(self.states + 1))
        m.d.comb += [
            self.ready.eq(cleared == self.states),
            read.en.eq(1), read.addr.eq(Cat(self.state, used)), self.o.eq(read.data),
            write.en.eq(self.write | ~self.ready),
            write.addr.eq(Mux(self.write, Cat(self.at, used),
                              Cat(cleared[:len(self.at)], ~used))),
            write.data.eq(Mux(self.write, self.value.as_value(), 0)),
        ]
        with m.If(self.begin):
            m.d.sync += [used.eq(~used), cleared.eq(0)]
        with m.Elif(~self.ready & ~self.write):
            m.d.sync += cleared.eq(cleared + 1)
        return m
