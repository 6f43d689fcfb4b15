"""Word addresses of a MAC instruction's output pixels, tile by tile."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.interfaces import post_command_layout

__all__ = ["AddressWalker", "walk_layout"]


def walk_layout():
    """StructLayout of what an AddressWalker walks.

    ``base``, ``row_step`` and ``block_step`` are the command's for the outputs or residuals, the
    other fields are named as there.
    """
    command = post_command_layout()
    steps = {name: command[f"out_{name}"].shape for name in ("base", "row_step", "block_step")}
    return data.StructLayout(steps | {name: command[name].shape for name in (
        "out_width", "out_height", "tiles", "blocks", "tag", "post")})


class AddressWalker(wiring.Component):
    """For each lane block, each tile, each column: the word address of its pixel.

    Pixels come in raster order. After the last one the remaining columns of the tiles repeat its
    address, not ``used``.

    Parameters
    ----------
    columns : int
        Q.

    Members
    -------
    i : In(stream of walk_layout)
    o : Out(stream of {addr, used, last, tag, post})
        ``last`` marks the last column of the last tile of the last lane block; ``tag`` and
        ``post`` are the walk's.

    Timing
    ------
    One address a cycle, without a gap between walks; the first in the cycle after the walk.
    """

    def __init__(self, *, columns):
        self.columns = columns
        super().__init__({
            "i": In(stream.Signature(walk_layout())),
            "o": Out(stream.Signature(
                data.StructLayout({"addr": 16, "used": 1, "last": 1, "tag": 16, "post": 16}))),
        })

    def elaborate(self, platform):
        m = Module()
        active, used = Signal(), Signal()
        addr, block_addr = Signal(16), Signal(16)
        walk = Signal(walk_layout(), reset_less=True)
        column = Signal(range(self.columns))  # these five count down to 0
        x = Signal.like(walk.out_width)
        y = Signal.like(walk.out_height)
        tile = Signal.like(walk.tiles)
        block = Signal.like(walk.blocks)

        step, tile_end, block_end, done = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            tile_end.eq(column == 0),
            block_end.eq(tile_end & (tile == 0)),
            self.o.valid.eq(active),
            self.o.p.addr.eq(addr),
            self.o.p.used.eq(used),
            self.o.p.last.eq(block_end & (block == 0)),
            self.o.p.tag.eq(walk.tag),
            self.o.p.post.eq(walk.post),
            step.eq(active & self.o.ready),
            done.eq(step & self.o.p.last),
            self.i.ready.eq(~active | done),
        ]
        next_block = Signal(16)
        m.d.comb += next_block.eq(block_addr + walk.block_step)
        with m.If(step):
            m.d.sync += column.eq(Mux(tile_end, self.columns - 1, column - 1))
            with m.If(tile_end):
                m.d.sync += tile.eq(tile - 1)
            with m.If(used):
                m.d.sync += x.eq(x - 1)
                with m.If(x != 0):
                    m.d.sync += addr.eq(addr + 1)
                with m.Elif(y != 0):
                    m.d.sync += [
                        addr.eq(addr + walk.row_step),
                        x.eq(walk.out_width - 1),
                        y.eq(y - 1),
                    ]
                with m.Else():
                    m.d.sync += used.eq(0)
            with m.If(block_end):
                m.d.sync += [
                    block.eq(block - 1),
                    addr.eq(next_block),
                    block_addr.eq(next_block),
                    tile.eq(walk.tiles - 1),
                    x.eq(walk.out_width - 1),
                    y.eq(walk.out_height - 1),
                    used.eq(1),
                ]
        with m.If(self.i.ready):
            start = self.i.p
            m.d.sync += [
                active.eq(self.i.valid),
                walk.eq(start),
                addr.eq(start.base),
                block_addr.eq(start.base),
                column.eq(self.columns - 1),
                x.eq(start.out_width - 1),
                y.eq(start.out_height - 1),
                tile.eq(start.tiles - 1),
                block.eq(start.blocks - 1),
                used.eq(1),
            ]
        return m
