"""All input streams of a tile with one lane: addresses to vectors."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.streams import REQUESTS
from hw.drp.generator import request_layout
from hw.drp.input_stream import taken_layout
from hw.drp.words import TileRead, misplaced, widened
from hw.room import counted_room
from hw.stream import Queue

__all__ = ["SharedInputs"]


class SharedInputs(wiring.Component):
    """Reads the elements of vectors, those of all streams in the order they are asked for.

    As one generator makes a vector a cycle for all of them, one path to memory and one that
    widens are enough. Of each stream the word that was read last isn't read again.

    Parameters
    ----------
    fabric : Fabric
        With one lane.
    streams : int
        Of the generator, this one's inputs first.
    words : int
        Size of the scratchpad.

    Members
    -------
    i : In(request_layout)
        Of an input. Can't wait: room for it was counted when it was asked for.
    asked : In(inputs)
        One is on its way.
    room, spare : Out(inputs)
        As Generator has them.
    read : Out(TileRead)
    o : Out(stream of taken_layout), an array
    bad : Out(inputs)
        An address past memory, or not aligned; stays so, and nothing else is read.

    Timing
    ------
    A read word passes in TileRead.LATENCY + 2 cycles from its address to ``o``.
    """

    def __init__(self, fabric, streams, words):
        self.fabric, self.streams, self.words = fabric, streams, words
        super().__init__({
            "i": In(request_layout(streams, 1)), "asked": In(fabric.inputs),
            "room": Out(fabric.inputs), "spare": Out(fabric.inputs),
            "read": Out(TileRead(fabric.word_bytes)),
            "o": Out(stream.Signature(taken_layout(fabric))).array(fabric.inputs),
            "bad": Out(fabric.inputs)})

    def elaborate(self, platform):
        m = Module()
        fabric, inputs = self.fabric, range(self.fabric.inputs)
        depth = max(fabric.fifo, REQUESTS)
        item = data.StructLayout({
            "stream": range(max(fabric.inputs, 2)), "final": 1, "format": 3, "at": 1, "fresh": 1,
            "value": 32})
        m.submodules.requests = requests = Queue(shape=item, depth=REQUESTS)
        lane, head = self.i.lanes[0], requests.o.p

        # Which word, and whether it was the stream's last one: known early, as the scratchpad
        # waits for what asks it.
        low = (fabric.word_bytes - 1).bit_length()
        place = Signal.like(self.read.addr.payload, name="place")
        known, mine = Signal(fabric.inputs), Signal(fabric.inputs)
        m.submodules.places = places = memory.Memory(
            shape=len(place), depth=max(fabric.inputs, 2), init=[])
        write, read = places.write_port(), places.read_port(domain="comb")
        m.d.comb += [
            place.eq(lane.value[low:]), mine.eq(1 << self.i.stream),
            read.addr.eq(self.i.stream), write.addr.eq(self.i.stream), write.data.eq(place),
            write.en.eq(self.i.valid & lane.at),
            requests.i.valid.eq(self.i.valid), requests.i.p.stream.eq(self.i.stream),
            requests.i.p.final.eq(self.i.final), requests.i.p.format.eq(self.i.format),
            requests.i.p.at.eq(lane.at), requests.i.p.value.eq(lane.value),
            requests.i.p.fresh.eq(lane.at & ~((known & mine).any() & (read.data == place))),
        ]
        with m.If(self.i.valid):
            # What it holds is old when the next kernel reads.
            m.d.sync += known.eq((known | (mine & lane.at.replicate(len(mine))))
                                 & ~(mine & self.i.final.replicate(len(mine))))

        go, bad = Signal(), Signal()  # bad: as self.bad.any()
        m.d.comb += [
            self.read.addr.valid.eq(requests.o.valid & head.fresh & ~bad),
            self.read.addr.payload.eq(head.value[low:]),
            go.eq(requests.o.valid & ~bad & (~head.fresh | self.read.addr.ready)),
            requests.o.ready.eq(go),
        ]
        with m.If(go & head.at & misplaced(head.value, head.format,
                                           self.words * fabric.word_bytes)):
            m.d.sync += [self.bad.eq(1 << head.stream), bad.eq(1)]

        # Along with the word, and on to where it is kept.
        steps = [(head, go)]
        for stage in range(TileRead.LATENCY + 1):
            later = (Signal(item, name=f"about_{stage}", reset_less=True),
                     Signal(name=f"moves_{stage}"))
            m.d.sync += [kept.eq(now) for kept, now in zip(later, steps[-1], strict=True)]
            steps.append(later)
        arrives, moves = steps[TileRead.LATENCY]
        m.submodules.held = held = memory.Memory(
            shape=8 * fabric.word_bytes, depth=max(fabric.inputs, 2), init=[])
        write, read = held.write_port(), held.read_port(domain="comb")
        value = Signal(32)
        about, ends = steps[-1]
        m.d.comb += [
            write.en.eq(moves & arrives.fresh), write.addr.eq(arrives.stream),
            write.data.eq(self.read.data), read.addr.eq(about.stream),
            value.eq(Mux(about.at, widened(read.data, about.value[:low], about.format),
                         about.value))]

        free = []
        for number in inputs:
            m.submodules[f"vectors_{number}"] = vectors = Queue(
                shape=taken_layout(fabric), depth=depth)
            wiring.connect(m, vectors.o, wiring.flipped(self.o[number]))
            m.d.comb += [vectors.i.valid.eq(ends & (about.stream == number)),
                         vectors.i.p.final.eq(about.final), vectors.i.p.vector[0].eq(value)]
            taken = self.o[number].valid & self.o[number].ready
            free.append(counted_room(m, depth, self.asked[number], taken, f"away_{number}"))
        # Asked for and not read; that of another stream may be on its way.
        _, unread = counted_room(m, REQUESTS, self.asked.any(), go, "waiting")
        m.d.comb += [self.room.eq(Cat(room & unread for room, _ in free)),
                     self.spare.eq(Cat(spare & unread for _, spare in free))]
        return m

