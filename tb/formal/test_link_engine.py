"""LinkEngine: each request is acted upon once, in order, whatever the line loses or repeats.

The requests that come are any of a host that goes back to what was lost: WINDOW before the one that
is next or less, or as many after it; told apart by eight bits of their number. By induction, for
ever: nothing is written but for the request whose turn it is, which comes once; nothing is read but
for that one or for one that had its turn; every response tells what is next, whose it is, and, to
one that came too early, SEQUENCE; a repetition that does not read again has the status of then.

Buses and buffers are any: they answer when and what they like. HELLO has no number.
"""

import functools
from types import SimpleNamespace

import pytest
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal

from golden.spec.link import HEADER_BYTES, TRAILER_BYTES, WINDOW, Hello, Opcode, Status
from hw.link.bus_port import BusPort
from hw.link.engine import LinkEngine
from hw.link.frame_buffer import FrameBuffer
from tb.formal.abstract import Kept, ListMemory
from tb.formal.prover import Property, faulty, made_of, refute, verify
from tb.lib.quick import quick

HELLO = Hello(digest=1, clock_hz=1, baud=1, memory_bytes=1 << 12, beat_bytes=4)
BITS = 12  # of the requests' numbers; the line knows eight
STATES = 11


class AnyPort(BusPort):
    """BusPort with any bus, and any delay."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.busy.eq(AnySeq(1)), self.response.eq(AnySeq(2)), self.got.eq(AnySeq(8))]
        return m


class AnyBuffer(FrameBuffer):
    """FrameBuffer that has room when it likes."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.room.eq(AnySeq(1))
        return m


class EngineProperty(Property):
    """Counts the requests that had their turn.

    Parameters
    ----------
    make : callable
        Class LinkEngine of the parts it is given by name.
    bind : bool
        Add the invariants of the registers that induction needs.
    """

    def __init__(self, make, *, bind=False):
        self.ports, self.memory, self.bind = Kept(AnyPort), Kept(ListMemory), bind
        super().__init__(make(
            BusPort=lambda bus: self.ports(bus=bus), FrameBuffer=AnyBuffer,
            memory=SimpleNamespace(Memory=self.memory))(HELLO))

    def describe(self, m: Module, block):
        self.free(m, block.i.valid, block.i.payload, block.irq)
        byte, taken, buffer = block.i.p.data, block.i.valid & block.i.ready, block.buffer
        place = Signal(range(HEADER_BYTES))           # in the header
        opcode, sequence = Signal(8), Signal(8)
        busy, first = Signal(), Signal()              # with a request; for its first cycle
        acted = Signal(BITS)                          # requests that had their turn
        number, mine = Signal(BITS), Signal()         # of this one; it has its turn
        comes, turn, done = Signal(BITS), Signal(), Signal()
        sent = [Signal(8, name=f"sent_{n}") for n in range(TRAILER_BYTES)]  # the last ones
        hello, reads_again = opcode == Opcode.HELLO, Signal()
        access = (opcode[3:] == 0) & opcode[2]
        # Before its turn, and not long after it.
        early, repeated = Signal(), Signal()
        m.d.comb += [
            comes.eq(AnySeq(BITS)),
            turn.eq(first & ~hello & (comes == acted)),
            done.eq(buffer.commit),
            reads_again.eq(access & ~opcode[0]),
            Assume(~first | hello | ((comes[:8] == sequence)
                                     & ((comes - acted + WINDOW)[:BITS] < 2 * WINDOW))),
            early.eq(~hello & ~mine & ((number - acted)[:BITS] < WINDOW)),
            repeated.eq(~hello & ~mine & ((acted - 1 - number)[:BITS] < WINDOW)),
        ]
        m.d.sync += first.eq(0)
        with m.If(taken & ~busy):
            m.d.sync += [place.eq(place + 1), first.eq(place == HEADER_BYTES - 1),
                         busy.eq(place == HEADER_BYTES - 1)]
            with m.If(place == 0):
                m.d.sync += opcode.eq(byte)
            with m.If(place == 1):
                m.d.sync += sequence.eq(byte)
        with m.If(first):
            m.d.sync += [number.eq(comes), mine.eq(turn), acted.eq(acted + turn)]
        with m.If(done):
            m.d.sync += [busy.eq(0), mine.eq(0)]
        with m.If(buffer.write):
            m.d.sync += Cat(*sent).eq(Cat(buffer.byte.data, *sent))

        writes = Cat(port.write for port in self.ports.made).any()
        reads = Cat(port.read for port in self.ports.made).any()
        answer = {"expected": sent[1], "status": sent[2], "sequence": sent[3], "opcode": sent[4]}
        # One request's status, for its repetitions.
        which, known, status = AnyConst(BITS), Signal(), Signal(4)
        with m.If(turn & (comes == which)):
            m.d.sync += known.eq(0)
        with m.If(done & mine & (number == which)):
            m.d.sync += [known.eq(1), status.eq(answer["status"])]
        m.d.comb += [
            Assert(~writes | (busy & ~first & mine & access & opcode[0]), "written in its turn"),
            Assert(~reads | (busy & ~first & reads_again & (mine | repeated)), "read in its turn"),
            Assert(~done | busy, "a response to a request"),
        ]
        with m.If(done):
            m.d.comb += [
                Assert(buffer.write & buffer.byte.last, "it ends"),
                Assert(answer["expected"] == acted[:8], "what is next"),
                Assert(answer["sequence"] == sequence, "whose it is"),
                Assert(answer["opcode"] == (opcode | 0x80), "what it was"),
                Assert(~early | (answer["status"] == Status.SEQUENCE), "too early"),
                Assert(~(mine | repeated & reads_again) | (answer["status"] != Status.SEQUENCE),
                       "in time"),
                Assert(~(known & repeated & ~reads_again & (number == which))
                       | (answer["status"] == status), "the status of then"),
            ]
        if self.bind:
            self._bind(m, block, SimpleNamespace(
                place=place, opcode=opcode, sequence=sequence, busy=busy, first=first, acted=acted,
                number=number, mine=mine, early=early, repeated=repeated, hello=hello,
                access=access, reads_again=reads_again, sent=sent, which=which, known=known,
                status=status))

    def _bind(self, m, block, now):
        """The registers in terms of these."""
        state = self.inner["engine_state"]
        is_in = {state.decoder(n).split("/")[0]: state == n for n in range(STATES)}
        place, index, busy, first = now.place, block.index, now.busy, now.first
        later = busy & ~first
        accesses = Cat(is_in[name] for name in ("BEAT", "ACCESS", "GATHER", "PAD", "WRITE")).any()
        respond = is_in["RESPOND"]
        row = Signal(4)
        for slot, kept in enumerate(self.memory.made[0].rows):
            with m.If(now.which[:len(row)] == slot):
                m.d.comb += row.eq(kept)
        m.d.comb += [
            Assert(state < STATES, "states"),
            Assert(is_in["HEADER"] == ~busy, "the header"),
            Assert(is_in["CHECK"] == first, "first"),
            Assert(~first | busy, "first"),
            Assert(~busy | (place == 0), "place"),
            Assert(busy | ~now.mine, "whose turn"),
            Assert(index == Mux(is_in["HEADER"], place, Mux(respond, index, 0)), "index"),
            Assert(is_in["HEADER"] | (index < TRAILER_BYTES), "index"),
            Assert((place != 1) | (block.length[8:] == now.opcode), "header"),
            Assert((place != 2) | (block.length == Cat(now.opcode, now.sequence)), "header"),
            Assert((place != 3) | (Cat(block.sequence, block.length[:8])
                                   == Cat(now.opcode, now.sequence)), "header"),
            Assert(~(busy | (place >= 4)) | (Cat(block.opcode, block.sequence)
                                             == Cat(now.opcode, now.sequence)), "header"),
            Assert(block.expected == now.acted[:8], "what is next"),
            Assert(~later | (block.fresh == now.mine), "fresh"),
            Assert(~now.mine | ((now.number == (now.acted - 1)[:BITS]) & ~now.hello), "its number"),
            Assert(~later | now.hello | now.mine | now.early | now.repeated, "its number"),
            Assert(~later | now.hello | (now.number[:8] == now.sequence), "its number"),
            Assert(~accesses | (now.access & (now.mine | now.repeated & now.reads_again)),
                   "accesses"),
            Assert(~(is_in["GATHER"] | is_in["PAD"] | is_in["WRITE"]) | now.opcode[0], "writes"),
            Assert(~is_in["HOLD"] | (now.mine & (now.opcode == Opcode.WAIT)), "waits"),
            Assert(~is_in["EMIT"] | now.hello
                   | (now.reads_again & (now.mine | now.repeated)), "reads"),
            Assert(~later | ~now.early | ((block.status == Status.SEQUENCE)
                                          & (respond | is_in["SKIP"])), "too early"),
            Assert(~later | ~(now.mine | now.repeated & now.reads_again)
                   | (block.status != Status.SEQUENCE), "in time"),
            Assert(~now.known | ((now.acted - 1 - now.which)[:BITS] >= WINDOW)
                   | (now.mine & (now.number == now.which)) | (row == now.status), "statuses"),
            Assert(~(now.mine & (now.number == now.which)) | ~now.known, "not yet known"),
            Assert(~(later & now.known & now.repeated & ~now.reads_again
                     & (now.number == now.which)) | (block.status == now.status), "of then"),
        ]
        trailer = [now.opcode | 0x80, now.sequence, block.status, block.expected]
        for count in range(1, TRAILER_BYTES):
            m.d.comb += [Assert(~respond | (index != count) | (now.sent[count - 1 - n] == value),
                                "trailer") for n, value in enumerate(trailer[:count])]


def test_for_ever():
    verify(EngineProperty(lambda **parts: made_of(LinkEngine, **parts), bind=True), depth=2,
           inductive=True)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("fresh.eq(distance == 0)", "fresh.eq(distance <= 1)"),
    ("with m.Elif(~fresh & ~(self.is_access & ~self.carries)):",
     "with m.Elif(~fresh & ~self.is_access):"),
    ("repeated.eq(distance >= 256 - WINDOW)", "repeated.eq(distance > 256 - WINDOW)"),
))
def test_fault(old, new):
    refute(EngineProperty(lambda **parts: faulty(LinkEngine, old, new, **parts)), depth=17)


def test_fault_of_the_expected_number():
    """HELLO counts: in the registers, before the line shows it."""
    make = functools.partial(faulty, LinkEngine, "with m.If(fresh & ~self.is_hello):",
                             "with m.If(fresh):")
    refute(EngineProperty(make, bind=True), depth=11)
