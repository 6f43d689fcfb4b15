"""A tile: controller, contexts, elements, and the ends of its streams."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.contexts import element_context, input_context, output_context
from golden.spec.drp.controller import Cause, state_record
from golden.spec.drp.image import Space
from golden.spec.drp.operations import Kind
from hw.drp.context_memory import ContextMemory
from hw.drp.controller import Controller
from hw.drp.cue import cue_layout
from hw.drp.decode import Decoder, decoded_layout
from hw.drp.element import Element, vector_layout
from hw.drp.ports import InputPort, OutputPort
from hw.interfaces import record_layout

__all__ = ["Tile", "load_layout"]


def load_layout(fabric):
    """One item for the memories of a tile; of a TABLE, ``addr`` counts words.

    Contexts and states as images have them, without padding.
    """
    widest = max(32, *(sum(field.bits for field in record(fabric).fields) for record in (
        element_context, input_context, output_context, state_record)))
    return data.StructLayout({"space": range(max(Space) + 1), "unit": 6, "addr": 16,
                              "data": widest})


class Tile(wiring.Component):
    """Executes kernels, a step a cycle unless a stream makes it wait.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    start : In(stream of state number)
        Kernels, by their first state.
    inputs, outputs : streams of vector_layout
        An input may run ahead; an output may be late.
    wants : Out(inputs)
        The context that is executed takes a vector of these.
    load : In(stream of load_layout)
        For memories that no kernel is using.
    stop : In(1)
        No more steps: something else is wrong.
    begun, ended : Out(1)
        A kernel begins; has executed its last step.
    step : Out(1)
        There is a step in this cycle.
    waits_in, waits_out : Out(1)
        There is none, for want of a vector, or of room for one.
    cause : Out(Cause)
        Once it isn't NONE there are no more steps.

    Timing
    ------
    A kernel's first step is LATENCY cycles after ``begun``.
    """

    LATENCY = 2 + ContextMemory.LATENCY

    def __init__(self, fabric):
        self.fabric = fabric
        vector = vector_layout(fabric)
        super().__init__({
            "start": In(stream.Signature(range(fabric.states))),
            "inputs": In(stream.Signature(vector)).array(fabric.inputs),
            "outputs": Out(stream.Signature(vector)).array(fabric.outputs),
            "wants": Out(fabric.inputs), "load": In(stream.Signature(load_layout(fabric))),
            "stop": In(1), "begun": Out(1), "ended": Out(1), "step": Out(1), "waits_in": Out(1),
            "waits_out": Out(1), "cause": Out(Cause)})

    def elaborate(self, platform):
        m = Module()
        fabric = self.fabric
        m.submodules.controller = controller = Controller(fabric)
        wiring.connect(m, controller.start, wiring.flipped(self.start))
        advance = Signal()
        # Behind the address: while the block RAM answers, its register is decoded, it is executed.
        read, cue, now = (Signal(cue_layout(fabric), name=name)
                          for name in ("read_cue", "cue", "now_cue"))
        with m.If(advance):
            m.d.sync += [read.eq(controller.cue), cue.eq(read), now.eq(cue)]

        elements = [Element(fabric, number) for number in range(fabric.elements)]
        ins = [InputPort(fabric) for _ in range(fabric.inputs)]
        outs = [OutputPort(fabric, len(fabric.seen_by_output(number)))
                for number in range(fabric.outputs)]
        memories = {
            **self._contexts(m, Space.ELEMENT, elements, decoded_layout(fabric)),
            **self._contexts(m, Space.INPUT, ins, record_layout(input_context(fabric))),
            **self._contexts(m, Space.OUTPUT, outs, record_layout(output_context(fabric)))}
        for (space, number), memory in memories.items():
            m.d.comb += [memory.advance.eq(advance), memory.address.eq(controller.address)]
            unit = {Space.ELEMENT: elements, Space.INPUT: ins, Space.OUTPUT: outs}[space][number]
            m.d.comb += [unit.advance.eq(advance), unit.write.eq(read), unit.cue.eq(cue),
                         unit.context.eq(memory.o), unit.step.eq(self.step)]
        m.d.comb += [element.clear.eq(now.end) for element in elements]
        self._link(m, elements, ins, outs)

        lacks, full = Signal(fabric.inputs), Signal(fabric.outputs)
        stopped = Signal()
        for index, (unit, port) in enumerate(zip(ins, self.inputs, strict=True)):
            m.d.comb += [lacks[index].eq(unit.acts & ~port.valid),
                         self.wants[index].eq(unit.acts & now.valid),
                         unit.vector.eq(port.payload), port.ready.eq(unit.acts & self.step)]
        for index, (unit, port) in enumerate(zip(outs, self.outputs, strict=True)):
            others = Cat(full[other] for other in range(fabric.outputs) if other != index)
            m.d.comb += [full[index].eq(unit.acts & ~port.ready),
                         port.payload.eq(unit.vector),
                         port.valid.eq(unit.acts & now.valid & ~stopped & ~lacks.any()
                                       & ~others.any())]
        m.d.comb += [
            stopped.eq(self.stop | (self.cause != Cause.NONE)),
            self.step.eq(now.valid & ~stopped & ~lacks.any() & ~full.any()),
            advance.eq(self.step | ~now.valid),
            self.waits_in.eq(now.valid & ~stopped & lacks.any()),
            self.waits_out.eq(now.valid & ~stopped & ~lacks.any() & full.any()),
            self.begun.eq(controller.begun), self.ended.eq(now.end),
            controller.advance.eq(advance), controller.step.eq(self.step),
            controller.decides.eq(read.decides),
            controller.flags.eq(Cat(element.row[0][0] for element in elements)),
        ]
        with m.If(~stopped):
            with m.If(self.step & Cat(unit.illegal for unit in (*elements, *ins, *outs)).any()):
                m.d.sync += self.cause.eq(Cause.ILLEGAL)
            with m.Elif(controller.broken & ~now.valid & ~cue.valid & ~read.valid):
                m.d.sync += self.cause.eq(Cause.STATE)
        self._load(m, controller, elements, memories)
        return m

    def _contexts(self, m, space, units, shape):
        """Units and their context memories, by space and number."""
        memories = {}
        for number, unit in enumerate(units):
            name = f"{space.name.lower()}_{number}"
            m.submodules[name] = unit
            memory = ContextMemory(shape, self.fabric.contexts)
            m.submodules[f"{name}_contexts"] = memories[space, number] = memory
        return memories

    def _link(self, m, elements, ins, outs):
        """What each sees of the others."""
        fabric = self.fabric
        for number, element in enumerate(elements):
            row, column = fabric.place(number)
            same_row = [other for place, other in enumerate(elements)
                        if place // fabric.columns == row and place != number]
            same_column = [other for place, other in enumerate(elements)
                           if place % fabric.columns == column and place != number]
            for link, other in zip(element.row_others, same_row, strict=True):
                m.d.comb += link.eq(other.row)
            for link, other in zip(element.col_others, same_column, strict=True):
                m.d.comb += link.eq(other.col)
            if row < fabric.inputs:
                m.d.comb += element.extra.eq(ins[row].extra)
        for number, unit in enumerate(outs):
            for link, place in zip(unit.seen, fabric.seen_by_output(number), strict=True):
                m.d.comb += link.eq(elements[place].row)

    def _load(self, m, controller, elements, memories):
        """Items to where they belong, a cycle later; contexts of elements are decoded."""
        fabric = self.fabric
        m.submodules.decoder = decoder = Decoder(fabric)
        item = Signal(load_layout(fabric), reset_less=True)
        valid, taken = Signal(), Signal(init=1)
        decoded = Signal(decoded_layout(fabric), reset_less=True)
        # Whose table it is, found before: the loader waits for what follows from that.
        tables = fabric.places(Kind.MEMORY)
        table = Signal(len(tables), reset_less=True)
        m.d.comb += [self.load.ready.eq(~valid | taken),
                     decoder.element.eq(self.load.p.unit), decoder.i.eq(self.load.p.data)]
        with m.If(self.load.ready):
            m.d.sync += [valid.eq(self.load.valid), item.eq(self.load.payload),
                         decoded.eq(decoder.o), table.eq(Cat(
                             (self.load.p.space == Space.TABLE) & (self.load.p.unit == number)
                             for number in tables))]
        for (space, number), memory in memories.items():
            m.d.comb += [
                memory.write.en.eq(valid & (item.space == space) & (item.unit == number)),
                memory.write.addr.eq(item.addr),
                memory.write.data.eq(decoded if space == Space.ELEMENT else item.data)]
        m.d.comb += [controller.write.en.eq(valid & (item.space == Space.STATE)),
                     controller.write.addr.eq(item.addr), controller.write.data.eq(item.data)]
        waits = []
        for index, number in enumerate(tables):
            port, mine = elements[number].load, Signal(name=f"loads_{number}")
            m.d.comb += [mine.eq(valid & table[index]),
                         port.valid.eq(mine), port.p.addr.eq(item.addr),
                         port.p.data.eq(item.data[:32])]
            waits.append(mine & ~port.ready)
        m.d.comb += taken.eq(~Cat(waits).any())
