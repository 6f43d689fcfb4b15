"""BurstSplitter: bursts stay inside a 4 KiB page and cover exactly their run.

For every run, however its consumer stalls: the first burst begins at the run's beat, each further
one where the one before ended, none is longer than the limit or crosses a page, ``last`` marks
the one with which all beats are covered, and only then comes the next run; ``run`` and ``final``
are the run's. By induction over the registers this holds for runs of any length.
"""

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal

from hw.dma.burst import PAGE_BYTES, BurstSplitter, run_layout
from tb.formal.order import stream_rules
from tb.formal.prover import Property, faulty, refute, verify
from tb.lib.quick import quick

SIZES = [(4, 4), (16, 16), (32, 256)]  # bytes of a beat, limit; a page is 128 beats of 32 bytes


class BurstProperty(Property):
    """The burst on offer begins at beat ``base``, from where ``due`` beats are not covered.

    Parameters
    ----------
    block : BurstSplitter
    bind : bool
        Add the invariants of the registers that induction needs, and leave ``final`` out.
    """

    def __init__(self, block, *, bind=False):
        super().__init__(block)
        self.bind = bind

    def describe(self, m: Module, block):
        self.free(m, block.i.valid, block.i.payload, block.o.ready)
        stream_rules(m, block.o, "o")
        burst, shift = block.o.p, block.beat_bits
        m.d.comb += Assume(block.i.p.beats != 0)

        opened = ~block.i.ready
        coming, current = Signal(run_layout()), Signal(run_layout())
        fresh = Signal()  # nothing of ``coming`` has been offered
        base, due = Signal(32 - shift), Signal(24)
        place, left = Signal(32 - shift), Signal(24)  # behind the burst on offer
        m.d.comb += [
            place.eq(Mux(fresh, coming.addr[shift:], base + burst.len + 1)),
            left.eq(Mux(fresh, coming.beats, due - burst.len - 1)),
        ]
        with m.If(opened & (~block.o.valid | block.o.ready)):
            m.d.sync += [base.eq(place), due.eq(left), current.eq(coming), fresh.eq(0)]
        with m.If(block.i.valid & block.i.ready):
            m.d.sync += [coming.eq(block.i.payload), fresh.eq(1)]

        page = PAGE_BYTES >> shift
        with m.If(block.o.valid):
            m.d.comb += [
                Assert(burst.addr == base << shift, "it begins where the one before ended"),
                Assert(burst.len < block.limit, "no longer than the limit"),
                Assert((base & (page - 1)) + burst.len < page, "inside a page"),
                Assert(burst.len < due, "nothing beyond the run"),
                Assert(burst.last == (burst.len + 1 == due), "last when all is covered"),
                Assert(burst.run == current.addr, "the run's address"),
            ]
            if not self.bind:
                m.d.comb += Assert(burst.final == (burst.last & current.final), "the run's mark")
        m.d.comb += Assert(opened == (fresh | (block.o.valid & ~burst.last)), "every beat is due")
        if self.bind:
            inner = self.inner
            low = block.limit.bit_length() - 1
            with m.If(opened):
                m.d.comb += [
                    Assert(inner["place"] == place[:low], "place"),
                    Assert(inner["room"] == block.limit - place[:low], "room"),
                    Assert(inner["block"] == place[low:], "block"),
                    Assert((inner["left"] == left) & (left != 0), "left"),
                    Assert(inner["run"] == coming.addr, "run"),
                ]


@pytest.mark.parametrize("beat_bytes, limit", quick(1, *SIZES[::-1]))
def test_for_ever(beat_bytes, limit):
    block = BurstSplitter(beat_bytes=beat_bytes, limit=limit)
    verify(BurstProperty(block, bind=True), depth=2, inductive=True)


@pytest.mark.parametrize("beat_bytes, limit, cycles", quick(
    1, *((*size, cycles) for cycles in (6, 14) for size in SIZES)))
def test_bounded(beat_bytes, limit, cycles):
    verify(BurstProperty(BurstSplitter(beat_bytes=beat_bytes, limit=limit)), depth=cycles)


@pytest.mark.parametrize("old, new", quick(
    1,
    ("PAGE_BYTES // beat_bytes)", "2 * PAGE_BYTES // beat_bytes)"),
    ("ends.eq(left <= room)", "ends.eq(left < room)"),
    ("place.eq(0),", "place.eq(1),"),
    ("final & ends", "final"),
    ("self.limit - self.i.p.addr[self.beat_bits:][:limit_bits]", "self.limit"),
    ("room.eq(self.limit),", ""),
))
def test_fault(old, new):
    refute(BurstProperty(faulty(BurstSplitter, old, new)(beat_bytes=32, limit=256)), depth=6)
