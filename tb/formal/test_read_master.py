"""ReadMaster: AXI rules of ``ar``, room for all that is asked for, and progress of both clients.

Whatever clients and memory do: an address on offer stays, inside a page and the limit; a FIFO
never refuses read data; no more bursts are in flight than allowed. Each burst taken fits into its
client's FIFO. One that fits may be taken from the next cycle on. A fetch burst that may is taken
as soon as there is a place for it. One of the load unit, which comes second, is taken in the first
such cycle without one; meanwhile the fetch gets no more bursts than its FIFO has free places,
counting those that it frees. By induction this holds for ever.

Bursts, FIFOs and the queue are any that keep what test_burst.py, test_beat_fifo.py and
test_queue.py prove. The memory is assumed to answer only what was asked for.
"""

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal

from golden.spec.config import preset
from hw.dma.burst import PAGE_BYTES
from hw.dma.read_master import ReadMaster
from tb.formal.abstract import AnyBursts, AnyFifo, Kept, ListQueue
from tb.formal.order import stream_rules
from tb.formal.prover import Property, faulty, made_of, refute, verify
from tb.lib.quick import quick

CONFIG = preset("tiny", burst_beats=2, read_beats=4, bursts_in_flight=2)
CLIENTS = ("fetch", "load")


class ReadProperty(Property):
    """A ledger of each client's beats, and of who waited.

    Parameters
    ----------
    make : callable
        Class ReadMaster of the parts it is given by name.
    """

    def __init__(self, make):
        self.bursts, self.fifos, self.routes = (
            Kept(kind) for kind in (AnyBursts, AnyFifo, ListQueue))
        super().__init__(make(
            BurstSplitter=self.bursts, BeatFifo=self.fifos, Queue=self.routes)(CONFIG))

    def describe(self, m: Module, block):
        ar, r = block.ar, block.r
        self.free(m, ar.ready, r.valid, r.payload, block.flush, *(
            port for name in CLIENTS for port in (
                getattr(block, name).run.valid, getattr(block, name).run.payload,
                getattr(block, name).beat.ready)))
        stream_rules(m, ar, "ar")
        shift, most = block.config.group.bit_length() - 1, block.config.bursts_in_flight
        page, route = PAGE_BYTES >> shift, self.routes.made[0]
        asked = Signal(range(most + 2))  # bursts taken from ar and not answered
        place = Signal()
        m.d.sync += asked.eq(asked + (ar.valid & ar.ready) - (r.valid & r.ready & r.p.last))
        m.d.comb += [
            Assume(~r.valid | (asked != 0)),
            place.eq((~ar.valid | ar.ready) & (asked + ar.valid < most) & ~block.flush),
            Assert(~ar.valid | ((ar.p.addr[shift:] & (page - 1)) + ar.p.len < page), "one page"),
            Assert(~ar.valid | (ar.p.len < block.config.burst_beats), "the limit"),
            Assert(ar.p.addr[:shift] == 0, "whole beats"),
            Assert(r.ready, "read data is always taken"),
            Assert(asked + ar.valid <= most, "bursts in flight"),
            Assert(route.level == asked + ar.valid, "whose they are is known"),
            Assert(~block.quiet | (asked == 0), "quiet only when all is answered"),
        ]
        (fetch_fits, fetch_goes, room, used), (load_fits, load_goes, _, _) = (
            self._client(m, block, index, name) for index, name in enumerate(CLIENTS))
        m.d.comb += [
            Assert(fetch_goes == (place & fetch_fits), "fetch goes at once"),
            Assert(load_goes == (place & load_fits & ~fetch_fits), "load goes when fetch does not"),
        ]
        # What fetch may still get while the load unit waits.
        depth = self.fifos.made[0].depth
        budget, left, waits = Signal(range(depth + 1)), Signal(range(depth + 2)), Signal()
        m.d.comb += left.eq(Mux(waits, budget, room) + used - fetch_goes)
        m.d.sync += [waits.eq(load_fits & ~load_goes), budget.eq(Mux(left > depth, depth, left))]
        with m.If(waits):
            m.d.comb += [Assert(~fetch_goes | (budget != 0), "the load unit's turn comes"),
                         Assert(budget >= room, "budget")]

    def _client(self, m, block, index, name):
        """(its burst may be taken, is taken, free places, a beat left)."""
        burst, fifo = self.bursts.made[index].o, self.fifos.made[index]
        port, depth = getattr(block, name).beat, fifo.depth
        places = Signal(range(depth + 1), init=depth, name=f"places_{name}")
        owed = Signal(range(depth + 1), name=f"owed_{name}")  # beats asked for that did not come
        fits, may, goes, used, comes = (Signal(name=f"{what}_{name}")
                                        for what in ("fits", "may", "goes", "used", "comes"))
        beats = Mux(goes, burst.p.len + 1, 0)
        m.d.comb += [
            fits.eq(burst.valid & (burst.p.len < places)),
            goes.eq(burst.valid & burst.ready),
            comes.eq(block.r.valid & (self.routes.made[0].o.p.client == index)),
            Assume(~comes | (owed != 0)),
            Assert(~fifo.i.valid | fifo.i.ready, "no read data is refused"),
            Assert(fifo.i.valid == (comes & ~block.flush), "read data comes to its client"),
            Assert(self.inner[f"{name}_room"] == places, "the room"),
            Assert(self.inner[f"{name}_used"] == used, "what was used"),
            Assert(self.inner[f"may_{name}"] == may, "a burst that fits may go"),
            Assert(~may | fits, "and no other"),
            # Less, once beats were dropped.
            Assert(places + used + owed + fifo.held <= depth, "nothing is promised twice"),
        ]
        m.d.sync += [
            may.eq(fits & ~goes),
            used.eq(port.valid & port.ready),
            places.eq(places + used - beats),
            owed.eq(owed + beats - comes),
        ]
        return may, goes, places, used


def test_for_ever():
    verify(ReadProperty(lambda **parts: made_of(ReadMaster, **parts)), depth=2, inductive=True)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("(~self.ar.valid | self.ar.ready) & ", ""),
    ("route.i.ready & ~self.flush", "~self.flush"),
    ("(split.o.p.len < room)", "(split.o.p.len <= room)"),
    ("balance(room, used,", "balance(room, 0,"),
    ("take_load.eq(free & may_load & ~may_fetch)", "take_load.eq(free & may_load)"),
    ("take_fetch.eq(free & may_fetch)", "take_fetch.eq(free & may_fetch & ~may_load)"),
    ("(route.o.p.client == index)", "(route.o.p.client != index)"),
))
def test_fault(old, new):
    refute(ReadProperty(lambda **parts: faulty(ReadMaster, old, new, **parts)), depth=7)
