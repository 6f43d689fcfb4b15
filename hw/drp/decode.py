"""Operation codes to what switches an element, decoded once: when contexts are loaded."""

from amaranth.hdl import Module
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.contexts import FIRST, LAST, LOOPS, element_context
from golden.spec.drp.operations import OPERATIONS, Kind, Op, Subword
from hw.interfaces import record_layout

__all__ = ["ALU", "CONTROL", "MEMORY", "MULTIPLIER", "SHIFTER", "Decoder", "Part",
           "code", "decoded_layout"]


class Part(enum.Enum, shape=3):
    """The part of an element that works; ILLEGAL is an error when it is executed."""

    ALU = 0
    SHIFTER = 1
    MULTIPLIER = 2
    MEMORY = 3
    MOVER = 4
    ILLEGAL = 7


_PARTS = {Kind.ALU: Part.ALU, Kind.SHIFTER: Part.SHIFTER, Kind.MULTIPLIER: Part.MULTIPLIER,
          Kind.MEMORY: Part.MEMORY, Kind.MOVER: Part.MOVER}

# Per sub-word: cond = (gt & a > b | lt & a < b) ^ negate; lt wants invert, ``signed`` is of both.
# With y = b ^ invert and, per bit, pick = (y if cond else c) with ``bitwise``, else cond:
# result = pick ? a : y, or with ``xor`` pick & (a ^ y). With ``arith`` that is only the case, and
# inverted, with xor if cond; else: b - a if cond, a + b or a - b (``invert``) if not, 0 with xor.
ALU = data.StructLayout({"gt": 1, "lt": 1, "negate": 1, "signed": 1, "invert": 1, "bitwise": 1,
                         "xor": 1, "arith": 1})
# Left shifts are right shifts with the bits reversed before and after.
SHIFTER = data.StructLayout({"reverse": 1, "signed": 1, "up": 1, "away": 1, "clamp": 1, "clz": 1})
MULTIPLIER = data.StructLayout({"high": 1})
MEMORY = data.StructLayout({"store": 1, "add": 1})  # neither: LOOKUP
CONTROL = data.StructLayout({"part": Part, "code": 8, "subword": 2})

_COMPARED = ("arith", "xor", "invert")
_CODES = {
    Op.NOP: (), Op.PASS: ("negate",), Op.PASS_B: (),
    Op.ADD: ("arith",), Op.SUB: ("arith", "invert"), Op.RSUB: ("arith", "negate"),
    Op.ABSDIFF: ("arith", "invert", "gt", "negate", "signed"),
    Op.ABSDIFFU: ("arith", "invert", "gt", "negate"),
    Op.MIN: ("gt", "negate", "signed"), Op.MAX: ("gt", "signed"),
    Op.MINU: ("gt", "negate"), Op.MAXU: ("gt",),
    Op.EQ: (*_COMPARED, "gt", "lt", "negate"), Op.NE: (*_COMPARED, "gt", "lt"),
    Op.LT: (*_COMPARED, "lt", "signed"), Op.LE: (*_COMPARED, "gt", "negate", "signed"),
    Op.GT: (*_COMPARED, "gt", "signed"), Op.GE: (*_COMPARED, "lt", "negate", "signed"),
    Op.LTU: (*_COMPARED, "lt"), Op.LEU: (*_COMPARED, "gt", "negate"),
    Op.GTU: (*_COMPARED, "gt"), Op.GEU: (*_COMPARED, "lt", "negate"),
    Op.AND: ("bitwise", "negate"), Op.OR: ("bitwise", "negate", "arith", "xor", "invert"),
    Op.XOR: ("xor", "negate"), Op.ANDN: ("bitwise", "negate", "invert"),
    Op.SELECT: ("bitwise",),
    Op.SLL: ("reverse",), Op.SRL: (), Op.SRA: ("signed",), Op.SRA_AWAY: ("signed", "away"),
    Op.SRA_UP: ("signed", "up"), Op.CLAMP: ("clamp",), Op.CLZ: ("clz",),
    Op.MUL: (), Op.MULH: ("high",),
    Op.LOOKUP: (), Op.STORE: ("store",), Op.ADD_TO: ("add",), Op.LANE: (),
}
_LAYOUTS = {Kind.ALU: ALU, Kind.SHIFTER: SHIFTER, Kind.MULTIPLIER: MULTIPLIER,
            Kind.MEMORY: MEMORY, Kind.MOVER: MULTIPLIER}


def code(op: Op) -> int:
    """Bits of ``CONTROL.code``."""
    layout = _LAYOUTS[OPERATIONS[op].kind]
    return int(layout.const({name: 1 for name in _CODES[op]}).as_value().value)


def decoded_layout(fabric):
    """An element's context in its memory: as `element_context`, CONTROL for op and sub-word."""
    fields = {field.name: field.bits for field in element_context(fabric).fields}
    del fields["op"], fields["subword"]
    return data.StructLayout({"control": CONTROL, **fields})


class Decoder(wiring.Component):
    """A context as an image has it to one as an element's memory has it.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    element : In(range(elements))
    i : In(element_context)
    o : Out(decoded_layout)
        Part ILLEGAL for what this element can't do.
    """

    def __init__(self, fabric):
        self.fabric = fabric
        super().__init__({
            "element": In(range(max(fabric.elements, 2))),
            "i": In(record_layout(element_context(fabric))),
            "o": Out(decoded_layout(fabric))})

    def elaborate(self, platform):
        m = Module()
        for name in dict(self.o.shape()):
            if name != "control":
                m.d.comb += self.o[name].eq(self.i[name])
        control = self.o.control
        m.d.comb += [control.part.eq(Part.ILLEGAL), control.subword.eq(self.i.subword)]
        with m.Switch(self.i.op):
            for op, operation in OPERATIONS.items():
                with m.Case(op):
                    able = self._among(self.fabric.places(operation.kind))
                    if len(operation.subwords) == 1:
                        allowed = self.i.subword == Subword.X1
                    else:
                        allowed = self.i.subword <= max(Subword)
                    m.d.comb += control.code.eq(code(op))
                    with m.If(able & allowed):
                        m.d.comb += control.part.eq(_PARTS[operation.kind])
        with m.If((self.i.op != Op.NOP) & (self.i.when >= LAST + LOOPS)):
            m.d.comb += control.part.eq(Part.ILLEGAL)
        assert FIRST == 1
        assert LAST == FIRST + LOOPS
        return m

    def _among(self, places):
        return self.element.matches(*places) if places else 0
