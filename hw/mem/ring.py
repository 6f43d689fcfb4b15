"""Ring buffer whose contents are read in segments, each several times."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Ring"]


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
    taken, an item's first reading LATENCY cycles after it was written.
    """

    LATENCY = 3

    def __init__(self, *, shape, depth, length_bits, passes_bits):
        self.shape, self.depth = shape, depth
        super().__init__({
            "write": In(stream.Signature(shape)),
            "plan": In(stream.Signature(data.StructLayout(
                {"length": length_bits, "passes": passes_bits, "keep": 1, "final": 1}))),
            "o": Out(stream.Signature(data.StructLayout({"item": shape, "last": 1}))),
        })

    def elaborate(self, platform):
        m = Module()
        # A free place is written in a later cycle than it was last read, so never in the same.
        m.submodules.ram = ram = memory.Memory(shape=self.shape, depth=self.depth, init=[],
                                               attrs={"no_rw_check": 1})
        write, read = ram.write_port(), ram.read_port()

        used = Signal(range(self.depth + 1))  # places not free
        fresh = Signal(range(self.depth + 1))  # items ahead of the reading that were never read
        full, some = Signal(), Signal()  # used == depth, fresh != 0
        put, freed, first = Signal(), Signal(), Signal()  # an item comes, goes, is read first
        rewind = Signal()
        m.d.comb += [
            self.write.ready.eq(~full),
            put.eq(self.write.valid & self.write.ready),
            write.en.eq(put),
            write.data.eq(self.write.payload),
        ]
        with m.If(put):
            m.d.sync += write.addr.eq(self._after(write.addr))
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

        room, issue, done = Signal(), Signal(), Signal()
        m.d.comb += [
            issue.eq(active & ~empty & room & (~first_pass | some)),
            done.eq((active & empty) | (issue & pass_end & last_pass)),
            rewind.eq(done & keep & final),
            freed.eq(issue & last_pass & ~keep),
            first.eq(issue & first_pass),
            self.plan.ready.eq(~active | done),
            here_next.eq(here),
            read.addr.eq(here),
            read.en.eq(issue),
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

        # Behind the RAM's own output register a second one: block RAM is slow to answer.
        read_valid, read_last, onward = Signal(), Signal(), Signal()
        m.d.comb += [onward.eq(~self.o.valid | self.o.ready), room.eq(~read_valid | onward)]
        with m.If(room):
            m.d.sync += [read_valid.eq(issue), read_last.eq(pass_end)]
        item = Signal(self.shape, reset_less=True)
        last, valid = Signal(), Signal()
        with m.If(onward):
            m.d.sync += [valid.eq(read_valid), item.eq(read.data), last.eq(read_last)]
        m.d.comb += [
            self.o.valid.eq(valid),
            self.o.p.item.eq(item),
            self.o.p.last.eq(last),
        ]
        return m

    def _after(self, place):
        """The place after ``place``."""
        return Mux(place == self.depth - 1, 0, place + 1)
