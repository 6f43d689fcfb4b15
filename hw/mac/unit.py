"""The MAC unit: walks windows, fetches words, runs the array, offers finished tiles."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.spec.isa import INSTRUCTION_BYTES, Opcode
from hw.interfaces import (
    BankRead,
    entry_layout,
    instruction_layout,
    post_command_layout,
    row_layout,
    tile_vector_layout,
    weight_command,
)
from hw.mac.array import Array
from hw.mac.drain import Drain
from hw.mac.fetch import Fetcher
from hw.mac.issue import Issuer
from hw.mac.layouts import fetched_layout, slots
from hw.mac.walker import Walker
from hw.stream import Queue

__all__ = ["MacUnit"]


class MacUnit(wiring.Component):
    """Everything of the MAC instruction up to its accumulators.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of an instruction's 512 bits)
        Taken when the weight store and post-processing have their commands and the walker its
        copy, which may be before the previous instruction has ended.
    weights : Out(stream of weight_command)
    entries : In(stream of entry_layout)
    rows : In(stream of row_layout)
    banks : Out(BankRead)
    tile : Out(stream of tile_vector_layout)
        Vectors of finished tiles, in order; any pauses are allowed.
    post : Out(stream of post_command_layout)
    busy : Out(1)
        Something is to be done before the last tile vector is handed over.
    busy_row, wait_drain, wait_weights, wait_words : Out(1)
        While busy, one of them: a row is issued; the accumulators are not drained (also when
        nothing but draining is left); a row or an entry is missing; words are missing.
    row_columns : Out(range(Q + 1))
        Columns with an output pixel, in a cycle with busy_row, else 0.
    conflict : Out(1)
        A fetch needs a further cycle because its columns' words share a bank.

    Timing
    ------
    One row a cycle. From taking an instruction to its first row Q + 13 cycles, from the last row
    of a tile to its first vector 11 cycles.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(8 * INSTRUCTION_BYTES)),
            "weights": Out(stream.Signature(weight_command(config))),
            "entries": In(stream.Signature(entry_layout(config))),
            "rows": In(stream.Signature(row_layout(config))),
            "banks": Out(BankRead(config)),
            "tile": Out(stream.Signature(tile_vector_layout(config))),
            "post": Out(stream.Signature(post_command_layout())),
            "busy": Out(1),
            "busy_row": Out(1),
            "wait_drain": Out(1),
            "wait_weights": Out(1),
            "wait_words": Out(1),
            "row_columns": Out(range(config.columns + 1)),
            "conflict": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.walker = walker = Walker(config)
        m.submodules.fetcher = fetcher = Fetcher(config)
        m.submodules.fetched = fetched = Queue(shape=fetched_layout(config), depth=slots(config))
        m.submodules.issuer = issuer = Issuer(config)
        m.submodules.array = array = Array(config)
        m.submodules.drain = drain = Drain(config)

        self._take(m, walker.i)
        connect(m, walker.tile, fetcher.tile)
        connect(m, flipped(self.entries), fetcher.entries)
        connect(m, fetcher.banks, flipped(self.banks))
        # The queue has a place for every slot: it is always ready.
        m.d.comb += [fetched.i.valid.eq(fetcher.done), fetched.i.payload.eq(fetcher.fetched)]
        connect(m, fetched.o, issuer.entries)
        connect(m, flipped(self.rows), issuer.rows)
        connect(m, drain.tile, flipped(self.tile))
        m.d.comb += [
            array.write.eq(fetcher.write),
            array.token.eq(issuer.token),
            fetcher.release.eq(issuer.token.flags.pop),
            drain.issue.eq(issuer.last),
            issuer.clear.eq(drain.clear),
            drain.sums.eq(array.sums),
            drain.loaded.eq(array.loaded),
        ]

        ahead = walker.busy | fetcher.busy  # words are being fetched, or will be
        wait_weights = Mux(issuer.has_entry, issuer.needs_row, fetcher.starved)
        wait_drain = issuer.has_entry | ~ahead
        m.d.comb += [
            self.busy.eq(ahead | issuer.has_entry | drain.busy),
            self.busy_row.eq(issuer.row),
            self.wait_weights.eq(self.busy & ~self.busy_row & wait_weights),
            self.wait_drain.eq(self.busy & ~self.busy_row & ~wait_weights & wait_drain),
            self.wait_words.eq(self.busy & ~self.busy_row & ~wait_weights & ~wait_drain),
            self.row_columns.eq(issuer.row_columns),
            self.conflict.eq(fetcher.conflict),
        ]
        return m

    def _take(self, m, walk):
        """Hand the instruction to its three takers, each once, and take it when all have it."""
        instruction = instruction_layout(Opcode.MAC)(self.i.payload)
        takers = [walk, self.weights, self.post]
        had = [Signal(name=f"had_{name}") for name in ("walk", "weights", "post")]
        m.d.comb += self.i.ready.eq(Cat(
            h | taker.ready for h, taker in zip(had, takers, strict=True)).all())
        for h, taker in zip(had, takers, strict=True):
            m.d.comb += taker.valid.eq(self.i.valid & ~h)
            m.d.sync += h.eq(self.i.valid & ~self.i.ready & (h | taker.ready))
        m.d.comb += walk.payload.eq(instruction)
        for taker in (self.weights, self.post):
            m.d.comb += [taker.payload[name].eq(instruction[name])
                         for name, _ in taker.payload.shape()]
