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
        "out_width", "out_height", "tag", "post")})


class AddressWalker(wiring.Component):
    """For each lane block, each tile, each column: the word address of its pixel.

    Pixels come in raster order. After the last one the remaining columns of the tiles repeat its
    address, not ``used``.

    Members
    -------
    i : In(stream of walk_layout)
    o : Out(stream of {addr, used, tag, post})
        ``tag`` and ``post`` are the walk's.
    block_end, last : In(1)
        Given with a transfer of ``o``: the column is the last one of its lane block, and also of
        its last lane block.

    Timing
    ------
    One address a cycle, without a gap between walks; the first in the cycle after the walk.
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(walk_layout())),
            "o": Out(stream.Signature(
                data.StructLayout({"addr": 16, "used": 1, "tag": 16, "post": 16}))),
            "block_end": In(1), "last": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        active, used = Signal(), Signal()
        addr, block_addr = Signal(16, reset_less=True), Signal(16, reset_less=True)
        walk = Signal(walk_layout(), reset_less=True)
        # Pixels left of the row and rows left; if one is left, and if one is all there are.
        x = Signal.like(walk.out_width, reset_less=True)
        y = Signal.like(walk.out_height, reset_less=True)
        row_end, last_row, one_pixel, one_row = Signal(), Signal(), Signal(), Signal()

        step, next_row = Signal(), Signal()
        start = self.i.p
        m.d.comb += [
            self.o.valid.eq(active),
            self.o.p.addr.eq(addr),
            self.o.p.used.eq(used),
            self.o.p.tag.eq(walk.tag),
            self.o.p.post.eq(walk.post),
            step.eq(active & self.o.ready),
            self.i.ready.eq(~active | (self.o.ready & self.last)),
            next_row.eq(used & row_end),
        ]
        next_block = Signal(16)
        m.d.comb += next_block.eq(block_addr + walk.block_step)
        with m.If(self.i.ready):
            m.d.sync += [
                active.eq(self.i.valid),
                walk.eq(start),
                addr.eq(start.base),
                block_addr.eq(start.base),
                x.eq(start.out_width),
                row_end.eq(start.out_width == 1),
                one_pixel.eq(start.out_width == 1),
                y.eq(start.out_height),
                last_row.eq(start.out_height == 1),
                one_row.eq(start.out_height == 1),
                used.eq(1),
            ]
        with m.Elif(step):
            with m.If(self.block_end):
                m.d.sync += [addr.eq(next_block), block_addr.eq(next_block), used.eq(1)]
            with m.Elif(used):
                with m.If(~(row_end & last_row)):
                    m.d.sync += addr.eq(addr + Mux(row_end, walk.row_step, 1))
                with m.Else():
                    m.d.sync += used.eq(0)
            # A row that begins when no pixel is left means nothing.
            begin = next_row | self.block_end
            m.d.sync += [
                x.eq(Mux(begin, walk.out_width, x - 1)),
                row_end.eq(Mux(begin, one_pixel, x == 2)),
            ]
            with m.If(begin):
                m.d.sync += [
                    y.eq(Mux(self.block_end, walk.out_height, y - 1)),
                    last_row.eq(Mux(self.block_end, one_row, y == 2)),
                ]
        return m
