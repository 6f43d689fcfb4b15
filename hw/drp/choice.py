"""One of two values by byte, a LUT a bit where the device is known."""

from amaranth.hdl import Const, Instance, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Choice"]

_BYTES = 4
# Z of ECP5's LUT4 by D C B A: A | D if C, else B.
_CHOICE = 0xFFAA & 0xF0F0 | 0xCCCC & 0x0F0F


class Choice(wiring.Component):
    """``above``, or all ones with ``flag``, in bytes that are ``found``, ``below`` in others.

    Of cells of its own: synthesis would take what leads to ``found``, which comes late, into each
    bit.

    Members
    -------
    above, below : In(32)
    found : In(4)
    flag : In(1)
    o : Out(32)

    Timing
    ------
    Combinational.
    """

    def __init__(self):
        super().__init__({"above": In(32), "below": In(32), "found": In(_BYTES), "flag": In(1),
                          "o": Out(32)})

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ecp5":
            for bit in range(32):
                m.submodules[f"cell_{bit}"] = Instance(
                    "LUT4", p_INIT=Const(_CHOICE, 16), i_A=self.above[bit], i_B=self.below[bit],
                    i_C=self.found[bit // 8], i_D=self.flag, o_Z=self.o[bit])
            return m
        for byte in range(_BYTES):
            above, below, o = (value.word_select(byte, 8)
                               for value in (self.above, self.below, self.o))
            m.d.comb += o.eq(Mux(self.found[byte], above | self.flag.replicate(8), below))
        return m
