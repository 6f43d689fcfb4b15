"""An input stream: addresses to vectors."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.streams import REQUESTS
from hw.drp.element import vector_layout
from hw.drp.generator import request_layout
from hw.drp.words import TileRead, misplaced, widened
from hw.room import counted_room
from hw.stream import Queue

__all__ = ["InputStream", "taken_layout"]


def taken_layout(fabric):
    """A vector, and whether it is its descriptor's last."""
    return data.StructLayout({"vector": vector_layout(fabric), "final": 1})


class InputStream(wiring.Component):
    """Reads the elements of vectors, in order, ahead of who takes them.

    In a cycle it serves lanes from the first one not served on, as long as their elements are in
    one word (or as long as they need none). A word that was read last isn't read again.

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
    read : Out(TileRead)
    o : Out(stream of taken_layout)
    bad : Out(1)
        An address past memory, or not aligned; stays so.

    Timing
    ------
    A read word passes in TileRead.LATENCY + 1 cycles from its address to ``o``.
    """

    def __init__(self, fabric, streams, words):
        self.fabric, self.streams, self.words = fabric, streams, words
        super().__init__({
            "i": In(request_layout(streams, fabric.lanes)), "asked": In(1), "room": Out(1),
            "spare": Out(1), "read": Out(TileRead(fabric.word_bytes)),
            "o": Out(stream.Signature(taken_layout(fabric))), "bad": Out(1)})

    def elaborate(self, platform):
        m = Module()
        fabric, lanes = self.fabric, range(self.fabric.lanes)
        depth = max(fabric.fifo, REQUESTS)
        m.submodules.requests = requests = Queue(shape=self.i.shape(), depth=depth)
        m.submodules.vectors = vectors = Queue(shape=taken_layout(fabric), depth=depth)
        wiring.connect(m, vectors.o, wiring.flipped(self.o))
        taken = self.o.valid & self.o.ready
        room, spare = counted_room(m, depth, self.asked, taken)
        m.d.comb += [self.room.eq(room), self.spare.eq(spare),
                     requests.i.valid.eq(self.i.valid), requests.i.payload.eq(self.i)]

        # Which lanes are served now.
        head = requests.o.p
        low = (fabric.word_bytes - 1).bit_length()
        served = Signal(fabric.lanes)  # before
        serve = Signal(fabric.lanes)
        places = [head.lanes[lane].value[low:len(self.read.addr.payload) + low] for lane in lanes]
        first_at, first_place = Signal(), Signal.like(self.read.addr.payload)
        for lane in reversed(lanes):
            with m.If(~served[lane]):
                m.d.comb += [first_at.eq(head.lanes[lane].at), first_place.eq(places[lane])]
        for lane in lanes:
            alike = ((head.lanes[lane].at == first_at)
                     & (~first_at | (places[lane] == first_place)))
            before = Cat(served[lane - 1] | serve[lane - 1]) if lane else 1
            m.d.comb += serve[lane].eq(~served[lane] & alike & before)
        known, known_place = Signal(), Signal.like(first_place, reset_less=True)
        fresh, go, complete = Signal(), Signal(), Signal()
        m.d.comb += [
            fresh.eq(first_at & ~(known & (known_place == first_place))),
            self.read.addr.valid.eq(requests.o.valid & fresh & ~self.bad),
            self.read.addr.payload.eq(first_place),
            go.eq(requests.o.valid & ~self.bad & (~fresh | self.read.addr.ready)),
            complete.eq((served | serve).all()),
            requests.o.ready.eq(go & complete),
        ]
        with m.If(go):
            m.d.sync += served.eq(Mux(complete, 0, served | serve))
            # What it holds is old when the next kernel reads.
            m.d.sync += known.eq((known | first_at) & ~(complete & head.final))
            with m.If(first_at):
                m.d.sync += known_place.eq(first_place)
            for lane in lanes:
                wrong = misplaced(head.lanes[lane].value, head.format,
                                  self.words * fabric.word_bytes)
                with m.If(serve[lane] & first_at & wrong):
                    m.d.sync += self.bad.eq(1)

        # Along with the word.
        layout = data.StructLayout({"serve": fabric.lanes, "fresh": 1, "format": 3, "final": 1,
                                    "lanes": head.lanes.shape()})
        about, moves, whole = Signal(layout), go, complete
        m.d.comb += [about.serve.eq(serve), about.fresh.eq(fresh), about.format.eq(head.format),
                     about.final.eq(head.final), about.lanes.eq(head.lanes)]
        for stage in range(TileRead.LATENCY):
            later = Signal(layout, name=f"about_{stage}", reset_less=True)
            moved, ended = Signal(name=f"moves_{stage}"), Signal(name=f"whole_{stage}")
            m.d.sync += [later.eq(about), moved.eq(moves), ended.eq(moves & whole)]
            about, moves, whole = later, moved, ended
        held = Signal(8 * fabric.word_bytes, reset_less=True)
        word = Signal.like(held, name="word")
        m.d.comb += word.eq(Mux(about.fresh, self.read.data, held))
        with m.If(moves):
            m.d.sync += held.eq(word)
        m.d.comb += [vectors.i.valid.eq(whole), vectors.i.p.final.eq(about.final)]
        for lane in lanes:
            item = about.lanes[lane]
            value = Signal(32, name=f"value_{lane}")
            m.d.comb += [
                value.eq(Mux(item.at, widened(word, item.value[:low], about.format), item.value)),
                vectors.i.p.vector[lane].eq(value)]
            if lane < fabric.lanes - 1:  # the last one is never early
                early = Signal(32, name=f"early_{lane}", reset_less=True)
                with m.If(moves & about.serve[lane]):
                    m.d.sync += early.eq(value)
                with m.If(~about.serve[lane]):
                    m.d.comb += vectors.i.p.vector[lane].eq(early)
        return m
