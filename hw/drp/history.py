"""What an element or a stream computed in its last steps, and the registers that show some of it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["History", "view_layout"]


def view_layout(depth):
    """What a register is loaded with: the other value, the result, or that of a step."""
    return data.StructLayout({"other": 1, "result": 1, "number": range(depth)})


class History(wiring.Component):
    """Results of ``depth`` steps in LUT RAM, and registers that show one each.

    Parameters
    ----------
    width : int
    depth : int
        A power of two.
    views : int
        Registers.

    Members
    -------
    step : In(1)
    number : In(range(depth))
        Of this step.
    result : In(width)
    other : In(width)
        Registers may take it instead of a result.
    views : In(array of view_layout)
    shown : Out(array of width)
        As asked for in the step before.
    """

    def __init__(self, *, width, depth, views):
        self.width, self.depth, self.views_count = width, depth, views
        super().__init__({
            "step": In(1), "number": In(range(depth)), "result": In(width), "other": In(width),
            "views": In(data.ArrayLayout(view_layout(depth), views)),
            "shown": Out(data.ArrayLayout(width, views))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write = ram.write_port()
        m.d.comb += [write.en.eq(self.step), write.addr.eq(self.number),
                     write.data.eq(self.result)]
        for index in range(self.views_count):
            view, read = self.views[index], ram.read_port(domain="comb")
            shown = Signal(self.width, name=f"shown_{index}", reset_less=True)
            m.d.comb += [read.addr.eq(view.number), self.shown[index].eq(shown)]
            with m.If(self.step):
                m.d.sync += shown.eq(Mux(view.other, self.other,
                                         Mux(view.result, self.result, read.data)))
        return m
