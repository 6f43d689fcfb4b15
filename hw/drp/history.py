"""Results of an element's or a stream's last steps, and the links that show some of them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["History", "view_layout"]


def view_layout(depth):
    """What a link shows: the other value, or the result of a step."""
    return data.StructLayout({"other": 1, "number": range(depth)})


class History(wiring.Component):
    """Results of ``depth`` steps in LUT RAM, and links that show one each.

    Links have no registers of their own: what the contract says a register is loaded with is read
    from the RAM in the step after. So this step's result needs no way around the RAM.

    Parameters
    ----------
    width : int
    depth : int
        A power of two.
    links : int
    others : bool
        Links can show another value, too.

    Members
    -------
    step : In(1)
    number : In(range(depth))
        Of this step.
    result : In(width)
    other : In(width)
        Only with ``others``.
    views : In(array of view_layout)
    shown : Out(array of width)
        In the step after.
    """

    def __init__(self, *, width, depth, links, others):
        self.width, self.depth, self.links, self.others = width, depth, links, others
        super().__init__({
            "step": In(1), "number": In(range(depth)), "result": In(width), "other": In(width),
            "views": In(data.ArrayLayout(view_layout(depth), links)),
            "shown": Out(data.ArrayLayout(width, links))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write = ram.write_port()
        views = Signal.like(self.views, reset_less=True)
        other = Signal(self.width, reset_less=True)
        m.d.comb += [write.en.eq(self.step), write.addr.eq(self.number),
                     write.data.eq(self.result)]
        with m.If(self.step):
            m.d.sync += [views.eq(self.views), other.eq(self.other)]
        for index in range(self.links):
            view, read = views[index], ram.read_port(domain="comb")
            m.d.comb += [
                read.addr.eq(view.number),
                self.shown[index].eq(Mux(view.other, other, read.data) if self.others
                                     else read.data)]
        return m
