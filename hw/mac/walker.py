"""Steps through the output pixels of a MAC instruction, tile by tile."""

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import MAC, ArrayMode, Opcode
from hw.interfaces import instruction_layout
from hw.mac.layouts import window_tile_layout

__all__ = ["Walker"]

_FIELDS = {field.name: field for field in MAC.fields}
_KEPT = ("array_mode", "out_width", "out_height", "in_base", "in_row_step", "stride_y", "stride_x",
         "pad_value")
# A position is at most the first one plus (pixels - 1) strides; another bit for distances.
_DISTANCE_BITS = 2 + max(
    (_FIELDS[first].range[1] + _FIELDS[count].range[1] * _FIELDS[stride].range[1]).bit_length()
    for first, count, stride in (("iy0", "out_height", "stride_y"),
                                 ("ix0", "out_width", "stride_x")))


class Walker(wiring.Component):
    """Windows of the output pixels, Q at a time, once per lane block.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of instruction_layout(Opcode.MAC))
    tile : Out(stream of window_tile_layout)
    busy : Out(1)
        It has an instruction of which a tile was not yet taken.

    Timing
    ------
    One pixel a cycle, Q cycles a tile, partial tiles too, over lane blocks; it steps on while a
    full tile is taken. An instruction is taken when the one before was walked.
    Q + 2 cycles from the instruction to its first tile.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(instruction_layout(Opcode.MAC))),
            "tile": Out(stream.Signature(window_tile_layout(config))),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        size = self.config.columns
        fields = data.StructLayout({
            name: signed(_FIELDS[name].bits) if _FIELDS[name].signed
            else unsigned(_FIELDS[name].bits) for name in _KEPT} | {
            # From the first position to the input's first row and column, and to its last.
            name: signed(_FIELDS[size].bits + 2) for name, size in (
                ("y_before", "in_height"), ("y_room", "in_height"),
                ("x_before", "in_width"), ("x_room", "in_width"))})
        job = Signal(fields, reset_less=True)  # out_width and out_height less one
        # It has an instruction; the first pixel of that is there.
        walking, stepping = Signal(), Signal()
        blocks_left = Signal(_FIELDS["blocks"].bits)  # after the present one
        place = Signal(range(size))  # of the pixel in its tile
        full, step, last_block = Signal(), Signal(), Signal()
        fresh, closing = Signal(), Signal()  # the pixel is a tile's first, its last
        ended, beyond = Signal(), Signal()  # the last pixel is this one or was before; only before
        restart = Signal()  # after this pixel comes the first one again
        m.d.comb += [
            step.eq(stepping & (~full | self.tile.ready)),
            fresh.eq(place == 0),
            closing.eq(place == size - 1),
            restart.eq(closing & ended),
            self.tile.valid.eq(full),
            self.busy.eq(walking | full),
            self.i.ready.eq(~walking),
        ]
        at = self._position(m, job, stepping, step, restart, ended, beyond)
        self._shift(m, job, at, step, fresh, beyond)
        with m.If(step):
            m.d.sync += [place.eq(Mux(closing, 0, place + 1)), full.eq(closing),
                         beyond.eq(ended & ~closing)]
            with m.If(restart):
                m.d.sync += [blocks_left.eq(blocks_left - 1), last_block.eq(blocks_left == 1)]
                with m.If(last_block):
                    m.d.sync += [walking.eq(0), stepping.eq(0)]
        with m.Elif(self.tile.ready):
            m.d.sync += full.eq(0)
        with m.If(~walking):
            m.d.sync += [job[name].eq(self.i.p[name]) for name in _KEPT]
            m.d.sync += [
                job.out_width.eq(self.i.p.out_width - 1),
                job.out_height.eq(self.i.p.out_height - 1),
                job.y_before.eq(-self.i.p.iy0), job.y_room.eq(self.i.p.in_height + ~self.i.p.iy0),
                job.x_before.eq(-self.i.p.ix0), job.x_room.eq(self.i.p.in_width + ~self.i.p.ix0),
                blocks_left.eq(self.i.p.blocks - 1), last_block.eq(self.i.p.blocks == 1),
                walking.eq(self.i.valid),
            ]
        with m.Elif(~stepping):
            m.d.sync += stepping.eq(1)
        return m

    def _position(self, m, job, stepping, step, restart, ended, beyond):
        """Registers of the present pixel: a struct of where its window is and what follows."""
        at = Signal(data.StructLayout({
            "base": unsigned(self.config.address_bits),
            "y_before": signed(_DISTANCE_BITS), "y_room": signed(_DISTANCE_BITS),
            "x_before": signed(_DISTANCE_BITS), "x_room": signed(_DISTANCE_BITS),
            "x_left": _FIELDS["out_width"].bits, "y_left": _FIELDS["out_height"].bits}),
            reset_less=True)
        row_end, last_row = Signal(), Signal()  # x_left == 0, y_left == 0
        m.d.comb += ended.eq(beyond | (row_end & last_row))
        with m.If(step):
            m.d.sync += [
                at.base.eq(at.base + Mux(row_end, job.in_row_step, job.stride_x)),
                at.x_before.eq(at.x_before - job.stride_x),
                at.x_room.eq(at.x_room - job.stride_x),
                at.x_left.eq(at.x_left - 1),
                row_end.eq(at.x_left == 1),
            ]
            with m.If(row_end):
                m.d.sync += [
                    at.y_before.eq(at.y_before - job.stride_y),
                    at.y_room.eq(at.y_room - job.stride_y),
                    at.y_left.eq(at.y_left - 1), last_row.eq(at.y_left == 1),
                    at.x_before.eq(job.x_before), at.x_room.eq(job.x_room),
                    at.x_left.eq(job.out_width), row_end.eq(job.out_width == 0),
                ]
        with m.If(~stepping | (step & restart)):
            m.d.sync += [
                at.base.eq(job.in_base), at.y_before.eq(job.y_before), at.y_room.eq(job.y_room),
                at.x_before.eq(job.x_before), at.x_room.eq(job.x_room),
                at.x_left.eq(job.out_width), at.y_left.eq(job.out_height),
                row_end.eq(job.out_width == 0), last_row.eq(job.out_height == 0),
            ]
        return at

    def _shift(self, m, job, at, step, fresh, beyond):
        """The tile's registers: a step shifts the present pixel in at the last column."""
        tile = Signal(window_tile_layout(self.config), reset_less=True)
        columns = [tile.columns[column] for column in range(self.config.columns)]
        rows = self._inside(at.y_before, at.y_room, len(columns[0].dy_last))
        across = self._inside(at.x_before, at.x_room, len(columns[0].dx_last))
        m.d.comb += self.tile.p.eq(tile)
        with m.If(step):
            m.d.sync += [now.eq(then) for now, then in pairwise(columns)]
            m.d.sync += [
                columns[-1].base.eq(at.base),
                columns[-1].dy_first.eq(rows[0]), columns[-1].dy_last.eq(rows[1]),
                columns[-1].dx_first.eq(across[0]), columns[-1].dx_last.eq(across[1]),
                columns[-1].present.eq(~beyond & rows[2] & across[2]),
                tile.count.eq(Mux(fresh, 0, tile.count) + ~beyond),
                tile.pad_value.eq(job.pad_value), tile.max.eq(job.array_mode == ArrayMode.MAX),
            ]

    def _inside(self, before, room, bits):
        """The first and last of the distances of ``bits`` inside the input, and if there are any.

        The input begins ``before`` this position, or after it if that is positive, and ends
        ``room`` behind it.
        """
        return (Mux(before < 0, 0, before[:bits]), room[:bits] | room[bits:].any().replicate(bits),
                (room >= 0) & ((before < 0) | ~before[bits:].any()))
