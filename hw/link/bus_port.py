"""One beat at a time over AXI4 or AXI4-Lite, byte by byte on the inside."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BusPort"]


class BusPort(wiring.Component):
    """Gathers the bytes of a beat and writes it, or reads a beat and hands its bytes out.

    A line of some megabits needs no bursts, and a beat at a time never keeps others off the bus.
    A bus that does not answer is left alone: the port stays busy and keeps its request up, as AXI
    demands; a late answer is taken and ends that.

    Parameters
    ----------
    bus : Signature
        AXI4 or AXI4Lite.

    Members
    -------
    bus : Out
    address : In(32)
        Byte address; of it the port takes the lane, and the beat with ``put`` or ``read``.
    put : In(1)
        Shift ``byte`` into the beat to write, to be written if ``keep``. The first of a beat may
        be for any lane, the last is for the last lane. Not while ``busy``, like ``read`` and
        ``write``.
    byte, keep : In(8), In(1)
    write : In(1)
        Write the beat.
    read : In(1)
        Read the beat of ``address``.
    busy : Out(1)
    response : Out(2)
        Of the last access, when no longer ``busy``.
    got : Out(8)
        The byte of ``address`` in the beat read last.

    Timing
    ------
    Requests go out 2 cycles after ``read`` or ``write``; ``busy`` ends the cycle after the
    answer.
    """

    def __init__(self, bus):
        address, data = (bus.members[name].signature.members["payload"].shape
                         for name in ("aw", "w"))
        self.address_bits, self.beat_bytes = address["addr"].width, data["strb"].width
        super().__init__({
            "bus": Out(bus),
            "address": In(32),
            "put": In(1),
            "byte": In(8),
            "keep": In(1),
            "write": In(1),
            "read": In(1),
            "busy": Out(1),
            "response": Out(2),
            "got": Out(8),
        })

    def elaborate(self, platform):
        m = Module()
        bus, count = self.bus, self.beat_bytes
        lane_bits = count.bit_length() - 1
        beat = Signal(self.address_bits - lane_bits, reset_less=True)
        word = Signal(8 * count, reset_less=True)
        strobes = Signal(count)
        got = Signal(8 * count, reset_less=True)
        lane, quarter = self.address[:lane_bits], Signal(32)  # in two steps: less area
        address = Cat(Const(0, lane_bits), beat)
        m.d.comb += [
            bus.aw.p.addr.eq(address),
            bus.ar.p.addr.eq(address),
            bus.w.p.data.eq(word),
            bus.w.p.strb.eq(strobes),
            bus.b.ready.eq(1),
            bus.r.ready.eq(1),
            quarter.eq(got.word_select(lane[2:], 32)),
            self.got.eq(quarter.word_select(lane[:2], 8)),
        ]
        if "last" in bus.w.p.shape().members:  # AXI4: bursts of one beat
            m.d.comb += bus.w.p.last.eq(1)

        # What is asked for goes through registers: the beat is wide.
        put, write, read = Signal(), Signal(), Signal()
        where, byte, keep = (Signal(shape, reset_less=True, name=name) for name, shape in
                             (("where", beat.shape()), ("byte", 8), ("keep", 1)))
        m.d.sync += [
            put.eq(self.put), write.eq(self.write), read.eq(self.read),
            where.eq(self.address[lane_bits:self.address_bits]),
            byte.eq(self.byte), keep.eq(self.keep),
        ]
        with m.If(put | read):
            m.d.sync += beat.eq(where)
        with m.If(put):
            m.d.sync += [word.eq(Cat(word[8:], byte)), strobes.eq(Cat(strobes[1:], keep))]
        with m.If(self.write | self.read):
            m.d.sync += self.busy.eq(1)
        with m.If(write):
            m.d.sync += [bus.aw.valid.eq(1), bus.w.valid.eq(1)]
        with m.If(read):
            m.d.sync += bus.ar.valid.eq(1)
        for channel in (bus.aw, bus.w, bus.ar):
            with m.If(channel.valid & channel.ready):
                m.d.sync += channel.valid.eq(0)
        with m.If(bus.w.valid & bus.w.ready):
            m.d.sync += strobes.eq(0)
        with m.If(bus.b.valid):
            m.d.sync += [self.busy.eq(0), self.response.eq(bus.b.p.resp)]
        with m.If(bus.r.valid):
            m.d.sync += [self.busy.eq(0), self.response.eq(bus.r.p.resp), got.eq(bus.r.p.data)]
        return m
