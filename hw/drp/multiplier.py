"""32 x 32 bit multiplier of one lane: low half, or doubled and rounded high half."""

from functools import partial

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import LATENCY, Kind
from hw.drp.decode import MULTIPLIER
from hw.drp.stepped import stepped

__all__ = ["Multiplier"]

_LOW = 17  # bits of the low part of an operand: the DSP blocks are 18 x 18 signed
_ROUND = 30  # the bit that is added before MULH drops 31


class Multiplier(wiring.Component):
    """MUL and MULH.

    Members
    -------
    step : In(1)
    a, b : In(32)
    code : In(MULTIPLIER)
    o : Out(32)

    Timing
    ------
    LATENCY - 1 steps after its operands; one product a step. ``o`` comes from two registers, an
    adder and a choice.
    """

    LATENCY = LATENCY[Kind.MULTIPLIER]

    def __init__(self):
        super().__init__({"step": In(1), "a": In(32), "b": In(32), "code": In(MULTIPLIER),
                          "o": Out(32)})

    def elaborate(self, platform):
        m = Module()

        register = partial(stepped, m, self.step)

        a_low, b_low = (register(_LOW, operand[:_LOW], f"{name}_low")
                        for name, operand in (("a", self.a), ("b", self.b)))
        a_high, b_high = (register(signed(32 - _LOW), operand[_LOW:].as_signed(), f"{name}_high")
                          for name, operand in (("a", self.a), ("b", self.b)))
        high = register(1, self.code.high, "high")

        # The two that lie side by side take half of what is rounded; the two between are summed.
        beside = Signal(signed(64))
        m.d.comb += beside.eq(Cat(a_low * b_low, (a_high * b_high)[:64 - 2 * _LOW]))
        s2_low = register(_ROUND, beside[:_ROUND], "s2_low")
        s2_upper = register(signed(64 - _ROUND),
                            beside[_ROUND:].as_signed() + Cat(high, Const(0, 1)).as_signed(),
                            "s2_upper")
        s2_inner = register(signed(34), a_low * b_high + a_high * b_low, "s2_inner")
        s2_high = register(1, high, "s2_high")

        total = Signal(signed(64 - _LOW))
        m.d.comb += total.eq(Cat(s2_low[_LOW:], s2_upper).as_signed() + s2_inner)
        # 2**31, of the least number's square only, is the one product too large.
        large = ~total[-1] & total[31 + 31 - _LOW]
        rounded = total[31 - _LOW:][:32]
        limited = Cat(rounded[:31] | large.replicate(31), rounded[31] & ~large)
        m.d.comb += self.o.eq(Mux(s2_high, limited, Cat(s2_low[:_LOW], total[:32 - _LOW])))
        return m
