"""Issues weight rows to the array, entry by entry."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.interfaces import row_layout
from hw.mac.layouts import TOKEN_FLAGS, fetched_layout, slots, token_layout

__all__ = ["Issuer"]


class Issuer(wiring.Component):
    """Turns fetched entries and weight rows into tokens, one a cycle.

    An entry without rows takes one token that adds nothing.

    Parameters
    ----------
    config : Config

    Members
    -------
    entries : In(stream of fetched_layout)
        In the order of their slots, from slot 0.
    rows : In(stream of row_layout)
    clear : In(1)
        A token with ``last`` may be issued in this cycle.
    token : Out(token_layout)
        For column 0, LATENCY cycles after it is issued.
    last, row : Out(1)
        The token that is issued in this cycle ends its tile; it adds a row.
    row_columns : Out(range(Q + 1))
        Columns with a pixel, in a cycle in which a row is issued, else 0.
    has_entry : Out(1)
        An entry is there; its next token waits, if it does, for ``needs_row`` or ``clear``.
    needs_row : Out(1)
    """

    LATENCY = 2

    def __init__(self, config):
        self.config = config
        super().__init__({
            "entries": In(stream.Signature(fetched_layout(config))),
            "rows": In(stream.Signature(row_layout(config))),
            "clear": In(1),
            "token": Out(token_layout(config)),
            "last": Out(1),
            "row": Out(1),
            "row_columns": Out(range(config.columns + 1)),
            "has_entry": Out(1),
            "needs_row": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        entry = Signal(fetched_layout(self.config), reset_less=True)  # n: rows still to issue
        valid = Signal()
        slot = Signal(range(slots(self.config)))
        fresh, final = Signal(), Signal()  # the token is its entry's first, its last
        ends, empty = Signal(), Signal()  # it is its tile's last; its entry has no rows
        go, finish = Signal(), Signal()
        m.d.comb += [
            self.rows.ready.eq(valid & ~empty & (self.clear | ~ends)),
            go.eq(valid & (self.clear | ~ends) & (empty | self.rows.valid)),
            finish.eq(go & final),
            self.entries.ready.eq(~valid | finish),
            self.last.eq(go & ends),
            self.row.eq(go & ~empty),
            self.row_columns.eq(Mux(self.row, entry.count, 0)),
            self.has_entry.eq(valid),
            self.needs_row.eq(valid & ~empty & ~self.rows.valid),
        ]
        # The row is far away, and so are the columns: it is kept as it comes, then made a token.
        row = Signal.like(self.rows.payload, reset_less=True)
        flags, token = Signal(TOKEN_FLAGS), self.token
        from_slot = Signal.like(slot, reset_less=True)
        m.d.sync += [
            row.eq(self.rows.payload), from_slot.eq(slot), flags.pop.eq(go & fresh),
            flags.add.eq(self.row), flags.last.eq(self.last), flags.max.eq(entry.max),
            token.flags.eq(flags),
        ]
        m.d.comb += [token.next.pop.eq(flags.pop), token.next.slot.eq(from_slot)]
        for lane in range(self.config.lanes):
            m.d.sync += [
                token.value[lane].eq(Mux(flags.add, row.value[lane], 0)),
                token.index[lane].eq(row.index[lane]),
            ]
        with m.If(self.entries.ready):
            m.d.sync += [
                valid.eq(self.entries.valid), entry.eq(self.entries.p), fresh.eq(1),
                final.eq(self.entries.p.n <= 1), empty.eq(self.entries.p.n == 0),
                ends.eq((self.entries.p.n <= 1) & self.entries.p.last),
            ]
        with m.Elif(go):
            m.d.sync += [entry.n.eq(entry.n - 1), fresh.eq(0), final.eq(entry.n == 2),
                         ends.eq((entry.n == 2) & entry.last)]
        with m.If(finish):
            m.d.sync += slot.eq(slot + 1)
        return m
