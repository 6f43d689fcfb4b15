"""Room that is counted where it is asked for."""

from amaranth.hdl import Mux, Signal

__all__ = ["counted_room"]


def counted_room(m, depth, comes, goes, name="away"):
    """Two registers: less than ``depth`` have come and not gone, less than ``depth`` - 1 have.

    In a cycle at most one comes (only with room) and at most one goes.
    """
    count, room = Signal(range(depth + 1), name=name), Signal(init=1, name=f"{name}_room")
    spare = Signal(init=depth > 1, name=f"{name}_spare")
    with m.If(comes != goes):
        m.d.sync += [count.eq(count + Mux(goes, -1, 1)), room.eq(goes | (count != depth - 1)),
                     spare.eq(Mux(goes, count != depth, count < depth - 2))]
    return room, spare
