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
        found = self._compared(m, first.over, ends, single, parts)
        for byte in range(_BYTES):
            negate, adds = Signal(name=f"negate_{byte}"), Signal(name=f"adds_{byte}")
            m.d.comb += [
                negate.eq(code.negate ^ (code.negate_if & found[byte])),
                adds.eq(code.add ^ (code.add_if & found[byte])),
                second.invert[byte].eq(negate), second.adds[byte].eq(adds),
                second.carry[byte].eq(adds & (negate ^ code.free)),
            ]
        return m

    def _compared(self, m, over, ends, single, parts):
        """By byte, of its sub-word: the first adder's carry; or, with EQ's code, if a == b."""
        code = self.code
        equal = [self.a.word_select(byte, 8) == self.b.word_select(byte, 8)
                 for byte in range(_BYTES)]
        halves = [parts | (equal[2] & equal[3]), parts | (equal[0] & equal[1])]
        equal = [equal[byte] & (single | (equal[byte ^ 1] & halves[byte // 2]))
                 for byte in range(_BYTES)]
        carries = []
        for byte in range(_BYTES):
            top = 8 * byte + 7
            carry = Signal(name=f"carry_{byte}")
            m.d.comb += carry.eq(over[byte] ^ (code.signed & (self.a[top] ^ self.b[top])))
            carries.append(carry)
        pair = Mux(ends[1], carries[1], carries[3])
        carries = [Mux(ends[0], carries[0], pair), pair,
                   Mux(ends[2], carries[2], carries[3]), carries[3]]
        found = []
        for byte, (same, carry) in enumerate(zip(equal, carries, strict=True)):
            result = Signal(name=f"found_{byte}")
            m.d.comb += result.eq(Mux(code.free, same, carry))
            found.append(result)
        return found
