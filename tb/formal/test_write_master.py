"""WriteMaster: AXI rules of ``aw`` and ``w``, and data that does not wait for its address.

Whatever the store unit and the memory do: both channels hold what they offer until it is taken;
no address crosses a page or asks for more than the limit; every burst has as many beats as its
address says, ``last`` on the last one; no data comes before its address is on offer; no more
bursts are in flight than allowed. By induction this holds for ever. And the data of a burst whose
address is on offer leaves at once, be the address taken or not.

Bursts, FIFO and queues are any that keep what test_burst.py, test_beat_fifo.py and test_queue.py
prove. Responses are assumed to come only for bursts whose address and data were taken; ``stop``
and ``flush`` may come at any time.
"""

import functools

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal

from golden.spec.config import preset
from hw.dma.burst import PAGE_BYTES
from hw.dma.write_master import WriteMaster
from tb.formal.abstract import AnyBursts, AnyFifo, Kept, ListQueue, PromptFifo
from tb.formal.order import stream_rules
from tb.formal.prover import Property, faulty, made_of, refute, verify
from tb.lib.quick import quick

CONFIG = preset("tiny", burst_beats=2, bursts_in_flight=2)


class ChannelProperty(Property):
    """What holds of the offers of each channel by itself."""

    def describe(self, m: Module, block):
        self.free(m, block.aw.ready, block.w.ready, block.b.valid, block.b.payload,
                  block.run.valid, block.run.payload, block.beat.valid, block.beat.payload,
                  block.stop, block.flush)
        stream_rules(m, block.aw, "aw")
        stream_rules(m, block.w, "w")
        shift = block.config.group.bit_length() - 1
        page, burst = PAGE_BYTES >> shift, block.aw.p
        m.d.comb += [
            Assert(~block.aw.valid | ((burst.addr[shift:] & (page - 1)) + burst.len < page),
                   "one page"),
            Assert(~block.aw.valid | (burst.len < block.config.burst_beats), "the limit"),
            Assert(burst.addr[:shift] == 0, "whole beats"),
            Assert(block.b.ready, "responses are always taken"),
        ]


class BurstProperty(Property):
    """Lengths of the bursts that were offered and whose data is not complete, oldest first.

    Parameters
    ----------
    make : callable
        Class WriteMaster of the parts it is given by name.
    bind : bool
        Add the invariants of the registers that induction needs.
    refused : bool
        ``aw`` is never and ``w`` always taken, and nobody stops: data must leave in time.
    """

    def __init__(self, make, *, bind=False, refused=False):
        self.queues, self.bind, self.refused = Kept(ListQueue), bind, refused
        super().__init__(make(BurstSplitter=AnyBursts, Queue=self.queues,
                              BeatFifo=PromptFifo if refused else AnyFifo)(CONFIG))

    def describe(self, m: Module, block):
        aw, w, b = block.aw, block.w, block.b
        self.free(m, aw.ready, w.ready, b.valid, block.beat.valid, block.stop, block.flush)
        most = block.config.bursts_in_flight
        lengths = [Signal(8, name=f"length_{n}") for n in range(most + 1)]
        views = [Signal(8, name=f"view_{n}") for n in range(most + 1)]
        count, total, flying, open_ = (
            Signal(range(most + 2), name=name) for name in ("count", "total", "flying", "open"))
        beats = Signal(8)  # of the oldest one, taken
        # An offer is new when none stood or the one before was taken.
        stood = self.before(m, aw.valid & ~aw.ready, "aw_stood")
        new, ends = Signal(), Signal()
        m.d.comb += [
            new.eq(aw.valid & ~stood),
            ends.eq(w.valid & w.ready & w.p.last),
            total.eq(count + new),
            open_.eq(flying + new),
            # Asked for, and written, and not answered.
            Assume(~b.valid | ((open_ > aw.valid) & (open_ > total))),
            Assert(~w.valid | (total != 0), "no data before its address is on offer"),
            Assert(~w.valid | (w.p.last == (beats == views[0])), "as many beats as asked for"),
            Assert(open_ <= most, "bursts in flight"),
            Assert(~block.quiet | (open_ == 0), "quiet only when all is answered"),
        ]
        m.d.sync += [count.eq(total - ends), flying.eq(open_ - b.valid)]
        with m.If(w.valid & w.ready):
            m.d.sync += beats.eq(Mux(w.p.last, 0, beats + 1))
        for index, (view, length) in enumerate(zip(views, lengths, strict=True)):
            later = views[index + 1] if index < most else 0
            m.d.comb += view.eq(Mux(new & (count == index), aw.p.len, length))
            m.d.sync += length.eq(Mux(ends, later, view))
        if self.bind:
            self._bind(m, block, views, total, open_, beats, stood)
        if self.refused:
            self._in_time(m, block, new)

    def _bind(self, m, block, views, total, open_, beats, stood):
        """The registers in terms of the ledger."""
        begun, unanswered = self.queues.made
        sent, w = self.inner["sent"], block.w
        loaded = w.valid & w.p.last  # the oldest one's last beat, which left the queue
        m.d.comb += [
            Assert(~stood | block.aw.valid, "an offer stands"),
            Assert(unanswered.level == open_, "what is not answered"),
            Assert(begun.level + loaded == total, "what is not written"),
            Assert(total <= open_, "no answer before the data"),
            Assert(sent == Mux(loaded, 0, beats + w.valid), "beats of the burst"),
            Assert((begun.level != 0) | (sent == 0), "only of a burst"),
            Assert((begun.level == 0) | (sent <= begun.items[0]), "not too many"),
        ]
        for index, item in enumerate(begun.items):
            m.d.comb += Assert((index >= begun.level)
                               | (item == Mux(loaded, views[index + 1], views[index])), "lengths")

    def _in_time(self, m, block, new):
        """The first burst's data leaves, whether its address does or not."""
        waited, sent, length = Signal(4), Signal(4), Signal(8)
        m.d.comb += Assume(~block.aw.ready & block.w.ready & ~block.stop & ~block.flush)
        with m.If(block.aw.valid):
            m.d.sync += waited.eq(waited + 1)
        with m.If(block.w.valid):
            m.d.sync += sent.eq(sent + 1)
        m.d.comb += [
            length.eq(block.aw.p.len),
            Assert((waited <= length + 1) | (sent > length), "data does not wait"),
        ]


def test_channels_for_ever():
    block = made_of(WriteMaster, BurstSplitter=AnyBursts, BeatFifo=AnyFifo)(CONFIG)
    verify(ChannelProperty(block), depth=2, inductive=True)


def test_bursts_for_ever():
    make = functools.partial(made_of, WriteMaster)
    verify(BurstProperty(make, bind=True), depth=2, inductive=True)


@pytest.mark.parametrize("cycles", [8, pytest.param(14, marks=pytest.mark.slow)])
def test_data_does_not_wait(cycles):
    verify(BurstProperty(functools.partial(made_of, WriteMaster), refused=True), depth=cycles)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("& (~self.aw.valid | self.aw.ready)", ""),
    ("free.eq(~self.w.valid | self.w.ready)", "free.eq(1)"),
    ("address.len.eq(split.o.p.len)", "address.len.eq(split.o.p.len + 1)"),
))
def test_fault_of_a_channel(old, new):
    block = faulty(WriteMaster, old, new, BurstSplitter=AnyBursts, BeatFifo=AnyFifo)(CONFIG)
    refute(ChannelProperty(block), depth=6)


@pytest.mark.parametrize("old, new, refused", quick(
    1,
    ("last.eq(sent == begun.o.payload)", "last.eq(sent == begun.o.payload[:7] + 1)", False),
    ("                  & unanswered.i.ready", "", False),
    ("self.quiet.eq(~self.aw.valid & ~unanswered.o.valid)", "self.quiet.eq(~self.aw.valid)", False),
    ("fifo.o.ready.eq(free & begun.o.valid)", "fifo.o.ready.eq(free)", True),
    ("free.eq(~self.w.valid | self.w.ready)",
     "free.eq((~self.w.valid | self.w.ready) & ~self.aw.valid)", True),
    ("(split.o.p.len < spare)", "(spare != 0)", True),
))
def test_fault_of_bursts(old, new, refused):
    make = functools.partial(faulty, WriteMaster, old, new)
    refute(BurstProperty(make, refused=refused), depth=8)
