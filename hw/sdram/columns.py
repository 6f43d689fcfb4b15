"""Column commands of segments whose rows are open, and the data pins' schedule."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.interface import Command, command_layout, segment_layout

__all__ = ["Columns"]


class Columns(wiring.Component):
    """Runs segments, one column command every ``burst`` cycles, without waiting for anybody.

    A segment in error runs as any other, without commands.

    Parameters
    ----------
    geometry : Geometry
    cycles : SdramCycles
    most_beats : int
        Of a segment.

    Members
    -------
    i : In(stream of segment_layout)
    command : Out(stream of command_layout)
        READ or WRITE, and NOP of a segment in error; ``ready`` is not looked at.
    runs, runs_bank, column, column_write : Out
        As Rows takes them; ``column`` also in error.
    begins : Out(1)
        This command is the first one of a beat.
    ends : Out(1)
        It is the last one of a beat.
    last : Out(1)
        It is the last one of the AXI burst.
    error : Out(1)

    Timing
    ------
    1 cycle from a segment to its first command.
    """

    def __init__(self, geometry, cycles, *, most_beats):
        self.geometry, self.cycles = geometry, cycles
        super().__init__({
            "i": In(stream.Signature(segment_layout(geometry, most_beats))),
            "command": Out(stream.Signature(command_layout(geometry), always_ready=True)),
            "runs": Out(1),
            "runs_bank": Out(geometry.bank_pins),
            "column": Out(1),
            "column_write": Out(1),
            "begins": Out(1),
            "ends": Out(1),
            "last": Out(1),
            "error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        burst, commands = self.geometry.burst, self.geometry.commands
        segment = Signal(self.i.payload.shape(), reset_less=True)
        part = Signal(range(commands))  # command of the beat
        wait = Signal(range(burst))  # until the next command, its data being on the pins
        # Between a read's last word and a write's first one the pins rest for a cycle: the part
        # lets go of them later than half a cycle.
        turn = Signal(range(burst + self.cycles.cas + 1))
        done = Signal()
        column = segment.start
        if commands > 1:
            column = (segment.start << (commands - 1).bit_length()) | part
        m.d.comb += [
            self.column.eq(self.runs & (wait == 0) & (~segment.write | (turn == 0))),
            self.begins.eq(part == 0),
            self.ends.eq(part == commands - 1),
            done.eq(self.ends & (segment.len == 0)),
            self.i.ready.eq(~self.runs | (self.column & done)),
            self.runs_bank.eq(segment.bank),
            self.column_write.eq(segment.write),
            self.last.eq(segment.last & done),
            self.error.eq(segment.error),
            self.command.valid.eq(self.column),
            self.command.p.command.eq(Mux(segment.error, Command.NOP, Mux(
                segment.write, Command.WRITE, Command.READ))),
            self.command.p.ba.eq(segment.bank),
            self.command.p.a.eq(column << (burst.bit_length() - 1)),
        ]
        with m.If(self.column):
            m.d.sync += [wait.eq(burst - 1), part.eq(Mux(self.ends, 0, part + 1))]
            with m.If(self.ends):
                m.d.sync += [segment.start.eq(segment.start + 1), segment.len.eq(segment.len - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(self.column & ~segment.write):
            m.d.sync += turn.eq(burst + self.cycles.cas)
        with m.Elif(turn != 0):
            m.d.sync += turn.eq(turn - 1)
        with m.If(self.i.ready):
            m.d.sync += [self.runs.eq(self.i.valid), segment.eq(self.i.payload)]
        return m
