"""Upkeep of the SDRAM: no refresh is lost or late, and all that the part's times ask for.

Whenever quiet comes: PRECHARGE of all banks only in the cycle after a quiet one, with ``closed``;
REFRESH and MODE only with all banks closed; each command as long after the one before as tRP, tRFC
and tMRD ask for; no segment may come (``hold``) from the request for quiet to the end of the last
refresh. Intervals that end since initialization less refreshes are what is owed: none is lost.
And if quiet comes within WAIT cycles of being asked for, no refresh is later than an interval.
By induction this holds for ever.
"""

import dataclasses

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal

from hw.sdram.interface import Command, Geometry
from hw.sdram.timing import PARTS, SdramCycles
from hw.sdram.upkeep import Upkeep
from tb.formal.prover import Property, faulty, refute, verify
from tb.lib.quick import quick

CYCLES = SdramCycles(cas=2, rcd=2, rp=3, ras=4, rc=6, rfc=5, rrd=2, wr=2, mrd=2, interval=20,
                     power_up=1)
WAIT = 8
OWED = 8  # refreshes; no part of a design gets that far


class UpkeepProperty(Property):
    """Time since the last command of each kind, and refreshes owed.

    Parameters
    ----------
    kind : type
    prompt : bool
        Quiet comes within WAIT cycles.
    bind : bool
        Add the invariants of the registers that induction needs.
    cycles : SdramCycles
    """

    def __init__(self, kind, *, prompt=False, bind=False, cycles=CYCLES):
        self.prompt, self.bind = prompt, bind
        super().__init__(kind(Geometry(PARTS["IS42S16160G-7"], 4), cycles))

    def describe(self, m: Module, block):
        self.free(m, block.quiet)
        cycles = block.cycles
        sent = {name: block.command.valid & (block.command.p.command == Command[name])
                for name in ("PRECHARGE", "REFRESH", "MODE")}
        busy = Signal(range(8))   # cycles for which the part takes no command
        closed = Signal()         # all banks are
        asked = self.before(m, block.hold & block.quiet, "asked")
        # An own clock of intervals, and what is owed by it.
        clock, debt = Signal(range(cycles.interval), init=cycles.interval - 1), Signal(range(32))
        due = Signal()
        m.d.comb += due.eq(clock == 0)
        m.d.sync += [
            clock.eq(Mux(due, cycles.interval - 1, clock - 1)),
            busy.eq(Mux(sent["PRECHARGE"], cycles.rp - 1, Mux(sent["REFRESH"], cycles.rfc - 1, Mux(
                sent["MODE"], cycles.mrd - 1, Mux(busy == 0, 0, busy - 1))))),
            closed.eq((closed | sent["PRECHARGE"]) & block.hold),
        ]
        with m.If(block.ready | sent["MODE"]):
            m.d.sync += debt.eq(debt + due - sent["REFRESH"])
        m.d.comb += [
            Assert(~block.command.valid | sent["PRECHARGE"] | sent["REFRESH"] | sent["MODE"],
                   "nothing else"),
            Assert(~block.command.valid | (busy == 0), "tRP, tRFC, tMRD"),
            Assert(block.hold | (busy == 0), "nobody else's command comes sooner"),
            Assert(~block.command.valid | block.hold, "while others hold"),
            Assert(block.closed == sent["PRECHARGE"], "closed"),
            Assert(~sent["PRECHARGE"] | asked, "not before quiet"),
            Assert(~sent["REFRESH"] | closed, "all banks are closed"),
            Assert(~sent["MODE"] | (closed & ~block.ready), "once, with all banks closed"),
            Assert(block.ready | block.hold, "nobody before initialization"),
            Assert(block.hold | (debt == 0) | (debt == 1) & self.before(m, debt == 0, "paid"),
                   "what is owed is asked for"),
            Assert(~sent["REFRESH"] | ~block.ready | (debt != 0), "none is in vain"),
        ]
        if self.prompt:
            m.d.comb += Assert(~block.ready | (debt <= 1), "none is late by more than an interval")
        else:
            m.d.comb += Assume(debt < OWED)
        if self.bind or self.prompt:
            self._bind(m, block, clock, debt, busy, closed, asked)

    def _bind(self, m, block, clock, debt, busy, closed, asked):
        """The registers in terms of these."""
        cycles, inner = block.cycles, self.inner
        state, pause, owed = inner["fsm_state"], inner["pause"], inner["owed"]
        is_in = {state.decoder(n).split("/")[0]: state == n for n in range(3)}
        m.d.comb += [
            Assert(inner["interval"] == clock, "its clock"),
            Assert(clock < cycles.interval, "clock"),
            Assert(pause == busy, "pause"),
            Assert(is_in["REFRESH"] | (busy == 0), "no pause elsewhere"),
            Assert((inner["power_up"] == 0) | (is_in["REST"] & ~block.ready), "power-up is over"),
            Assert(block.ready | (debt == 0), "nothing is owed before"),
            Assert(is_in["REST"] | is_in["CLOSE"] | is_in["REFRESH"], "states"),
            Assert((closed & block.hold) == is_in["REFRESH"], "closed in that state"),
            Assert(~is_in["CLOSE"] | (block.hold & asked), "asked"),
            Assert(~is_in["REFRESH"] | block.hold, "hold"),
            Assert(~block.ready | (owed == debt), "owed"),
        ]
        if self.prompt:
            self._prompt(m, block, is_in, owed, pause, cycles.interval - 1 - clock)

    def _prompt(self, m, block, is_in, owed, pause, age):
        """Refreshes are in time; ``age``: cycles since one became due."""
        cycles = block.cycles
        waited = Signal(range(WAIT + 2))
        m.d.sync += waited.eq(Mux(block.hold & is_in["REST"] & ~block.quiet, waited + 1, 0))
        late = max(2 + WAIT + cycles.rp, cycles.rfc, cycles.mrd)
        assert late < cycles.interval
        m.d.comb += [
            Assume(~(block.hold & is_in["REST"]) | block.quiet | (waited < WAIT)),
            Assert(waited <= WAIT, "waited"),
        ]
        with m.If(block.ready):
            m.d.comb += [
                Assert(~is_in["REST"] | (owed == block.hold) | (age == 0), "asked for at once"),
                Assert(~(is_in["REST"] & block.hold) | (age == 1 + waited), "since when"),
                Assert(~is_in["CLOSE"] | ((owed == 1) & (age <= 2 + WAIT)), "since when"),
                Assert(~is_in["REFRESH"] | (owed == 0) | (age + pause <= late), "since when"),
            ]


def test_for_ever():
    verify(UpkeepProperty(Upkeep, bind=True), depth=2, inductive=True)


def test_in_time_for_ever():
    verify(UpkeepProperty(Upkeep, prompt=True), depth=2, inductive=True)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("send(Command.REFRESH, cycles.rfc)", "send(Command.REFRESH, cycles.rfc - 1)"),
    ("with m.Elif(refresh & ~due):", "with m.Elif(refresh):"),
    ("send(Command.PRECHARGE, cycles.rp,", "send(Command.PRECHARGE, cycles.rp - 1,"),
    ("self.hold & self.quiet & (power_up == 0)", "self.hold & (power_up == 0)"),
    ("Mux(due, cycles.interval - 1, interval - 1)", "Mux(due, cycles.interval, interval - 1)"),
))
def test_fault(old, new):
    kind = faulty(Upkeep, old, new)
    kind.INITIAL = 1  # sooner initialized
    refute(UpkeepProperty(kind, cycles=dataclasses.replace(CYCLES, interval=8)), depth=40)
