"""Takes the weight stream of golden.spec.layout apart."""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
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
    One beat a cycle, passed on in the same cycle; waits only where the item's output is not
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
        block_format = Signal(2)
        # Of a run of BLOCKs: how many are to come, and the entry of the newest one, which is
        # handed over beside the rows.
        more, pending = Signal(layout.BLOCK_HEADER.field("more").bits), Signal()
        newest = Signal(self.entries.payload.shape(), reset_less=True)
        step = Signal.like(newest.offset, reset_less=True)
        head, head_whole, save_head = self._header(m)
        index, index_beat, take_row, take_index, take_header = self._indices(
            m, block_format, row, head[layout.HEADER_BITS:])

        failed = Signal()
        m.d.comb += [
            self.error.valid.eq(failed),
            self.error.cause.eq(Cause.WEIGHT_STREAM),
            self.parameters.payload.eq(self.beats.payload),
            self.rows.p.value.eq(self.beats.payload),
            self.rows.p.index.eq(index),
        ]
        fields = head[:layout.HEADER_BITS]
        parameters = data.View(record_layout(layout.PARAMETER_HEADER), fields)
        block = data.View(record_layout(layout.BLOCK_HEADER), fields)
        m.d.comb += [
            self.blocks.p.entries.eq(parameters.entries),
            self.blocks.p.rows.eq(parameters.rows),
            self.entries.p.n.eq(block.n),
            self.entries.p.dy.eq(block.dy),
            self.entries.p.dx.eq(block.dx),
            self.entries.p.offset.eq(block.offset),
        ]
        with m.If(pending):
            m.d.comb += [self.entries.payload.eq(newest), self.entries.valid.eq(1)]
            with m.If(self.entries.ready):
                m.d.sync += pending.eq(0)

        count, count_good, take_entry = Signal.like(block.n), Signal(), Signal()
        block_good = Signal()
        m.d.comb += [
            # All rows announced, no more, must have come with the last entry.
            count_good.eq((count == rows_left) | ((count < rows_left) & (entries_left != 1))),
            block_good.eq(
                (block.kind == ItemKind.BLOCK)
                & Cat(block.format == known for known in BlockFormat).any()
                & (block.n <= self.config.group) & count_good
                & ((block.more == 0) | ((block.format == BlockFormat.DENSE) & (block.n != 0)
                                        & (block.more < entries_left)))),
        ]
        with m.If(take_entry):
            m.d.sync += [entries_left.eq(entries_left - 1), rows_left.eq(rows_left - count)]

        with m.FSM(name="parser"):
            with m.State("HEADER"):
                with m.If(~head_whole):
                    m.d.comb += [self.beats.ready.eq(~failed), save_head.eq(1)]
                with m.Elif(entries_left == 0):
                    good = (parameters.kind == ItemKind.PARAMETERS) & (parameters.entries != 0)
                    with m.If(self._pass(m, self.blocks, ~failed & good)):
                        m.d.sync += [
                            entries_left.eq(parameters.entries),
                            rows_left.eq(parameters.rows),
                            beats_left.eq(layout.PARAMETER_BEATS - 1),
                        ]
                        m.next = "PARAMETERS"
                    with m.If(self.beats.valid & ~good):
                        m.d.sync += failed.eq(1)
                with m.Elif(~pending):
                    m.d.comb += count.eq(block.n)
                    with m.If(self._pass(m, self.entries, ~failed & block_good)):
                        m.d.comb += [take_header.eq(1), take_entry.eq(1)]
                        m.d.sync += [
                            block_format.eq(block.format),
                            newest.eq(self.entries.payload),
                            more.eq(block.more),
                            step.eq(block.step),
                            row.eq(0),
                        ]
                        with m.If(block.n != 0):
                            m.next = "ROWS"
                    with m.If(self.beats.valid & ~block_good):
                        m.d.sync += failed.eq(1)
            with m.State("PARAMETERS"):
                with m.If(self._pass(m, self.parameters, 1)):
                    m.d.sync += beats_left.eq(beats_left - 1)
                    with m.If(beats_left == 0):
                        m.next = "HEADER"
            with m.State("ROWS"):
                with m.If(index_beat):
                    m.d.comb += [self.beats.ready.eq(1), take_index.eq(self.beats.valid)]
                with m.Else():
                    last, waits = Signal(), Signal()
                    m.d.comb += [
                        count.eq(newest.n),
                        last.eq(row == newest.n - 1),
                        waits.eq(last & (more != 0) & pending),
                    ]
                    with m.If(self._pass(m, self.rows, ~waits)):
                        m.d.comb += take_row.eq(1)
                        m.d.sync += row.eq(row + 1)
                        with m.If(last & (more != 0) & count_good):
                            m.d.comb += take_entry.eq(1)
                            m.d.sync += [
                                pending.eq(1),
                                newest.offset.eq(newest.offset + step),
                                more.eq(more - 1),
                                row.eq(0),
                            ]
                        with m.Elif(last):
                            m.d.sync += failed.eq(more != 0)
                            m.next = "HEADER"
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

    def _indices(self, m, block_format, row, in_header):
        """Indices of the row at hand, and when a beat of them must come first.

        Returns
        -------
        index : Value
            Of all lanes.
        index_beat : Signal
            The beat at hand holds indices.
        take_row, take_index, take_header : Signal
            To be set when a row, a beat of indices or a header is taken.
        """
        lanes, bits = self.config.lanes, self.config.index_bits
        per_beat = layout.index_rows_per_beat(self.config)
        size = lanes * bits
        waiting = Signal(per_beat * size, reset_less=True)  # indices of coming rows
        rows = Signal(range(per_beat + 1))  # how many rows
        index, index_beat = Signal(size), Signal()
        take_row, take_index, take_header = Signal(), Signal(), Signal()

        with m.Switch(block_format):
            with m.Case(BlockFormat.DENSE):
                m.d.comb += index.eq(row[:bits].replicate(lanes))
            with m.Case(BlockFormat.DIAGONAL):
                m.d.comb += index.eq(Cat(Const(lane, bits) for lane in range(lanes)))
            with m.Default():
                m.d.comb += [index.eq(waiting[:size]), index_beat.eq(rows == 0)]
        with m.If(take_header):
            m.d.sync += [waiting.eq(in_header), rows.eq(1)]
        with m.Elif(take_index):
            m.d.sync += [waiting.eq(self.beats.payload), rows.eq(per_beat)]
        with m.Elif(take_row):
            m.d.sync += [waiting.eq(waiting[size:]), rows.eq(rows - 1)]
        return index, index_beat, take_row, take_index, take_header
