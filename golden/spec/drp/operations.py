"""What an element can compute: one table of operations.

Values are 32 bits. ``signed`` below means two's complement; sums, differences and products keep
their low bits (wrap). Sub-words split a value into 1 x 32, 2 x 16 or 4 x 8 bits, lowest first;
an operation that allows them does the same to each part, and nothing crosses from one to the
next. A comparison gives all ones in each part where it holds, else all zeros.

An operation issued in step t retires in step t + latency - 1: its result is "the result of" that
step, and is on links one step later at the earliest. Operations of different latency overlap in
one element, but two must not retire in the same step (what then happens is not specified). The
result of a step in which nothing retires isn't specified either.

Rounding is that of ``golden.spec.numerics``: ``MULH`` is ``rounding_doubling_high_multiply``
(extended to negative b; -2**31 times itself gives 2**31 - 1), ``SRA_AWAY`` is
``rounding_divide_by_pot``.

Memories: addresses count words and are taken modulo the size of the memory; each lane has its
own. What ``STORE`` or ``ADD_TO`` issued in step t writes, accesses issued in step t + 1 and later
see. A write happens only when its stage is valid and its condition holds; reads have no effect.
"""

import enum
from dataclasses import dataclass

__all__ = ["OPERATIONS", "SUBWORDS", "Kind", "Op", "Operation", "Subword"]


class Kind(enum.Enum):
    """What an element needs for an operation."""

    ALU = "alu"
    SHIFTER = "shifter"
    MULTIPLIER = "multiplier"
    MEMORY = "memory"
    MOVER = "mover"


LATENCY = {Kind.ALU: 1, Kind.SHIFTER: 2, Kind.MULTIPLIER: 3, Kind.MEMORY: 2, Kind.MOVER: 1}


class Subword(enum.IntEnum):
    """How a value splits; the code in contexts."""

    X1 = 0
    X2 = 1
    X4 = 2


SUBWORDS = (Subword.X1, Subword.X2, Subword.X4)


class Op(enum.IntEnum):
    """Operation codes. A code that isn't listed, or an operation whose kind the element lacks, is
    an ``ILLEGAL`` error when its context is executed."""

    NOP = 0
    PASS = 1
    ADD = 2
    SUB = 3
    RSUB = 4
    ABSDIFF = 5
    ABSDIFFU = 6
    MIN = 7
    MAX = 8
    MINU = 9
    MAXU = 10
    EQ = 11
    NE = 12
    LT = 13
    LE = 14
    GT = 15
    GE = 16
    LTU = 17
    LEU = 18
    GTU = 19
    GEU = 20
    AND = 21
    OR = 22
    XOR = 23
    ANDN = 24
    SELECT = 25
    PASS_B = 26
    SLL = 32
    SRL = 33
    SRA = 34
    SRA_AWAY = 35
    SRA_UP = 36
    CLAMP = 37
    CLZ = 38
    MUL = 40
    MULH = 41
    LOOKUP = 48
    STORE = 49
    ADD_TO = 50
    LANE = 56


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Parameters
    ----------
    op : Op
    operands : str
        Those that are read, of "abc".
    kind : Kind
        What the element needs.
    subwords : tuple of Subword
        Splits allowed.
    doc : str
        The result.
    commutes : bool
        a and b may be exchanged.
    effect : bool
        Changes a memory: acts only when its stage is valid and its condition holds.
    """

    op: Op
    operands: str
    kind: Kind
    subwords: tuple[Subword, ...]
    doc: str
    commutes: bool = False
    effect: bool = False

    @property
    def latency(self) -> int:
        """Steps from issue until the result may be on a link."""
        return LATENCY[self.kind]


_WHOLE = (Subword.X1,)


def _alu(op: Op, doc: str, operands: str = "ab", *, commutes: bool = False) -> Operation:
    return Operation(op, operands, Kind.ALU, SUBWORDS, doc, commutes)


OPERATIONS: dict[Op, Operation] = {item.op: item for item in (
    Operation(Op.NOP, "", Kind.ALU, SUBWORDS, "nothing: no operation retires"),
    _alu(Op.PASS, "a", "a"),
    _alu(Op.ADD, "a + b", commutes=True),
    _alu(Op.SUB, "a - b"),
    _alu(Op.RSUB, "b - a"),
    _alu(Op.ABSDIFF, "|a - b|, signed operands, low bits of the exact difference", commutes=True),
    _alu(Op.ABSDIFFU, "|a - b|, unsigned operands", commutes=True),
    _alu(Op.MIN, "the smaller, signed", commutes=True),
    _alu(Op.MAX, "the larger, signed", commutes=True),
    _alu(Op.MINU, "the smaller, unsigned", commutes=True),
    _alu(Op.MAXU, "the larger, unsigned", commutes=True),
    _alu(Op.EQ, "a == b", commutes=True),
    _alu(Op.NE, "a != b", commutes=True),
    _alu(Op.LT, "a < b, signed"),
    _alu(Op.LE, "a <= b, signed"),
    _alu(Op.GT, "a > b, signed"),
    _alu(Op.GE, "a >= b, signed"),
    _alu(Op.LTU, "a < b, unsigned"),
    _alu(Op.LEU, "a <= b, unsigned"),
    _alu(Op.GTU, "a > b, unsigned"),
    _alu(Op.GEU, "a >= b, unsigned"),
    _alu(Op.AND, "a & b", commutes=True),
    _alu(Op.OR, "a | b", commutes=True),
    _alu(Op.XOR, "a ^ b", commutes=True),
    _alu(Op.ANDN, "a & ~b"),
    _alu(Op.SELECT, "bits of a where c has ones, of b where zeros", "abc"),
    _alu(Op.PASS_B, "b (of a constant: the immediate)", "b"),
    Operation(Op.SLL, "ab", Kind.SHIFTER, _WHOLE, "a << (b mod 32)"),
    Operation(Op.SRL, "ab", Kind.SHIFTER, _WHOLE, "a >> (b mod 32), zeros come in"),
    Operation(Op.SRA, "ab", Kind.SHIFTER, _WHOLE, "a >> (b mod 32), the sign comes in"),
    Operation(Op.SRA_AWAY, "ab", Kind.SHIFTER, _WHOLE,
              "a / 2**(b mod 32), signed, rounded to nearest, ties away from zero"),
    Operation(Op.SRA_UP, "ab", Kind.SHIFTER, _WHOLE,
              "a / 2**(b mod 32), signed, rounded to nearest, ties up; the sum a + half is exact "
              "(33 bits)"),
    Operation(Op.CLAMP, "ab", Kind.SHIFTER, _WHOLE,
              "a limited to [low half of b, high half of b], all signed: max with the low half "
              "first, then min with the high half"),
    Operation(Op.CLZ, "a", Kind.SHIFTER, _WHOLE, "zeros above the highest one; 32 for a = 0"),
    Operation(Op.MUL, "ab", Kind.MULTIPLIER, _WHOLE, "low 32 bits of a * b", True),
    Operation(Op.MULH, "ab", Kind.MULTIPLIER, _WHOLE,
              "a * b / 2**31, signed, rounded to nearest, ties up, saturated", True),
    Operation(Op.LOOKUP, "ab", Kind.MEMORY, _WHOLE, "memory[a + b]"),
    Operation(Op.STORE, "ab", Kind.MEMORY, _WHOLE, "memory[a] = b; the result is not specified",
              effect=True),
    Operation(Op.ADD_TO, "ab", Kind.MEMORY, _WHOLE,
              "memory[a] += b; the result is not specified", effect=True),
    Operation(Op.LANE, "ab", Kind.MOVER, _WHOLE,
              "lane l takes lane l + k of the lanes of a followed by those of b, k = immediate mod "
              "lanes"),
)}
