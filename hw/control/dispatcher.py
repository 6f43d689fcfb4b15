"""Dispatch: hands each instruction of a program to its unit's queue."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from golden.spec.isa import Opcode, Unit
from golden.spec.registers import Cause
from hw.bus.axi import Response
from hw.interfaces import ERROR, record_layout

__all__ = ["Dispatcher"]


class Dispatcher(wiring.Component):
    """Decodes instructions, passes their beats on, and executes SYNC and END itself.

    Parameters
    ----------
    config : Config
        Beats have ``group`` bytes.
    units : tuple of isa.Unit
        Owner of each output.

    Members
    -------
    start : In(1)
        Begin with the first beat of ``i``; only when not ``running``.
    halt : In(1)
        Do nothing any more, until reset. An error alone has the same effect.
    first : In(26)
        Address of the first instruction, in units of 64 bytes.
    i : In(stream of {data, resp: 2})
        Beats of the program.
    exhausted : In(1)
        No beat will follow on ``i``.
    settled : In(1)
        The fetch has dropped all that came after END.
    drained : In(1)
        No instruction in any queue or unit.
    o : Out(stream of one beat), one for each unit
    running : Out(1)
        From the cycle after ``start`` until ``done``.
    ended : Out(1)
        END has been met.
    done : Out(1)
        Pulse in the last cycle of ``running``.
    retire : Out(1)
        SYNC or END is finished in this cycle.
    error : Out(ERROR)
        ``valid`` until reset, from the cycle after it is met; the address is the instruction's.
    fetched : Out(32)
        Instructions decoded since ``start``, but for one decoded in the cycle before.

    Timing
    ------
    One cycle to decode an instruction, then one a beat. ``done`` comes SETTLE cycles after END
    finds all drained and settled: as late as an overflow by the last posts shows as ``halt``.
    """

    SETTLE = 4  # a power of two

    def __init__(self, config, units):
        self.units = units
        self.beat_bits = 8 * config.group
        self.beats = isa.INSTRUCTION_BYTES // config.group
        self.shift = isa.INSTRUCTION_BYTES.bit_length() - 1
        super().__init__({
            "start": In(1),
            "halt": In(1),
            "first": In(32 - self.shift),
            "i": In(stream.Signature(data.StructLayout({"data": self.beat_bits, "resp": 2}))),
            "exhausted": In(1),
            "settled": In(1),
            "drained": In(1),
            "o": Out(stream.Signature(unsigned(self.beat_bits))).array(len(units)),
            "running": Out(1),
            "ended": Out(1),
            "done": Out(1),
            "retire": Out(1),
            "error": Out(ERROR),
            "fetched": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        # The first beat holds at least opcode and tag.
        beat = self.i.payload
        header = data.View(record_layout(isa.HEADER), Cat(
            beat.data, Const(0, 8 * isa.INSTRUCTION_BYTES - self.beat_bits)))
        opcode, tag = Signal.like(header.opcode), Signal.like(header.tag)  # of the one at hand
        current = Signal.like(self.first)     # its address / 64
        position = Signal(range(self.beats))  # beats of it passed on
        target = Signal(1 + len(self.o))      # where they go, one-hot: this block, outputs
        waited = Signal(range(self.SETTLE))
        good, transfer = Signal(), Signal()
        decoded = Signal()
        m.d.sync += [decoded.eq(0), self.fetched.eq(self.fetched + decoded)]
        m.d.comb += [
            good.eq(~self.halt & ~beat.resp[1]),
            self.running.eq(1),
            self.i.ready.eq(good & (target & Cat(1, *(port.ready for port in self.o))).any()),
            transfer.eq(self.i.valid & self.i.ready),
            self.error.address.eq(Cat(Const(0, self.shift), current)),
        ]
        for index, port in enumerate(self.o):
            m.d.comb += [port.payload.eq(beat.data),
                         port.valid.eq(self.i.valid & good & target[1 + index])]
        with m.If(transfer):
            m.d.sync += position.eq(position + 1)  # wraps: beats is a power of two

        with m.FSM(name="dispatch"):
            with m.State("IDLE"):
                m.d.comb += self.running.eq(0)
                with m.If(self.start & ~self.halt):
                    m.d.sync += [self.fetched.eq(0), current.eq(self.first)]
                    m.next = "DECODE"

            with m.State("DECODE"):
                m.d.sync += [opcode.eq(header.opcode), tag.eq(header.tag)]
                with m.If(self.i.valid & good):
                    m.d.sync += decoded.eq(1)
                    self._decode(m, header, target)
                with m.Elif(self.i.valid & ~self.halt):
                    self._read_error(m, beat.resp, 0)
                with m.Elif(self.exhausted & ~self.halt):
                    self._fail(m, Cause.PROGRAM_END, 0)

            with m.State("PASS"):
                with m.If(transfer & (position == self.beats - 1)):
                    m.d.sync += [current.eq(current + 1), target.eq(0)]
                    m.next = "DECODE"
                    with m.If(opcode == Opcode.SYNC):
                        m.next = "SYNC"
                    with m.If(opcode == Opcode.END):
                        m.next = "END"
                with m.If(self.i.valid & beat.resp[1] & ~self.halt):
                    m.d.sync += target.eq(0)
                    self._read_error(m, beat.resp, tag)

            with m.State("SYNC"):
                with m.If(~self.halt & self.drained):
                    m.d.comb += self.retire.eq(1)
                    m.next = "DECODE"

            with m.State("END"):
                m.d.comb += self.ended.eq(1)
                with m.If(~self.halt & self.drained & self.settled):
                    m.next = "SETTLE"

            with m.State("SETTLE"):
                m.d.comb += self.ended.eq(1)
                m.d.sync += waited.eq(waited + 1)  # wraps
                with m.If(~self.halt & (waited == self.SETTLE - 1)):
                    m.d.comb += [self.retire.eq(1), self.done.eq(1)]
                    m.next = "IDLE"

            with m.State("ERROR"):
                m.d.comb += self.error.valid.eq(1)
        return m

    def _decode(self, m, header, target):
        """Choose ``target``."""
        with m.Switch(header.opcode):
            for code, unit in isa.OPCODE_UNIT.items():
                if unit not in (Unit.SEQUENCER, *self.units):
                    continue
                with m.Case(code):
                    m.d.sync += target.eq(
                        1 << (0 if unit == Unit.SEQUENCER else 1 + self.units.index(unit)))
                    m.next = "PASS"
            with m.Default():
                self._fail(m, Cause.ILLEGAL_OPCODE, header.tag)

    def _read_error(self, m, resp, tag):
        """The error for an AXI error response."""
        causes = {Response.SLVERR: Cause.READ_SLAVE_ERROR, Response.DECERR: Cause.READ_DECODE_ERROR}
        self._fail(m, Array(causes.get(code, Cause.NONE) for code in Response)[resp], tag)

    def _fail(self, m, cause, tag):
        m.d.sync += [self.error.cause.eq(cause), self.error.tag.eq(tag)]
        m.next = "ERROR"
