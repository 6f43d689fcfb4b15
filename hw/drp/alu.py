"""Arithmetic and logic of one lane of an element, on sub-words."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import Subword
from hw.drp.choice import Choice
from hw.drp.comparison import Comparison, of_part
from hw.drp.decode import ALU
from hw.drp.split_adder import SplitAdder

__all__ = ["Alu"]


class Alu(wiring.Component):
    """Operations of Kind.ALU.

    Two adders side by side, a + b or a - b and b - a: their carries say which is larger, both
    together whether they are equal, and that picks one of the sums, an operand or what logic makes
    of them. So limits and absolute differences take little more than a sum. `hw.drp.decode.ALU`
    says how.

    Members
    -------
    a, b, c : In(32)
    code : In(ALU)
    subword : In(2)
    other : In(32)
    takes : In(1)
        The result is ``other``, whatever the code.
    o : Out(32)

    Timing
    ------
    Combinational.
    """

    def __init__(self):
        super().__init__({"a": In(32), "b": In(32), "c": In(32), "code": In(ALU),
                          "subword": In(2), "other": In(32), "takes": In(1), "o": Out(32)})

    def elaborate(self, platform):
        m = Module()
        code, takes = self.code, self.takes
        ends = Signal(3)  # whether the sub-word ends above each byte but the last
        single, parts = self.subword == Subword.X4, self.subword != Subword.X1
        m.d.comb += ends.eq(Cat(single, parts, single))

        m.submodules.first = first = SplitAdder()
        m.submodules.second = second = SplitAdder()
        m.d.comb += [
            first.a.eq(self.b), first.b.eq(self.a), first.ends.eq(ends),
            first.adds.eq(code.add), first.invert.eq(code.invert),
            first.carry.eq(code.add & code.invert),
            second.a.eq(self.a), second.b.eq(self.b), second.ends.eq(ends),
            second.adds.eq(code.back), second.invert.eq(code.back), second.carry.eq(code.back),
        ]
        more, below = Signal(32), Signal(32)
        logic = Mux(code.logic, Mux(code.signed, self.a & self.b,
                                    (self.c & self.a) | (~self.c & self.b)), self.a)
        other, flag = code.other | takes, code.flag & ~takes
        m.submodules.choice = choice = Choice()
        m.d.comb += [
            more.eq(Mux(takes, self.other, logic)),
            below.eq(Mux(flag ^ other, 0, first.o) ^ Mux(other, more, 0)),
            choice.above.eq(second.o), choice.below.eq(below), choice.flag.eq(flag & ~other),
            self.o.eq(choice.o),
        ]
        # Carries of operands with different signs tell the opposite of what is asked.
        m.submodules.comparison = comparison = Comparison()
        asks = Signal(2)
        signs = [code.signed & (asks[0] ^ asks[1]) & (self.a[top] ^ self.b[top])
                 for top in range(7, 32, 8)]
        m.d.comb += [
            asks.eq(Mux(takes, 0, Cat(code.first, code.second))),
            comparison.first.eq(first.over), comparison.second.eq(second.over),
            comparison.asks.eq(asks), comparison.single.eq(single), comparison.parts.eq(parts),
            comparison.invert.eq((code.negate | takes).replicate(len(signs))
                                 ^ Cat(of_part(signs, single, parts))),
            choice.found.eq(comparison.found),
        ]
        return m
