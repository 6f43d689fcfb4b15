"""Passes of a state: its loops, the drain, and which stages are valid."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.controller import state_record
from hw.interfaces import record_layout

__all__ = ["Passes"]


class Passes(wiring.Component):
    """Walks the loops of a state, then its drain.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    state : In(state_record)
        Must not change until the last pass is over.
    following : In(state_record)
        The state whose first pass begins with ``enter``.
    enter, go : In(1)
        The next pass begins: of a new state, or of the same.
    first, last : Out(LOOPS)
        By level: all loops up to it are at their first, last value.
    valids : Out(stages)
        Which stages are valid.
    final : Out(1)
        This is the state's last pass.

    Timing
    ------
    A pass may be one cycle long.
    """

    def __init__(self, fabric):
        self.fabric = fabric
        layout = record_layout(state_record(fabric))
        super().__init__({
            "state": In(layout), "following": In(layout), "enter": In(1), "go": In(1),
            "first": Out(LOOPS), "last": Out(LOOPS), "valids": Out(fabric.stages),
            "final": Out(1)})

    def elaborate(self, platform):
        m = Module()
        at_first, at_last = Signal(LOOPS), Signal(LOOPS)
        turns = [Signal(16, name=f"turn_{level}", reset_less=True) for level in range(LOOPS)]
        drained = Signal(len(self.state.stages), reset_less=True)
        drains = Signal(reset_less=True)  # all iterations have begun
        ends, moves = Signal(), Signal()
        emptied = Signal(reset_less=True)  # ``drained`` is ``state.stages``
        m.d.comb += [
            self.first.eq(Cat(at_first[:level + 1].all() for level in range(LOOPS))),
            self.last.eq(Cat(at_last[:level + 1].all() for level in range(LOOPS))),
            self.final.eq(ends & emptied),
        ]
        # Of a condition and values without other ones: flip-flops then reset themselves.
        m.d.comb += [ends.eq(drains | at_last.all()), moves.eq(self.enter | self.go)]
        with m.If(moves):
            m.d.sync += [drains.eq(~self.enter & ends),
                         emptied.eq(Mux(self.enter, self.following.stages == 0,
                                        drained + ends == self.state.stages)),
                         drained.eq(Mux(self.enter, 0, drained + ends)),
                         self.valids.eq(Mux(self.enter, 1, Cat(~ends, self.valids)))]
        for level in range(LOOPS):
            count, turn, following = self.state[f"count{level}"], turns[level], Signal(
                16, name=f"next_{level}")
            single = Mux(self.enter, self.following[f"count{level}"], count) == 1
            begins = Signal(name=f"begins_{level}")
            m.d.comb += [following.eq(turn + 1), begins.eq(self.enter | at_last[level])]
            with m.If(self.enter | (self.go & at_last[:level].all())):
                m.d.sync += [turn.eq(Mux(begins, 1, following)), at_first[level].eq(begins),
                             at_last[level].eq(Mux(begins, single, following == count))]
        return m
