"""Plumbing for ready/valid streams: small FIFOs and a register slice."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["HeadQueue", "Queue", "SkidBuffer"]


class Queue(wiring.Component):
    """First in, first out, in LUT RAM or block RAM.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Items it can hold, at least 1; any number.
    registered : bool
        Block RAM, for what is wide: 32 bits take 48 LUT4 of LUT RAM. Its output register counts
        as one of the ``depth`` places, and is slow to show what it holds.
    late : bool
        Block RAM without that cycle more: ``o.payload`` is the item that was taken last, from the
        cycle after that.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    level : Out(range(depth + 1))
        Items held, those at the output included.

    Timing
    ------
    From ``i`` to ``o`` 1 cycle, 2 if registered; one item a cycle, also when full only if an item
    left in an earlier cycle: ``i.ready`` does not depend on ``o.ready``. Both ``i.ready`` and
    ``o.valid`` are registers.
    """

    def __init__(self, *, shape, depth, registered=False, late=False):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"depth is {depth!r}, accepted is an integer of at least 1")
        if registered and late:
            raise ValueError("a queue is registered or late, not both")
        self.shape, self.depth, self.registered, self.late = shape, depth, registered, late
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "level": Out(range(depth + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        # Only an empty or a full RAM has both addresses equal, and then one port rests.
        block = self.registered or self.late
        m.submodules.ram = ram = memory.Memory(
            shape=self.shape, depth=self.depth, init=[],
            attrs={"no_rw_check": 1, "ram_style": "block"} if block else {})
        write = ram.write_port()
        read = ram.read_port(domain="sync" if block else "comb")
        # Items in the RAM.
        stored = Signal(range(self.depth + 1)) if self.registered else self.level
        some, full = Signal(), Signal()  # stored != 0, level == depth: straight from registers
        push, pop, take = Signal(), Signal(), Signal()  # into the RAM, out of it, out of the queue
        m.d.comb += [
            self.i.ready.eq(~full),
            push.eq(self.i.valid & self.i.ready),
            take.eq(self.o.valid & self.o.ready),
            write.en.eq(push),
            write.data.eq(self.i.payload),
            self.o.payload.eq(read.data),
        ]
        if block:
            m.d.comb += read.en.eq(pop)
        with m.If(push):
            m.d.sync += write.addr.eq(self._after(write.addr))
        with m.If(pop):
            m.d.sync += read.addr.eq(self._after(read.addr))
        with m.If(push != pop):
            m.d.sync += some.eq(push | (stored != 1))
            if self.registered:
                m.d.sync += stored.eq(stored + Mux(push, 1, -1))
        with m.If(push != take):
            m.d.sync += [self.level.eq(self.level + Mux(push, 1, -1)),
                         full.eq(push & (self.level == self.depth - 1))]
        if self.registered:
            valid = Signal()
            m.d.comb += [
                self.o.valid.eq(valid),
                pop.eq(some & (~valid | self.o.ready)),
            ]
            with m.If(pop):
                m.d.sync += valid.eq(1)
            with m.Elif(self.o.ready):
                m.d.sync += valid.eq(0)
        else:
            m.d.comb += [self.o.valid.eq(some), pop.eq(take)]
        return m

    def _after(self, index):
        """The row after ``index``, wrapping at any depth."""
        if self.depth == 1 << len(index):
            return index + 1
        return Mux(index == self.depth - 1, 0, index + 1)


class HeadQueue(wiring.Component):
    """A queue in LUT RAM, with its first item, or some fields of it, in registers.

    For what much hangs on: it is there when the cycle begins, where LUT RAM is to be read first.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload; a StructLayout if there are ``fields``.
    depth : int
        Items it can hold, at least 2.
    fields : sequence of str, optional
        Those in registers; all of the payload, if not given.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)

    Timing
    ------
    As `Queue` in LUT RAM.
    """

    def __init__(self, *, shape, depth, fields=None):
        if not isinstance(depth, int) or depth < 2:
            raise ValueError(f"depth is {depth!r}, accepted is an integer of at least 2")
        self.shape, self.depth, self.fields = shape, depth, fields
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()
        if self.fields is None:
            self._held(m, self.shape, self.i.payload, self.o.payload)
            return m
        held, others = (
            data.StructLayout({name: field.shape for name, field in self.shape
                               if (name in self.fields) == chosen}) for chosen in (True, False))
        first, arriving = Signal(held), Signal(held)
        self._held(m, held, arriving, first)
        # In step with it: as many items, so whenever it has one or room for one, so has this.
        m.submodules.others = rest = Queue(shape=others, depth=self.depth)
        m.d.comb += [
            rest.i.valid.eq(self.i.valid & self.i.ready),
            rest.o.ready.eq(self.o.valid & self.o.ready),
        ]
        for layout, into, out in ((held, arriving, first), (others, rest.i.p, rest.o.p)):
            for name, _ in layout:
                m.d.comb += [into[name].eq(self.i.p[name]), self.o.p[name].eq(out[name])]
        return m

    def _held(self, m, shape, arriving, first):
        """The handshake; ``arriving`` payloads to ``first``, registers, over LUT RAM."""
        m.submodules.behind = behind = Queue(shape=shape, depth=self.depth - 1)
        head, valid = Signal(shape, reset_less=True, name="head"), Signal(name="head_valid")
        moves = ~valid | self.o.ready
        m.d.comb += [
            self.i.ready.eq(behind.i.ready),
            behind.i.valid.eq(self.i.valid & (behind.o.valid | ~moves)),
            behind.i.payload.eq(arriving),
            behind.o.ready.eq(moves),
            self.o.valid.eq(valid),
            first.eq(head),
        ]
        with m.If(moves):
            m.d.sync += [valid.eq(behind.o.valid | (self.i.valid & self.i.ready)),
                         head.eq(Mux(behind.o.valid, behind.o.payload, arriving))]


class SkidBuffer(wiring.Component):
    """Register slice: no combinational path between ``i`` and ``o``, in neither direction.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)

    Timing
    ------
    1 cycle from ``i`` to ``o``; one item a cycle; holds two items.
    """

    def __init__(self, shape):
        self.shape = shape
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()
        head = Signal(self.shape, reset_less=True)
        spare = Signal(self.shape, reset_less=True)
        head_valid, spare_valid = Signal(), Signal()
        ready = Signal(init=1)  # ~spare_valid, which all of the payload hangs on, for the way out
        m.d.comb += [
            self.i.ready.eq(ready),
            self.o.valid.eq(head_valid),
            self.o.payload.eq(head),
        ]
        with m.If(~head_valid | self.o.ready):
            m.d.sync += [head_valid.eq(self.i.valid | spare_valid), spare_valid.eq(0), ready.eq(1)]
            with m.If(spare_valid):
                m.d.sync += head.eq(spare)
            with m.Else():
                m.d.sync += head.eq(self.i.payload)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [spare_valid.eq(1), ready.eq(0)]
        with m.If(~spare_valid):
            m.d.sync += spare.eq(self.i.payload)
        return m
