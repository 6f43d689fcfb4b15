"""The tile's ends of its streams: when they pop and push, and what elements see of them."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.contexts import LAST, LOOPS, input_context, output_context
from hw.drp.conditions import Conditions
from hw.drp.cue import cue_layout
from hw.drp.element import vector_layout
from hw.drp.history import History
from hw.interfaces import record_layout
from hw.wide_mux import wide_mux

__all__ = ["InputPort", "OutputPort"]


def _acts(m, port, wanted):
    """Registers: the context that is executed wants a vector; its condition doesn't exist."""
    m.submodules.conditions = conditions = Conditions(port.fabric)
    context = port.context
    m.d.comb += [conditions.advance.eq(port.advance),
                 conditions.write.eq(port.write), conditions.cue.eq(port.cue),
                 conditions.stage.eq(context.stage), conditions.when.eq(context.when)]
    with m.If(port.advance):
        m.d.sync += [port.acts.eq(wanted & port.cue.valid & conditions.valid & conditions.holds),
                     port.illegal.eq(wanted & (context.when >= LAST + LOOPS))]


def _members(fabric, record):
    return {
        "advance": In(1), "write": In(cue_layout(fabric)), "cue": In(cue_layout(fabric)),
        "context": In(record_layout(record)), "step": In(1), "acts": Out(1), "illegal": Out(1)}


class InputPort(wiring.Component):
    """An input stream as its row sees it.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    advance, write, cue, context, step, illegal
        As Element has them.
    vector : In(vector_layout)
        The stream's next.
    acts : Out(1)
        The context that is executed takes it.
    extra : Out(vector_layout)
    """

    def __init__(self, fabric):
        self.fabric = fabric
        vector = vector_layout(fabric)
        super().__init__({**_members(fabric, input_context(fabric)),
                          "vector": In(vector), "extra": Out(vector)})

    def elaborate(self, platform):
        m = Module()
        _acts(m, self, self.context.pop)
        view, number = (Signal.like(self.cue.number, name=name, reset_less=True)
                        for name in ("view", "now"))
        with m.If(self.advance):
            m.d.sync += [number.eq(self.cue.number),
                         view.eq(self.cue.number - self.context.delay)]
        m.submodules.history = history = History(
            width=32 * self.fabric.lanes, depth=self.fabric.history, links=1, route=False)
        m.d.comb += [
            history.step.eq(self.step), history.number.eq(number),
            history.result.eq(self.vector), history.views[0].eq(view),
            self.extra.as_value().eq(history.shown[0]),
        ]
        return m


class OutputPort(wiring.Component):
    """An output stream as its rows feed it.

    Parameters
    ----------
    fabric : Fabric
    elements : int
        How many it sees.

    Members
    -------
    advance, write, cue, context, step, illegal
        As Element has them.
    seen : In(array of vector_layout)
        The elements' ``row``.
    acts : Out(1)
        The context that is executed gives a vector.
    vector : Out(vector_layout)
    """

    def __init__(self, fabric, elements):
        self.fabric, self.elements = fabric, elements
        vector = vector_layout(fabric)
        super().__init__({**_members(fabric, output_context(fabric)),
                          "seen": In(vector).array(elements), "vector": Out(vector)})

    def elaborate(self, platform):
        m = Module()
        _acts(m, self, self.context.push)
        source = Signal.like(self.context.source, reset_less=True)
        with m.If(self.advance):
            m.d.sync += source.eq(self.context.source)
        for lane in range(self.fabric.lanes):
            m.d.comb += self.vector[lane].eq(
                wide_mux(m, f"vector_{lane}", [seen[lane] for seen in self.seen], source))
        return m
