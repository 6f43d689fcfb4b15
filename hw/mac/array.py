"""The array: Q columns that hand tokens on."""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.mac.column import Column, sums_layout
from hw.mac.fetch import word_write
from hw.mac.layouts import token_layout

__all__ = ["Array"]


class Array(wiring.Component):
    """L x Q multiply-accumulators; column q does what column 0 did q cycles before.

    The last ``config.lut_columns`` columns have multipliers from LUTs.

    Parameters
    ----------
    config : Config

    Members
    -------
    token : In(token_layout)
    write : In(word_write)
    sums : Out(array of sums_layout)
    loaded : Out(1)
        Those of column 0 are new (see Column).
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "token": In(token_layout(config)),
            "write": In(word_write(config)),
            "sums": Out(data.ArrayLayout(sums_layout(config), config.columns)),
            "loaded": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        token = self.token
        for q in range(self.config.columns):
            lut = q >= self.config.columns - self.config.lut_columns
            m.submodules[f"column_{q}"] = column = Column(self.config, lut=lut)
            m.d.comb += [
                column.i.eq(token), column.en.eq(self.write.en[q]),
                column.slot.eq(self.write.slot), column.word.word.eq(self.write.words[q]),
                column.word.padded.eq(self.write.padded[q]), column.word.pad.eq(self.write.pad),
                column.word.inverted.eq(self.write.inverted),
                self.sums[q].eq(column.sums),
            ]
            token = column.o
            if q == 0:
                m.d.comb += self.loaded.eq(column.loaded)
        return m
