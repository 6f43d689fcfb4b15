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

# Two adders: below = a + b with ``add``, a - b with ``invert`` too, a | b with that only, a with
# none; above = b - a with ``back``, b without. Another word, more = a; with ``logic`` bits of a
# where c has ones, of b where zeros; a & b if ``signed``, too. By sub-word found = a >= b with
# ``first``, b >= a with ``second``, taken as ``signed`` if it is one of them, true of those not
# asked for; the other way round with ``negate``. If found, the result is above, else below; or
# more, with ``other``; or below ^ more, with ``flag`` too. With ``flag`` only it is what was found.
ALU = data.StructLayout({"add": 1, "invert": 1, "back": 1, "logic": 1, "signed": 1, "other": 1,
                         "flag": 1, "first": 1, "second": 1, "negate": 1})
# Left shifts are right shifts with the bits reversed before and after.
SHIFTER = data.StructLayout({"reverse": 1, "signed": 1, "up": 1, "away": 1, "clamp": 1, "clz": 1})
MULTIPLIER = data.StructLayout({"high": 1})
MEMORY = data.StructLayout({"store": 1, "add": 1})  # neither: LOOKUP
CONTROL = data.StructLayout({"part": Part, "code": ALU.size, "subword": 2})

_DIFFERENCE = ("add", "invert")
_BELOW, _MORE = ("negate",), ("negate", "other")  # nothing asked for: never found
_NOT_BELOW, _NOT_ABOVE = (*_DIFFERENCE, "first"), ("back", "second")  # a >= b, b >= a
_AND = ("logic", "signed")
_CODES = {
    Op.NOP: (), Op.PASS: _BELOW, Op.PASS_B: (),
    Op.ADD: (*_BELOW, "add"), Op.SUB: (*_BELOW, *_DIFFERENCE), Op.RSUB: ("back",),
    Op.ABSDIFF: (*_DIFFERENCE, *_NOT_ABOVE, "signed"),
    Op.ABSDIFFU: (*_DIFFERENCE, *_NOT_ABOVE),
    Op.MIN: (*_NOT_BELOW, "other", "signed"), Op.MAX: (*_NOT_BELOW, *_MORE, "signed"),
    Op.MINU: (*_NOT_BELOW, "other"), Op.MAXU: (*_NOT_BELOW, *_MORE),
    Op.EQ: (*_NOT_BELOW, *_NOT_ABOVE, "flag"), Op.NE: (*_NOT_BELOW, *_NOT_ABOVE, "flag", "negate"),
    Op.LT: (*_NOT_BELOW, "flag", "negate", "signed"), Op.LE: (*_NOT_ABOVE, "flag", "signed"),
    Op.GT: (*_NOT_ABOVE, "flag", "negate", "signed"), Op.GE: (*_NOT_BELOW, "flag", "signed"),
    Op.LTU: (*_NOT_BELOW, "flag", "negate"), Op.LEU: (*_NOT_ABOVE, "flag"),
    Op.GTU: (*_NOT_ABOVE, "flag", "negate"), Op.GEU: (*_NOT_BELOW, "flag"),
    # (a | b) ^ (a & b) and a ^ (a & b).
    Op.AND: (*_MORE, *_AND), Op.OR: (*_BELOW, "invert"), Op.XOR: (*_MORE, *_AND, "flag", "invert"),
    Op.ANDN: (*_MORE, *_AND, "flag"), Op.SELECT: (*_MORE, "logic"),
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
