"""Results of an element's or a stream's last steps, and the links that show some of them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["History"]


class History(wiring.Component):
    """Results of ``depth`` steps in LUT RAM, and links that show one each.

    A link is a register, loaded with this step's result or one of the RAM's: what shows is used a
    long way off, and a RAM read by then would begin that way late (docs/decisions.md).

    Parameters
    ----------
    width : int
    depth : int
        A power of two.
    links : int
    route : bool
        The first link can show another value, too.

    Members
    -------
    step : In(1)
    number : In(range(depth))
        Of this step.
    result : In(width)
    views : In(array of range(depth))
        By link, the number of the step whose result it shows.
    routes : In(1)
        The first link shows ``other``; only with ``route``.
    other : In(width)
    shown : Out(array of width)
        In the step after.
    """

    def __init__(self, *, width, depth, links, route):
        self.width, self.depth, self.links, self.route = width, depth, links, route
        super().__init__({
            "step": In(1), "number": In(range(depth)), "result": In(width),
            "views": In(data.ArrayLayout(range(depth), links)),
            "routes": In(1), "other": In(width),
            "shown": Out(data.ArrayLayout(width, links))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write = ram.write_port()
        m.d.comb += [write.en.eq(self.step), write.addr.eq(self.number),
                     write.data.eq(self.result)]
        for index in range(self.links):
            read = ram.read_port(domain="comb")
            view, shown = self.views[index], Signal(self.width, name=f"shown_{index}",
                                                    reset_less=True)
            latest, value = view == self.number, read.data
            if self.route and index == 0:
                latest, value = latest & ~self.routes, Mux(self.routes, self.other, value)
            # The result comes last: one LUT behind it.
            latest = latest.replicate(self.width)
            m.d.comb += [read.addr.eq(view), self.shown[index].eq(shown)]
            with m.If(self.step):
                m.d.sync += shown.eq((latest & self.result) | (~latest & value))
        return m
