"""A stream across the chip."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.stream import Queue

__all__ = ["Haul"]


class Haul(wiring.Component):
    """Stream between parts that lie far from each other.

    Plain registers on the way, in both directions: an item sets out when there is room for it at
    the end, which is counted where it begins.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.

    Members
    -------
    i : In(stream of shape)
        ``ready`` is a register.
    o : Out(stream of shape)

    Timing
    ------
    LATENCY cycles from ``i`` to ``o``; one item a cycle. DEPTH items at most are under way;
    AGAIN cycles after one of them was taken another one may follow.
    """

    LATENCY = 3
    AGAIN = 3
    DEPTH = 8

    def __init__(self, shape):
        self.shape = shape
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.end = end = Queue(shape=self.shape, depth=self.DEPTH)
        sent, taken = [self.i.valid & self.i.ready], [self.o.valid & self.o.ready]
        payloads = [self.i.payload]
        for stage in range(2):
            held = Signal(self.shape, reset_less=True, name=f"held_{stage}")
            gone, back = Signal(name=f"sent_{stage}"), Signal(name=f"taken_{stage}")
            m.d.sync += [held.eq(payloads[-1]), gone.eq(sent[-1]), back.eq(taken[-1])]
            payloads.append(held)
            sent.append(gone)
            taken.append(back)
        places = Signal(range(self.DEPTH + 1), init=self.DEPTH)
        room = Signal(init=1)  # places != 0
        with m.If(sent[0] != taken[-1]):
            m.d.sync += [places.eq(places + Mux(taken[-1], 1, -1)),
                         room.eq(taken[-1] | (places != 1))]
        m.d.comb += [
            self.i.ready.eq(room),
            end.i.valid.eq(sent[-1]),  # room was counted: it is always ready
            end.i.payload.eq(payloads[-1]),
        ]
        wiring.connect(m, end.o, wiring.flipped(self.o))
        return m
