"""AXI4 reads for instruction fetch and the load unit."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.bus.axi import AXI4
from hw.dma.beat_fifo import BeatFifo
from hw.dma.burst import BurstSplitter, balance
from hw.interfaces import RunRead
from hw.stream import Queue

__all__ = ["ReadMaster"]


class ReadMaster(wiring.Component):
    """Turns the runs of two clients into INCR bursts and hands the beats back.

    A burst is asked for only when its client's FIFO has room for all of it, so read data never
    waits and no client holds up the other. AXI answers one ID's bursts in order; a queue tells
    whose is next.

    Parameters
    ----------
    config : Config
        ``group`` bytes a beat, ``burst_beats``, ``bursts_in_flight``; ``read_beats`` is the depth
        of the load unit's FIFO.

    Members
    -------
    ar, r : as in AXI4
    fetch, load : In(RunRead)
        Fetch is served first.
    flush : In(1)
        Begin no burst, drop what still comes.
    quiet : Out(1)
        Nothing is outstanding and no address is on offer.
    beat_read : Out(1)
        A beat comes in, dropped or not.

    Timing
    ------
    4 cycles from a run to its address, LATENCY of BeatFifo from ``r`` to a client; a beat a cycle,
    and a burst every other cycle for each client. ``r`` is always ready.
    """

    FETCH_BEATS = 32  # two bursts, so that one is used while the next one comes

    def __init__(self, config):
        self.config = config
        bus = AXI4(config.group).members
        super().__init__({
            "ar": bus["ar"],
            "r": bus["r"],
            "fetch": In(RunRead(config)),
            "load": In(RunRead(config)),
            "flush": In(1),
            "quiet": Out(1),
            "beat_read": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        in_flight = self.config.bursts_in_flight
        m.submodules.route = route = Queue(
            shape=data.StructLayout({"client": 1, "last": 1}), depth=in_flight)
        fetch, may_fetch, take_fetch = self._client(
            m, 0, "fetch", self.fetch, self.FETCH_BEATS,
            min(self.config.burst_beats, self.FETCH_BEATS // 2), route)
        load, may_load, take_load = self._client(
            m, 1, "load", self.load, self.config.read_beats, self.config.burst_beats, route)

        free, go = Signal(), Signal()
        m.d.comb += [
            free.eq((~self.ar.valid | self.ar.ready) & route.i.ready & ~self.flush),
            take_fetch.eq(free & may_fetch),
            take_load.eq(free & may_load & ~may_fetch),
            go.eq(take_fetch | take_load),
            route.i.valid.eq(go),
            route.i.p.client.eq(take_load),
            route.i.p.last.eq(Mux(take_load, load.p.last, fetch.p.last)),
        ]
        with m.If(go):
            m.d.sync += [
                self.ar.valid.eq(1),
                self.ar.p.addr.eq(Mux(take_load, load.p.addr, fetch.p.addr)),
                self.ar.p.len.eq(Mux(take_load, load.p.len, fetch.p.len)),
            ]
        with m.Elif(self.ar.ready):
            m.d.sync += self.ar.valid.eq(0)

        m.d.comb += [
            self.r.ready.eq(1),
            route.o.ready.eq(self.r.valid & self.r.p.last),
            self.beat_read.eq(self.r.valid),
            self.quiet.eq(~route.o.valid & ~self.ar.valid),
        ]
        return m

    def _client(self, m, index, name, port, depth, limit, route):
        """One client's bursts, FIFO and room; returns (bursts, one may go, one is taken)."""
        m.submodules[f"{name}_split"] = split = BurstSplitter(
            beat_bytes=self.config.group, limit=limit)
        m.submodules[f"{name}_fifo"] = fifo = BeatFifo(shape=port.beat.payload.shape(), depth=depth)
        room = Signal(range(depth + 1), init=depth, name=f"{name}_room")  # beats not promised
        may, take = Signal(name=f"may_{name}"), Signal(name=f"take_{name}")
        used = Signal(name=f"{name}_used")
        m.d.comb += [
            split.i.valid.eq(port.run.valid),
            split.i.p.addr.eq(port.run.p.addr),
            split.i.p.beats.eq(port.run.p.beats),
            port.run.ready.eq(split.i.ready),
            split.o.ready.eq(take),
            fifo.i.valid.eq(self.r.valid & (route.o.p.client == index) & ~self.flush),
            fifo.i.p.data.eq(self.r.p.data),
            fifo.i.p.resp.eq(self.r.p.resp),
            fifo.i.p.last.eq(self.r.p.last & route.o.p.last),
        ]
        wiring.connect(m, fifo.o, wiring.flipped(port.beat))
        m.d.sync += [
            may.eq(split.o.valid & (split.o.p.len < room) & ~take),
            used.eq(port.beat.valid & port.beat.ready),
            room.eq(balance(room, used, take, split.o.p.len)),
        ]
        return split.o, may, take
