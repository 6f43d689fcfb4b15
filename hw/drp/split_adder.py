"""An adder of sub-words that can do something else, a LUT a bit where the device is known."""

from amaranth.hdl import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SplitAdder"]

_BYTES = 4
# ECP5's carry cells, by D C B A: the lowest four bits are also the carry if a bit hands none on.
# With D: a + b, or ~a + b with C. Without: b, or a | b with C, neither of which carries.
_SUM = 0x96EC
# A carry begins with A, if B; else it is handed on, and its complement is the sum.
_BEGIN = 0x33AA


class SplitAdder(wiring.Component):
    """a + b, b - a - 1, b, or a | b, in sub-words of whole bytes.

    With the carry that begins each sub-word on top: ``adds`` and not ``invert``: a + b; both:
    ~a + b; none: b; ``invert`` only: a | b.

    Members
    -------
    a, b : In(32)
    invert, adds : In(1)
    ends : In(3)
        By byte but the last one: the sub-word ends above it.
    carry : In(1)
        Into each sub-word; 0 without ``adds``.
    o : Out(32)
    over : Out(4)
        Carry out of each byte that ends a sub-word.

    Timing
    ------
    Combinational.
    """

    def __init__(self):
        super().__init__({"a": In(32), "b": In(32), "invert": In(1), "adds": In(1),
                          "ends": In(3), "carry": In(1), "o": Out(32), "over": Out(4)})

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
                         self.over[byte].eq(sums[9 + 9 * byte])]
        return m

    def _sum(self, m, ends, sums):
        left, right = [self.carry], [self.carry]
        invert, adds = (value.replicate(8) for value in (self.invert, self.adds))
        for byte in range(_BYTES):
            a, b = (value.word_select(byte, 8) for value in (self.a, self.b))
            left += [(adds & (a ^ invert)) | (~adds & invert & ~b & a), ends[byte] & self.carry]
            right += [b, ~ends[byte] | self.carry]
        m.d.comb += sums.eq((Cat(left) + Cat(right))[:37])

    def _cells(self, m, ends, sums):
        bits = [(_BEGIN, self.carry, 1, 0, 1)]
        for byte in range(_BYTES):
            bits += [(_SUM, self.a[bit], self.b[bit], self.invert, self.adds)
                     for bit in range(8 * byte, 8 * byte + 8)]
            bits.append((_BEGIN, self.carry, ends[byte], 0, 1))
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
