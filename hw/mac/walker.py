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
_KEPT = ("array_mode", "out_width", "out_height", "in_base", "in_row_step", "iy0", "ix0",
         "stride_y", "stride_x", "in_height", "in_width", "pad_value")
# A position is at most the first one plus (pixels - 1) strides.
_POSITION_BITS = 1 + max(
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
    One pixel a cycle, Q cycles a tile, partial tiles too, over lane blocks and instructions; it
    steps on while a full tile is taken.
    Q + 1 cycles from the instruction to its first tile.
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
            else unsigned(_FIELDS[name].bits) for name in _KEPT})
        job = Signal(fields, reset_less=True)
        stepping = Signal()
        blocks_left = Signal(_FIELDS["blocks"].bits)  # after the present one
        filled = Signal(range(size + 1))  # windows in the tile
        full, step, finish, take = Signal(), Signal(), Signal(), Signal()
        fresh, closing = Signal(), Signal()  # the pixel is a tile's first, its last
        ended, beyond = Signal(), Signal()  # the last pixel is this one or was before; only before
        m.d.comb += [
            full.eq(filled == size),
            step.eq(stepping & (~full | self.tile.ready)),
            fresh.eq(full | (filled == 0)),
            closing.eq(Mux(full, size == 1, filled == size - 1)),
            self.tile.valid.eq(full),
            self.busy.eq(stepping | full),
            finish.eq(step & closing & ended & (blocks_left == 0)),
            self.i.ready.eq(~stepping | finish),
            take.eq(self.i.valid & self.i.ready),
        ]
        with m.If(step):
            m.d.sync += filled.eq(Mux(full, 1, filled + 1))
        with m.Elif(full & self.tile.ready):
            m.d.sync += filled.eq(0)

        at = self._position(m, job, take, step, closing & ended, ended, beyond)
        self._shift(m, job, at, step, fresh, beyond)
        with m.If(step):
            m.d.sync += beyond.eq(ended & ~closing)
            with m.If(closing & ended):
                m.d.sync += blocks_left.eq(blocks_left - 1)
        with m.If(finish):
            m.d.sync += stepping.eq(0)
        with m.If(take):
            m.d.sync += [stepping.eq(1), blocks_left.eq(self.i.p.blocks - 1)]
            m.d.sync += [job[name].eq(self.i.p[name]) for name in _KEPT]
        return m

    def _position(self, m, job, take, step, restart, ended, beyond):
        """Registers of the present pixel: a struct of where its window is and what follows."""
        at = Signal(data.StructLayout({
            "base": unsigned(self.config.address_bits), "iy": signed(_POSITION_BITS),
            "ix": signed(_POSITION_BITS), "x_left": _FIELDS["out_width"].bits,
            "y_left": _FIELDS["out_height"].bits}), reset_less=True)
        row_end = Signal()
        m.d.comb += [row_end.eq(at.x_left == 0), ended.eq(beyond | (row_end & (at.y_left == 0)))]
        with m.If(step):
            m.d.sync += [
                at.base.eq(at.base + Mux(row_end, job.in_row_step, job.stride_x)),
                at.ix.eq(at.ix + job.stride_x), at.x_left.eq(at.x_left - 1),
            ]
            with m.If(row_end):
                m.d.sync += [
                    at.iy.eq(at.iy + job.stride_y), at.y_left.eq(at.y_left - 1),
                    at.ix.eq(job.ix0), at.x_left.eq(job.out_width - 1),
                ]
        begin = {name: Mux(take, self.i.p[name], job[name])
                 for name in ("in_base", "iy0", "ix0", "out_width", "out_height")}
        with m.If(take | (step & restart)):
            m.d.sync += [
                at.base.eq(begin["in_base"]), at.iy.eq(begin["iy0"]), at.ix.eq(begin["ix0"]),
                at.x_left.eq(begin["out_width"] - 1), at.y_left.eq(begin["out_height"] - 1),
            ]
        return at

    def _shift(self, m, job, at, step, fresh, beyond):
        """The tile's registers: a step shifts the present pixel in at the last column."""
        tile = Signal(window_tile_layout(self.config), reset_less=True)
        columns = [tile.columns[column] for column in range(self.config.columns)]
        m.d.comb += self.tile.p.eq(tile)
        with m.If(step):
            m.d.sync += [now.eq(then) for now, then in pairwise(columns)]
            m.d.sync += [
                columns[-1].base.eq(at.base), columns[-1].iy.eq(at.iy), columns[-1].ix.eq(at.ix),
                # Positions that the narrower registers can't hold lie beyond any input.
                columns[-1].present.eq(~beyond & (at.iy <= _FIELDS["iy0"].range[1])
                                       & (at.ix <= _FIELDS["ix0"].range[1])),
                tile.count.eq(Mux(fresh, 0, tile.count) + ~beyond),
                tile.in_height.eq(job.in_height), tile.in_width.eq(job.in_width),
                tile.pad_value.eq(job.pad_value), tile.max.eq(job.array_mode == ArrayMode.MAX),
            ]
