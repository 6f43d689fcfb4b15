"""Rows and columns of the SDRAM: no command breaks tRCD, tRP, tRAS, tRC, tRRD or write recovery.

Whatever segments come, at each clock: ACTIVATE only of a closed bank, PRECHARGE only of an open
one; every READ and WRITE is of the bank and, in it, of the row of the oldest segment, tRCD after it
was opened; no column command comes into the data of the one before, no WRITE without a cycle's rest
behind a READ's data; no two commands in one cycle. All rows may be closed in the cycle after a
quiet one, and no command comes from there on until segments do. By induction this holds for ever.

Upkeep is assumed to do what test_upkeep.py proves: it closes all rows only in the cycle after a
quiet one, and no segment comes from the quiet cycle to tRP after that.
"""

import dataclasses
from types import SimpleNamespace

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Module, Mux, Signal, Value

from hw.sdram.columns import Columns
from hw.sdram.interface import AUTO_BIT, Command, Geometry, segment_layout
from hw.sdram.rows import Rows
from hw.sdram.timing import PARTS
from tb.formal.abstract import Kept, ListMemory
from tb.formal.prover import Property, faulty, made_of, refute, verify
from tb.lib.quick import quick
from tb.lib.sdram_pair import Pair

PART = dataclasses.replace(PARTS["any-32MiB-7"], banks=2, rows=2048, columns=128)
MOST = 2  # beats of a segment
CASES = [(4, PART.cycles(50)), (4, PART.cycles(100, cas=2)), (32, PART.cycles(133, cas=3))]


class RowProperty(Property):
    """What the part allows, counted down bank by bank from the commands it sees.

    Parameters
    ----------
    rows, columns : callable
        Makes the class Rows of the parts it is given by name; class Columns.
    case : tuple
        Bytes of a beat, SdramCycles.
    bind : bool
        Add the invariants of the registers that induction needs.
    """

    def __init__(self, rows, columns, case, *, bind=False):
        self.memory, self.bind = Kept(ListMemory), bind
        beat_bytes, cycles = case
        super().__init__(Pair(Geometry(PART, beat_bytes), cycles, most_beats=MOST, columns=columns,
                              rows=rows(memory=SimpleNamespace(Memory=self.memory))))

    def describe(self, m: Module, block):
        self.cycles, burst = block.cycles, block.geometry.burst
        self.layout = segment_layout(block.geometry, MOST)
        rows, columns = block.rows, block.columns
        self.free(m, block.i.valid, block.i.payload, block.closed)
        self._surroundings(m, block)

        # The segments here, as they came.
        waits, runs = Signal(self.layout), Signal(self.layout)
        with m.If(block.i.valid & block.i.ready):
            m.d.sync += waits.eq(block.i.payload)
        with m.If(rows.o.valid & rows.o.ready):
            m.d.sync += runs.eq(waits)

        row, column = rows.command, columns.command
        go = Signal()
        m.d.comb += go.eq(row.valid & row.ready)
        reads, writes = Signal(), Signal()
        m.d.comb += [
            reads.eq(column.valid & (column.p.command == Command.READ)),
            writes.eq(column.valid & (column.p.command == Command.WRITE)),
            Assert(~go | ~column.valid, "one command a cycle"),
            Assert(~go | (row.p.command == Command.ACTIVATE) | (row.p.command == Command.PRECHARGE),
                   "nothing else"),
            Assert(~column.valid | reads | writes | (column.p.command == Command.NOP),
                   "nothing else"),
            Assert(~column.valid | (runs.error == (column.p.command == Command.NOP)), "errors"),
            Assert(~(reads | writes) | ((column.p.ba == runs.bank) & (writes == runs.write)
                                        & ~column.p.a[AUTO_BIT]), "of the oldest segment"),
        ]
        free = self._down(m, "free", reads | writes, burst - 1)
        turn = self._down(m, "turn", reads, burst + self.cycles.cas)
        rrd = self._down(m, "rrd", go & (row.p.command == Command.ACTIVATE), self.cycles.rrd - 1)
        m.d.comb += [Assert(~(reads | writes) | (free == 0), "not into another one's data"),
                     Assert(~writes | (turn == 0), "the pins rest"),
                     Assert(~go | (row.p.command != Command.ACTIVATE) | (rrd == 0), "tRRD")]
        banks = [self._bank(m, block, index, go, reads, writes, waits, runs)
                 for index in range(PART.banks)]
        if self.bind:
            self._bind(m, block, banks, waits, runs, free, turn, rrd)

    def _surroundings(self, m, block):
        """What Upkeep and Segments do."""
        hold = Signal()
        quiet = Signal()  # it was, in the cycle before
        self.kept_off = kept_off = Signal()  # it was, and nobody was let in since
        self.closing = self._down(m, "closing", block.closed, self.cycles.rp - 1)
        m.d.sync += [quiet.eq(hold & block.quiet),
                     kept_off.eq(hold & (block.quiet | kept_off))]
        m.d.comb += [
            hold.eq(AnySeq(1)),
            Assume(~hold | ~block.i.valid),
            Assume(~block.closed | (hold & quiet)),
            Assume(hold | (self.closing == 0)),
        ]
        m.d.comb += Assert(~kept_off | ~(block.rows.command.valid | block.columns.command.valid),
                           "no command beside Upkeep's")
        self.was_quiet = quiet

    def _down(self, m, name, begins, cycles, least=None):
        """Cycles left: ``cycles`` after ``begins``, not less than ``least`` left before."""
        left = Signal(range(max(cycles, 1) + 1), name=f"{name}_left")
        less = Mux(left == 0, 0, left - 1)
        m.d.sync += left.eq(Mux(begins, cycles, less))
        return left

    def _bank(self, m, block, index, go, reads, writes, waits, runs):
        cycles, burst = self.cycles, block.geometry.burst
        row, column = block.rows.command.p, block.columns.command.p
        opened, at = Signal(name=f"opened_{index}"), Signal(
            block.geometry.row_pins, name=f"at_{index}")
        opens, closes, reading, writing = (Signal(name=f"{what}_{index}") for what in (
            "opens", "closes", "reading", "writing"))
        mine = row.ba == index
        m.d.comb += [
            opens.eq(go & mine & (row.command == Command.ACTIVATE)),
            closes.eq(go & mine & (row.command == Command.PRECHARGE)),
            reading.eq(reads & (column.ba == index)), writing.eq(writes & (column.ba == index)),
        ]
        m.d.sync += opened.eq((opened | opens) & ~closes & ~block.closed)
        with m.If(opens):
            m.d.sync += at.eq(row.a)
        ras, rc, rcd = (self._down(m, f"{name}_{index}", opens, getattr(cycles, name) - 1)
                        for name in ("ras", "rc", "rcd"))
        rp = self._down(m, f"rp_{index}", closes | block.closed, cycles.rp - 1)
        after_read = self._down(m, f"after_read_{index}", reading, burst - 1)
        after_write = self._down(m, f"after_write_{index}", writing, burst + cycles.wr - 2)
        may_close = (ras == 0) & (after_read == 0) & (after_write == 0)
        m.d.comb += [
            Assert(~opens | ~opened, "a closed bank"),
            Assert(~opens | (rp == 0), "tRP"),
            Assert(~opens | (rc == 0), "tRC"),
            Assert(~closes | opened, "an open bank"),
            Assert(~(closes | block.closed & opened) | may_close, "tRAS, data, tWR"),
            Assert(~(reading | writing) | (opened & (at == runs.row)), "the row of the segment"),
            Assert(~(reading | writing) | (rcd == 0), "tRCD"),
        ]
        return SimpleNamespace(opened=opened, at=at, ras=ras, rc=rc, rcd=rcd, rp=rp,
                               after_read=after_read, after_write=after_write)

    def _bind(self, m, block, banks, waits, runs, free, turn, rrd):
        """The registers in terms of these."""
        inner, outer = self.variables(block.rows), self.variables(block.columns)
        cycles, burst = self.cycles, block.geometry.burst
        valid, looked, hit, is_open, pause = (
            inner[name] for name in ("valid", "looked", "hit", "is_open", "pause"))
        running = block.columns.runs
        segment = outer["segment"]
        m.d.comb += [
            Assert(~looked | valid, "looked"),
            Assert(looked | (pause == 0), "pause"),
            Assert(~valid | (Value.cast(inner["segment"]) == Value.cast(waits)), "who waits"),
            *(Assert(~running | (segment[name] == runs[name]), "who runs")
              for name in ("write", "error", "bank", "row")),
            Assert((free <= outer["wait"]) & (outer["wait"] < burst), "the data's schedule"),
            Assert((turn <= outer["turn"]) & (outer["turn"] <= burst + cycles.cas),
                   "the pins' schedule"),
            Assert(rrd <= Mux(looked & hit, pause + 1, 0), "tRRD passes"),
            Assert((self.closing == 0) | (~valid & ~running), "nobody is here"),
            Assert(~self.kept_off | (~valid & ~running), "nobody is here"),
            Assert(~self.was_quiet | self.kept_off, "nobody is here"),
        ]
        for index, bank in enumerate(banks):
            kept = inner["kept"][index]
            here = looked & (waits.bank == index)
            done = ~running | (runs.bank != index) | runs.error
            m.d.comb += [
                Assert(inner["opened"][index] == bank.opened, "open"),
                Assert(~bank.opened | (self.memory.made[0].rows[index] == bank.at), "row"),
                Assert((bank.ras <= kept) & (bank.after_read <= kept) & (bank.after_write <= kept),
                       "kept"),
                Assert(~bank.opened | (bank.rc <= kept + cycles.rp), "tRC passes"),
                Assert(~self.was_quiet | (kept == 0), "quiet"),
                Assert(bank.opened | ((bank.rp == 0) & (bank.rc == 0))
                       | (here & ~hit & ~is_open & (bank.rp <= pause) & (bank.rc <= pause))
                       | ((bank.rp <= self.closing) & (bank.rc <= self.closing)), "tRP passes"),
                Assert(bank.opened | ((bank.ras == 0) & (bank.after_read == 0)
                                      & (bank.after_write == 0)), "closed in time"),
                Assert((bank.rcd == 0) | (here & hit & done & (bank.rcd <= pause + 1)),
                       "tRCD passes"),
                Assert(~here | (is_open == bank.opened), "as it is"),
                Assert(~here | ~hit | waits.error | (bank.opened & (bank.at == waits.row)), "hit"),
                Assert(done | (bank.opened & (bank.at == runs.row)), "it stays"),
            ]


@pytest.mark.parametrize("case", [
    pytest.param(CASES[0], id="50 MHz", marks=pytest.mark.slow),
    pytest.param(CASES[1], id="100 MHz", marks=pytest.mark.slow),
    pytest.param(CASES[2], id="133 MHz, 32 bytes"),
])
def test_for_ever(case):
    verify(RowProperty(lambda **parts: made_of(Rows, **parts), Columns, case, bind=True),
           depth=2, inductive=True)


@pytest.mark.parametrize("old, new, changes", quick(
    1,
    ("max(cycles.rcd, cycles.rrd, 2) - 2", "max(cycles.rcd, cycles.rrd, 2) - 3", {}),
    ("after_precharge = cycles.rp - 1", "after_precharge = cycles.rp - 2", {}),
    ("max(cycles.ras, cycles.rc - cycles.rp) - 1", "max(cycles.ras, cycles.rc - cycles.rp) - 2",
     {"ras": 8}),
    ("max(cycles.ras, cycles.rc - cycles.rp) - 1", "cycles.ras - 1", {"rc": 12}),
    ("burst + cycles.wr - 2", "burst + cycles.wr - 3", {}),
    ("opens.addr.eq(segment.bank)", "opens.addr.eq(0)", {}),
    ("\n                         & ~(self.runs & (self.runs_bank == segment.bank))", "", {}),
    ("m.d.sync += opened.eq(0)", "pass", {}),
    ("& ~Cat(*kept).any()", "", {}),
))
def test_fault_of_rows(old, new, changes):
    case = 4, dataclasses.replace(CASES[1][1], **changes)
    refute(RowProperty(lambda **parts: faulty(Rows, old, new, **parts), Columns, case), depth=18)


@pytest.mark.parametrize("old, new", quick(
    0,
    ("m.d.sync += turn.eq(burst + self.cycles.cas)",
     "m.d.sync += turn.eq(burst + self.cycles.cas - 1)"),
    ("wait.eq(burst - 1)", "wait.eq(burst - 2)"),
    ("self.command.p.ba.eq(segment.bank)", "self.command.p.ba.eq(self.i.p.bank)"),
))
def test_fault_of_columns(old, new):
    refute(RowProperty(lambda **parts: made_of(Rows, **parts), faulty(Columns, old, new),
                       CASES[1]), depth=18)
