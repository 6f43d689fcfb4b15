"""Takes finished accumulators out of the array and queues them for post-processing."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.copies import copies
from hw.interfaces import tile_vector_layout
from hw.mac.column import Column, sums_layout
from hw.mac.issue import Issuer
from hw.room import counted_room
from hw.stream import Queue
from hw.wide_mux import wide_mux

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Offers the accumulators of each tile in order, and says when the next may be finished.

    Vectors are copied from the columns one a cycle, as long as the queue has places: first beside
    each pair of columns, from where only one of them comes, then from those. A tile may be
    finished (``clear``) once the queue can hold all vectors before it, so that copying them
    can't stall, and each column is then copied before its new sums come. So tiles that are
    shorter than their drain follow each other at the pace at which vectors are taken.

    Parameters
    ----------
    config : Config

    Members
    -------
    sums : In(array of sums_layout)
    loaded : In(1)
        Those of column 0 are new; column q's are q cycles later.
    issue : In(1)
        The last token of a tile is issued in this cycle (only with ``clear``).
    clear : Out(1)
    tile : Out(stream of tile_vector_layout)
    busy : Out(1)
        A tile was issued whose last vector was not taken yet, or in the cycle before.

    Timing
    ------
    4 cycles from ``loaded`` to ``tile``, one vector a cycle.
    """

    PLACES = 16
    PAIR = 2  # columns whose accumulators lie side by side

    def __init__(self, config):
        self.config = config
        super().__init__({
            "sums": In(data.ArrayLayout(sums_layout(config), config.columns)),
            "loaded": In(1),
            "issue": In(1),
            "clear": Out(1),
            "tile": Out(stream.Signature(tile_vector_layout(config))),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        vectors, segments = config.drain_cycles, config.lanes // config.drain
        m.submodules.queue = queue = Queue(shape=tile_vector_layout(config), depth=self.PLACES,
                                           registered=True)
        copy = Signal()
        taken = Signal()  # one was, in the cycle before: whether one is, is known late
        self._clear(m, copy, taken)

        # Tiles loaded and not copied, at most this one and the one that follows it.
        waiting = Signal(range(3))
        room, _ = counted_room(m, self.PLACES, copy, taken, "held")
        # Which vector is copied next, and which of a pair of columns: a register of its own for
        # each pair and lane. Each follows the one beside it, and every other one holds the
        # inverse, lest synthesis makes one of all.
        pairs = [range(first, min(first + self.PAIR, config.columns))
                 for first in range(0, config.columns, self.PAIR)]
        beside_bits = (self.PAIR * segments - 1).bit_length()
        registers = [Signal(beside_bits, name=f"near_{number}",
                            init=0 if number % 2 else (1 << beside_bits) - 1)
                     for number in range(len(pairs) * config.drain)]
        near = [held if number % 2 else ~held for number, held in enumerate(registers)]
        turn = Signal(range(vectors))
        final = Signal(init=vectors == 1)  # it is the tile's last
        tile_end = Signal()
        m.d.sync += taken.eq(self.tile.valid & self.tile.ready)
        m.d.comb += [
            copy.eq((self.loaded | (waiting != 0)) & room),
            tile_end.eq(copy & final),
        ]
        m.d.sync += waiting.eq(waiting + self.loaded - tile_end)
        with m.If(copy):
            m.d.sync += [turn.eq(Mux(final, 0, turn + 1)),
                         final.eq(Mux(final, vectors == 1, turn == vectors - 2))]
            beside = turn
            for number, held in enumerate(registers):
                follows = Mux(final, 0, beside + 1)
                m.d.sync += held.eq(follows if number % 2 else ~follows)
                beside = near[number]

        # Three steps: one vector of each pair, one of those, a register after both; what it means,
        # on the way into the queue.
        valid = Signal(2)
        vector = Signal(tile_vector_layout(config))
        m.d.sync += valid.eq(Cat(copy, valid))
        far = copies(m, turn[beside_bits:], "far", count=4)
        for lane in range(config.drain):
            beside = [self._pick(m, f"{pair}_{lane}", [
                (self.sums[q].acc[part * config.drain + lane], self.sums[q].max)
                for q in columns for part in range(segments)], near[pair * config.drain + lane])
                for pair, columns in enumerate(pairs)]
            acc, is_max = self._pick(m, lane, beside, far[lane % len(far)])
            m.d.comb += vector[lane].eq(Mux(is_max, (acc[:8] ^ (1 << 7)).as_signed(), acc))
        m.d.comb += [
            queue.i.valid.eq(valid[-1]), queue.i.payload.eq(vector),
            self.tile.valid.eq(queue.o.valid), self.tile.p.eq(queue.o.payload),
            queue.o.ready.eq(self.tile.ready),
        ]
        return m

    def _pick(self, m, name, sums, index):
        """One of several accumulators with its ``max``, in registers."""
        acc = Signal(signed(32), name=f"acc_{name}", reset_less=True)
        is_max = Signal(name=f"is_max_{name}", reset_less=True)
        m.d.sync += [acc.eq(wide_mux(m, f"{name}_acc", [acc for acc, _ in sums], index)),
                     is_max.eq(wide_mux(m, f"{name}_max", [is_max for _, is_max in sums], index))]
        return acc, is_max

    def _clear(self, m, copy, taken):
        """Whether a tile that ends now finds the accumulators' second sets free."""
        vectors, columns = self.config.drain_cycles, self.config.columns
        # If the token is issued in cycle c, column q's new sums are there from c + q + flight.
        flight = Issuer.LATENCY + Column.LATENCY + 1
        # Vectors of earlier tiles: not taken, not copied. Not copied are at most columns + flight
        # before an issue, not taken at most PLACES.
        owed = Signal(range(self.PLACES + vectors + 1))
        uncopied = Signal(range(columns + flight + vectors + 1))
        ahead = Signal(range(flight + 1))  # cycles until the latest tile's sums can be copied
        after = Mux(self.issue, vectors, 0)
        m.d.sync += [owed.eq(owed + after - taken), uncopied.eq(uncopied + after - copy)]
        with m.If(self.issue):
            m.d.sync += ahead.eq(flight - 1)
        with m.Elif(ahead != 0):
            m.d.sync += ahead.eq(ahead - 1)
        # The last copy is at the latest in cycle c + ahead + uncopied - 1; the last column's old
        # sums are there up to c + flight + columns - 2. That holds for the cycle to come, from
        # what is known in this one.
        most = flight + columns - 1
        late = Signal(range(flight + columns + flight + vectors + 1))
        m.d.comb += late.eq(ahead + uncopied)
        clear = Signal(init=1)
        with m.If(self.issue):
            m.d.sync += clear.eq((owed <= self.PLACES - vectors + taken)
                                 & (uncopied <= most - (flight - 1) - vectors + copy))
        with m.Else():
            m.d.sync += clear.eq((owed <= self.PLACES + taken)
                                 & (late <= most + (ahead != 0) + copy))
        m.d.comb += [self.clear.eq(clear), self.busy.eq(owed != 0)]
