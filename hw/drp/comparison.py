"""What two adders' carries say of sub-words, one step of cells behind them where they are known."""

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Comparison", "of_part"]

_BYTES = 4
# ECP5's LUT4 by D C B A: A if C asks for it, and B if D does.
_BOTH = sum(1 << index for index in range(16)
            if (index & 1 or not index & 4) and (index & 2 or not index & 8))


def of_part(values, single, parts):
    """For each byte the value of its sub-word's highest one."""
    low = Mux(parts, values[1], values[3])
    return (Mux(single, values[0], low), low, Mux(single, values[2], values[3]), values[3])


class Comparison(wiring.Component):
    """Whether the carries that are asked for are 1, by sub-word, or the other way round.

    Of cells of its own: they choose between sub-words' ends behind the logic, in the slices'
    multiplexers, and the carries come late.

    Members
    -------
    first, second : In(4)
        Carries of two adders by byte, those that end a sub-word.
    asks : In(2)
        For the first, for the second; with neither it is true.
    invert : In(4)
        The other way round, by byte.
    single, parts : In(1)
        Sub-words are single bytes; are parts of the word.
    found : Out(4)
        By byte, of its sub-word.

    Timing
    ------
    Combinational.
    """

    def __init__(self):
        super().__init__({"first": In(_BYTES), "second": In(_BYTES), "asks": In(2),
                          "invert": In(_BYTES), "single": In(1), "parts": In(1),
                          "found": Out(_BYTES)})

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ecp5":
            self._cells(m)
            return m
        agrees = Signal(_BYTES)
        m.d.comb += agrees.eq(Cat(
            Cat(~ask | carries[byte] for ask, carries in zip(
                self.asks, (self.first, self.second), strict=True)).all()
            for byte in range(_BYTES)))
        m.d.comb += self.found.eq(self.invert ^ Cat(of_part(agrees, self.single, self.parts)))
        return m

    def _cells(self, m):
        def agrees(at, byte):  # what a byte takes from the end at ``at``
            halves = {}
            for name, init in (("BLUT", _BOTH), ("ALUT", ~_BOTH & 0xFFFF)):
                half = halves[f"i_{name}"] = Signal()
                m.submodules += Instance(
                    "LUT4", p_INIT=Const(init, 16), i_A=self.first[at], i_B=self.second[at],
                    i_C=self.asks[0], i_D=self.asks[1], o_Z=half)
            o = Signal()
            m.submodules += Instance("PFUMX", **halves, i_C0=self.invert[byte], o_Z=o)
            return o

        def choose(select, if_1, if_0):
            o = Signal()
            m.submodules += Instance("L6MUX21", i_D0=if_0, i_D1=if_1, i_SD=select, o_Z=o)
            return o

        # The last multiplexer joins two others.
        lowest = choose(self.single, choose(self.parts, agrees(0, 0), agrees(0, 0)),
                        choose(self.parts, agrees(1, 0), agrees(3, 0)))
        m.d.comb += self.found.eq(Cat(
            lowest, choose(self.parts, agrees(1, 1), agrees(3, 1)),
            choose(self.single, agrees(2, 2), agrees(3, 2)), agrees(3, 3)))
