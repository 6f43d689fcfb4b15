"""An element of a tile: operands, operations, what it shows."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.operations import Kind
from hw.drp.alu import Alu
from hw.drp.conditions import Conditions
from hw.drp.cue import cue_layout
from hw.drp.decode import ALU, MEMORY, MULTIPLIER, SHIFTER, Part, decoded_layout
from hw.drp.history import History
from hw.drp.memory import TableMemory, table_write
from hw.drp.multiplier import Multiplier
from hw.drp.shifter import Shifter
from hw.wide_mux import wide_mux

__all__ = ["Element", "vector_layout"]


def vector_layout(fabric):
    """A value per lane."""
    return data.ArrayLayout(32, fabric.lanes)


class Element(wiring.Component):
    """Executes one context a step.

    Parameters
    ----------
    fabric : Fabric
    number : int
        Which of its elements.

    Members
    -------
    advance : In(1)
        The context is taken: it is executed in the next step.
    write, cue : In(cue_layout)
        Of the context after, as Conditions wants it, and of the context.
    context : In(decoded_layout)
    step : In(1)
        There is a step in this cycle.
    clear : In(1)
        What is under way does not retire: the kernel has ended.
    row_others, col_others : In(vector_layout), an array
        What the others of the row and of the column show, in rising order.
    extra : In(vector_layout)
        The row's input stream.
    row, col : Out(vector_layout)
    illegal : Out(1)
        The context that is executed is one of Part.ILLEGAL.
    load : In(stream of table_write)
        Fills the memories of all lanes, if there are; taken at once if not.

    Timing
    ------
    A result enters ``row`` or ``col`` at the end of the step it retires in.
    """

    def __init__(self, fabric, number):
        self.fabric, self.number = fabric, number
        vector = vector_layout(fabric)
        super().__init__({
            "advance": In(1), "write": In(cue_layout(fabric)), "cue": In(cue_layout(fabric)),
            "context": In(decoded_layout(fabric)), "step": In(1),
            "clear": In(1), "row_others": In(vector).array(fabric.columns - 1),
            "col_others": In(vector).array(fabric.rows - 1),
            "extra": In(vector), "row": Out(vector), "col": Out(vector), "illegal": Out(1),
            "load": In(stream.Signature(table_write(fabric.table_words)))})

    def _is(self, kind):
        return self.number in self.fabric.places(kind)

    def elaborate(self, platform):
        m = Module()
        fabric = self.fabric
        now = Signal(decoded_layout(fabric), reset_less=True)
        acts = Signal(reset_less=True)
        views = Signal(data.ArrayLayout(range(fabric.history), 2), reset_less=True)
        number = Signal.like(self.cue.number, reset_less=True)
        m.submodules.conditions = conditions = Conditions(fabric)
        m.d.comb += [
            conditions.advance.eq(self.advance),
            conditions.write.eq(self.write), conditions.cue.eq(self.cue),
            conditions.stage.eq(self.context.stage), conditions.when.eq(self.context.when),
        ]
        with m.If(self.advance):
            m.d.sync += [now.eq(self.context), number.eq(self.cue.number),
                         acts.eq(conditions.valid & conditions.holds)]
            for view, name in zip(views, ("row", "col"), strict=True):
                m.d.sync += view.eq(self.cue.number - self.context[f"{name}_delay"])
            # The first value of a reduction is the immediate.
            control = self.context.control
            effect = (control.part == Part.MEMORY) & control.code[:MEMORY.size].any()
            with m.If((self.context.when != 0) & conditions.holds & ~effect):
                m.d.sync += now.b.eq(fabric.sources - 1)
        part = now.control.part
        m.d.comb += self.illegal.eq(part == Part.ILLEGAL)

        loads = []
        operands = [self._operands(m, now, lane) for lane in range(fabric.lanes)]
        moved = self._moved(m, now, operands)
        for lane, (a, b, c) in enumerate(operands):
            m.submodules[f"history_{lane}"] = history = History(
                width=32, depth=fabric.history, links=2, route=True)
            m.submodules[f"alu_{lane}"] = alu = Alu()
            m.d.comb += [history.step.eq(self.step), history.number.eq(number),
                         history.views.eq(views), history.routes.eq(now.route),
                         self.row[lane].eq(history.shown[0]),
                         self.col[lane].eq(history.shown[1]),
                         alu.a.eq(a), alu.b.eq(b), alu.c.eq(c),
                         alu.code.eq(data.View(ALU, now.control.code)),
                         alu.subword.eq(now.control.subword)]
            units = self._units(m, now, acts, lane, a, b, loads)
            if moved:
                units.append((part == Part.MOVER, moved[lane]))
            if units:
                other = units[0][1]
                for retires, value in units[1:]:
                    other = Mux(retires, value, other)
                m.d.comb += [alu.takes.eq(Cat(retires for retires, _ in units).any()),
                             alu.other.eq(other)]
            m.d.comb += [history.result.eq(alu.o), history.other.eq(c)]
        m.d.comb += self.load.ready.eq(Cat(load.ready for load in loads).all())
        for load in loads:
            m.d.comb += [load.payload.eq(self.load.payload),
                         load.valid.eq(self.load.valid & self.load.ready)]
        return m

    def _operands(self, m, now, lane):
        """The three operands of a lane."""
        rows, columns = ([other[lane] for other in others]
                         for others in (self.row_others, self.col_others))
        sources = {"a": (*rows, *columns, self.row[lane], self.extra[lane]),
                   "b": (*rows, *columns, self.col[lane], now.immediate),
                   "c": (*columns, self.extra[lane])}
        found = []
        for name, items in sources.items():
            operand = Signal(32, name=f"{name}_{lane}")
            m.d.comb += operand.eq(wide_mux(m, f"{name}_{lane}", items, now[name]))
            found.append(operand)
        return found

    def _moved(self, m, now, operands):
        """Per lane what LANE brings; none without a mover."""
        if not self._is(Kind.MOVER):
            return []
        lanes = self.fabric.lanes
        both = [a for a, _, _ in operands] + [b for _, b, _ in operands]
        return [wide_mux(m, f"moved_{lane}", both[lane:lane + lanes],
                         now.immediate[:(lanes - 1).bit_length()])
                for lane in range(lanes)]

    def _units(self, m, now, acts, lane, a, b, loads):
        """Of the lane's units: whether they retire in this step, and what."""
        found = []
        step, part, code = self.step, now.control.part, now.control.code
        for kind, made, layout in (
                (Kind.SHIFTER, Shifter, SHIFTER), (Kind.MEMORY, TableMemory, MEMORY),
                (Kind.MULTIPLIER, Multiplier, MULTIPLIER)):
            if not self._is(kind):
                continue
            unit = made(self.fabric.table_words) if kind is Kind.MEMORY else made()
            m.submodules[f"{kind.value}_{lane}"] = unit
            m.d.comb += [unit.step.eq(step), unit.a.eq(a), unit.b.eq(b),
                         unit.code.eq(data.View(layout, code[:layout.size]))]
            retires = part == Part[kind.name]
            if kind is Kind.MEMORY:
                m.d.comb += unit.acts.eq(acts & retires)
                loads.append(unit.load)
            for stage in range(unit.LATENCY - 1):
                later = Signal(name=f"{kind.value}_{lane}_retires_{stage}")
                with m.If(step):
                    m.d.sync += later.eq(retires)
                with m.If(self.clear):
                    m.d.sync += later.eq(0)
                retires = later
            found.append((retires, unit.o))
        return found
