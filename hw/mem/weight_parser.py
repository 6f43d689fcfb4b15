"""Takes the weight stream of golden.spec.layout apart."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import layout
from golden.spec.layout import BlockFormat, ItemKind
from golden.spec.registers import Cause
from hw.interfaces import ERROR, record_layout, row_layout

__all__ = ["WeightParser"]


class WeightParser(wiring.Component):
    """Weight stream to lane blocks, group-list entries, pairs and parameter beats.

    Parameters
    ----------
    config : Config

    Members
    -------
    beats : In(stream of 8 M bits)
    blocks : Out(stream of {entries, rows})
        Once per lane block, before anything else of it.
    entries : Out(stream of {n, dy, dx, offset})
    rows : Out(stream of row_layout)
    parameters : Out(stream of 8 M bits)
        PARAMETER_BEATS per lane block.
    error : Out(ERROR)
        WEIGHT_STREAM, without tag: kind not the one that must come, no entries, unknown format,
        more than M rows, a run of what is not DENSE or has no rows, or rows that don't add up to
        those announced.

    Timing
    ------
    One beat a cycle, passed on in the same cycle, and one cycle more for the last beat of a
    header, which is looked at before it is taken; waits only where the item's output is not
    ready. The entry of a BLOCK without a header comes from the cycle before its first row on
    until it is taken; its last row waits for that if there are more. After an error nothing is
    taken.
    """

    def __init__(self, config):
        self.config = config
        beat = unsigned(8 * config.group)
        head = record_layout(layout.PARAMETER_HEADER)
        block = record_layout(layout.BLOCK_HEADER)
        super().__init__({
            "beats": In(stream.Signature(beat)),
            "blocks": Out(stream.Signature(data.StructLayout(
                {"entries": head["entries"].shape, "rows": head["rows"].shape}))),
            "entries": Out(stream.Signature(data.StructLayout({
                "n": config.group.bit_length(), "dy": block["dy"].shape,
                "dx": block["dx"].shape, "offset": config.address_bits}))),
            "rows": Out(stream.Signature(row_layout(config))),
            "parameters": Out(stream.Signature(beat)),
            "error": Out(ERROR),
        })

    def elaborate(self, platform):
        m = Module()
        entries_left = Signal.like(self.blocks.p.entries)
        rows_left = Signal.like(self.blocks.p.rows)
        beats_left = Signal(range(layout.PARAMETER_BEATS))
        row = Signal(range(self.config.group))
        last = Signal()  # it is the newest entry's last
        block_format = Signal(2)
        # Of a run of BLOCKs: how many are to come (any?), and whether the newest entry, which is
        # handed over beside the rows, is on offer.
        more, runs = Signal(layout.BLOCK_HEADER.field("more").bits), Signal()
        pending, vacant = Signal(), Signal()
        newest = Signal(self.entries.payload.shape(), reset_less=True)
        step = Signal.like(newest.offset, reset_less=True)
        # A header was looked at in the cycle before: whether there was one, what it is.
        seen, is_block, good = Signal(), Signal(), Signal()
        failed = Signal()
        head, head_whole, save_head = self._header(m)
        index, index_beat, in_header, take_row, take_index = self._indices(
            m, block_format, row, head[layout.HEADER_BITS:])

        fields = head[:layout.HEADER_BITS]
        parameters = data.View(record_layout(layout.PARAMETER_HEADER), fields)
        block = data.View(record_layout(layout.BLOCK_HEADER), fields)
        m.d.comb += [
            self.error.valid.eq(failed),
            self.error.cause.eq(Cause.WEIGHT_STREAM),
            self.parameters.payload.eq(self.beats.payload),
            self.rows.p.value.eq(self.beats.payload),
            self.rows.p.index.eq(index),
            self.blocks.p.entries.eq(parameters.entries),
            self.blocks.p.rows.eq(parameters.rows),
            self.blocks.valid.eq(seen & good & ~is_block),
            self.entries.payload.eq(newest),
            self.entries.valid.eq(pending | (seen & good & is_block)),
        ]
        m.d.comb += vacant.eq(~pending | self.entries.ready)  # `newest` is not needed any more
        with m.If(self.entries.ready):
            m.d.sync += pending.eq(0)

        more_entries, take_entry = Signal(), Signal()
        m.d.comb += more_entries.eq(entries_left != 1)
        with m.If(take_entry):
            m.d.sync += [entries_left.eq(entries_left - 1), rows_left.eq(rows_left - newest.n)]

        # Of the header at hand, or of the next BLOCK without one.
        count, count_good = Signal.like(newest.n), Signal()
        taken, block_good = Signal(), Signal()
        m.d.comb += [
            count.eq(Mux(in_header, block.n, newest.n)),
            # All rows announced, no more, must have come with the last entry.
            count_good.eq((count == rows_left) | ((count < rows_left) & more_entries)),
        ]
        m.d.comb += block_good.eq(
            (block.kind == ItemKind.BLOCK)
            & Cat(block.format == known for known in BlockFormat).any()
            & (block.n <= self.config.group) & count_good
            & ((block.more == 0) | ((block.format == BlockFormat.DENSE) & (block.n != 0)
                                    & (block.more < entries_left))))
        parameters_good = (parameters.kind == ItemKind.PARAMETERS) & (parameters.entries != 0)

        with m.FSM(name="parser"):
            with m.State("HEADER"):
                m.d.comb += in_header.eq(1)
                m.d.sync += [
                    seen.eq(head_whole & self.beats.valid & ~taken & ~failed
                            & (vacant | (entries_left == 0))),
                    is_block.eq(entries_left != 0),
                    good.eq(Mux(entries_left != 0, block_good, parameters_good)),
                    row.eq(0), last.eq(block.n == 1),
                    block_format.eq(block.format), step.eq(block.step),
                    more.eq(block.more), runs.eq(block.more != 0),
                ]
                with m.If(vacant):
                    m.d.sync += [newest[name].eq(block[name])
                                 for name in ("n", "dy", "dx", "offset")]
                with m.If(~head_whole):
                    m.d.comb += [self.beats.ready.eq(~failed), save_head.eq(1)]
                with m.Elif(seen & ~good):
                    m.d.sync += failed.eq(1)
                with m.Elif(seen & is_block):
                    m.d.comb += [taken.eq(self.entries.ready), take_entry.eq(taken),
                                 self.beats.ready.eq(taken)]
                    with m.If(taken & (newest.n != 0)):
                        m.next = "ROWS"
                with m.Elif(seen):
                    m.d.comb += [taken.eq(self.blocks.ready), self.beats.ready.eq(taken)]
                    with m.If(taken):
                        m.d.sync += [
                            entries_left.eq(parameters.entries),
                            rows_left.eq(parameters.rows),
                            beats_left.eq(layout.PARAMETER_BEATS - 1),
                        ]
                        m.next = "PARAMETERS"
            with m.State("PARAMETERS"):
                with m.If(self._pass(m, self.parameters, 1)):
                    m.d.sync += beats_left.eq(beats_left - 1)
                    with m.If(beats_left == 0):
                        m.next = "HEADER"
            with m.State("ROWS"):
                with m.If(index_beat):
                    m.d.comb += [self.beats.ready.eq(1), take_index.eq(self.beats.valid)]
                with m.Else():
                    waits = Signal()
                    m.d.comb += waits.eq(last & runs & pending)
                    with m.If(self._pass(m, self.rows, ~waits)):
                        m.d.comb += take_row.eq(1)
                        m.d.sync += [row.eq(row + 1), last.eq(row + 2 == newest.n)]
                        with m.If(last & runs & count_good):
                            m.d.comb += take_entry.eq(1)
                            m.d.sync += [
                                pending.eq(1),
                                newest.offset.eq(newest.offset + step),
                                more.eq(more - 1), runs.eq(more != 1),
                                row.eq(0), last.eq(newest.n == 1),
                            ]
                        with m.Elif(last):
                            m.d.sync += failed.eq(runs)
                            m.next = "HEADER"
        with m.If(taken):
            m.d.sync += seen.eq(0)
        return m

    def _pass(self, m, port, good):
        """Hand the current beat to ``port`` if ``good``; returns whether it went."""
        m.d.comb += [port.valid.eq(self.beats.valid & good), self.beats.ready.eq(port.ready & good)]
        return self.beats.valid & port.ready & good

    def _header(self, m):
        """Headers may span beats: the header so far, whether it is whole, and "keep this beat"."""
        beats, save = layout.header_beats(self.config), Signal()
        earlier = Signal((beats - 1) * len(self.beats.payload), reset_less=True)
        count = Signal(range(beats))
        whole = Signal()
        m.d.comb += whole.eq(count == beats - 1)
        if beats > 1:
            with m.If(self.beats.valid & self.beats.ready):
                with m.If(save):
                    m.d.sync += [
                        earlier.eq(Cat(earlier, self.beats.payload)[len(self.beats.payload):]),
                        count.eq(count + 1),
                    ]
                with m.Else():
                    m.d.sync += count.eq(0)
        return Cat(earlier, self.beats.payload), whole, save

    def _indices(self, m, block_format, row, first):
        """Indices of the row at hand, and when a beat of them must come first.

        Returns
        -------
        index : Value
            Of all lanes.
        index_beat : Signal
            The beat at hand holds indices.
        in_header, take_row, take_index : Signal
            To be set while a header is at hand, when a row or a beat of indices is taken.
        """
        lanes, bits = self.config.lanes, self.config.index_bits
        per_beat = layout.index_rows_per_beat(self.config)
        size = lanes * bits
        waiting = Signal(per_beat * size, reset_less=True)  # indices of coming rows
        rows = Signal(range(per_beat + 1))  # how many rows
        index, index_beat, due = Signal(size), Signal(), Signal()  # due: rows == 0
        in_header, take_row, take_index = Signal(), Signal(), Signal()

        with m.Switch(block_format):
            with m.Case(BlockFormat.DENSE):
                m.d.comb += index.eq(row[:bits].replicate(lanes))
            with m.Case(BlockFormat.DIAGONAL):
                m.d.comb += index.eq(Cat(Const(lane, bits) for lane in range(lanes)))
            with m.Default():
                m.d.comb += [index.eq(waiting[:size]), index_beat.eq(due)]
        with m.If(in_header):
            m.d.sync += [waiting.eq(first), rows.eq(1), due.eq(0)]
        with m.Elif(take_index):
            m.d.sync += [waiting.eq(self.beats.payload), rows.eq(per_beat), due.eq(0)]
        with m.Elif(take_row):
            m.d.sync += [waiting.eq(waiting[size:]), rows.eq(rows - 1), due.eq(rows == 1)]
        return index, index_beat, in_header, take_row, take_index
