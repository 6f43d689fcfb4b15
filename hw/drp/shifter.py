"""Shifts, limits and leading zeros of one lane of an element."""

from functools import partial

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import LATENCY, Kind
from hw.drp.decode import SHIFTER
from hw.drp.split_adder import SplitAdder
from hw.drp.stepped import stepped

__all__ = ["Shifter"]

# Bits of the distance that are done in the first step; the others are in the second.
_COARSE, _FINE = (4, 3), (2, 1, 0)


class Shifter(wiring.Component):
    """Operations of Kind.SHIFTER.

    Members
    -------
    step : In(1)
    a, b : In(32)
    code : In(SHIFTER)
    o : Out(32)

    Timing
    ------
    LATENCY - 1 steps after its operands; one a step.
    """

    LATENCY = LATENCY[Kind.SHIFTER]

    def __init__(self):
        super().__init__({"step": In(1), "a": In(32), "b": In(32), "code": In(SHIFTER),
                          "o": Out(32)})

    def elaborate(self, platform):
        m = Module()

        register = partial(stepped, m, self.step)

        code = self.code
        sign = code.signed & self.a[31]
        value, half, less = self._shift(
            Mux(code.reverse, Cat(reversed(self.a)), self.a), 0, 0, sign, self.b, _COARSE)
        s1_value, s1_half, s1_less = (register(32, value, "value"), register(1, half, "half"),
                                      register(1, less, "less"))
        s1_sign = register(1, sign, "sign")
        s1_by = register(3, self.b[:3], "by")
        s1_code = register(SHIFTER, code, "code")
        raised, above = self._raised(m)
        s1_raised, s1_above = register(16, raised, "raised"), register(1, above, "above")
        s1_most = register(16, self.b[16:], "most")
        count, rest = self._zeros(m, self.a, (4, 3))
        s1_some = register(1, self.a.any(), "some")
        s1_count, s1_rest = register(2, count, "count"), register(8, rest, "rest")

        value, half, less = self._shift(s1_value, s1_half, s1_less, s1_sign, s1_by, _FINE)
        limited = Mux(s1_above, s1_most, s1_raised)
        count, _ = self._zeros(m, s1_rest, (2, 1, 0))
        zeros = Mux(s1_some, Cat(count, s1_count), 32)
        other = [s1_code.reverse & bit for bit in reversed(value)]
        for place in range(32):
            other[place] |= s1_code.clamp & limited[min(place, 15)]
            if place < 6:
                other[place] |= s1_code.clz & zeros[place]
        right = ~(s1_code.reverse | s1_code.clamp | s1_code.clz)
        m.submodules.total = total = SplitAdder()
        m.d.comb += [
            total.a.eq(value), total.b.eq(Cat(other)), total.adds.eq(right),
            total.carry.eq(half & (s1_code.up | (s1_code.away & (~s1_sign | less)))),
            self.o.eq(total.o),
        ]
        return m

    def _shift(self, value, half, less, sign, by, bits):
        """Shift right by ``bits`` of ``by``: the value, the last bit that left, if one below it is.

        ``half`` and ``less`` are what it was before.
        """
        for bit in bits:
            size = 1 << bit
            out = value[:size]
            less = Mux(by[bit], less | half | out[:-1].any(), less)
            half = Mux(by[bit], out[-1], half)
            value = Mux(by[bit], Cat(value[size:], sign.replicate(size)), value)
        return value, half, less

    def _raised(self, m):
        """``a``, at least the low half of b, in 16 bits; whether that is above the high half."""
        near, least, most = (half.as_signed() for half in (self.a[:16], self.b[:16], self.b[16:]))
        # What needs more than 16 bits is beyond any limit.
        far, below, above = Signal(), Signal(), Signal()
        m.d.comb += [far.eq(self.a[15:] != self.a[15].replicate(17)),
                     below.eq(Mux(far, self.a[31], near < least)),
                     # All three are compared side by side.
                     above.eq(Mux(below, least > most, far | (near > most)))]
        return Mux(below, least, near), above

    def _zeros(self, m, value, bits):
        """Zeros above the highest one, by halves from the top: bits of their count, the rest."""
        count = []
        for bit in bits:
            size = 1 << bit
            upper = value[size:]
            none = Signal(name=f"none_{bit}")
            m.d.comb += none.eq(~upper.any())
            value = Mux(none, value[:size], upper)
            count.insert(0, none)
        return Cat(count), value
