"""Arithmetic and logic of one lane of an element, on sub-words."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import Subword
from hw.drp.decode import ALU
from hw.drp.split_adder import SplitAdder

__all__ = ["Alu"]

_BYTES = 4


class Alu(wiring.Component):
    """Operations of Kind.ALU.

    One adder makes a + b or b - a, whose carries say which is larger; a second one adds it to
    what logic makes of a bit, or subtracts it, or leaves it, as the comparison says. So limits
    and absolute differences take no more than that. `hw.drp.decode.ALU` says how.

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
        ends = Signal(3)  # whether the sub-word ends above each byte but the last
        single, parts = self.subword == Subword.X4, self.subword != Subword.X1
        m.d.comb += ends.eq(Cat(single, parts, single))

        m.submodules.first = first = SplitAdder(ones=False)
        m.submodules.second = second = SplitAdder(ones=True)
        logic, pick = Signal(32), Signal(32)
        m.d.comb += [
            first.a.eq(self.a), first.b.eq(self.b), first.ends.eq(ends),
            first.invert.eq(code.invert.replicate(4)), first.adds.eq((~code.free).replicate(4)),
            first.carry.eq(code.carry.replicate(4)),
            pick.eq(Mux(code.carry & ~code.invert, self.c, code.value.replicate(32))),
            logic.eq(Mux(code.logic, ~pick & (self.a ^ self.b),
                         (pick & self.a) | (~pick & self.b))),
            second.a.eq(first.o), second.b.eq(logic), second.ends.eq(ends),
            self.o.eq(second.o),
        ]
        found = self._compared(m, first.over, single, parts)
        carries = Signal(2)  # by what was found
        m.d.comb += carries.eq(Cat(
            code.add & (code.negate ^ code.free),
            (code.add ^ code.add_if) & (code.negate ^ code.negate_if ^ code.free)))
        for byte in range(_BYTES):
            m.d.comb += [
                second.invert[byte].eq(code.negate ^ (code.negate_if & found[byte])),
                second.adds[byte].eq(code.add ^ (code.add_if & found[byte])),
                second.carry[byte].eq(Mux(found[byte], carries[1], carries[0])),
            ]
        return m

    def _compared(self, m, over, single, parts):
        """By byte, of its sub-word: the first adder's carry; or, with EQ's code, if a == b.

        The carry comes late: it goes through as little as can be.
        """
        code = self.code
        equal = [self.a.word_select(byte, 8) == self.b.word_select(byte, 8)
                 for byte in range(_BYTES)]
        halves = [parts | (equal[2] & equal[3]), parts | (equal[0] & equal[1])]
        equal = [equal[byte] & (single | (equal[byte ^ 1] & halves[byte // 2]))
                 for byte in range(_BYTES)]
        signs = [code.signed & (self.a[top] ^ self.b[top]) for top in range(7, 32, 8)]

        def of_part(values):
            low = Mux(single, values[0], values[1])
            return (Mux(parts, low, values[3]), Mux(parts, values[1], values[3]),
                    Mux(single, values[2], values[3]), values[3])

        found = []
        for byte, (carry, sign) in enumerate(zip(of_part(over), of_part(signs), strict=True)):
            early, result = Signal(name=f"early_{byte}"), Signal(name=f"found_{byte}")
            m.d.comb += [early.eq(Mux(code.free, equal[byte], sign)),
                         result.eq((~code.free & carry) ^ early)]
            found.append(result)
        return found
