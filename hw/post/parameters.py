"""Bias and requantization parameters of the lane block at hand and of the next one."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import layout
from golden.spec.numerics import ROUND_ONCE
from hw.copies import copies
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
        ``lanes`` may be asked for.
    whole : Out(1)
        The next set is there: ``valid`` in the next cycle, whatever is dropped.
    drop : In(1)
        The set at hand has done its work: it is not asked for after this cycle. The next one, if
        whole, may be asked for from the next cycle on.
    part : In(range(L // D))
        Which D lanes are asked for.
    lanes : Out(array of D lane_parameters)
        Of lanes part * D onwards, in the next cycle.

    Timing
    ------
    A set takes PARAMETER_BEATS + 1 cycles at least.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "beats": In(stream.Signature(unsigned(8 * config.group))),
            "valid": Out(1),
            "whole": Out(1),
            "drop": In(1),
            "part": In(range(config.lanes // config.drain)),
            "lanes": Out(data.ArrayLayout(lane_parameters(), config.drain)),
        })

    def elaborate(self, platform):
        m = Module()
        beats, bits = layout.PARAMETER_BEATS, len(self.beats.payload)
        # What enables a set's bits comes from registers, and each of those drives a part of them.
        coming = [Signal(bits, reset_less=True, name=f"coming_{n}") for n in range(beats)]
        present = [Signal(bits, reset_less=True, name=f"present_{n}") for n in range(beats)]
        beat = Signal(bits, reset_less=True)
        write = Signal(beats)
        count = Signal(range(beats))
        whole = self.whole

        take, use = Signal(), Signal()
        m.d.comb += [
            self.beats.ready.eq(~whole),
            take.eq(self.beats.valid & ~whole),
            use.eq(whole & (~self.valid | self.drop)),
        ]
        m.d.sync += beat.eq(self.beats.payload)
        m.d.sync += [bit.eq(take & (count == n)) for n, bit in enumerate(write)]
        move = copies(m, use, "move")
        with m.If(take):
            m.d.sync += [count.eq(Mux(count == beats - 1, 0, count + 1)),
                         whole.eq(count == beats - 1)]
        with m.If(use):
            m.d.sync += [self.valid.eq(1), whole.eq(0)]
        with m.Elif(self.drop):
            m.d.sync += self.valid.eq(0)
        # A beat is written, and a set moved, in the cycle after; nothing is lost, as the next beat
        # comes later still.
        for n in range(beats):
            with m.If(write[n]):
                m.d.sync += coming[n].eq(beat)
            with m.If(move[n % len(move)]):
                m.d.sync += present[n].eq(coming[n])

        lanes, drain = self.config.lanes, self.config.drain
        records = record_layout(layout.PARAMETER_LANE), record_layout(layout.SHIFT_LANE)
        image = Cat(present)
        first = data.View(data.ArrayLayout(records[0], lanes), image[:lanes * records[0].size])
        second = data.View(data.ArrayLayout(records[1], lanes), image[lanes * records[0].size:])
        part = copies(m, self.part, "part", count=4)
        source = {"bias": first, "multiplier": first, "pre": second, "post": second}
        for column in range(drain):
            values = [Cat(source[name][lane][name][:field.width]
                          for name, field in lane_parameters())
                      for lane in range(column, lanes, drain)]
            asked = self.lanes[column].as_value()
            m.d.comb += asked.eq(Cat(values).word_select(part[column % len(part)], len(asked)))
        return m
