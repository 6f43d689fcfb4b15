"""Parts of a block that are proven on their own, as anything that keeps what was proven.

In the place of the part they leave the solver nothing to think about but the block.
"""

from types import SimpleNamespace

from amaranth.asserts import AnySeq
from amaranth.hdl import Array, Assume, Cat, Elaboratable, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dma.burst import PAGE_BYTES, burst_layout, run_layout

__all__ = ["AnyBursts", "AnyFifo", "Kept", "ListMemory", "ListQueue", "PromptFifo",
           "offer_anything"]


def offer_anything(m, port, *parts):
    """Drive a stream with anything that stays on offer until it is taken.

    ``parts`` of the payload, if given, are anything; all else of it is zero.
    """
    payload = Cat(Value.cast(part) for part in parts or [port.payload])
    waits, was = Signal(), Signal(payload.shape())
    m.d.comb += [port.valid.eq(AnySeq(1)), payload.eq(AnySeq(payload.shape()))]
    m.d.sync += [waits.eq(port.valid & ~port.ready), was.eq(payload)]
    m.d.comb += Assume(~waits | (port.valid & (payload == was)))


class AnyBursts(wiring.Component):
    """BurstSplitter without its runs: bursts inside a page and the limit (test_burst.py)."""

    def __init__(self, *, beat_bytes, limit):
        self.beat_bits = beat_bytes.bit_length() - 1
        self.limit = limit
        super().__init__({
            "i": In(stream.Signature(run_layout())), "o": Out(stream.Signature(burst_layout()))})

    def elaborate(self, platform):
        m = Module()
        burst, page = self.o.p, PAGE_BYTES >> self.beat_bits
        m.d.comb += self.i.ready.eq(AnySeq(1))
        offer_anything(m, self.o)
        m.d.comb += [
            Assume(burst.len < self.limit),
            Assume(burst.addr[:self.beat_bits] == 0),
            Assume((burst.addr[self.beat_bits:] & (page - 1)) + burst.len < page),
        ]
        return m


class AnyFifo(wiring.Component):
    """BeatFifo without its contents: as many items come out as went in (test_beat_fifo.py).

    It has room for one item less than the real one, and may hold back what it has.

    Members
    -------
    held : Signal
        Items inside.
    """

    def __init__(self, *, shape, depth):
        self.depth, self.held = depth, Signal(range(depth + 1))
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        offer_anything(m, self.o)
        m.d.comb += [
            self.i.ready.eq(self.held != self.depth),
            Assume(~self.o.valid | (self.held != 0)),
        ]
        m.d.sync += self.held.eq(self.held + (self.i.valid & self.i.ready)
                                 - (self.o.valid & self.o.ready))
        return m


class PromptFifo(AnyFifo):
    """An AnyFifo that holds nothing back."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += Assume(self.o.valid == (self.held != 0))
        return m


class ListQueue(wiring.Component):
    """Queue, with its contents for all to see (test_queue.py).

    Members
    -------
    items : list of Signal
        The oldest first; the first ``level`` count.
    """

    def __init__(self, *, shape, depth):
        self.depth = depth
        super().__init__({
            "i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)),
            "level": Out(range(depth + 1))})
        self.items = [Signal.like(self.o.payload, name=f"item_{n}") for n in range(depth)]

    def elaborate(self, platform):
        m = Module()
        push, pop = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(self.level != self.depth), self.o.valid.eq(self.level != 0),
            self.o.payload.eq(self.items[0]),
        ]
        m.d.sync += self.level.eq(self.level + push - pop)
        for index, (item, later) in enumerate(zip(self.items, [*self.items[1:], 0], strict=True)):
            with m.If(push & (self.level == index + pop)):
                m.d.sync += item.eq(self.i.payload)
            with m.Elif(pop):
                m.d.sync += item.eq(later)
        return m


class ListMemory(Elaboratable):
    """Memory with a write port and an asynchronous read port, its rows for all to see.

    Members
    -------
    rows : list of Signal
    """

    def __init__(self, *, shape, depth, init):
        assert not init
        self.rows = [Signal(shape, name=f"row_{n}") for n in range(depth)]
        self._write, self._read = (
            SimpleNamespace(en=Signal(), addr=Signal(range(depth)), data=Signal(shape))
            for _ in range(2))

    def write_port(self):
        return self._write

    def read_port(self, *, domain):
        assert domain == "comb"
        return self._read

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self._read.data.eq(Array(self.rows)[self._read.addr])
        with m.If(self._write.en):
            m.d.sync += Array(self.rows)[self._write.addr].eq(self._write.data)
        return m


class Kept:
    """Makes parts of a kind and keeps them, in order.

    Parameters
    ----------
    kind : type

    Members
    -------
    made : list
    """

    def __init__(self, kind):
        self.kind, self.made = kind, []

    def __call__(self, **parameters):
        self.made.append(self.kind(**parameters))
        return self.made[-1]
