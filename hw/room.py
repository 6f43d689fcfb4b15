"""Room that is counted where it is asked for."""

from amaranth.hdl import Mux, Signal

__all__ = ["counted_room"]


def counted_room(m, depth, comes, goes, name="away"):
    """A register: less than ``depth`` have come and not gone, at most one of each a cycle."""
    count, room = Signal(range(depth + 1), name=name), Signal(init=1, name=f"{name}_room")
    with m.If(comes != goes):
        m.d.sync += [count.eq(count + Mux(goes, -1, 1)), room.eq(goes | (count != depth - 1))]
    return room
