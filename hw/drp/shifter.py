"""Shifts, limits and leading zeros of one lane of an element."""

from functools import partial

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import LATENCY, Kind
from hw.drp.decode import SHIFTER
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

        sign = self.code.signed & self.a[31]
        value, half, less = self._shift(
            Mux(self.code.reverse, Cat(reversed(self.a)), self.a), 0, 0, sign, self.b, _COARSE)
        s1_value, s1_half, s1_less = (register(32, value, "value"), register(1, half, "half"),
                                      register(1, less, "less"))
        s1_sign = register(1, sign, "sign")
        s1_by = register(5, self.b[:5], "by")
        s1_code = register(SHIFTER, self.code, "code")
        s1_a, s1_limits = register(32, self.a, "a"), register(32, self.b, "limits")

        value, half, less = self._shift(s1_value, s1_half, s1_less, s1_sign, s1_by, _FINE)
        up = half & (s1_code.up | (s1_code.away & (~s1_sign | less)))
        shifted = Signal(32)
        m.d.comb += shifted.eq(value + up)
        limited = self._clamp(m, s1_a, s1_limits)
        zeros = self._zeros(m, s1_a)
        m.d.comb += self.o.eq(Mux(
            s1_code.clamp, limited, Mux(s1_code.clz, zeros, Mux(
                s1_code.reverse, Cat(reversed(shifted)), shifted))))
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

    def _clamp(self, m, a, limits):
        """``a``, at least the low half of ``limits``, then at most the high half."""
        least, most = limits[:16].as_signed(), limits[16:].as_signed()
        # What needs more than 16 bits is beyond any limit.
        far = (a[15:] != a[15].replicate(17))
        near = a[:16].as_signed()
        below, above = Signal(), Signal()
        m.d.comb += [
            below.eq(Mux(far, a[31], near < least)),
            above.eq(Mux(below, least > most, Mux(far, ~a[31], near > most))),
        ]
        limit = Signal(signed(16), name="limit")
        m.d.comb += limit.eq(Mux(above, most, least))
        return Mux(above | below, Cat(limit, limit[-1].replicate(16)), a)

    def _zeros(self, m, a):
        """Zeros above the highest one: by halves, from the top."""
        count, value = [], a
        for bit in (4, 3, 2, 1, 0):
            size = 1 << bit
            upper = value[size:]
            none = Signal(name=f"none_{bit}")
            m.d.comb += none.eq(~upper.any())
            value = Mux(none, value[:size], upper)
            count.insert(0, none)
        empty = ~value[0]  # then the whole word is
        return Mux(empty, 32, Cat(count))
