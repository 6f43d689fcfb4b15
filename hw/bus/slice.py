"""Registers in every channel of a bus."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.stream import SkidBuffer

__all__ = ["AXISlice"]

_ASKED, _ANSWERED = ("aw", "w", "ar"), ("b", "r")


class AXISlice(wiring.Component):
    """Register slice for a bus: no combinational path between its sides, in neither direction.

    Parameters
    ----------
    bus : Signature
        AXI4 or AXI4Lite.

    Members
    -------
    manager : In(bus)
        Comes from the manager.
    subordinate : Out(bus)
        Goes to the subordinate.

    Timing
    ------
    1 cycle each way; an item a cycle in each channel.
    """

    def __init__(self, bus):
        super().__init__({"manager": In(bus), "subordinate": Out(bus)})

    def elaborate(self, platform):
        m = Module()
        for names, source, sink in ((_ASKED, self.manager, self.subordinate),
                                    (_ANSWERED, self.subordinate, self.manager)):
            for name in names:
                before, after = getattr(source, name), getattr(sink, name)
                m.submodules[name] = buffer = SkidBuffer(before.payload.shape())
                connect(m, flipped(before), buffer.i)
                connect(m, buffer.o, flipped(after))
        return m
