"""An adder of sub-words that can do something else, a LUT a bit where the device is known."""

from amaranth.hdl import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SplitAdder"]

_BYTES = 4
# ECP5's carry cells, by D C B A: the lowest four bits are also the carry if a bit hands none on.
# With D: a + b, or ~a + b with C. Without: b; with C b | ~a or all ones, neither of which carries.
_OR_NOT, _ONES = 0x96DC, 0x96FC
# A carry begins with A, if B; else it is handed on, and its complement is the sum.
_BEGIN = 0x33AA


class SplitAdder(wiring.Component):
    """a + b, b - a - 1, b, or a function of a and b, in sub-words of whole bytes.

    By byte, with the carry that begins its sub-word on top: ``adds`` and not ``invert``: a + b;
    both: ~a + b; none: b; ``invert`` only: b | ~a, or all ones with ``ones``.

    Parameters
    ----------
    ones : bool

    Members
    -------
    a, b : In(32)
    invert, adds : In(4)
        By byte.
    ends : In(3)
        By byte but the last one: the sub-word ends above it.
    carry : In(4)
        Into each byte that begins a sub-word.
    o : Out(32)
    over : Out(4)
        Carry out of each byte.

    Timing
    ------
    Combinational.
    """

    def __init__(self, *, ones):
        self.ones = ones
        super().__init__({"a": In(32), "b": In(32), "invert": In(4), "adds": In(4),
                          "ends": In(3), "carry": In(4), "o": Out(32), "over": Out(4)})

    def elaborate(self, platform):
        m = Module()
        # Between the bytes there is a bit that hands the carry on or begins another one.
        ends = Cat(self.ends, Const(1, 1))
        sums = Signal(37)
        if getattr(platform, "family", None) == "ecp5":
            self._cells(m, ends, sums)
        else:
            self._sum(m, ends, sums)
        for byte in range(_BYTES):
            m.d.comb += [self.o.word_select(byte, 8).eq(sums[1 + 9 * byte:9 + 9 * byte]),
                         self.over[byte].eq(sums[9 + 9 * byte] ^ ~ends[byte])]
        return m

    def _sum(self, m, ends, sums):
        left, right = [self.carry[0]], [self.carry[0]]
        for byte in range(_BYTES):
            a, b = (value.word_select(byte, 8) for value in (self.a, self.b))
            invert, adds = (value[byte].replicate(8) for value in (self.invert, self.adds))
            begins = self.carry[(byte + 1) % _BYTES]
            left += [(adds & (a ^ invert)) | (~adds & invert & ~b & (0xFF if self.ones else ~a)),
                     ends[byte] & begins]
            right += [b, ~ends[byte] | begins]
        m.d.comb += sums.eq((Cat(left) + Cat(right))[:37])

    def _cells(self, m, ends, sums):
        init = _ONES if self.ones else _OR_NOT
        bits = [(_BEGIN, self.carry[0], 1, 0, 1)]
        for byte in range(_BYTES):
            bits += [(init, self.a[bit], self.b[bit], self.invert[byte], self.adds[byte])
                     for bit in range(8 * byte, 8 * byte + 8)]
            bits.append((_BEGIN, self.carry[(byte + 1) % _BYTES], ends[byte], 0, 1))
        bits.append((0, 0, 0, 0, 0))
        carry = Const(0, 1)
        for place in range(0, len(bits), 2):
            ports = {}
            for half, (init, *inputs) in enumerate(bits[place:place + 2]):
                ports |= {f"p_INIT{half}": Const(init, 16), f"p_INJECT1_{half}": "NO",
                          f"o_S{half}": sums[place + half] if place + half < 37 else Signal()}
                ports |= {f"i_{name}{half}": value
                          for name, value in zip("ABCD", inputs, strict=True)}
            following = Signal(name=f"carry_{place}")
            m.submodules[f"cell_{place}"] = Instance(
                "CCU2C", i_CIN=carry, o_COUT=following, **ports)
            carry = following
