"""Arithmetic and logic of one lane of an element, on sub-words."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import Subword
from hw.drp.decode import ALU

__all__ = ["Alu"]

_BYTES = 4


class Alu(wiring.Component):
    """Operations of Kind.ALU.

    Two adders: a + b or a - b, and b - a. Their carries say which is larger, so that one chain
    serves differences, comparisons and limits; between the bytes each has one more bit, which
    hands the carry on or, between sub-words, ends it and begins anew, and in both cases shows it.

    Members
    -------
    a, b, c : In(32)
    code : In(ALU)
    subword : In(2)
    o : Out(32)

    Timing
    ------
    Combinational.
    """

    def __init__(self):
        super().__init__({"a": In(32), "b": In(32), "c": In(32), "code": In(ALU),
                          "subword": In(2), "o": Out(32)})

    def elaborate(self, platform):
        m = Module()
        code = self.code
        # Whether the sub-word ends above each byte.
        ends = [self.subword == Subword.X4, self.subword != Subword.X1,
                self.subword == Subword.X4, Const(1, 1)]
        y = Signal(32)
        m.d.comb += y.eq(self.b ^ code.invert.replicate(32))
        total, below = self._add(m, "total", self.a, y, code.invert, ends)
        rest, above = self._add(m, "rest", self.b, ~self.a, Const(1, 1), ends)

        conds = []
        for byte in range(_BYTES):
            top = 8 * byte + 7
            differ = code.signed & (self.a[top] ^ self.b[top])
            cond = Signal(name=f"cond_{byte}")
            m.d.comb += cond.eq((code.lt & (~below[byte] ^ differ))
                                | (code.gt & (~above[byte] ^ differ)))
            conds.append(cond)
        conds = [Mux(ends[0], conds[0], Mux(ends[1], conds[1], conds[3])),
                 Mux(ends[1], conds[1], conds[3]),
                 Mux(ends[2], conds[2], conds[3]), conds[3]]
        for byte in range(_BYTES):
            cond, inner, outer, chosen = (
                Signal(name=f"{name}_{byte}") for name in ("is", "inner", "outer", "chosen"))
            m.d.comb += [
                cond.eq(conds[byte] ^ code.negate),
                outer.eq(code.arith & cond), inner.eq(code.arith & (cond ^ ~code.xor)),
                chosen.eq(cond & (code.bitwise | ~code.arith)),
            ]
            for bit in range(8 * byte, 8 * byte + 8):
                pick, logic = Signal(name=f"pick_{bit}"), Signal(name=f"logic_{bit}")
                m.d.comb += [
                    pick.eq(Mux(code.bitwise, Mux(chosen, y[bit], self.c[bit]), chosen)),
                    logic.eq(Mux(code.xor, pick & (self.a[bit] ^ y[bit]),
                                 Mux(pick, self.a[bit], y[bit]))),
                    self.o[bit].eq(Mux(outer, Mux(inner, ~logic, rest[bit]),
                                       Mux(inner, total[bit], logic))),
                ]
        return m

    def _add(self, m, name, x, y, carry, ends):
        """(32 bits of x + y + carry in each sub-word, carry out of each byte)."""
        left, right = [carry], [carry]
        for byte, end in enumerate(ends):
            left += [x.word_select(byte, 8), end & carry]
            right += [y.word_select(byte, 8), ~end | carry]
        chain = Signal(1 + 9 * _BYTES, name=name)
        m.d.comb += chain.eq(Cat(left) + Cat(right))
        parts = [chain[1 + 9 * byte:10 + 9 * byte] for byte in range(_BYTES)]
        # Where the carry was handed on one of the operands' bits was set.
        return (Cat(part[:8] for part in parts),
                [part[8] ^ ~end for part, end in zip(parts, ends, strict=True)])
