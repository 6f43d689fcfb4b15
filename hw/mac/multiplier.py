"""int8 x int8 multipliers: one DSP block, or adders in LUTs."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Multiplier"]

_BITS = 8


class Multiplier(wiring.Component):
    """Signed product of two bytes.

    Parameters
    ----------
    lut : bool
        Build it as a tree of seven adders, not with ``*``, which becomes a DSP block.

    Members
    -------
    a, b : In(signed(8))
    o : Out(signed(16))

    Timing
    ------
    ``o`` is the product of the cycle before: a register holds the operands of the DSP block, or
    the sums of the first adders.
    """

    def __init__(self, *, lut):
        self.lut = lut
        super().__init__({
            "a": In(signed(_BITS)), "b": In(signed(_BITS)), "o": Out(signed(2 * _BITS))})

    def elaborate(self, platform):
        m = Module()
        if not self.lut:
            a, b = (Signal(signed(_BITS), name=name, reset_less=True) for name in ("a", "b"))
            m.d.sync += [a.eq(self.a), b.eq(self.b)]
            m.d.comb += self.o.eq(a * b)
            return m
        # terms[i] is a if bit i of b is set, worth 2**i; the sign bit's term is subtracted.
        terms = [Mux(self.b[bit], self.a, 0) for bit in range(_BITS)]
        step = 1
        while len(terms) > 1:
            terms = [self._add(m, low, high, step, 2 * pair + 2 == len(terms) and step == 1)
                     for pair, (low, high) in enumerate(zip(terms[::2], terms[1::2], strict=True))]
            if step == 1:
                terms = [self._register(m, term) for term in terms]
            step *= 2
        m.d.comb += self.o.eq(terms[0])
        return m

    def _register(self, m, term):
        register = Signal(signed(len(term)), reset_less=True)
        m.d.sync += register.eq(term)
        return register

    def _add(self, m, low, high, step, subtract):
        """low + (high << step); the low bits pass by the adder.

        As neither operand of the next adder is then exactly a sum, synthesis does not gather the
        tree into one many-operand adder, which takes twice the LUTs.
        """
        upper = Signal(signed(max(len(low) - step, len(high)) + 1))
        rest = low[step:].as_signed()
        m.d.comb += upper.eq(rest - high if subtract else rest + high)
        return Cat(low[:step], upper).as_signed()
