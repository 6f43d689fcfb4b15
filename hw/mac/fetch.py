"""Fetches the words of the tiles' entries from the scratchpad banks."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.copies import copies
from hw.interfaces import BankRead, beside, entry_layout
from hw.mac.layouts import fetched_layout, slots, window_tile_layout
from hw.mac.select import gather
from hw.wide_mux import wide_mux

__all__ = ["Fetcher", "word_write"]


def word_write(config):
    """Payload that writes the words of one slot: per column whether, and what.

    Every byte of a ``padded`` word is ``pad``, those of ``words`` are to be inverted with
    ``inverted``, as Column wants those of tiles with ``max``.
    """
    return data.StructLayout({
        "slot": range(slots(config)), "en": config.columns, "padded": config.columns,
        "pad": 8, "inverted": 1, "words": data.ArrayLayout(8 * config.group, config.columns)})


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

    LATENCY = 5 + BankRead.LATENCY

    def __init__(self, config):
        self.config = config
        self._about = data.StructLayout({
            "slot": range(slots(config)), "pad_value": 8, "fetched": fetched_layout(config)})
        # Per column: written, with padding, from which bank if not.
        self._control = data.StructLayout({
            "about": self._about, "en": config.columns, "padded": config.columns,
            "source": data.ArrayLayout(config.bank_bits, config.columns)})
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
        has_tile, accept, room = Signal(), Signal(), Signal()
        s1_valid, s2_waits = Signal(), Signal()
        # As s2_waits, for the way to the walker: that is long, and s2_waits has much else to do.
        # Other first value, no reset: so that synthesis doesn't join them.
        holds = Signal(init=1, reset_less=True)
        m.d.comb += [
            accept.eq(self.entries.valid & self.entries.ready),
            self.entries.ready.eq(has_tile & room & ~holds),
            self.tile.ready.eq(~has_tile | (accept & self.entries.p.last)),
        ]
        with m.If(self.tile.ready):
            m.d.sync += [has_tile.eq(self.tile.valid), tile.eq(self.tile.p)]
        slot = self._slots(m, accept, room, has_tile)

        # Stage 1: addresses, bounds.
        s1 = Signal(self._about, reset_less=True)
        s1_addr = [Signal(config.address_bits, name=f"s1_addr_{q}", reset_less=True)
                   for q in columns]
        s1_reads = Signal(config.columns, reset_less=True)
        s1_same = [self._same_bank(m, tile, ~s2_waits, q) for q in columns]
        entry = self.entries.p
        with m.If(~s2_waits):
            m.d.sync += [
                s1_valid.eq(accept),
                s1.slot.eq(slot), s1.pad_value.eq(tile.pad_value),
                s1.fetched.n.eq(entry.n), s1.fetched.last.eq(entry.last),
                s1.fetched.max.eq(tile.max), s1.fetched.count.eq(tile.count),
            ]
            for q in columns:
                window = tile.columns[q]
                m.d.sync += [
                    s1_addr[q].eq(window.base + entry.offset),
                    s1_reads[q].eq(window.present & (entry.n != 0)
                                   & (entry.dy >= window.dy_first)
                                   & (entry.dy <= window.dy_last)
                                   & (entry.dx >= window.dx_first)
                                   & (entry.dx <= window.dx_last)),
                ]

        # Stage 2: one cycle or more until every column was served. Open are those that were not
        # before, blocked those of them that wait for a lower column; both are registers.
        s2, s2_valid = Signal(self._about, reset_less=True), Signal()
        s2_addr = [Signal.like(address, name=f"s2_addr_{q}")
                   for q, address in enumerate(s1_addr)]
        s2_reads, s2_open, s2_blocked, blocked = (
            Signal(config.columns, name=name, reset_less=True)
            for name in ("s2_reads", "s2_open", "s2_blocked", "blocked"))
        s2_same = [Signal.like(same, name=f"s2_same_{q}") for q, same in enumerate(s1_same)]
        asking = Signal(config.columns)
        m.d.comb += asking.eq(Mux(s2_waits, s2_blocked, s1_reads))
        for q in columns:
            same = Mux(s2_waits, s2_same[q], s1_same[q])
            m.d.comb += blocked[q].eq(asking[q] & Cat(asking[p] & same[p] for p in range(q)).any())
        waits = (s2_waits | s1_valid) & blocked.any()
        m.d.sync += [
            s2_blocked.eq(blocked), s2_waits.eq(waits), holds.eq(waits),
            s2_open.eq(Mux(s2_waits, s2_blocked, ~0)),
        ]
        with m.If(~s2_waits):
            m.d.sync += [s2_valid.eq(s1_valid), s2.eq(s1), s2_reads.eq(s1_reads)]
            m.d.sync += [after.eq(before) for after, before in
                         zip(s2_addr + s2_same, s1_addr + s1_same, strict=True)]
        m.d.comb += self.conflict.eq(s2_waits)

        control, done = Signal(self._control), Signal()
        # For the banks: what each column asks of each.
        s3_rows = []
        s3_hits = Signal(data.ArrayLayout(config.banks, config.columns), reset_less=True)
        served = Signal(config.columns)
        m.d.comb += [
            served.eq(s2_open & ~s2_blocked & s2_valid.replicate(config.columns)),
            control.about.eq(s2), control.padded.eq(~s2_reads), control.en.eq(served),
            done.eq(s2_valid & ~s2_waits),
        ]
        for q in columns:
            bank, row = s2_addr[q][:config.bank_bits], s2_addr[q][config.bank_bits:]
            hit = Signal(name=f"hit_{q}")
            s3_row = Signal.like(row, name=f"s3_row_{q}", reset_less=True)
            m.d.comb += [hit.eq(served[q] & s2_reads[q]), control.source[q].eq(bank)]
            m.d.sync += s3_row.eq(row)
            m.d.sync += [s3_hits[q][b].eq(hit & (bank == b)) for b in range(config.banks)]
            s3_rows.append(s3_row)
        for b in range(config.banks):
            asked = Cat(s3_hits[q][b] for q in columns)
            m.d.sync += [self.banks.en[b].eq(asked.any()),
                         self.banks.row[b].eq(gather(s3_rows, asked))]
        self._deliver(m, control, done)
        return m

    def _deliver(self, m, control, done):
        """Banks are asked in stage 4; in the last one the crossbar, straight into the columns."""
        for stage in range(3, self.LATENCY + 1):
            before, control = control, Signal(self._control, name=f"s{stage}", reset_less=True)
            now, done = done, Signal(name=f"done_{stage}")
            m.d.sync += [control.eq(before), done.eq(now)]
        # Whole words hang on these: a register for each quarter of the lanes' places.
        quarters = copies(m, before.source.as_value(), "source", count=4)
        found = Signal.like(self.banks.data, reset_less=True)
        max_mode = control.about.fetched.max
        m.d.sync += found.eq(self.banks.data)
        m.d.comb += [
            self.write.slot.eq(control.about.slot), self.write.en.eq(control.en),
            self.write.padded.eq(control.padded), self.write.inverted.eq(max_mode),
            self.write.pad.eq(control.about.pad_value ^ max_mode.replicate(8)),
            self.fetched.eq(control.about.fetched), self.done.eq(done),
        ]
        size = self.config.group // len(quarters)
        for quarter, source in enumerate(quarters):
            part = beside(self.config)[quarter * size:][:size]
            items = [Cat(bank.word_select(byte, 8) for byte in part) for bank in found]
            if quarter >= 2:  # an inverse: multiplexers take none, words the other way round do
                items, source = items[::-1], ~source
            sources = data.View(self._control["source"].shape, source)
            for q, written in enumerate(self.write.words):
                m.d.comb += Cat(written.word_select(byte, 8) for byte in part).eq(
                    wide_mux(m, f"{q}_{quarter}", items, sources[q]))

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
        full = Signal()
        with m.If(accept ^ released):
            m.d.sync += [used.eq(used + Mux(accept, 1, -1)),
                         full.eq(accept & (used == slots(self.config) - 1))]
        m.d.comb += [
            room.eq(~full),
            self.busy.eq(has_tile | (used != 0)),
            self.starved.eq(has_tile & (used == 0) & ~self.entries.valid),
        ]
        return slot

    def _same_bank(self, m, tile, free, q):
        """For each column below q whether the entry in stage 1 wants a word of q's bank there."""
        same = Signal(max(q, 1), name=f"s1_same_{q}", reset_less=True)
        low = [column.base[:self.config.bank_bits]
               for column in (tile.columns[p] for p in range(q + 1))]
        with m.If(free):
            m.d.sync += same.eq(Cat(low[p] == low[q] for p in range(q)))
        return same
