"""Fetches the words of the tiles' entries from the scratchpad banks."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.interfaces import BankRead, entry_layout
from hw.mac.layouts import fetched_layout, slots, window_tile_layout
from hw.mac.select import choose

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

    LATENCY = 4

    def __init__(self, config):
        self.config = config
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
        about = data.StructLayout({
            "slot": slot.shape(), "pad_value": 8, "fetched": fetched_layout(config)})
        s1 = Signal(about, reset_less=True)
        s1_valid = Signal()
        s1_addr = [Signal(config.address_bits, name=f"s1_addr_{q}", reset_less=True)
                   for q in columns]
        s1_reads = Signal(config.columns, reset_less=True)
        s1_open = Signal(config.columns, reset_less=True)
        served, left = Signal(config.columns), Signal(config.columns)
        entry = self.entries.p
        with m.If(free):
            m.d.sync += [s1_valid.eq(accept), s1_open.eq(~0)]
            m.d.sync += [
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

        # Stage 2: what each bank reads. Stage 3: the banks' answer. Stage 4: their registers.
        bank_of = [addr[:config.bank_bits] for addr in s1_addr]
        for b in range(config.banks):
            hits = [served[q] & s1_reads[q] & (bank_of[q] == b) & s1_valid for q in columns]
            m.d.sync += self.banks.en[b].eq(Cat(hits).any())
            row = 0
            for q in columns:
                row |= Mux(hits[q], s1_addr[q][config.bank_bits:], 0)
            m.d.sync += self.banks.row[b].eq(row)
        control = data.StructLayout({
            "about": about, "padded": config.columns,
            "bank": data.ArrayLayout(config.bank_bits, config.columns)})
        source = Signal(control)
        m.d.comb += [source.about.eq(s1), source.padded.eq(~s1_reads)]
        m.d.comb += [source.bank[q].eq(bank_of[q]) for q in columns]
        writes = served & s1_valid.replicate(config.columns)
        done = s1_valid & free
        for stage in range(2, 2 + self.LATENCY - 1):
            following = Signal(control, name=f"s{stage}", reset_less=True)
            following_writes = Signal(config.columns, name=f"s{stage}_writes")
            following_done = Signal(name=f"s{stage}_done")
            m.d.sync += [following.eq(source), following_writes.eq(writes),
                         following_done.eq(done)]
            source, writes, done = following, following_writes, following_done
        words = Signal.like(self.banks.data, reset_less=True)
        m.d.sync += words.eq(self.banks.data)
        m.d.comb += [
            self.write.slot.eq(source.about.slot), self.write.en.eq(writes),
            self.fetched.eq(source.about.fetched), self.done.eq(done),
        ]
        for q in columns:
            m.d.comb += self.write.words[q].eq(Mux(
                source.padded[q], source.about.pad_value.replicate(config.group),
                choose([words[b] for b in range(config.banks)], source.bank[q])))
        return m

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
