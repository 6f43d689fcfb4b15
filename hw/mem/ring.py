"""Ring buffer whose contents are read in segments, each several times."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.copies import copies
from hw.room import counted_room
from hw.stream import HeadQueue, Queue

__all__ = ["Ring"]

# Widths of the ECP5's block RAM, and its rows then.
_BLOCK_RAM = {36: 512, 18: 1024, 9: 2048, 4: 4096, 2: 8192, 1: 16384}


class Ring(wiring.Component):
    """Items in block RAM, written once and replayed by plan.

    A plan reads the next ``length`` items (there may be none) ``passes`` times over. Plans
    follow each other through the ring; those up to a ``final`` one belong together and share
    ``keep``. Without ``keep`` an item is freed when it is read for the last time. With ``keep``
    nothing is freed, and after the final plan reading returns to where the first one began.

    Parameters
    ----------
    shape : ShapeLike
        Shape of an item.
    depth : int
        Items, at least 1; any number.
    length_bits, passes_bits : int
        Widths of the plan's fields.
    head : bool
        What is at ``o`` are registers.

    Members
    -------
    write : In(stream of shape)
        ``ready`` does not depend on ``valid``.
    plan : In(stream of {length, passes, keep, final})
        ``passes`` is at least 1.
    o : Out(stream of {item, last})
        ``last`` marks the end of a pass.

    Timing
    ------
    One item in and one out a cycle, without a gap from pass to pass and from plan to plan; a plan
    of length 0 takes one cycle. A plan's first item comes out LATENCY cycles after the plan was
    taken, an item's first reading LATENCY cycles after it was written. AHEAD items may have been
    read and not taken; one more can be read 2 cycles after one of them was taken.

    The block RAM may lie far from both sides: registers stand right before and behind it, and what
    reads knows by counting that there is room at the end.
    """

    LATENCY = 5
    AHEAD = 8

    def __init__(self, *, shape, depth, length_bits, passes_bits, head=False):
        self.shape, self.depth, self.head = shape, depth, head
        super().__init__({
            "write": In(stream.Signature(shape)),
            "plan": In(stream.Signature(data.StructLayout(
                {"length": length_bits, "passes": passes_bits, "keep": 1, "final": 1}))),
            "o": Out(stream.Signature(data.StructLayout({"item": shape, "last": 1}))),
        })

    def elaborate(self, platform):
        m = Module()
        used = Signal(range(self.depth + 1))  # places not free
        fresh = Signal(range(self.depth + 1))  # items ahead of the reading that were never read
        full, some = Signal(), Signal()  # used == depth, fresh != 0
        put, freed, first = Signal(), Signal(), Signal()  # an item comes, goes, is read first
        rewind = Signal()
        there = Signal(range(self.depth))  # place written next
        m.d.comb += [
            self.write.ready.eq(~full),
            put.eq(self.write.valid & self.write.ready),
        ]
        with m.If(put):
            m.d.sync += there.eq(self._after(there))
        with m.If(put ^ freed):
            m.d.sync += [used.eq(used + Mux(put, 1, -1)), full.eq(put & (used == self.depth - 1))]
        with m.If(rewind):
            m.d.sync += [fresh.eq(used + put), some.eq((used != 0) | put)]
        with m.Elif(put ^ first):
            m.d.sync += [fresh.eq(fresh + Mux(put, 1, -1)), some.eq(put | (fresh != 1))]

        active = Signal()
        empty, keep, final, first_pass = Signal(), Signal(), Signal(), Signal()
        length = Signal.like(self.plan.p.length)  # these three are less one
        left = Signal.like(self.plan.p.length)
        passes = Signal.like(self.plan.p.passes)
        # left == 0, also after the pass that begins; passes == 0
        pass_end, single, last_pass = Signal(), Signal(), Signal()
        here = Signal(range(self.depth))  # place read next
        start = Signal(range(self.depth))  # where the plan began
        home = Signal(range(self.depth))  # where the first plan up to the next final one began
        here_next = Signal(range(self.depth))

        taken, issue, done = Signal(), Signal(), Signal()
        room, _ = counted_room(m, self.AHEAD, issue, taken, "ahead")  # for what is read
        m.d.comb += [
            issue.eq(active & ~empty & room & (~first_pass | some)),
            done.eq((active & empty) | (issue & pass_end & last_pass)),
            rewind.eq(done & keep & final),
            freed.eq(issue & last_pass & ~keep),
            first.eq(issue & first_pass),
            self.plan.ready.eq(~active | done),
            here_next.eq(here),
        ]
        with m.If(issue):
            m.d.comb += here_next.eq(self._after(here))
            m.d.sync += [
                left.eq(Mux(pass_end, length, left - 1)),
                pass_end.eq(Mux(pass_end, single, left == 1)),
            ]
            with m.If(pass_end):
                m.d.sync += [passes.eq(passes - 1), last_pass.eq(passes == 1), first_pass.eq(0)]
                with m.If(~last_pass):
                    m.d.comb += here_next.eq(start)
        with m.If(rewind):
            m.d.comb += here_next.eq(home)
        with m.If(done & ~keep):
            m.d.sync += home.eq(here_next)
        with m.If(self.plan.ready):
            plan = self.plan.p
            m.d.sync += [
                active.eq(self.plan.valid),
                empty.eq(plan.length == 0),
                keep.eq(plan.keep),
                final.eq(plan.final),
                first_pass.eq(1),
                length.eq(plan.length - 1),
                left.eq(plan.length - 1),
                passes.eq(plan.passes - 1),
                pass_end.eq(plan.length == 1),
                single.eq(plan.length == 1),
                last_pass.eq(plan.passes == 1),
                start.eq(here_next),
            ]
        m.d.sync += here.eq(here_next)

        m.d.sync += taken.eq(self.o.valid & self.o.ready)
        # Room in the queue was counted: it is always ready.
        queue = HeadQueue if self.head else Queue
        m.submodules.ahead = ahead = queue(shape=self.o.payload.shape(), depth=self.AHEAD)
        valid = Signal(self.LATENCY - 2)
        last = Signal.like(valid, reset_less=True)
        m.d.sync += [valid.eq(Cat(issue, valid)), last.eq(Cat(pass_end, last))]
        m.d.comb += [
            ahead.i.valid.eq(valid[-1]),
            ahead.i.p.item.eq(self._read(m, put, there, here)),
            ahead.i.p.last.eq(last[-1]),
        ]
        wiring.connect(m, ahead.o, wiring.flipped(self.o))
        return m

    def _read(self, m, put, there, here):
        """Write ``there``, read ``here``, both a cycle later; gives what was read 3 cycles before.

        The block RAMs are as deep as the ring and as narrow as that takes: neither their ports nor
        what was read need logic. A free place is written in a later cycle than it was last read.
        """
        width = next((bits for bits, rows in _BLOCK_RAM.items() if rows >= self.depth), 1)
        puts = copies(m, put, "puts")
        to, at = copies(m, there, "to"), copies(m, here, "at")
        given, item = Signal(self.shape, reset_less=True), Signal(self.shape, reset_less=True)
        given_bits, bits = Value.cast(given), []
        for number, low in enumerate(range(0, len(given_bits), width)):
            column = given_bits[low:low + width]
            m.submodules[f"ram_{number}"] = ram = memory.Memory(
                shape=len(column), depth=self.depth, init=[], attrs={"no_rw_check": 1})
            write, read = ram.write_port(), ram.read_port()
            half = 2 * low >= len(given_bits)
            m.d.comb += [
                write.en.eq(puts[half]),
                write.addr.eq(to[half]),
                write.data.eq(column),
                read.addr.eq(at[half]),
            ]
            bits.append(read.data)
        m.d.sync += [given.eq(self.write.payload), item.eq(Cat(bits))]
        return item

    def _after(self, place):
        """The place after ``place``."""
        return Mux(place == self.depth - 1, 0, place + 1)
