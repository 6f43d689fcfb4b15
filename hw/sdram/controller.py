"""AXI4 port in front of one SDR SDRAM."""

import itertools

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.bus.axi import AXI4, Response
from hw.dma.beat_fifo import BeatFifo
from hw.sdram.columns import Columns
from hw.sdram.interface import Command, Geometry, SdramPins
from hw.sdram.rows import Rows
from hw.sdram.segments import Segments
from hw.sdram.timing import DATA_BITS
from hw.sdram.upkeep import Upkeep
from hw.stream import Queue, SkidBuffer

__all__ = ["SdramController"]


class SdramController(wiring.Component):
    """Open rows, the next one opened while data runs, reads and writes in turns.

    Byte address, from the top: row, bank, column. Bursts answer in order, each direction by
    itself. What lies beyond the part answers DECERR; reads of it have any data.

    Parameters
    ----------
    part : SdramTiming
    mhz : float
        Clock of this block and, phase-shifted, of the part.
    beat_bytes : int
        Bytes of an AXI beat: 4, 8, 16 or 32.
    capture : int, optional
        Clock edges from the one that puts READ on ``pins`` to the one that samples the first word
        on ``dq_i``. By default CAS latency + 1, for a part's clock that lags by three quarters of
        a period. Registers between here and the pads add to it.
    cas : int, optional
        CAS latency, by default the shortest that the clock allows.

    Members
    -------
    axi : In(AXI4)
        A burst's data should come soon, though only itself and later ones wait for it.
    pins : Out(SdramPins)
        From registers; ``dq_i`` goes into registers at once.
    ready : Out(1)
        The part is initialized; until then bursts wait.

    Timing
    ------
    To a row that is open, from the cycle a read's address is taken to the one that offers its
    first beat: ``latency`` cycles, and ``closed_latency``, ``miss_latency`` more if its bank has
    no row, another row open. A word a cycle within bursts, from burst to burst of one direction,
    and through the port.
    """

    BEATS = 32  # that wait in each direction, as words in one block RAM
    ANSWERS = 2  # what a SkidBuffer holds

    def __init__(self, part, *, mhz, beat_bytes, capture=None, cas=None):
        self.geometry = Geometry(part, beat_bytes)
        self.cycles = part.cycles(mhz, cas=cas)
        self.capture = self.cycles.cas + 1 if capture is None else capture
        if not isinstance(self.capture, int) or not self.cycles.cas <= self.capture <= 8:
            raise ValueError(f"capture is {capture!r}, accepted is {self.cycles.cas} to 8")
        # The longest time refresh waits: two segments, and rows opened for them.
        most = 2 * (Segments.SEGMENT * self.geometry.words + 20) + self.cycles.rfc
        if self.cycles.interval < most:
            raise ValueError(f"mhz is {mhz!r}: a refresh is due every {self.cycles.interval} "
                             f"cycles, accepted are {most} or more")
        super().__init__({
            "axi": In(AXI4(beat_bytes)),
            "pins": Out(SdramPins(part)),
            "ready": Out(1),
        })

    @property
    def latency(self):
        """Cycles from a read's address to its first beat, the row being open."""
        return 6 + self.capture + self.geometry.words + BeatFifo.LATENCY

    @property
    def closed_latency(self):
        """Cycles more when the bank has no row open."""
        return max(self.cycles.rcd, self.cycles.rrd, 2) - 1

    @property
    def miss_latency(self):
        """Cycles more when the bank has another row open, which may be closed."""
        return self.cycles.rp + self.closed_latency

    def elaborate(self, platform):
        m = Module()
        geometry, cycles = self.geometry, self.cycles
        m.submodules.segments = segments = Segments(
            geometry, room=self.BEATS, answers=self.ANSWERS)
        m.submodules.rows = rows = Rows(geometry, cycles, most_beats=segments.SEGMENT)
        m.submodules.columns = columns = Columns(geometry, cycles, most_beats=segments.SEGMENT)
        m.submodules.upkeep = upkeep = Upkeep(geometry, cycles)
        wiring.connect(m, wiring.flipped(self.axi.ar), segments.ar)
        wiring.connect(m, wiring.flipped(self.axi.aw), segments.aw)
        wiring.connect(m, segments.o, rows.i)
        wiring.connect(m, rows.o, columns.i)
        m.d.comb += [
            segments.hold.eq(upkeep.hold),
            rows.runs.eq(columns.runs),
            rows.runs_bank.eq(columns.runs_bank),
            rows.column.eq(columns.column),
            rows.column_write.eq(columns.column_write),
            rows.closed.eq(upkeep.closed),
            upkeep.quiet.eq(rows.quiet),
            self.ready.eq(upkeep.ready),
            # Column commands go first: the data pins never wait for a row.
            rows.command.ready.eq(~columns.command.valid),
        ]
        self._commands(m, upkeep.command, columns.command, rows.command)
        self._writes(m, segments, columns)
        self._reads(m, segments, columns)
        return m

    def _commands(self, m, upkeep, column, row):
        """One command a cycle into the pins' registers."""
        pins = self.pins
        chosen = Signal(upkeep.payload.shape())
        with m.If(upkeep.valid):
            m.d.comb += chosen.eq(upkeep.payload)
        with m.Elif(column.valid):
            m.d.comb += chosen.eq(column.payload)
        with m.Else():
            m.d.comb += chosen.eq(row.payload)
        command = Mux(upkeep.valid | column.valid | row.valid, chosen.command, Command.NOP)
        address = Signal.like(Cat(pins.a, pins.ba), reset_less=True)
        m.d.comb += Cat(pins.a, pins.ba).eq(address)
        m.d.sync += [
            pins.cke.eq(1),
            pins.cs_n.eq(0),
            Cat(pins.we_n, pins.cas_n, pins.ras_n).eq(command),
            address.eq(Cat(chosen.a, chosen.ba)),
        ]

    def _writes(self, m, segments, columns):
        """Beats to words, with their command; answers."""
        axi, pins = self.axi, self.pins
        geometry, mask_bits = self.geometry, DATA_BITS // 8
        shape = data.StructLayout({"data": DATA_BITS, "strb": mask_bits})
        m.submodules.stored = stored = BeatFifo(shape=shape, depth=self.BEATS * geometry.words)
        # What is next stands here: columns and pins are far from block RAM.
        m.submodules.next = ahead = Queue(shape=shape, depth=4)
        wiring.connect(m, stored.o, ahead.i)
        word = Signal(range(geometry.words))  # of the beat that comes
        last = word == geometry.words - 1
        m.d.comb += [
            stored.i.valid.eq(axi.w.valid),
            stored.i.p.data.eq(axi.w.p.data.word_select(word, DATA_BITS)),
            stored.i.p.strb.eq(axi.w.p.strb.word_select(word, mask_bits)),
            axi.w.ready.eq(stored.i.ready & last),
            segments.got_write.eq(axi.w.valid & axi.w.ready),
        ]
        with m.If(stored.i.valid & stored.i.ready):
            m.d.sync += word.eq(word + 1)

        left = Signal(range(geometry.burst))  # words to come of a command
        starts, writes = Signal(), Signal()
        out = Signal(DATA_BITS, reset_less=True)
        m.d.comb += [
            starts.eq(columns.column & columns.column_write),
            writes.eq(starts | (left != 0)),
            ahead.o.ready.eq(writes),
            pins.dq_o.eq(out),
        ]
        with m.If(starts):
            m.d.sync += left.eq(geometry.burst - 1)
        with m.Elif(writes):
            m.d.sync += left.eq(left - 1)
        m.d.sync += [
            out.eq(ahead.o.p.data),
            pins.dq_oe.eq(writes),
            # Masks high until initialized, low when reading.
            pins.dqm.eq(Mux(writes, ~ahead.o.p.strb, (~self.ready).replicate(mask_bits))),
        ]

        m.submodules.answers = answers = SkidBuffer(unsigned(1))
        m.d.comb += [
            answers.i.valid.eq(starts & columns.last),
            answers.i.payload.eq(columns.error),
            axi.b.valid.eq(answers.o.valid),
            axi.b.p.resp.eq(Mux(answers.o.payload, Response.DECERR, Response.OKAY)),
            answers.o.ready.eq(axi.b.ready),
            segments.gave_answer.eq(axi.b.valid & axi.b.ready),
        ]

    def _reads(self, m, segments, columns):
        """Words to beats."""
        axi, geometry = self.axi, self.geometry
        # What comes is known all the way: the first word of a command is in `sampled` `capture`
        # edges after the command was put on the pins.
        layout = data.StructLayout({"valid": 1, "last": 1, "error": 1})
        coming = [Signal(layout, name=f"coming_{n}") for n in range(self.capture + 1)]
        sampled = Signal(DATA_BITS, reset_less=True)
        word = Signal(data.StructLayout({"data": DATA_BITS, "last": 1, "error": 1}),
                      reset_less=True)  # on its way to block RAM
        came = Signal()
        left = Signal(range(geometry.burst))  # words to come of a command
        mark = Signal(layout)  # of the command whose words come
        m.d.sync += [
            sampled.eq(self.pins.dq_i),
            coming[0].valid.eq(columns.column & ~columns.column_write),
            coming[0].last.eq(columns.last),
            coming[0].error.eq(columns.error),
        ]
        m.d.sync += [after.eq(before) for before, after in itertools.pairwise(coming)]
        m.submodules.read = read = BeatFifo(shape=word.shape(), depth=self.BEATS * geometry.words)
        with m.If(coming[-1].valid):
            m.d.sync += [left.eq(geometry.burst - 1), mark.eq(coming[-1]),
                         word.last.eq(coming[-1].last), word.error.eq(coming[-1].error)]
        with m.Else():
            m.d.sync += [left.eq(Mux(left == 0, 0, left - 1)),
                         word.last.eq(mark.last), word.error.eq(mark.error)]
        m.d.sync += [came.eq(coming[-1].valid | (left != 0)), word.data.eq(sampled)]
        m.d.comb += [read.i.valid.eq(came), read.i.payload.eq(word)]
        words = Signal(axi.r.p.data.shape(), reset_less=True)
        count = Signal(range(geometry.words))
        last, error = Signal(reset_less=True), Signal(reset_less=True)
        take = read.o.valid & read.o.ready
        m.d.comb += [
            axi.r.p.data.eq(words),
            axi.r.p.last.eq(last),
            axi.r.p.resp.eq(Mux(error, Response.DECERR, Response.OKAY)),
            read.o.ready.eq(~axi.r.valid | axi.r.ready),
            segments.gave_read.eq(axi.r.valid & axi.r.ready),
        ]
        with m.If(take):
            m.d.sync += [words.eq(Cat(words[DATA_BITS:], read.o.p.data)), count.eq(count + 1),
                         last.eq(read.o.p.last), error.eq(read.o.p.error)]
        with m.If(read.o.ready):
            m.d.sync += axi.r.valid.eq(take & (count == geometry.words - 1))
