"""Rows and columns of the SDRAM's controller by themselves."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.interface import Geometry

__all__ = ["Pair"]


class Pair(wiring.Component):
    """Rows and columns, wired as in the controller.

    Parameters
    ----------
    geometry : Geometry
    cycles : SdramCycles
    most_beats : int
        Of a segment.
    rows, columns : callable
        Rows and Columns, or what stands for them.
    """

    def __init__(self, geometry: Geometry, cycles, *, most_beats: int, rows, columns):
        self.geometry, self.cycles = geometry, cycles
        self.rows = rows(geometry, cycles, most_beats=most_beats)
        self.columns = columns(geometry, cycles, most_beats=most_beats)
        super().__init__({"i": In(self.rows.i.signature.flip()), "closed": In(1), "quiet": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows, m.submodules.columns = rows, columns = self.rows, self.columns
        wiring.connect(m, wiring.flipped(self.i), rows.i)
        wiring.connect(m, rows.o, columns.i)
        for name in ("runs", "runs_bank", "column", "column_write"):
            m.d.comb += getattr(rows, name).eq(getattr(columns, name))
        m.d.comb += [rows.command.ready.eq(~columns.command.valid), rows.closed.eq(self.closed),
                     self.quiet.eq(rows.quiet)]
        return m
