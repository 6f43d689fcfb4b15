"""Requests in, accesses to the buses, responses out."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.link import (
    HEADER_BYTES,
    HELLO_BYTES,
    PAYLOAD_BYTES,
    TRAILER_BYTES,
    WINDOW,
    Flags,
    Opcode,
    Status,
)
from hw.bus.axi import AXI4, AXI4Lite
from hw.link.bus_port import BusPort
from hw.link.frame_buffer import FrameBuffer

__all__ = ["BUFFER_BYTES", "TIMEOUT_CYCLES", "LinkEngine"]

# One response is sent while the next one is made.
BUFFER_BYTES = 2 * PAYLOAD_BYTES
# No arbiter makes a beat wait this long.
TIMEOUT_CYCLES = 1 << 16


class LinkEngine(wiring.Component):
    """Acts upon the requests of `golden.spec.link`, one after the other.

    Parameters
    ----------
    hello : Hello
        What HELLO is answered; ``memory_bytes`` is a power of two.
    timeout_cycles : int
        Cycles an access may take, a power of two.

    Members
    -------
    i : In(stream of {data: 8, last: 1})
        Bodies of requests whose length is what their header says.
    o : Out(stream of {data: 8, last: 1})
        Bodies of responses.
    axil : Out(AXI4Lite)
    axi : Out(AXI4(hello.beat_bytes))
    irq : In(1)

    Timing
    ------
    A byte takes 3 cycles, a beat 4 more and the bus's time, a request about 30 more.
    """

    def __init__(self, hello, *, timeout_cycles=TIMEOUT_CYCLES):
        for name, value in (("memory_bytes", hello.memory_bytes),
                            ("timeout_cycles", timeout_cycles)):
            if value < 2 or value & (value - 1) or value >= 1 << 32:
                raise ValueError(f"{name} is {value}, accepted is a power of two below 2**32")
        self.hello = hello
        self.timeout_bit = timeout_cycles.bit_length() - 1
        self.buffer = FrameBuffer(depth=BUFFER_BYTES)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"data": 8, "last": 1}))),
            "o": self.buffer.signature.members["o"],
            "axil": Out(AXI4Lite()),
            "axi": Out(AXI4(hello.beat_bytes)),
            "irq": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = self.buffer
        m.submodules.registers = registers = BusPort(AXI4Lite())
        m.submodules.memory = dram = BusPort(AXI4(self.hello.beat_bytes))
        wiring.connect(m, wiring.flipped(self.o), self.buffer.o)
        wiring.connect(m, wiring.flipped(self.axil), registers.bus)
        wiring.connect(m, wiring.flipped(self.axi), dram.bus)

        # The request: header, and where it stands in the sequence.
        self.opcode, self.sequence = Signal(8, reset_less=True), Signal(8, reset_less=True)
        # Both go on with every byte: what is left, and where it belongs.
        self.length, self.address = Signal(16, reset_less=True), Signal(32, reset_less=True)
        self.echo = Signal(8, reset_less=True)
        self.expected = Signal(8)
        self.fresh = Signal()      # not a repetition, and in sequence
        self.status = Signal(4, reset_less=True)
        self.expired = Signal()
        self.carries, self.in_memory = self.opcode[0], self.opcode[1]
        self.is_access = (self.opcode[3:] == 0) & self.opcode[2]
        self.is_hello = self.opcode == Opcode.HELLO
        self.index = Signal(range(HEADER_BYTES))  # byte of a header or trailer
        # The bus in question.
        self.busy, self.response, self.last_lane = Signal(), Signal(2), Signal()
        self.put, self.pad, self.read, self.write = Signal(), Signal(), Signal(), Signal()
        self.elapsed, self.restart = Signal(32, reset_less=True), Signal()
        self.late = self.elapsed[self.timeout_bit]
        m.d.sync += self.elapsed.eq(Mux(self.restart, 0, self.elapsed + 1))
        for port, chosen in ((registers, ~self.in_memory), (dram, self.in_memory)):
            m.d.comb += [
                port.address.eq(self.address),
                port.byte.eq(self.i.p.data),
                port.keep.eq(~self.pad),
                port.put.eq(self.put & chosen),
                port.read.eq(self.read & chosen),
                port.write.eq(self.write & chosen),
            ]
            with m.If(chosen):
                m.d.comb += [self.busy.eq(port.busy), self.response.eq(port.response),
                             self.last_lane.eq(self.address[:(port.beat_bytes - 1).bit_length()]
                                               .all())]
        # Past the end of what there is.
        self.outside = Mux(self.in_memory,
                           self.address[self.hello.memory_bytes.bit_length() - 1:].any(),
                           self.address[registers.address_bits:].any())

        with m.FSM(name="engine"):
            self._header(m)
            self._check(m)
            self._access(m)
            self._data(m, Mux(self.in_memory, dram.got, registers.got))
            self._respond(m)
        return m

    def _header(self, m):
        byte = self.i.p.data
        with m.State("HEADER"):
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += self.index.eq(self.index + 1)
                head = Cat(self.opcode, self.sequence, self.length)
                with m.If(self.index[2]):
                    m.d.sync += self.address.eq(Cat(self.address[8:], byte))
                with m.Else():
                    m.d.sync += head.eq(Cat(head[8:], byte))
                with m.If(self.index == HEADER_BYTES - 1):
                    m.next = "CHECK"

    def _check(self, m):
        """What is to be done with a request, by sequence number, opcode and length."""
        m.submodules.history = history = memory.Memory(shape=4, depth=WINDOW, init=[])
        past, keep = history.read_port(domain="comb"), history.write_port()
        slot_bits = (WINDOW - 1).bit_length()
        distance = Signal(8)
        fresh, repeated = Signal(), Signal()
        m.d.comb += [
            distance.eq(self.sequence - self.expected),
            fresh.eq(distance == 0),
            repeated.eq(distance >= 256 - WINDOW),
            past.addr.eq(self.sequence[:slot_bits]),
            keep.addr.eq(self.sequence[:slot_bits]),
            keep.data.eq(self.status),
        ]
        self.keep = keep.en

        def answer(status):
            m.d.sync += self.status.eq(status)
            m.next = "SKIP"

        with m.State("CHECK"):
            m.d.comb += self.restart.eq(1)
            m.d.sync += [
                self.echo.eq(self.address[:8]),
                self.fresh.eq(fresh & ~self.is_hello),
                self.expired.eq(0),
                self.status.eq(Status.OK),
            ]
            with m.If(fresh & ~self.is_hello):
                m.d.sync += self.expected.eq(self.expected + 1)
            with m.If(self.is_hello):
                m.d.sync += self.length.eq(HELLO_BYTES)
                m.next = "EMIT"
            with m.Elif(~fresh & ~repeated):
                answer(Status.SEQUENCE)
            with m.Elif(~fresh & ~(self.is_access & ~self.carries)):
                answer(past.data)
            with m.Elif(self.opcode == Opcode.WAIT):
                m.next = "HOLD"
            with m.Elif(~self.is_access):
                answer(Status.BAD_OPCODE)
            with m.Elif((self.length == 0) | (self.length > PAYLOAD_BYTES)
                        | (~self.in_memory & self.length[:2].any())):
                answer(Status.BAD_LENGTH)
            with m.Elif(~self.in_memory & self.address[:2].any()):
                answer(Status.BAD_ADDRESS)
            with m.Else():
                m.next = "BEAT"

    def _access(self, m):
        """A beat's way over the bus, and a WAIT."""
        def fail(status):
            m.d.sync += self.status.eq(status)
            m.next = "SKIP"

        with m.State("BEAT"):
            with m.If(self.outside):
                fail(Status.BAD_ADDRESS)
            with m.Elif(~self.busy):
                m.d.comb += [self.restart.eq(1), self.read.eq(~self.carries)]
                with m.If(self.carries):
                    m.next = "GATHER"
                with m.Else():
                    m.next = "ACCESS"
            with m.Elif(self.late):  # an earlier access was never answered
                fail(Status.TIMEOUT)
        with m.State("WRITE"):
            m.d.comb += [self.restart.eq(1), self.write.eq(1)]
            m.next = "ACCESS"
        with m.State("ACCESS"):
            with m.If(~self.busy):
                with m.If(self.response[1]):
                    fail(self.response)
                with m.Elif(~self.carries):
                    m.next = "EMIT"
                with m.Elif(self.length == 0):
                    m.next = "RESPOND"
                with m.Else():
                    m.next = "BEAT"
            with m.Elif(self.late):
                fail(Status.TIMEOUT)
        with m.State("HOLD"):
            # the next request ends a WAIT, so that a new host need not sit it out
            with m.If(self.irq | self.i.valid):
                m.next = "RESPOND"
            with m.Elif(self.elapsed == self.address):
                m.d.sync += self.expired.eq(1)
                m.next = "RESPOND"

    def _data(self, m, got):
        """Bytes to a beat, from a beat or the greeting, or to nowhere."""
        # By the bytes left; the last of them is byte 1.
        rom = Array(Const(value, 8) for value in
                    b"\0" + bytes(reversed(self.hello.encode())))
        step = [self.length.eq(self.length - 1), self.address.eq(self.address + 1)]
        final = self.length == 1
        buffer = self.buffer
        with m.State("GATHER"):
            m.d.comb += [self.i.ready.eq(1), self.put.eq(self.i.valid)]
            with m.If(self.i.valid):
                m.d.sync += step
                with m.If(self.last_lane):
                    m.next = "WRITE"
                with m.Elif(final):
                    m.next = "PAD"
        with m.State("PAD"):  # to the end of the beat
            m.d.comb += [self.put.eq(1), self.pad.eq(1)]
            m.d.sync += self.address.eq(self.address + 1)
            with m.If(self.last_lane):
                m.next = "WRITE"
        with m.State("EMIT"):
            m.d.comb += [
                self.restart.eq(1),
                buffer.byte.data.eq(Mux(self.is_hello, rom[self.length[:6]], got)),
                buffer.write.eq(buffer.room),
            ]
            with m.If(buffer.room):
                m.d.sync += step
                with m.If(final):
                    m.next = "RESPOND"
                with m.Elif(self.last_lane & ~self.is_hello):
                    m.next = "BEAT"
        with m.State("SKIP"):
            m.d.comb += buffer.rewind.eq(1)
            with m.If(~self.carries | (self.length == 0)):
                m.next = "RESPOND"
            with m.Else():
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += step

    def _respond(self, m):
        """The trailer; with it the response is complete."""
        buffer = self.buffer
        flags = Cat(self.irq, self.expired)
        assert (Flags.IRQ, Flags.EXPIRED) == (1, 2)
        trailer = Array([Cat(self.opcode[:7], Const(1, 1)), self.sequence, self.status,
                         self.expected, flags, self.echo])
        assert len(trailer) == TRAILER_BYTES
        with m.State("RESPOND"):
            last = self.index == TRAILER_BYTES - 1
            m.d.comb += [
                buffer.byte.data.eq(trailer[self.index]),
                buffer.byte.last.eq(last),
                buffer.write.eq(buffer.room),
                buffer.commit.eq(buffer.room & last),
            ]
            with m.If(buffer.room):
                m.d.sync += self.index.eq(self.index + 1)
                with m.If(last):
                    m.d.comb += self.keep.eq(self.fresh)
                    m.d.sync += self.index.eq(0)
                    m.next = "HEADER"
