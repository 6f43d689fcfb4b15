"""Multiplexers of many items, for a device's own wide multiplexers."""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WideMux", "wide_mux"]


class WideMux(wiring.Component):
    """One of several items by its number; 0 beyond the last.

    A block of its own, so that `fpga.wide_muxes` can build it of ECP5's PFUMX and L6MUX21: half a
    LUT4 an item and bit, and one net out of each tile, where synthesis by itself takes a third
    more and routes every part.

    Parameters
    ----------
    count : int
        Items, at least 2.
    width : int
        Bits of each, a power of two.

    Members
    -------
    items : In(array of width bits)
    index : In(range(count))
    o : Out(width)
    """

    def __init__(self, *, count, width):
        if count < 2 or width < 1 or width & (width - 1):
            raise ValueError(f"{count} items of {width} bits; accepted are at least 2, of a power "
                             "of two")
        self.count, self.width = count, width
        super().__init__({
            "items": In(data.ArrayLayout(width, count)), "index": In(range(count)),
            "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        # A shift by a multiple of the width: what fpga.wide_muxes looks for.
        m.d.comb += self.o.eq(self.items.as_value().word_select(self.index, self.width))
        return m


def wide_mux(m, name, items, index):
    """Output of a `WideMux` of the values ``items``; ``name`` is its own in ``m``."""
    if len(items) == 1:
        return items[0]
    mux = WideMux(count=len(items), width=len(items[0]))
    # By this name synthesis knows it and its size.
    m.submodules[f"wide{mux.count}x{mux.width}_{name}"] = mux
    m.d.comb += [mux.items[place].eq(item) for place, item in enumerate(items)]
    m.d.comb += mux.index.eq(index)
    return mux.o
