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

# t = a + b, or ~a + b + carry with ``invert``, or b | ~a with ``free`` and ``invert``. Per bit
# p = ``value``, or c with ``carry`` but not ``invert``; l = p ? a : b, or with ``logic``
# p ? 0 : a ^ b. Per sub-word
# found = carry of t, a and b taken as ``signed``; with ``free`` whether a == b. By the sub-word
# ``negate``, changed by found with ``negate_if``, and ``add``, likewise: the result is
# l + t if add; l - t, or l + ~t with ``free``, if both; l if none; all ones if negate only. With
# ``free``, l + t has one more.
ALU = data.StructLayout({"free": 1, "invert": 1, "carry": 1, "value": 1, "logic": 1,
                         "signed": 1, "negate": 1, "negate_if": 1, "add": 1, "add_if": 1})
# Left shifts are right shifts with the bits reversed before and after.
SHIFTER = data.StructLayout({"reverse": 1, "signed": 1, "up": 1, "away": 1, "clamp": 1, "clz": 1})
MULTIPLIER = data.StructLayout({"high": 1})
MEMORY = data.StructLayout({"store": 1, "add": 1})  # neither: LOOKUP
CONTROL = data.StructLayout({"part": Part, "code": ALU.size, "subword": 2})

_DIFFERENCE = ("invert", "carry")  # b - a; without carry one less: whether b > a, not b >= a
_FREE = ("free", "invert")
_A, _B, _ZERO, _XOR, _C = ("value",), (), ("value", "logic"), ("logic",), ("carry",)
_CODES = {
    Op.NOP: (), Op.PASS: _A, Op.PASS_B: _B,
    Op.ADD: (*_ZERO, "add"), Op.SUB: (*_DIFFERENCE, *_ZERO, "add", "negate"),
    Op.RSUB: (*_DIFFERENCE, *_ZERO, "add"),
    Op.ABSDIFF: (*_DIFFERENCE, *_ZERO, "add", "negate", "negate_if", "signed"),
    Op.ABSDIFFU: (*_DIFFERENCE, *_ZERO, "add", "negate", "negate_if"),
    Op.MIN: (*_DIFFERENCE, *_A, "add", "add_if", "signed"),
    Op.MAX: (*_DIFFERENCE, *_A, "add_if", "signed"),
    Op.MINU: (*_DIFFERENCE, *_A, "add", "add_if"), Op.MAXU: (*_DIFFERENCE, *_A, "add_if"),
    Op.EQ: (*_FREE, *_ZERO, "negate_if"), Op.NE: (*_FREE, *_ZERO, "negate", "negate_if"),
    Op.LT: ("invert", *_ZERO, "negate_if", "signed"),
    Op.LE: (*_DIFFERENCE, *_ZERO, "negate_if", "signed"),
    Op.GT: (*_DIFFERENCE, *_ZERO, "negate", "negate_if", "signed"),
    Op.GE: ("invert", *_ZERO, "negate", "negate_if", "signed"),
    Op.LTU: ("invert", *_ZERO, "negate_if"), Op.LEU: (*_DIFFERENCE, *_ZERO, "negate_if"),
    Op.GTU: (*_DIFFERENCE, *_ZERO, "negate", "negate_if"),
    Op.GEU: ("invert", *_ZERO, "negate", "negate_if"),
    # a - (a & ~b), b + (a & ~b), and a & ~b itself: what ~t is.
    Op.AND: (*_FREE, *_A, "add"), Op.OR: (*_FREE, *_B, "add", "negate"), Op.XOR: _XOR,
    Op.ANDN: (*_FREE, *_ZERO, "add", "negate"), Op.SELECT: _C,
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
