"""Counts the columns of a command's tiles."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.interfaces import post_command_layout

__all__ = ["TileCounter", "counts_layout"]


def counts_layout():
    """StructLayout of how many lane blocks a command has, and tiles each of them."""
    command = post_command_layout()
    return data.StructLayout({name: command[name].shape for name in ("tiles", "blocks")})


class TileCounter(wiring.Component):
    """For each lane block, each tile, each column: whether it ends them.

    Parameters
    ----------
    columns : int
        Q.

    Members
    -------
    load : In(1)
        In the next cycle the column at hand is the first of ``counts``.
    counts : In(counts_layout)
    step : In(1)
        In the next cycle the column at hand is the following one.
    tile_end, block_end, last : Out(1)
        The column at hand is the last of its tile, of its lane block, of the last lane block.

    Timing
    ------
    At most a LUT behind registers: what is counted are columns, tiles and blocks left, and whether
    one is left is known one step ahead.
    """

    def __init__(self, *, columns):
        self.columns = columns
        super().__init__({
            "load": In(1), "counts": In(counts_layout()), "step": In(1),
            "tile_end": Out(1), "block_end": Out(1), "last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        column = Signal(range(self.columns), reset_less=True)
        tile = Signal.like(self.counts.tiles, reset_less=True)
        block = Signal.like(self.counts.blocks, reset_less=True)
        tiles = Signal.like(self.counts.tiles, reset_less=True)
        last_tile, last_block, one_tile = Signal(), Signal(), Signal()
        if self.columns == 1:
            m.d.comb += self.tile_end.eq(1)
        else:
            with m.If(self.step | self.load):
                m.d.sync += self.tile_end.eq(~self.load & (column == 1))
        m.d.comb += [
            self.block_end.eq(self.tile_end & last_tile),
            self.last.eq(self.block_end & last_block),
        ]
        with m.If(self.load):
            m.d.sync += column.eq(self.columns - 1)
        with m.Elif(self.step):
            m.d.sync += column.eq(Mux(self.tile_end, self.columns - 1, column - 1))
        with m.If(self.load):
            m.d.sync += [
                tile.eq(self.counts.tiles),
                tiles.eq(self.counts.tiles),
                block.eq(self.counts.blocks),
                last_tile.eq(self.counts.tiles == 1),
                one_tile.eq(self.counts.tiles == 1),
                last_block.eq(self.counts.blocks == 1),
            ]
        with m.Elif(self.step & self.tile_end):
            m.d.sync += [
                tile.eq(Mux(last_tile, tiles, tile - 1)),
                last_tile.eq(Mux(last_tile, one_tile, tile == 2)),
            ]
            with m.If(last_tile):
                m.d.sync += [block.eq(block - 1), last_block.eq(block == 2)]
        return m
