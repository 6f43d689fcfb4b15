"""Reads the states that may follow while one runs."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.controller import end_state, state_record
from hw.drp.context_memory import context_write
from hw.drp.repeats import Repeats, repeats_layout
from hw.interfaces import record_layout

__all__ = ["Successors"]


class _Phase(enum.Enum, shape=3):
    COUNT = 0  # of the state that was entered, and the state of its branch
    PICK = 1  # which one it goes to by itself
    TAKE = 2  # that one
    CHAIN = 3  # it is the end: wait for another kernel
    CHAINED = 4  # that one's first state
    READY = 5


class Successors(wiring.Component):
    """States in block RAM, and those that may follow the one that runs.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    now : In(state_record)
    number : In(state number)
        Of the state that runs.
    entered : In(1)
        There is a new one from the next cycle on.
    by_itself : In(1)
        It is ``succ``.
    begun : In(1)
        It is a kernel's first.
    ended : In(1)
        The kernel ends by a branch.
    kernel_waits, kernel : In
        There is another kernel, and its first state.
    succ : Out(state number)
        Where the state goes by itself, with ``known``.
    last : Out(1)
        That is the end.
    follow : Out(state_record)
        The state ``succ``, or, if that is the end, the next kernel's first; with ``ready``.
    other : Out(state_record)
        The state of the branch, with ``known``.
    write : In(context_write of state_record)

    Timing
    ------
    ``ready`` 3 cycles after ``entered``.
    """

    def __init__(self, fabric):
        self.fabric = fabric
        self._state = record_layout(state_record(fabric))
        number = range(2 * end_state(fabric))
        super().__init__({
            "now": In(self._state), "number": In(number), "entered": In(1), "by_itself": In(1),
            "begun": In(1), "ended": In(1), "kernel_waits": In(1),
            "kernel": In(range(fabric.states)), "succ": Out(number), "last": Out(1),
            "known": Out(1),
            "follow": Out(self._state), "ready": Out(1), "other": Out(self._state),
            "write": In(context_write(fabric.states, self._state))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.states = states = memory.Memory(
            shape=self._state, depth=self.fabric.states, init=[], attrs={"no_rw_check": 1})
        m.submodules.repeats = repeats = Repeats(self.fabric.states)
        write, read = states.write_port(), states.read_port()
        follow, other = (Signal(self._state, name=name, reset_less=True)
                         for name in ("held_follow", "held_other"))
        succ = Signal.like(self.succ, name="held_succ", reset_less=True)
        picked = Signal.like(self.succ, name="picked")
        repeat, repeats_now = Signal(reset_less=True), Signal()
        count, value = Signal(16, reset_less=True), Signal(repeats_layout())
        phase, end = Signal(_Phase, init=_Phase.CHAIN), end_state(self.fabric)
        m.d.comb += [
            write.en.eq(self.write.en), write.addr.eq(self.write.addr),
            write.data.eq(self.write.data), read.en.eq(1), read.addr.eq(self.kernel),
            repeats.state.eq(self.number), repeats.begin.eq(self.begun),
            repeats.write.eq(self.by_itself), repeats.at.eq(self.number),
            value.count.eq(Mux(repeat, count + 1, 0)),
            value.enough.eq(value.count >= self.now.repeats),
            repeats.value.eq(value),
            repeats_now.eq((self.now.repeats != 0) & ~repeats.o.enough),
            picked.eq(Mux(repeats_now, self.now.again, self.now.next)),
            self.succ.eq(succ), self.follow.eq(follow), self.other.eq(other),
            self.known.eq((phase != _Phase.COUNT) & (phase != _Phase.PICK)),
            self.ready.eq(phase == _Phase.READY),
        ]
        with m.Switch(phase):
            with m.Case(_Phase.COUNT):
                m.d.comb += read.addr.eq(self.now.other)
                m.d.sync += phase.eq(_Phase.PICK)
            with m.Case(_Phase.PICK):
                m.d.comb += read.addr.eq(picked)
                m.d.sync += [other.eq(read.data), succ.eq(picked), repeat.eq(repeats_now),
                             self.last.eq(Mux(repeats_now, self.now.again == end,
                                              self.now.next == end)),
                             count.eq(repeats.o.count), phase.eq(_Phase.TAKE)]
            with m.Case(_Phase.TAKE):
                m.d.sync += [follow.eq(read.data), phase.eq(
                    Mux(self.last, _Phase.CHAIN, _Phase.READY))]
            with m.Case(_Phase.CHAIN):
                with m.If(self.kernel_waits & repeats.ready):
                    m.d.sync += phase.eq(_Phase.CHAINED)
            with m.Case(_Phase.CHAINED):
                m.d.sync += [follow.eq(read.data), phase.eq(_Phase.READY)]
        with m.If(self.entered):
            m.d.sync += phase.eq(_Phase.COUNT)
        with m.Elif(self.ended):
            m.d.sync += phase.eq(_Phase.CHAIN)
        return m
