"""AXI4 writes for the store unit."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.bus.axi import AXI4, Response
from hw.dma.beat_fifo import BeatFifo
from hw.dma.burst import BurstSplitter, balance, run_layout
from hw.dma.pack import packed_layout
from hw.stream import Queue

__all__ = ["WriteMaster"]


class WriteMaster(wiring.Component):
    """Turns runs and their beats into INCR bursts.

    A burst's address goes out when all its beats wait here, so a burst once begun can always be
    ended. Its data follows at once, whether the address has been taken or not.

    Parameters
    ----------
    config : Config
        ``group`` bytes a beat, ``burst_beats``; ``bursts_in_flight`` limits writes as it does
        reads.

    Members
    -------
    aw, w, b : as in AXI4
    run : In(stream of run_layout)
    beat : In(stream of packed_layout)
        The beats of the runs, in order.
    stop : In(1)
        Begin no burst.
    flush : In(1)
        Likewise; what was begun is ended without strobes, from the next beat on.
    quiet : Out(1)
        Nothing is outstanding and nothing is on offer.
    done : Out(1)
        A run marked ``final`` has been written, responses included.
    bad : Out(1)
        A burst failed, in this cycle.
    cause : Out(2)
        Its response.
    address : Out(32)
        The byte address of its run.
    beat_written : Out(1)
        A beat goes out, strobes or not.

    Timing
    ------
    A beat a cycle, and a burst every other cycle. A full burst's first beat is offered 4 cycles
    after its last one came, its address 3 cycles after.
    """

    def __init__(self, config):
        self.config = config
        bus = AXI4(config.group).members
        super().__init__({
            "aw": bus["aw"],
            "w": bus["w"],
            "b": bus["b"],
            "run": In(stream.Signature(run_layout())),
            "beat": In(stream.Signature(packed_layout(config))),
            "stop": In(1),
            "flush": In(1),
            "quiet": Out(1),
            "done": Out(1),
            "bad": Out(1),
            "cause": Out(Response),
            "address": Out(32),
            "beat_written": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        in_flight = self.config.bursts_in_flight
        m.submodules.split = split = BurstSplitter(
            beat_bytes=self.config.group, limit=self.config.burst_beats)
        # One burst leaves while the next one gathers.
        m.submodules.fifo = fifo = BeatFifo(shape=packed_layout(self.config),
                                            depth=2 * split.limit)
        m.submodules.begun = begun = Queue(shape=unsigned(8), depth=in_flight)  # data to send
        m.submodules.unanswered = unanswered = Queue(
            shape=data.StructLayout({"run": 32, "final": 1}), depth=in_flight)
        wiring.connect(m, wiring.flipped(self.run), split.i)
        wiring.connect(m, wiring.flipped(self.beat), fifo.i)

        # Addresses. A beat counts from when the FIFO took it until its burst's address is out.
        spare = Signal(range(fifo.depth + 3))
        whole, go = Signal(), Signal()  # all beats of the burst wait here; it begins
        m.d.comb += [
            go.eq(whole & (~self.aw.valid | self.aw.ready)
                  & unanswered.i.ready & ~self.stop & ~self.flush),
            split.o.ready.eq(go),
            unanswered.i.valid.eq(go),
            unanswered.i.p.run.eq(split.o.p.run),
            unanswered.i.p.final.eq(split.o.p.final),
            # AXI: write data must not wait for its address to be taken
            begun.i.valid.eq(go),
            begun.i.payload.eq(split.o.p.len),
        ]
        m.d.sync += [
            spare.eq(balance(spare, fifo.i.valid & fifo.i.ready, go, split.o.p.len)),
            whole.eq(split.o.valid & (split.o.p.len < spare) & ~go),
        ]
        address = Signal(self.aw.payload.shape(), reset_less=True)
        m.d.comb += self.aw.payload.eq(address)
        with m.If(go):
            m.d.sync += [self.aw.valid.eq(1), address.addr.eq(split.o.p.addr),
                         address.len.eq(split.o.p.len)]
        with m.Elif(self.aw.ready):
            m.d.sync += self.aw.valid.eq(0)

        # Data.
        sent = Signal(8)  # beats of the burst
        free, last = Signal(), Signal()
        word = Signal(self.w.payload.shape(), reset_less=True)
        m.d.comb += [
            self.w.payload.eq(word),
            free.eq(~self.w.valid | self.w.ready),
            last.eq(sent == begun.o.payload),
            fifo.o.ready.eq(free & begun.o.valid),
            begun.o.ready.eq(fifo.o.valid & fifo.o.ready & last),
            self.beat_written.eq(self.w.valid & self.w.ready),
        ]
        with m.If(free):
            m.d.sync += [
                self.w.valid.eq(begun.o.valid & fifo.o.valid),
                word.data.eq(fifo.o.p.data),
                word.strb.eq(Mux(self.flush, 0, fifo.o.p.strb)),
                word.last.eq(last),
            ]
        with m.If(fifo.o.valid & fifo.o.ready):
            m.d.sync += sent.eq(Mux(last, 0, sent + 1))

        # Responses.
        m.d.comb += [
            self.b.ready.eq(1),
            unanswered.o.ready.eq(self.b.valid),
            self.bad.eq(self.b.valid & (self.b.p.resp >= Response.SLVERR)),
            self.done.eq(self.b.valid & ~self.bad & unanswered.o.p.final),
            self.cause.eq(self.b.p.resp),
            self.address.eq(unanswered.o.p.run),
            self.quiet.eq(~self.aw.valid & ~unanswered.o.valid),
        ]
        return m
