"""Fetches the words of the tiles' entries from the scratchpad banks."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.interfaces import BankRead, entry_layout
from hw.mac.layouts import fetched_layout, slots, window_tile_layout
from hw.mac.select import gather

__all__ = ["Fetcher", "word_write"]


def word_write(config):
    """Payload that writes the words of one slot: per column whether, and what."""
    return data.StructLayout({
        "slot": range(slots(config)), "en": config.columns,
        "words": data.ArrayLayout(8 * config.group, config.columns)})


class Fetcher(wiring.Component):
    """For each entry of each tile, one word per column.

    Columns that want words of one bank are served in further cycles, the lowest column first. As
    the entry's offset moves all columns alike, which columns share a bank is the tile's property.
    A word of the padding, and every word of an entry without rows, needs no bank.

    Parameters
    ----------
    config : Config

    Members
    -------
    tile : In(stream of window_tile_layout)
        Each is used for entries up to one marked ``last``.
    entries : In(stream of entry_layout)
    banks : Out(BankRead)
    write : Out(word_write)
        Words for the columns' memories. A slot is used again once it was released.
    fetched : Out(fetched_layout), valid with ``done``
        Follows the entry's last word: both are there in the cycle after ``done``.
    done : Out(1)
    release : In(1)
        Column 0 takes the word of the oldest slot; column q does so q cycles later.
    busy : Out(1)
        A tile is being walked, or a slot is in use.
    starved : Out(1)
        It waits for an entry, and all words it has fetched were released.
    conflict : Out(1)
        An entry needs a further cycle.

    Timing
    ------
    LATENCY cycles from taking an entry to ``done`` without conflicts; one entry a cycle.
    """

    LATENCY = 6

    def __init__(self, config):
        self.config = config
        self._about = data.StructLayout({
            "slot": range(slots(config)), "pad_value": 8, "fetched": fetched_layout(config)})
        # Per column: written, with padding, from which bank if not; all written.
        self._control = data.StructLayout({
            "about": self._about, "en": config.columns, "padded": config.columns,
            "hits": data.ArrayLayout(config.banks, config.columns), "done": 1})
        super().__init__({
            "tile": In(stream.Signature(window_tile_layout(config))),
            "entries": In(stream.Signature(entry_layout(config))),
            "banks": Out(BankRead(config)),
            "write": Out(word_write(config)),
            "fetched": Out(fetched_layout(config)),
            "done": Out(1),
            "release": In(1),
            "busy": Out(1),
            "starved": Out(1),
            "conflict": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, columns = self.config, range(self.config.columns)
        tile = Signal(window_tile_layout(config), reset_less=True)
        has_tile, accept, room, free = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            accept.eq(self.entries.valid & self.entries.ready),
            self.entries.ready.eq(has_tile & room & free),
            self.tile.ready.eq(~has_tile | (accept & self.entries.p.last)),
        ]
        with m.If(self.tile.ready):
            m.d.sync += [has_tile.eq(self.tile.valid), tile.eq(self.tile.p)]
        slot = self._slots(m, accept, room, has_tile)

        # Stage 1: addresses, bounds; then one cycle or more until every column was served.
        s1 = Signal(self._about, reset_less=True)
        s1_valid = Signal()
        s1_addr = [Signal(config.address_bits, name=f"s1_addr_{q}", reset_less=True)
                   for q in columns]
        s1_reads = Signal(config.columns, reset_less=True)
        s1_open = Signal(config.columns, reset_less=True)
        served, left = Signal(config.columns), Signal(config.columns)
        entry = self.entries.p
        with m.If(free):
            m.d.sync += [
                s1_valid.eq(accept), s1_open.eq(~0),
                s1.slot.eq(slot), s1.pad_value.eq(tile.pad_value),
                s1.fetched.n.eq(entry.n), s1.fetched.last.eq(entry.last),
                s1.fetched.max.eq(tile.max), s1.fetched.count.eq(tile.count),
            ]
            for q in columns:
                window = tile.columns[q]
                m.d.sync += [
                    s1_addr[q].eq(window.base + entry.offset),
                    s1_reads[q].eq(window.present & (entry.n != 0)
                                   & self._inside(m, window.iy, entry.dy, tile.in_height)
                                   & self._inside(m, window.ix, entry.dx, tile.in_width)),
                ]
        with m.Else():
            m.d.sync += s1_open.eq(left)
        for q in columns:
            blocked = Cat(s1_open[p] & s1_reads[p] & self._same_bank(m, tile, free, p, q)
                          for p in range(q)).any()
            m.d.comb += served[q].eq(s1_open[q] & ~(s1_reads[q] & blocked))
        m.d.comb += [
            left.eq(s1_open & ~served),
            free.eq(~s1_valid | ~left.any()),
            self.conflict.eq(~free),
        ]

        control, s2_rows = Signal(self._control), []
        m.d.comb += [
            control.about.eq(s1), control.padded.eq(~s1_reads),
            control.en.eq(served & s1_valid.replicate(config.columns)),
            control.done.eq(s1_valid & free),
        ]
        for q in columns:
            bank, row = s1_addr[q][:config.bank_bits], s1_addr[q][config.bank_bits:]
            s2_row = Signal.like(row, name=f"s2_row_{q}", reset_less=True)
            m.d.sync += s2_row.eq(row)
            m.d.comb += [control.hits[q][b].eq(served[q] & s1_reads[q] & s1_valid & (bank == b))
                         for b in range(config.banks)]
            s2_rows.append(s2_row)
        self._deliver(m, control, s2_rows)
        return m

    def _deliver(self, m, control, s2_rows):
        """Stage 3: banks read. 4: they answer. 5: crossbar. 6: padding, into the columns."""
        columns = range(self.config.columns)
        for stage in range(2, self.LATENCY + 1):
            before, control = control, Signal(self._control, name=f"s{stage}")
            m.d.sync += control.eq(before)
            if stage == 2:
                for b in range(self.config.banks):
                    hits = Cat(control.hits[q][b] for q in columns)
                    m.d.sync += [self.banks.en[b].eq(hits.any()),
                                 self.banks.row[b].eq(gather(s2_rows, hits))]
        s5_words = Signal.like(self.banks.data, reset_less=True)
        s6_words = Signal.like(self.write.words, reset_less=True)
        s6_pads = Signal(data.ArrayLayout(8, self.config.columns), reset_less=True)
        m.d.sync += s5_words.eq(self.banks.data)
        m.d.comb += [
            self.write.slot.eq(control.about.slot), self.write.en.eq(control.en),
            self.fetched.eq(control.about.fetched), self.done.eq(control.done),
        ]
        for q in columns:
            m.d.sync += [
                s6_words[q].eq(gather(
                    [s5_words[b] for b in range(self.config.banks)], before.hits[q])),
                s6_pads[q].eq(Mux(before.padded[q], before.about.pad_value, 0)),
            ]
            # A padded column hits no bank: its word is 0 so far.
            m.d.comb += self.write.words[q].eq(
                s6_words[q] | s6_pads[q].replicate(self.config.group))

    def _slots(self, m, accept, room, has_tile):
        """Count slots in use; returns the one for the next entry."""
        slot = Signal(range(slots(self.config)))
        used = Signal(range(slots(self.config) + 1))
        m.d.sync += slot.eq(slot + accept)
        # The last column reads columns - 1 cycles after column 0; a word for an entry taken in
        # the cycle after the release is written LATENCY cycles later still.
        released = self.release
        for stage in range(self.config.columns - 2 - self.LATENCY):
            later = Signal(name=f"released_{stage}")
            m.d.sync += later.eq(released)
            released = later
        m.d.sync += used.eq(used + accept - released)
        m.d.comb += [
            room.eq(used != slots(self.config)),
            self.busy.eq(has_tile | (used != 0)),
            self.starved.eq(has_tile & (used == 0) & ~self.entries.valid),
        ]
        return slot

    def _inside(self, m, first, distance, size):
        """Whether 0 <= first + distance < size: one unsigned comparison, as size is never large."""
        position = Signal(signed(len(first) + 1))
        m.d.comb += position.eq(first + distance)
        return position.as_unsigned() < size

    def _same_bank(self, m, tile, free, p, q):
        """Whether columns p and q of the entry in stage 1 want the same bank."""
        same = Signal(name=f"s1_same_{p}_{q}", reset_less=True)
        with m.If(free):
            m.d.sync += same.eq(tile.columns[p].base[:self.config.bank_bits]
                                == tile.columns[q].base[:self.config.bank_bits])
        return same
