"""Opens the row of the next segment while the one before it runs."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.interface import Command, command_layout, segment_layout

__all__ = ["Rows"]


class Rows(wiring.Component):
    """Holds a segment until its row is open; rows stay open.

    Parameters
    ----------
    geometry : Geometry
    cycles : SdramCycles
    most_beats : int
        Of a segment.

    Members
    -------
    i, o : stream of segment_layout
    command : Out(stream of command_layout)
        PRECHARGE or ACTIVATE, when ``ready``.
    runs : In(1)
        Segment ``runs_bank`` has column commands to come: its row must stay.
    runs_bank : In
    column : In(1)
        A column command goes out, of the segment that runs.
    column_write : In(1)
    closed : In(1)
        All rows are closed, now.
    quiet : Out(1)
        No segment is here and every bank may be precharged.

    Timing
    ------
    2 cycles for a segment whose row is open; one every 3 cycles.
    """

    def __init__(self, geometry, cycles, *, most_beats):
        self.geometry, self.cycles = geometry, cycles
        segment = stream.Signature(segment_layout(geometry, most_beats))
        super().__init__({
            "i": In(segment),
            "o": Out(segment),
            "command": Out(stream.Signature(command_layout(geometry))),
            "runs": In(1),
            "runs_bank": In(geometry.bank_pins),
            "column": In(1),
            "column_write": In(1),
            "closed": In(1),
            "quiet": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        part, cycles, burst = self.geometry.part, self.cycles, self.geometry.burst
        valid, segment = Signal(), Signal(self.i.payload.shape(), reset_less=True)
        m.submodules.rows = rows = memory.Memory(
            shape=self.geometry.row_pins, depth=part.banks, init=[])
        opens, row = rows.write_port(), rows.read_port(domain="comb")
        opened = Signal(part.banks)
        # Cycles for which a bank must not be precharged, less one when loaded: after its
        # ACTIVATE, a read, a write.
        after_open = max(cycles.ras, cycles.rc - cycles.rp) - 1
        after_read, after_write = burst - 1, burst + cycles.wr - 2
        kept = [Signal(range(max(after_open, after_read, after_write) + 1), name=f"kept_{n}")
                for n in range(part.banks)]
        # Until ACTIVATE after PRECHARGE, and until the segment leaves after ACTIVATE: its command
        # comes a cycle later, and the next segment's ACTIVATE no sooner.
        after_precharge = cycles.rp - 1
        after_activate = max(cycles.rcd, cycles.rrd, 2) - 2
        pause = Signal(range(max(after_precharge, after_activate, 1) + 1))

        # What the segment finds: nothing else changes its bank while it waits here.
        looked, is_open, hit = Signal(), Signal(), Signal()
        may_close, go = Signal(), Signal()
        m.d.comb += [
            row.addr.eq(segment.bank),
            may_close.eq((Array(kept)[segment.bank] == 0)
                         & ~(self.runs & (self.runs_bank == segment.bank))),
            self.o.payload.eq(segment),
            self.o.valid.eq(looked & hit & (pause == 0)),
            self.i.ready.eq(~valid),
            self.quiet.eq(~valid & ~self.runs & ~Cat(*kept).any()),
            self.command.valid.eq(looked & ~hit & (pause == 0) & (~is_open | may_close)),
            self.command.p.command.eq(Mux(is_open, Command.PRECHARGE, Command.ACTIVATE)),
            self.command.p.ba.eq(segment.bank),
            self.command.p.a.eq(Mux(is_open, 0, segment.row)),
            go.eq(self.command.valid & self.command.ready),
            opens.en.eq(go),  # in vain when it closes
            opens.addr.eq(segment.bank),
            opens.data.eq(segment.row),
        ]
        with m.If(~valid):
            m.d.sync += [valid.eq(self.i.valid), segment.eq(self.i.payload)]
        with m.Elif(~looked):
            here = opened.bit_select(segment.bank, 1)
            m.d.sync += [looked.eq(1), is_open.eq(here),
                         hit.eq(segment.error | (here & (row.data == segment.row)))]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [valid.eq(0), looked.eq(0)]
        with m.If(go):
            m.d.sync += [pause.eq(Mux(is_open, after_precharge, after_activate)),
                         is_open.eq(~is_open), hit.eq(~is_open)]
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        for bank, timer in enumerate(kept):
            after_column = Mux(self.column_write, after_write, after_read)
            with m.If(go & (segment.bank == bank)):
                m.d.sync += [opened[bank].eq(~is_open), timer.eq(Mux(is_open, 0, after_open))]
            with m.Elif(self.column & (self.runs_bank == bank) & (timer <= after_column)):
                m.d.sync += timer.eq(after_column)
            with m.Elif(timer != 0):
                m.d.sync += timer.eq(timer - 1)
        with m.If(self.closed):
            m.d.sync += opened.eq(0)
        return m
