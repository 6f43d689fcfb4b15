"""Finds the next context: states, their passes, branches and repeats."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.controller import FLAG_DELAY, end_state, state_record
from hw.drp.context_memory import ContextMemory, context_write
from hw.drp.cue import cue_layout
from hw.drp.passes import Passes
from hw.drp.successors import Successors
from hw.interfaces import record_layout

__all__ = ["Controller"]


class Controller(wiring.Component):
    """Names a context address a cycle, ahead of the step it is executed in.

    While a state runs, the states that may follow are read: the one of its branch, and the one it
    goes to by itself; if that is the end, the first one of the next kernel.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    start : In(stream of state number)
        Kernels, by their first state.
    advance : In(1)
        Address and cue are taken.
    address : Out(range(contexts))
    cue : Out(cue_layout)
    step : In(1)
        There is a step in this cycle.
    decides : In(1)
        So far ahead of it is the last one of a state that branches, that it takes the flag.
    flags : In(elements)
        Bit 0 of what the elements' ``row`` show.
    begun : Out(1)
        A kernel's first address comes next, after what still waits to be taken.
    broken : Out(1)
        A state's number or a context's address is out of range. It then stops.
    write : In(context_write of state_record)

    Timing
    ------
    A state of STEPS steps or more is followed by the next one without a pause, or after BRANCH
    cycles if it branches. ``end`` takes a cycle of its own.
    """

    STEPS = 4
    BRANCH = 2

    def __init__(self, fabric):
        self.fabric = fabric
        self._state = record_layout(state_record(fabric))
        super().__init__({
            "start": In(stream.Signature(range(fabric.states))), "advance": In(1),
            "address": Out(range(fabric.contexts)), "cue": Out(cue_layout(fabric)),
            "step": In(1), "decides": In(1), "flags": In(fabric.elements),
            "begun": Out(1), "broken": Out(1),
            "write": In(context_write(fabric.states, self._state))})

    def elaborate(self, platform):
        m = Module()
        fabric = self.fabric
        assert FLAG_DELAY == ContextMemory.LATENCY
        end = end_state(fabric)
        m.submodules.passes = passes = Passes(fabric)
        m.submodules.successors = successors = Successors(fabric)
        known, ready, succ = successors.known, successors.ready, successors.succ
        now = Signal(self._state, reset_less=True)
        number = Signal.like(succ, reset_less=True)
        to_other, to_follow, to_kernel, enter = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            enter.eq(to_other | to_follow | to_kernel),
            successors.now.eq(now), successors.number.eq(number), successors.entered.eq(enter),
            successors.by_itself.eq(to_follow), successors.begun.eq(to_kernel),
            successors.kernel_waits.eq(self.start.valid),
            successors.kernel.eq(self.start.payload), successors.write.eq(self.write),
        ]

        flag_bits = max(1, (fabric.elements - 1).bit_length())
        slot_ends, leaves, moves = Signal(reset_less=True), Signal(), Signal()
        slot = Signal.like(now.ii, reset_less=True)
        address = Signal(range(2 * fabric.contexts), reset_less=True)
        flag, flag_known = Signal(reset_less=True), Signal()
        running, cue = Signal(), Signal(cue_layout(fabric))
        # What isn't taken at once waits, and the controller from the next cycle on: whether there
        # is a step is known too late for all that it does.
        kept_address, kept_cue = (Signal.like(one, name=f"kept_{name}", reset_less=True)
                                  for one, name in ((address, "address"), (cue, "cue")))
        waits = Signal()
        m.d.sync += waits.eq(~self.advance & (waits | cue.valid | cue.end))
        with m.If(~waits):
            m.d.sync += [kept_address.eq(address), kept_cue.eq(cue)]
        m.d.comb += [self.address.eq(Mux(waits, kept_address, address)),
                     self.cue.eq(Mux(waits, kept_cue, cue))]
        following, goal = Signal(self._state), Signal.like(succ)
        m.d.comb += [
            leaves.eq(slot_ends & passes.final),
            moves.eq(running & ~waits),
            following.eq(Mux(to_other, successors.other, successors.follow)),
            goal.eq(Mux(to_other, now.other, Mux(to_kernel, self.start.payload, succ))),
            passes.state.eq(now), passes.following.eq(following),
            passes.enter.eq(enter), passes.go.eq(moves & slot_ends),
            self.start.ready.eq(to_kernel), self.begun.eq(to_kernel),
            cue.valid.eq(running & ~address[-1]), cue.decides.eq(leaves & now.branch),
            cue.first.eq(passes.first), cue.last.eq(passes.last), cue.valids.eq(passes.valids),
        ]
        steps, turns = (Signal.like(cue[name], name=name) for name in ("number", "turn"))
        m.d.comb += [cue.number.eq(steps), cue.turn.eq(turns)]
        m.d.sync += [steps.eq(steps + moves), turns.eq(turns + (moves & slot_ends))]
        with m.If(enter):
            m.d.sync += [now.eq(following), number.eq(goal), address.eq(following.base),
                         slot.eq(0), slot_ends.eq(following.ii == 0), flag_known.eq(0)]
        with m.Elif(moves):
            m.d.sync += [address.eq(Mux(slot_ends, now.base, address + 1)),
                         slot.eq(Mux(slot_ends, 0, slot + 1)),
                         slot_ends.eq(Mux(slot_ends, now.ii == 0, slot + 1 == now.ii))]
        with m.If(self.step & self.decides):
            m.d.sync += [flag.eq(self.flags.bit_select(now.flag[:flag_bits], 1)),
                         flag_known.eq(1)]
        with m.If((running & address[-1]) | (enter & (goal >= end))):
            m.d.sync += self.broken.eq(1)

        # By itself a state goes on to succ, once that is known and read.
        def go_on(wait):
            with m.If(known & successors.last):
                m.next = "END"
            with m.Elif(ready):
                m.d.comb += to_follow.eq(1)
                m.next = "RUN"
            with m.Else():
                m.next = wait

        def begin():
            with m.If(ready & ~self.broken):
                m.d.comb += to_kernel.eq(1)
                m.next = "RUN"

        with m.FSM(name="walk", init="IDLE"):
            with m.State("IDLE"):
                begin()
            with m.State("RUN"):
                m.d.comb += running.eq(~self.broken)
                with m.If(moves & leaves):
                    with m.If(now.branch):
                        m.next = "DECIDE"
                    with m.Else():
                        go_on("DECIDE")
            with m.State("DECIDE"):
                with m.If(now.branch & flag_known & flag):
                    with m.If(now.other == end):
                        m.d.comb += successors.ended.eq(1)
                        m.next = "END"
                    with m.Else():
                        m.d.comb += to_other.eq(1)
                        m.next = "RUN"
                with m.Elif(~now.branch | flag_known):
                    go_on("DECIDE")
            with m.State("END"):
                m.d.comb += cue.end.eq(1)
                with m.If(~waits):
                    m.next = "IDLE"
                    begin()
        return m
