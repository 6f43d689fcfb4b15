"""Bursts of both directions, cut into pieces that lie in one row and can run without a pause."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.bus.axi import AXI4
from hw.dma.burst import PAGE_BYTES
from hw.sdram.interface import segment_layout

__all__ = ["Segments"]


class Segments(wiring.Component):
    """Chooses between reads and writes, segment by segment.

    A segment is offered when all its data has come, or has room to go to: behind this block
    nothing waits for a master, and neither direction waits for a master of the other one. Both
    having work, the direction changes after TURN segments.

    Parameters
    ----------
    geometry : Geometry
    room : int
        Beats of read data that can wait for the master; two segments or more.
    answers : int
        Writes that may be unanswered.

    Members
    -------
    ar, aw : In(stream), as in AXI4
    o : Out(stream of segment_layout)
        An offer may change until it is taken.
    hold : In(1)
        Offer nothing.
    got_write : In(1)
        A beat to write came.
    gave_read : In(1)
        A beat read was taken by the master.
    gave_answer : In(1)
        A write's answer was taken by the master.

    Timing
    ------
    1 cycle from a read's address to its first segment, 2 from a write's; a segment a cycle if
    of reads, one every 2 cycles if of writes.
    """

    SEGMENT = 8  # beats at most
    TURN = 4

    def __init__(self, geometry, *, room, answers):
        if room < 2 * self.SEGMENT:
            raise ValueError(f"room is {room!r}, accepted is at least {2 * self.SEGMENT}")
        if answers < 1:
            raise ValueError(f"answers is {answers!r}, accepted is at least 1")
        self.geometry, self.room, self.answers = geometry, room, answers
        bus = AXI4(geometry.beat_bytes).flip().members
        super().__init__({
            "ar": bus["ar"],
            "aw": bus["aw"],
            "o": Out(stream.Signature(segment_layout(geometry, self.SEGMENT))),
            "hold": In(1),
            "got_write": In(1),
            "gave_read": In(1),
            "gave_answer": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        read = self._bursts(m, "read", self.ar, 1)
        unanswered = Signal(range(self.answers + 1))
        write = self._bursts(m, "write", self.aw, unanswered != self.answers)
        m.d.sync += unanswered.eq(unanswered + (self.aw.valid & self.aw.ready) - self.gave_answer)

        # Beats not promised to a segment. More can't have come than the store of them holds.
        room = Signal(range(self.room + 1), init=self.room)
        stored = Signal(range(self.room + 1))
        may_read, may_write, turn = Signal(), Signal(), Signal()
        direction, left = Signal(), Signal(range(self.TURN))  # of the last segment; more of it
        take_read, take_write = Signal(), Signal()
        m.d.sync += may_write.eq(write["valid"] & ~take_write & (write["len"] < stored))
        m.d.comb += [
            may_read.eq(read["valid"] & (room >= self.SEGMENT)),
            turn.eq(left == 0),
            self.o.p.write.eq(may_write & (~may_read | (direction ^ turn))),
            self.o.valid.eq((may_read | may_write) & ~self.hold),
            take_read.eq(self.o.valid & self.o.ready & ~self.o.p.write),
            take_write.eq(self.o.valid & self.o.ready & self.o.p.write),
            read["take"].eq(take_read),
            write["take"].eq(take_write),
        ]
        for name in ("error", "last", "bank", "row", "start", "len"):
            m.d.comb += getattr(self.o.p, name).eq(Mux(self.o.p.write, write[name], read[name]))
        m.d.sync += [
            room.eq(room + self.gave_read - Mux(take_read, read["len"] + 1, 0)),
            stored.eq(stored + self.got_write - Mux(take_write, write["len"] + 1, 0)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += direction.eq(self.o.p.write)
            with m.If(self.o.p.write != direction):
                m.d.sync += left.eq(self.TURN - 1)
            with m.Elif(~turn):
                m.d.sync += left.eq(left - 1)
        return m

    def _bursts(self, m, name, port, accept):
        """Holds one burst and cuts it; returns its parts, and ``take``, to be driven."""
        geometry = self.geometry
        row = geometry.column_beats + geometry.bank_pins
        end = row + geometry.row_pins
        inside = self.SEGMENT.bit_length() - 1  # bits of a beat in an aligned segment
        page = PAGE_BYTES.bit_length() - 1 - geometry.beat_bits  # no burst crosses a page
        place = Signal(end, reset_less=True, name=f"{name}_place")  # in beats
        error = Signal(reset_less=True, name=f"{name}_error")
        # Segments end at multiples of their size, so that none crosses a row.
        more = Signal(8 - inside + 1, reset_less=True, name=f"{name}_more")  # after this one
        final = Signal(inside, reset_less=True, name=f"{name}_final")  # last beat of the last one
        valid, take, last = (Signal(name=f"{name}_{what}") for what in ("valid", "take", "last"))
        length = Signal(inside, name=f"{name}_len")
        m.d.comb += [
            last.eq(more == 0),
            length.eq(Mux(last, final, self.SEGMENT - 1) - place[:inside]),
            port.ready.eq(~valid & accept),
        ]
        with m.If(port.valid & port.ready):
            first = port.p.addr[geometry.beat_bits:]
            m.d.sync += [valid.eq(1), place.eq(first), error.eq(first[end:].any()),
                         Cat(final, more).eq(port.p.len + first[:inside])]
        with m.Elif(take):
            m.d.sync += [valid.eq(~last), place[:inside].eq(0), more.eq(more - 1),
                         place[inside:page].eq(place[inside:page] + 1)]
        return {"valid": valid, "take": take, "last": last, "len": length, "error": error,
                "start": place[:geometry.column_beats], "bank": place[geometry.column_beats:row],
                "row": place[row:]}
