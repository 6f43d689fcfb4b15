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
    One beat a cycle, passed on LATENCY cycles after it was taken: it waits in a register, and
    what would be wrong with it as a header is known when it gets there. Waits only where the
    item's output is not ready, and for a cycle after a BLOCK of no rows. The entry of a BLOCK
    without a header comes from the cycle before its first row on until it is taken; its last row
    waits for that if there are more. After an error nothing is taken.
    """

    LATENCY = 1

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
        pending = Signal()
        newest = Signal(self.entries.payload.shape(), reset_less=True)
        step = Signal.like(newest.offset, reset_less=True)
        # The beat at hand, whether it is taken, and what it is if it ends a header.
        present, taken = Signal(), Signal()
        is_block, good, rowless = Signal(), Signal(), Signal()
        failed, comes = Signal(), Signal()
        in_header = Signal()
        beat, head, coming, head_whole = self._header(m, comes, taken & in_header)
        index, index_beat, take_row, take_index = self._indices(
            m, block_format, row, in_header, beat, head[layout.HEADER_BITS:])

        block, next_block = (
            data.View(record_layout(layout.BLOCK_HEADER), word[:layout.HEADER_BITS])
            for word in (head, coming))
        parameters, next_parameters = (
            data.View(record_layout(layout.PARAMETER_HEADER), word[:layout.HEADER_BITS])
            for word in (head, coming))
        m.d.comb += [
            # What follows a block of no rows is looked at when that was counted.
            self.beats.ready.eq(
                ~failed & (~present | (taken & ~(in_header & head_whole & rowless)))),
            comes.eq(self.beats.valid & self.beats.ready),
            self.error.valid.eq(failed),
            self.error.cause.eq(Cause.WEIGHT_STREAM),
            self.parameters.payload.eq(beat),
            self.rows.p.value.eq(beat),
            self.rows.p.index.eq(index),
            self.blocks.p.entries.eq(parameters.entries),
            self.blocks.p.rows.eq(parameters.rows),
            self.entries.payload.eq(newest),
            self.entries.valid.eq(pending),
        ]
        with m.If(~pending):
            m.d.comb += [self.entries.p[name].eq(block[name])
                         for name in ("n", "dy", "dx", "offset")]
        with m.If(self.entries.ready):
            m.d.sync += pending.eq(0)
        with m.If(comes | taken):
            m.d.sync += present.eq(comes)

        more_entries, take_entry, count = Signal(), Signal(), Signal.like(newest.n)
        m.d.comb += [more_entries.eq(entries_left != 1),
                     count.eq(Mux(in_header, block.n, newest.n))]
        with m.If(take_entry):
            m.d.sync += [entries_left.eq(entries_left - 1), rows_left.eq(rows_left - count)]

        def fits(n):
            """All rows announced, no more, must have come with the last entry."""
            return (n == rows_left) | ((n < rows_left) & more_entries)

        block_good = (
            (next_block.kind == ItemKind.BLOCK)
            & Cat(next_block.format == known for known in BlockFormat).any()
            & (next_block.n <= self.config.group) & fits(next_block.n)
            & ((next_block.more == 0)
               | ((next_block.format == BlockFormat.DENSE) & (next_block.n != 0)
                  & (next_block.more < entries_left))))
        parameters_good = ((next_parameters.kind == ItemKind.PARAMETERS)
                           & (next_parameters.entries != 0))
        with m.If(comes):
            m.d.sync += [
                is_block.eq(entries_left != 0),
                good.eq(Mux(entries_left != 0, block_good, parameters_good)),
                rowless.eq((entries_left != 0) & (next_block.n == 0)),
            ]

        with m.FSM(name="parser"):
            with m.State("HEADER"):
                m.d.comb += in_header.eq(1)
                m.d.sync += [
                    row.eq(0), last.eq(block.n == 1),
                    block_format.eq(block.format), step.eq(block.step),
                    more.eq(block.more), runs.eq(block.more != 0),
                ]
                with m.If(~head_whole):
                    m.d.comb += taken.eq(present)
                with m.Elif(~good):
                    m.d.sync += failed.eq(present)
                with m.Elif(is_block):
                    m.d.comb += taken.eq(present & ~pending & self.entries.ready)
                    with m.If(~pending):
                        m.d.comb += self.entries.valid.eq(present)
                    with m.If(taken):
                        m.d.comb += take_entry.eq(1)
                        m.d.sync += [newest[name].eq(block[name])
                                     for name in ("n", "dy", "dx", "offset")]
                        with m.If(~rowless):
                            m.next = "ROWS"
                with m.Else():
                    m.d.comb += [self.blocks.valid.eq(present),
                                 taken.eq(present & self.blocks.ready)]
                    with m.If(taken):
                        m.d.sync += [
                            entries_left.eq(parameters.entries),
                            rows_left.eq(parameters.rows),
                            beats_left.eq(layout.PARAMETER_BEATS - 1),
                        ]
                        m.next = "PARAMETERS"
            with m.State("PARAMETERS"):
                m.d.comb += [self.parameters.valid.eq(present),
                             taken.eq(present & self.parameters.ready)]
                with m.If(taken):
                    m.d.sync += beats_left.eq(beats_left - 1)
                    with m.If(beats_left == 0):
                        m.next = "HEADER"
            with m.State("ROWS"):
                with m.If(index_beat):
                    m.d.comb += [taken.eq(present), take_index.eq(present)]
                with m.Else():
                    waits = Signal()
                    m.d.comb += [
                        waits.eq(last & runs & pending),
                        self.rows.valid.eq(present & ~waits),
                        taken.eq(self.rows.valid & self.rows.ready),
                        take_row.eq(taken),
                    ]
                    with m.If(taken):
                        m.d.sync += [row.eq(row + 1), last.eq(row + 2 == newest.n)]
                        with m.If(last & runs & fits(newest.n)):
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
        return m

    def _header(self, m, comes, counts):
        """Beats come into a register, those of a header behind each other.

        Parameters
        ----------
        comes, counts : Value
            A beat comes; one of a header is taken.

        Returns
        -------
        beat : Signal
            The one at hand.
        head, coming : Value
            The header that ends with it, or with the beat that comes.
        whole : Signal
            The one at hand ends a header, if it is of one.
        """
        beats, bits = layout.header_beats(self.config), len(self.beats.payload)
        held = Signal(beats * bits, reset_less=True)
        count = Signal(range(beats))  # taken of this header
        whole = count == beats - 1
        coming = Cat(held, self.beats.payload)[bits:]
        with m.If(comes):
            m.d.sync += held.eq(coming)
        if beats > 1:
            with m.If(counts):
                m.d.sync += count.eq(Mux(whole, 0, count + 1))
        return held[-bits:], held, coming, whole

    def _indices(self, m, block_format, row, in_header, beat, first):
        """Indices of the row at hand, and when a beat of them must come first.

        Returns
        -------
        index : Value
            Of all lanes.
        index_beat : Signal
            The beat at hand holds indices.
        take_row, take_index : Signal
            To be set when a row or a beat of indices is taken.
        """
        lanes, bits = self.config.lanes, self.config.index_bits
        per_beat = layout.index_rows_per_beat(self.config)
        size = lanes * bits
        waiting = Signal(per_beat * size, reset_less=True)  # indices of coming rows
        rows = Signal(range(per_beat + 1))  # how many rows
        index, index_beat, due = Signal(size), Signal(), Signal()  # due: rows == 0
        take_row, take_index = Signal(), Signal()

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
            m.d.sync += [waiting.eq(beat), rows.eq(per_beat), due.eq(0)]
        with m.Elif(take_row):
            m.d.sync += [waiting.eq(waiting[size:]), rows.eq(rows - 1), due.eq(rows == 1)]
        return index, index_beat, take_row, take_index
