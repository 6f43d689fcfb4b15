"""A small design with the chip's ports, to test the Verilator harness with: it copies DRAM.

Registers: 0 source, 4 destination, 8 bursts, 12 beats of a burst less one, 16 start (write) and
done (read), 20 misbehaviour (see `Wrong`), 24 responses seen (reads in bits 1:0, writes in 3:2),
28 cycles from start to the last response, 32 cycles from the first read address to the first beat,
36 clears the interrupt, 40 write strobes. Any other offset answers SLVERR.
"""

import enum

from amaranth.back import verilog
from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.bus.axi import AXI4, AXI4Lite, Response

__all__ = ["Copier", "Wrong", "copier_verilog"]


class Wrong(enum.IntEnum):
    """What rule to break."""

    NOTHING = 0
    LAST = 1
    DROP_VALID = 2
    CHANGE_PAYLOAD = 3


class Copier(wiring.Component):
    """Reads bursts and writes them elsewhere, as fast as the bus takes them."""

    def __init__(self, beat_bytes):
        self.beat_bytes = beat_bytes
        super().__init__({"axi": Out(AXI4(beat_bytes)), "axil": In(AXI4Lite()), "irq": Out(1)})

    def elaborate(self, platform):
        m = Module()
        self.source, self.destination = Signal(32), Signal(32)
        self.bursts, self.length, self.wrong = Signal(16), Signal(8), Signal(2)
        self.start, self.running = Signal(), Signal()
        self.strobes = Signal(self.beat_bytes, init=~0)
        self.responses, self.cycles, self.latency = Signal(4), Signal(32), Signal(32)
        self._registers(m)
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=8 * self.beat_bytes, depth=64)
        self._reads(m, fifo)
        self._writes(m, fifo)
        with m.If(self.running):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        return m

    def _registers(self, m):
        lite = self.axil
        values = Array([self.source, self.destination, self.bursts, self.length, ~self.running,
                        self.wrong, self.responses, self.cycles, self.latency, self.irq,
                        self.strobes])
        taken = Signal()
        number = lite.aw.payload.addr[2:]
        m.d.comb += [
            lite.ar.ready.eq(~lite.r.valid), lite.aw.ready.eq(taken), lite.w.ready.eq(taken),
            taken.eq(lite.aw.valid & lite.w.valid & ~lite.b.valid),
            self.start.eq(taken & (number == 4)),
        ]
        with m.If(lite.ar.valid & lite.ar.ready):
            unknown = lite.ar.payload.addr[2:] >= len(values)
            m.d.sync += [lite.r.valid.eq(1), lite.r.payload.data.eq(
                values[lite.ar.payload.addr[2:6]]),
                lite.r.payload.resp.eq(Mux(unknown, Response.SLVERR, Response.OKAY))]
        with m.Elif(lite.r.ready):
            m.d.sync += lite.r.valid.eq(0)
        with m.If(taken):
            m.d.sync += [lite.b.valid.eq(1), lite.b.payload.resp.eq(
                Mux(number >= len(values), Response.SLVERR, Response.OKAY))]
            with m.Switch(number):
                for index, register in ((0, self.source), (1, self.destination), (2, self.bursts),
                                        (3, self.length), (5, self.wrong), (10, self.strobes)):
                    with m.Case(index):
                        m.d.sync += register.eq(lite.w.payload.data)
                with m.Case(9):
                    m.d.sync += self.irq.eq(0)
        with m.Elif(lite.b.ready):
            m.d.sync += lite.b.valid.eq(0)

    def _reads(self, m, fifo):
        axi, left, first = self.axi, Signal(16), Signal()
        step = (self.length + 1) * self.beat_bytes
        m.d.comb += [axi.ar.valid.eq(left != 0), axi.ar.payload.len.eq(self.length),
                     axi.r.ready.eq(fifo.w_rdy), fifo.w_en.eq(axi.r.valid),
                     fifo.w_data.eq(axi.r.payload.data)]
        with m.If(self.start):
            m.d.sync += [left.eq(self.bursts), axi.ar.payload.addr.eq(self.source), first.eq(0),
                         self.running.eq(1), self.cycles.eq(0), self.latency.eq(0),
                         self.responses.eq(0)]
        with m.If(axi.ar.valid & axi.ar.ready):
            m.d.sync += [left.eq(left - 1), axi.ar.payload.addr.eq(axi.ar.payload.addr + step),
                         first.eq(1)]
        seen = Signal()
        with m.If(self.start):
            m.d.sync += seen.eq(0)
        with m.Elif(axi.r.valid):
            m.d.sync += seen.eq(1)
        # The first address's cycle counts as well: the beat's cycle less the address's.
        with m.If((first | (axi.ar.valid & axi.ar.ready)) & ~axi.r.valid & ~seen):
            m.d.sync += self.latency.eq(self.latency + 1)
        with m.If(axi.r.valid & axi.r.ready):
            m.d.sync += self.responses[:2].eq(self.responses[:2] | axi.r.payload.resp)

    def _writes(self, m, fifo):
        axi, addresses, answers, beat = self.axi, Signal(16), Signal(16), Signal(8)
        odd = Signal()
        m.d.sync += odd.eq(~odd)
        step = (self.length + 1) * self.beat_bytes
        last = Signal()
        m.d.comb += [
            axi.aw.valid.eq(addresses != 0), axi.aw.payload.len.eq(self.length),
            axi.w.valid.eq(fifo.r_rdy & ~((self.wrong == Wrong.DROP_VALID) & odd)),
            fifo.r_en.eq(axi.w.ready & axi.w.valid), last.eq(beat == self.length),
            axi.w.payload.data.eq(fifo.r_data ^ ((self.wrong == Wrong.CHANGE_PAYLOAD) & odd)),
            axi.w.payload.strb.eq(self.strobes),
            axi.w.payload.last.eq(last ^ (self.wrong == Wrong.LAST)),
            axi.b.ready.eq(1),
        ]
        with m.If(self.start):
            m.d.sync += [addresses.eq(self.bursts), answers.eq(self.bursts), beat.eq(0),
                         axi.aw.payload.addr.eq(self.destination)]
        with m.If(axi.aw.valid & axi.aw.ready):
            m.d.sync += [addresses.eq(addresses - 1),
                         axi.aw.payload.addr.eq(axi.aw.payload.addr + step)]
        with m.If(axi.w.valid & axi.w.ready):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
        with m.If(axi.b.valid & axi.b.ready):
            m.d.sync += [answers.eq(answers - 1), Cat(self.responses[2:]).eq(
                self.responses[2:] | axi.b.payload.resp)]
            with m.If(answers == 1):
                m.d.sync += [self.irq.eq(1), self.running.eq(0)]


def copier_verilog(beat_bytes):
    """The design as the harness wants it."""
    return verilog.convert(Copier(beat_bytes), name="npu", emit_src=False,
                           strip_internal_attrs=True)
