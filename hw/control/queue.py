"""Queue of instructions in front of one unit."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from hw.interfaces import record_layout
from hw.stream import Queue

__all__ = ["InstructionQueue"]


class InstructionQueue(wiring.Component):
    """Holds a unit's instructions as beats and offers the first, whole, once it is granted.

    Parameters
    ----------
    config : Config
        ``queue_depth`` instructions wait in block RAM, as beats of ``group`` bytes; one more
        stands at the output.

    Members
    -------
    i : In(stream of one beat)
        Instructions, 64 / M beats each, lowest bytes first.
    o : Out(stream of 512 bits)
        The first instruction, after its grant; the unit keeps a copy.
    want : Out(1)
        The first instruction is whole and has not been granted.
    wait : Out(16)
        Semaphores it waits for.
    grant : In(1)
        Those semaphores are taken for it, in this cycle.
    tag : Out(16)
        Its tag.
    busy : Out(1)
        Something is in the queue, be it part of an instruction.

    Timing
    ------
    64 / M + 2 cycles from an instruction's first beat to ``want``; ``o.valid`` the cycle after
    ``grant``. The next instruction is put together while the unit works: it is wanted 64 / M + 1
    cycles after the transfer of the one before. ``want`` and ``o`` are registers.
    """

    def __init__(self, config):
        self.beat_bits = 8 * config.group
        self.beats = isa.INSTRUCTION_BYTES // config.group
        self.rows = config.queue_depth * self.beats
        super().__init__({
            "i": In(stream.Signature(unsigned(self.beat_bits))),
            "o": Out(stream.Signature(unsigned(8 * isa.INSTRUCTION_BYTES))),
            "want": Out(1),
            "wait": Out(isa.SEMAPHORES),
            "grant": In(1),
            "tag": Out(16),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.beats = beats = Queue(shape=unsigned(self.beat_bits), depth=self.rows,
                                           late=True)
        wiring.connect(m, wiring.flipped(self.i), beats.i)

        head = Signal(8 * isa.INSTRUCTION_BYTES, reset_less=True)
        header = data.View(record_layout(isa.HEADER), head)
        held = Signal(range(self.beats + 1))  # beats in head, and on their way there
        whole, granted, move = Signal(), Signal(), Signal()
        # The head is wide: what moves it is a register. The beat is there a cycle late, too.
        shift, complete = Signal(), Signal()
        m.d.comb += [
            whole.eq(held[-1]),  # the only such count: the number of beats is a power of two
            beats.o.ready.eq(~whole),
            move.eq(beats.o.valid & ~whole),
            self.o.payload.eq(head),
            self.o.valid.eq(granted),
            self.wait.eq(header.wait),
            self.tag.eq(header.tag),
            self.busy.eq(beats.o.valid | (held != 0)),
        ]
        with m.If(move):
            m.d.sync += held.eq(held + 1)
        m.d.sync += [
            shift.eq(move),
            complete.eq(move & (held == self.beats - 1)),
        ]
        with m.If(shift):
            m.d.sync += head.eq(Cat(head[self.beat_bits:], beats.o.payload))
        leave = self.o.valid & self.o.ready
        # Not as conditions: the grant comes late in the cycle, and enables are slower than data.
        m.d.sync += [
            self.want.eq(complete | (self.want & ~self.grant)),
            granted.eq(self.grant | (granted & ~leave)),
        ]
        with m.If(leave):
            m.d.sync += held.eq(0)
        return m
