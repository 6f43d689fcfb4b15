"""Bias and requantization parameters of the lane block at hand and of the next one."""

from amaranth.hdl import Cat, Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import layout
from golden.spec.numerics import ROUND_ONCE
from hw.interfaces import record_layout

__all__ = ["Parameters", "lane_parameters"]


def lane_parameters():
    """StructLayout of what one lane's requantization needs."""
    return data.StructLayout({"bias": signed(32), "multiplier": 31, "pre": 5,
                              "post": range(2 * ROUND_ONCE)})


class Parameters(wiring.Component):
    """Two sets of parameters, filled beat by beat.

    Parameters
    ----------
    config : Config

    Members
    -------
    beats : In(stream of 8 M bits)
        PARAMETER_BEATS per lane block, as in the weight stream.
    valid : Out(1)
        There is a set.
    drop : In(1)
        The set at hand has done its work; the next one, if whole, is there in the next cycle.
    part : In(range(L // D))
        Which D lanes are asked for.
    lanes : Out(array of D lane_parameters)
        Of lanes part * D onwards, in the same cycle.

    Timing
    ------
    A set takes PARAMETER_BEATS + 1 cycles at least.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "beats": In(stream.Signature(unsigned(8 * config.group))),
            "valid": Out(1),
            "drop": In(1),
            "part": In(range(config.lanes // config.drain)),
            "lanes": Out(data.ArrayLayout(lane_parameters(), config.drain)),
        })

    def elaborate(self, platform):
        m = Module()
        beats, bits = layout.PARAMETER_BEATS, len(self.beats.payload)
        coming = Signal(beats * bits, reset_less=True)
        present = Signal(beats * bits, reset_less=True)
        count = Signal(range(beats + 1))

        move = Signal()
        m.d.comb += [
            self.beats.ready.eq(count != beats),
            move.eq((count == beats) & (~self.valid | self.drop)),
        ]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += [coming.eq(Cat(coming, self.beats.payload)[bits:]), count.eq(count + 1)]
        with m.If(move):
            m.d.sync += [present.eq(coming), self.valid.eq(1), count.eq(0)]
        with m.Elif(self.drop):
            m.d.sync += self.valid.eq(0)

        lanes, drain = self.config.lanes, self.config.drain
        records = record_layout(layout.PARAMETER_LANE), record_layout(layout.SHIFT_LANE)
        first = data.View(data.ArrayLayout(records[0], lanes), present[:lanes * records[0].size])
        second = data.View(data.ArrayLayout(records[1], lanes), present[lanes * records[0].size:])
        source = {"bias": first, "multiplier": first, "pre": second, "post": second}
        for column in range(drain):
            values = [Cat(source[name][lane][name][:field.width]
                          for name, field in lane_parameters())
                      for lane in range(column, lanes, drain)]
            asked = self.lanes[column].as_value()
            m.d.comb += asked.eq(Cat(values).word_select(self.part, len(asked)))
        return m
