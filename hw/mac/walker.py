"""Steps through the output pixels of a MAC instruction, tile by tile."""

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
    One pixel a cycle, Q cycles a tile, partial tiles too; it steps on while a full tile is taken.
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
        full, step, take = Signal(), Signal(), Signal()
        fresh, closing = Signal(), Signal()  # the pixel is a tile's first, its last
        ended, beyond = Signal(), Signal()  # the last pixel is this one or was before; only before
        m.d.comb += [
            full.eq(filled == size),
            step.eq(stepping & (~full | self.tile.ready)),
            fresh.eq(full | (filled == 0)),
            closing.eq(Mux(full, size == 1, filled == size - 1)),
            self.tile.valid.eq(full),
            self.busy.eq(stepping | full),
            self.i.ready.eq(~stepping & (~full | self.tile.ready)),
            take.eq(self.i.valid & self.i.ready),
        ]
        with m.If(step):
            m.d.sync += filled.eq(Mux(full, 1, filled + 1))
        with m.Elif(full & self.tile.ready):
            m.d.sync += filled.eq(0)

        self._position(m, job, take, step, fresh, closing & ended, ended, beyond)
        with m.If(step):
            m.d.sync += beyond.eq(ended & ~closing)
            with m.If(closing & ended):
                m.d.sync += [blocks_left.eq(blocks_left - 1), stepping.eq(blocks_left != 0)]
        with m.If(take):
            m.d.sync += [stepping.eq(1), blocks_left.eq(self.i.p.blocks - 1)]
            m.d.sync += [job[name].eq(self.i.p[name]) for name in _KEPT]
        m.d.comb += [
            self.tile.p.in_height.eq(job.in_height),
            self.tile.p.in_width.eq(job.in_width),
            self.tile.p.pad_value.eq(job.pad_value),
            self.tile.p.max.eq(job.array_mode == ArrayMode.MAX),
        ]
        return m

    def _position(self, m, job, take, step, fresh, restart, ended, beyond):
        """Registers of the present pixel, shifted into the tile's last column at each step."""
        base = Signal(self.config.address_bits, reset_less=True)
        iy = Signal(signed(_POSITION_BITS), reset_less=True)
        ix = Signal(signed(_POSITION_BITS), reset_less=True)
        x_left = Signal(_FIELDS["out_width"].bits, reset_less=True)
        y_left = Signal(_FIELDS["out_height"].bits, reset_less=True)
        row_end = Signal()
        m.d.comb += [row_end.eq(x_left == 0), ended.eq(beyond | (row_end & (y_left == 0)))]
        for condition, source in ((take, self.i.p), (step & restart, job)):
            with m.If(condition):
                m.d.sync += [
                    base.eq(source.in_base), iy.eq(source.iy0), ix.eq(source.ix0),
                    x_left.eq(source.out_width - 1), y_left.eq(source.out_height - 1),
                ]
        with m.If(step & ~restart):
            with m.If(row_end):
                m.d.sync += [
                    base.eq(base + job.in_row_step), iy.eq(iy + job.stride_y), ix.eq(job.ix0),
                    x_left.eq(job.out_width - 1), y_left.eq(y_left - 1),
                ]
            with m.Else():
                m.d.sync += [
                    base.eq(base + job.stride_x), ix.eq(ix + job.stride_x), x_left.eq(x_left - 1),
                ]

        tile = Signal.like(self.tile.p, reset_less=True)
        m.d.comb += [self.tile.p.columns.eq(tile.columns), self.tile.p.count.eq(tile.count)]
        with m.If(step):
            for column in range(self.config.columns - 1):
                m.d.sync += tile.columns[column].eq(tile.columns[column + 1])
            window = tile.columns[self.config.columns - 1]
            m.d.sync += [
                window.base.eq(base), window.iy.eq(iy), window.ix.eq(ix),
                # Positions that the narrower registers can't hold lie beyond any input.
                window.present.eq(~beyond & (iy <= _FIELDS["iy0"].range[1])
                                  & (ix <= _FIELDS["ix0"].range[1])),
                tile.count.eq(Mux(fresh, 0, tile.count) + ~beyond),
            ]
