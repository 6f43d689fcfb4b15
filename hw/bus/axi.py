"""AXI4 and AXI4-Lite signatures, seen from the manager.

Only what the chip uses is there: one ID per direction, INCR bursts, full-width beats. Channel
names follow the AXI specification; each channel is a stream (valid, ready, payload).
"""

import enum

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AXI4", "AXI4Lite", "Response"]


class Response(enum.IntEnum):
    """AXI response codes."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


class AXI4(wiring.Signature):
    """AXI4 manager with 32-bit addresses; every burst is INCR of whole beats.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a beat, a power of two.

    Members
    -------
    ar, aw : Out(stream) of {addr: 32, len: 8 (beats - 1)}
    r : In(stream) of {data, resp: 2, last: 1}
    w : Out(stream) of {data, strb, last: 1}
    b : In(stream) of {resp: 2}
    """

    def __init__(self, beat_bytes):
        self.beat_bytes = beat_bytes
        address = data.StructLayout({"addr": 32, "len": 8})
        super().__init__({
            "ar": Out(stream.Signature(address)),
            "r": In(stream.Signature(data.StructLayout(
                {"data": 8 * beat_bytes, "resp": 2, "last": 1}))),
            "aw": Out(stream.Signature(address)),
            "w": Out(stream.Signature(data.StructLayout(
                {"data": 8 * beat_bytes, "strb": beat_bytes, "last": 1}))),
            "b": In(stream.Signature(data.StructLayout({"resp": 2}))),
        })

    def __eq__(self, other):
        return isinstance(other, AXI4) and self.beat_bytes == other.beat_bytes

    def __repr__(self):
        return f"AXI4({self.beat_bytes})"


class AXI4Lite(wiring.Signature):
    """AXI4-Lite manager, 32-bit data.

    Members
    -------
    ar, aw : Out(stream) of {addr: 12}
    r : In(stream) of {data: 32, resp: 2}
    w : Out(stream) of {data: 32, strb: 4}
    b : In(stream) of {resp: 2}
    """

    def __init__(self):
        address = data.StructLayout({"addr": 12})
        super().__init__({
            "ar": Out(stream.Signature(address)),
            "r": In(stream.Signature(data.StructLayout({"data": 32, "resp": 2}))),
            "aw": Out(stream.Signature(address)),
            "w": Out(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": In(stream.Signature(data.StructLayout({"resp": 2}))),
        })

    def __eq__(self, other):
        return isinstance(other, AXI4Lite)

    def __repr__(self):
        return "AXI4Lite()"
