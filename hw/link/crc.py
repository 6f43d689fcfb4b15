"""CRC-32, a bit a cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.link import CRC_POLYNOMIAL

__all__ = ["Crc32"]


class Crc32(wiring.Component):
    """The register of `golden.spec.link`'s CRC. A serial line leaves it the time to be small.

    Members
    -------
    clear : In(1)
        All ones.
    start : In(1)
        Take in ``byte``; neither this nor ``clear`` while ``busy``.
    drain : In(1)
        With ``start``: shift the register by a byte instead.
    byte : In(8)
    busy : Out(1)
    value : Out(32)

    Timing
    ------
    Busy for 8 cycles after ``start``.
    """

    def __init__(self):
        super().__init__({
            "clear": In(1),
            "start": In(1),
            "drain": In(1),
            "byte": In(8),
            "busy": Out(1),
            "value": Out(32, init=-1),
        })

    def elaborate(self, platform):
        m = Module()
        byte, left = Signal(8, reset_less=True), Signal(range(9))
        drain, feedback = Signal(reset_less=True), Signal()
        m.d.comb += [
            self.busy.eq(left != 0),
            feedback.eq((self.value[0] ^ byte[0]) & ~drain),
        ]
        with m.If(self.start):
            m.d.sync += [left.eq(8), byte.eq(self.byte), drain.eq(self.drain)]
        with m.Elif(self.busy):
            m.d.sync += [
                left.eq(left - 1),
                byte.eq(byte >> 1),
                self.value.eq((self.value >> 1) ^ Mux(feedback, CRC_POLYNOMIAL, 0)),
            ]
        with m.If(self.clear):
            m.d.sync += self.value.eq(self.value.init)
        return m
