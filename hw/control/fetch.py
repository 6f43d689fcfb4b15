"""Instruction fetch: a program in DRAM as a stream of beats."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from hw.interfaces import RunRead
from hw.stream import SkidBuffer

__all__ = ["InstructionFetch"]


class InstructionFetch(wiring.Component):
    """Reads a program in order, ahead of its use, and never past its end.

    Beats wait in the read master's FIFO, which has room for all that it asks for, so that
    instructions nobody takes yet can't hold up the data of its other client.

    Parameters
    ----------
    config : Config
        Beats have ``group`` bytes.

    Members
    -------
    start : In(1)
        Begin with the instruction at ``address``; only when ``idle``.
    address, count : In(26)
        First instruction and number of instructions, in units of 64 bytes.
    stop : In(1)
        Ask for no more, drop what is there and what still comes.
    read : Out(RunRead)
        Runs of up to RUN_INSTRUCTIONS instructions.
    o : Out(stream of {data, resp: 2})
        Beats in program order, each with its AXI response.
    exhausted : Out(1)
        The whole program has been asked for and taken, or dropped.
    idle : Out(1)
        Nothing held, nothing asked for.

    Timing
    ------
    2 cycles from ``start`` to a run, 1 from a beat to ``o``; a beat a cycle.
    """

    RUN_INSTRUCTIONS = 4
    HELD_INSTRUCTIONS = 2 * RUN_INSTRUCTIONS  # one run is used while the next one comes

    def __init__(self, config):
        self.beats = isa.INSTRUCTION_BYTES // config.group
        self.shift = isa.INSTRUCTION_BYTES.bit_length() - 1
        self.beat = data.StructLayout({"data": 8 * config.group, "resp": 2})
        super().__init__({
            "start": In(1),
            "address": In(32 - self.shift),
            "count": In(32 - self.shift),
            "stop": In(1),
            "read": Out(RunRead(config)),
            "o": Out(stream.Signature(self.beat)),
            "exhausted": Out(1),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self.HELD_INSTRUCTIONS * self.beats
        m.submodules.beat = buffer = SkidBuffer(self.read.beat.payload.shape())
        wiring.connect(m, wiring.flipped(self.read.beat), buffer.i)
        run, beat = self.read.run, buffer.o
        m.d.comb += [
            self.o.valid.eq(beat.valid & ~self.stop),
            self.o.payload.data.eq(beat.payload.data),
            self.o.payload.resp.eq(beat.payload.resp),
            beat.ready.eq(self.o.ready | self.stop),
        ]

        following = Signal.like(self.address)  # first instruction not asked for
        remaining = Signal.like(self.count)    # instructions not asked for
        # What a run needs to know of them, a cycle behind: no run is begun in that cycle.
        some = Signal()
        size = Signal(range(self.RUN_INSTRUCTIONS + 1))
        begun = Signal()
        owed = Signal(range(depth + 1))        # beats asked for and not taken
        run_valid = Signal()
        run_beats = Signal(range(self.RUN_INSTRUCTIONS * self.beats + 1))
        run_address = Signal.like(self.address)
        ask, leave = Signal(), Signal()
        m.d.comb += [
            ask.eq(some & ~begun & ~run_valid & ~self.stop
                   & (owed <= depth - self.RUN_INSTRUCTIONS * self.beats)),
            leave.eq(beat.valid & beat.ready),
            run.valid.eq(run_valid),
            run.payload.addr.eq(Cat(Const(0, self.shift), run_address)),
            run.payload.beats.eq(run_beats),
            self.idle.eq(owed == 0),
            self.exhausted.eq(~some & self.idle),
        ]
        m.d.sync += [
            owed.eq(owed + Mux(ask, size * self.beats, 0) - leave),
            begun.eq(self.start),
            some.eq(self.start | ((remaining != 0) & ~self.stop)),
            size.eq(Mux(remaining < self.RUN_INSTRUCTIONS, remaining, self.RUN_INSTRUCTIONS)),
        ]
        with m.If(run.ready):
            m.d.sync += run_valid.eq(0)
        with m.If(self.start):
            m.d.sync += [following.eq(self.address), remaining.eq(self.count)]
        with m.Elif(self.stop):
            m.d.sync += remaining.eq(0)
        with m.Elif(ask):
            m.d.sync += [
                run_valid.eq(1),
                run_address.eq(following),
                run_beats.eq(size * self.beats),
                following.eq(following + size),
                remaining.eq(remaining - size),
            ]
        return m
