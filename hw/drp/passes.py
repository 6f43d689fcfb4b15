"""Passes of a state: its loops, the drain, and which stages are valid."""

from amaranth.hdl import Cat, Module, Signal
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
        left = [Signal(16, name=f"left_{level}", reset_less=True) for level in range(LOOPS)]
        drained = Signal(len(self.state.stages), reset_less=True)
        drains = Signal(reset_less=True)  # all iterations have begun
        m.d.comb += [
            self.first.eq(Cat(at_first[:level + 1].all() for level in range(LOOPS))),
            self.last.eq(Cat(at_last[:level + 1].all() for level in range(LOOPS))),
            self.final.eq((drains | at_last.all()) & (drained == self.state.stages)),
        ]
        with m.If(self.enter):
            m.d.sync += [drains.eq(0), drained.eq(0), self.valids.eq(1), at_first.eq(~0)]
            for level in range(LOOPS):
                count = self.following[f"count{level}"]
                m.d.sync += [left[level].eq(count), at_last[level].eq(count == 1)]
        with m.Elif(self.go):
            ends = drains | at_last.all()
            m.d.sync += [drains.eq(ends), drained.eq(drained + ends),
                         self.valids.eq(Cat(~ends, self.valids))]
            for level in range(LOOPS):
                count = self.state[f"count{level}"]
                with m.If(at_last[:level].all()):
                    with m.If(at_last[level]):
                        m.d.sync += [left[level].eq(count), at_last[level].eq(count == 1),
                                     at_first[level].eq(1)]
                    with m.Else():
                        m.d.sync += [left[level].eq(left[level] - 1),
                                     at_last[level].eq(left[level] == 2), at_first[level].eq(0)]
        return m
