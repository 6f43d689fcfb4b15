"""An output stream: vectors and addresses to words."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.streams import REQUESTS
from hw.drp.element import vector_layout
from hw.drp.generator import request_layout
from hw.drp.words import misplaced, narrowed, sizes, word_write_layout
from hw.room import counted_room
from hw.stream import Queue, SkidBuffer

__all__ = ["OutputStream"]


class OutputStream(wiring.Component):
    """Merges the elements of vectors into words, in order.

    In a cycle it takes lanes from the first one not taken on, as long as their elements are in one
    word (or in none). A word is written when an element of another one comes, and at the end.

    Parameters
    ----------
    fabric : Fabric
    streams : int
        Of the generator.
    words : int
        Size of the scratchpad.

    Members
    -------
    i : In(request_layout)
        Can't wait: room for it was counted when it was asked for.
    asked : In(1)
        One is on its way.
    room, spare : Out(1)
        As Generator has them.
    vector : In(stream of vector_layout)
        Waits for its address.
    final : Out(1)
        That vector is its descriptor's last one, with ``vector.ready``.
    write : Out(stream of word_write_layout)
    finished : Out(1)
        All of a descriptor has been written.
    bad : Out(1)
        An address past memory, or not aligned; stays so.
    """

    VECTORS = 4  # that wait

    def __init__(self, fabric, streams, words):
        self.fabric, self.streams, self.words = fabric, streams, words
        super().__init__({
            "i": In(request_layout(streams, fabric.lanes)), "asked": In(1), "room": Out(1),
            "spare": Out(1), "vector": In(stream.Signature(vector_layout(fabric))), "final": Out(1),
            "write": Out(stream.Signature(word_write_layout(fabric.word_bytes))),
            "finished": Out(1), "bad": Out(1)})

    def elaborate(self, platform):
        m = Module()
        fabric, lanes = self.fabric, range(self.fabric.lanes)
        depth = max(fabric.fifo, REQUESTS)
        low = (fabric.word_bytes - 1).bit_length()
        address = self.write.p.addr.shape()
        # By lane, whether its element isn't in the word of the last one before: known early, as
        # the scratchpad waits for what a word is written for.
        m.submodules.requests = requests = Queue(shape=data.StructLayout(
            {"vector": self.i.shape(), "differs": fabric.lanes}), depth=depth)
        latest = Signal(address, reset_less=True)
        before = latest
        for lane in lanes:
            place = self.i.lanes[lane].value[low:address.width + low]
            m.d.comb += requests.i.p.differs[lane].eq(place != before)
            before = Mux(_stored(self.i.lanes[lane]), place, before)
        with m.If(self.i.valid):
            m.d.sync += latest.eq(before)
        # Whether vectors that may be given are final: as many as there are requests.
        m.submodules.finals = finals = Queue(shape=1, depth=depth)
        m.submodules.vectors = vectors = Queue(shape=vector_layout(fabric), depth=self.VECTORS)
        left = requests.o.valid & requests.o.ready
        room, spare = counted_room(m, depth, self.asked, left)
        m.d.comb += [
            self.room.eq(room), self.spare.eq(spare),
            requests.i.valid.eq(self.i.valid), requests.i.p.vector.eq(self.i),
            finals.i.valid.eq(self.i.valid), finals.i.payload.eq(self.i.final),
            self.vector.ready.eq(vectors.i.ready & finals.o.valid),
            self.final.eq(finals.o.payload),
            finals.o.ready.eq(self.vector.valid & vectors.i.ready),
            vectors.i.valid.eq(self.vector.valid & finals.o.valid),
            vectors.i.payload.eq(self.vector.payload),
        ]

        head, differs = requests.o.p.vector, requests.o.p.differs
        held = Signal(word_write_layout(fabric.word_bytes), reset_less=True)
        holds, ends = Signal(), Signal()  # a word is held; it is the last one
        ready = Signal()  # vector and address are there
        served, serve = Signal(fabric.lanes), Signal(fabric.lanes)
        at = [_stored(head.lanes[lane]) for lane in lanes]
        first_at, first_place, first_differs = Signal(), Signal.like(held.addr), Signal()
        for lane in reversed(lanes):
            with m.If(~served[lane]):
                m.d.comb += [first_at.eq(at[lane]), first_differs.eq(differs[lane]),
                             first_place.eq(head.lanes[lane].value[low:len(held.addr) + low])]
        for lane in lanes:
            follows = 1 if lane == 0 else served[lane - 1] | (
                serve[lane - 1] & (at[lane] == first_at) & ~(first_at & differs[lane]))
            m.d.comb += serve[lane].eq(~served[lane] & follows)

        # All of this hangs on whether the word before may go, which the scratchpad decides late.
        m.submodules.words = words = SkidBuffer(word_write_layout(fabric.word_bytes))
        wiring.connect(m, words.o, wiring.flipped(self.write))
        flush, go, complete = Signal(), Signal(), Signal()
        m.d.comb += [
            ready.eq(requests.o.valid & vectors.o.valid & ~self.bad),
            flush.eq(holds & (ends | (ready & first_at & first_differs))),
            words.i.valid.eq(flush), words.i.payload.eq(held),
            go.eq(ready & ~ends & (~flush | words.i.ready)),
            complete.eq((served | serve).all()),
            requests.o.ready.eq(go & complete), vectors.o.ready.eq(go & complete),
            self.finished.eq(ends & ~holds & ~words.o.valid),
        ]
        with m.If(self.finished):
            m.d.sync += ends.eq(0)
        with m.If(flush & words.i.ready):
            m.d.sync += [holds.eq(0), held.strobe.eq(0)]
        half_size, word_size = sizes(head.format)
        with m.If(go):
            m.d.sync += [served.eq(Mux(complete, 0, served | serve)),
                         ends.eq(complete & head.final)]
            with m.If(first_at):
                m.d.sync += [holds.eq(1), held.addr.eq(first_place)]
                strobes, narrows = [], []
                for lane in lanes:
                    value = head.lanes[lane].value
                    strobe = Signal(fabric.word_bytes, name=f"strobe_{lane}")
                    size = Mux(word_size, 15, Mux(half_size, 3, 1))
                    with m.If(serve[lane]):
                        m.d.comb += strobe.eq(size << value[:low])
                        with m.If(misplaced(value, head.format, self.words * fabric.word_bytes)):
                            m.d.sync += self.bad.eq(1)
                    strobes.append(strobe)
                    # A signal, as an expression is built anew wherever it is used.
                    narrows.append(Signal(32, name=f"narrow_{lane}"))
                    m.d.comb += narrows[-1].eq(
                        narrowed(vectors.o.p[lane], head.format, head.saturate))
                for byte in range(fabric.word_bytes):
                    value = held.data.word_select(byte, 8)
                    found = value
                    for strobe, narrow in zip(strobes, narrows, strict=True):
                        found = Mux(strobe[byte], narrow.word_select(byte % 4, 8), found)
                    m.d.sync += value.eq(found)
                total = Mux(holds & ~flush, held.strobe, 0)
                for strobe in strobes:
                    total |= strobe
                m.d.sync += held.strobe.eq(total)
        return m


def _stored(lane):
    """Whether a lane's element goes to memory."""
    return lane.at & ~lane.outside
