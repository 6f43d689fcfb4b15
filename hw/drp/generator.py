"""Addresses of the vectors that streams read or write."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.streams import Border, Tap
from hw.drp.descriptors import Descriptors, descriptor_write
from hw.drp.walk import Walk

__all__ = ["ADDRESS_BITS", "Generator", "places_layout", "request_layout"]

ADDRESS_BITS = 24


def places_layout(lanes):
    """Positions that a kernel has pushed."""
    return data.ArrayLayout(data.StructLayout({"column": signed(16), "row": signed(16)}), lanes)


def request_layout(streams, lanes):
    """A vector's addresses; where nothing is at one (``at`` is 0), ``value`` is it.

    ``value`` is the address otherwise. ``outside``: the position was.
    """
    lane = data.StructLayout({"at": 1, "outside": 1, "value": 32})
    return data.StructLayout({
        "valid": 1, "stream": range(streams), "final": 1, "format": 3, "saturate": 1,
        "lanes": data.ArrayLayout(lane, lanes)})


class Generator(wiring.Component):
    """Walks through the descriptors of some streams, a vector a cycle in all.

    Parameters
    ----------
    streams : int
    lanes : int
    gather : int, optional
        The stream that may be indirect.

    Members
    -------
    write : In(descriptor_write)
        ``bank`` doesn't matter.
    indirect : In(1)
        With ``gather``: the stream's next descriptor is indirect.
    places : In(stream of places_layout)
        Its positions.
    go : In(streams)
        The descriptor that was written last is the next one, or the same again if none was
        since; held until ``taken``.
    taken : Out(streams)
    room, spare : In(streams)
        For a vector, and for another one; counted by who takes them, from ``asked`` on.
        With several streams a vector is asked for in the cycle after there was room for it (and
        to spare, if another one of its was asked for in that cycle), whatever others asked for.
    asked : Out(streams)
        This stream's next vector is on its way.
    o : Out(request_layout)
        Can't wait.
    busy : Out(streams)

    Timing
    ------
    LATENCY cycles from ``asked`` to ``o``.
    """

    LATENCY = Descriptors.LATENCY + 5

    def __init__(self, streams, lanes, gather=None):
        self.streams, self.lanes, self.gather = streams, lanes, gather
        super().__init__({
            **({} if gather is None else {
                "indirect": In(1), "places": In(stream.Signature(places_layout(lanes)))}),
            "write": In(descriptor_write(streams)), "go": In(streams), "taken": Out(streams),
            "room": In(streams), "spare": In(streams), "asked": Out(streams), "busy": Out(streams),
            "o": Out(request_layout(streams, lanes))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = Walk(self.streams)
        m.submodules.descriptors = descriptors = Descriptors(self.streams)
        written = Signal(self.streams)
        for index in range(self.streams):
            with m.If(self.write.en & (self.write.stream == index)):
                m.d.sync += written[index].eq(1)
            with m.Elif(walk.taken[index]):
                m.d.sync += written[index].eq(0)
        m.d.comb += [
            walk.go.eq(self.go), walk.new.eq(written),
            self.taken.eq(walk.taken),
            walk.counts.eq(descriptors.counts), self.busy.eq(walk.busy),
            descriptors.stream.eq(walk.o.stream), descriptors.bank.eq(walk.o.bank),
            descriptors.level.eq(walk.o.level), descriptors.tap.eq(walk.o.tap),
            descriptors.write.eq(self.write),
            descriptors.write.bank.eq(~walk.banks.bit_select(self.write.stream, 1)),
            self.asked.eq(walk.o.valid << walk.o.stream),
        ]
        token, places = walk.o, self._places(m, walk)
        for stage in (1, 2):
            later = Signal(walk.o.shape(), name=f"s{stage}", reset_less=True)
            valid = Signal(name=f"s{stage}_valid")
            m.d.sync += [later.eq(token), valid.eq(token.valid)]
            token = later
            token_valid = valid
            if places is not None:
                kept = Signal.like(places, name=f"s{stage}_places", reset_less=True)
                m.d.sync += kept.eq(places)
                places = kept

        # Stage 2: the position of this iteration; that of the next one is kept.
        header, loop, tap = descriptors.header, descriptors.loop, descriptors.at
        position = data.StructLayout({"y": 32, "x": 32, "base": ADDRESS_BITS})
        m.submodules.kept = kept = memory.Memory(shape=position, depth=self.streams, init=[])
        write, read = kept.write_port(), kept.read_port(domain="comb")
        here = Signal(position)
        m.d.comb += [
            read.addr.eq(token.stream), write.addr.eq(token.stream),
            write.en.eq(token_valid & token.moves),
            here.y.eq(Mux(token.fresh, header.y0, read.data.y)),
            here.x.eq(Mux(token.fresh, header.x0, read.data.x)),
            here.base.eq(Mux(token.fresh, header.base, read.data.base)),
            write.data.y.eq(here.y + loop.dy), write.data.x.eq(here.x + loop.dx),
            write.data.base.eq(here.base + loop.dbase),
        ]
        stage = _Stages(m, token_valid)
        moves = [(tap.dy, tap.dx)] * self.lanes
        if places is not None:
            moves = [[_placed(m, f"{name}_{lane}", places.there, part, other)
                      for name, part, other in (("dy", place.row, tap.dy),
                                                ("dx", place.column, tap.dx))]
                     for lane, place in enumerate(places.lanes)]
        fields = {name: stage.keep(name, value) for name, value in (
            ("stream", token.stream), ("final", token.final), ("format", header.format),
            ("saturate", header.saturate), ("what", tap.what), ("border", header.border),
            ("fill", header.fill), ("height", header.height), ("width", header.width),
            ("row_step", header.row_step), ("column_step", header.column_step))}
        lanes = []
        for lane, (dy, dx) in enumerate(moves):
            lanes.append({
                "y": stage.keep(f"y_{lane}", here.y + lane * header.lane_dy + (dy << 16), 32),
                "x": stage.keep(f"x_{lane}", here.x + lane * header.lane_dx + (dx << 16), 32),
                "base": stage.keep(f"base_{lane}",
                                   here.base + lane * header.lane_dbase + tap.dbase,
                                   ADDRESS_BITS)})
        stage.next(fields, lanes)

        # Stage 3: row and column, limited; what isn't in memory.
        for index, lane in enumerate(lanes):
            row, outside_y = _limited(lane["y"][16:].as_signed(), fields["height"])
            column, outside_x = _limited(lane["x"][16:].as_signed(), fields["width"])
            value = Signal(32, name=f"value_{index}")
            with m.Switch(fields["what"]):
                with m.Case(Tap.FRACTION_Y):
                    m.d.comb += value.eq(lane["y"][:16])
                with m.Case(Tap.FRACTION_X):
                    m.d.comb += value.eq(lane["x"][:16])
                with m.Case(Tap.ROW):
                    m.d.comb += value.eq(lane["y"][16:].as_signed())
                with m.Case(Tap.COLUMN):
                    m.d.comb += value.eq(lane["x"][16:].as_signed())
                with m.Default():
                    m.d.comb += value.eq(fields["fill"])
            outside = outside_y | outside_x
            lane |= {
                "row": stage.keep(f"row_{index}", row),
                "column": stage.keep(f"column_{index}", column),
                "value": stage.keep(f"value_{index}", value),
                "outside": stage.keep(f"outside_{index}", outside),
                "at": stage.keep(f"at_{index}", (fields["what"] == Tap.DATA)
                                 & ~(outside & (fields["border"] == Border.CONSTANT)))}
            del lane["y"], lane["x"]
        for name in ("what", "border", "fill", "height", "width"):
            del fields[name]
        stage.next(fields, lanes)

        # Stages 4 to 6: base + row * row_step + column * column_step.
        for index, lane in enumerate(lanes):
            for name, step in (("row", "row_step"), ("column", "column_step")):
                lane[name] = stage.keep(f"{name}s_{index}", lane[name] * fields[step],
                                        ADDRESS_BITS)
        del fields["row_step"], fields["column_step"]
        stage.next(fields, lanes)
        for index, lane in enumerate(lanes):
            lane["base"] = stage.keep(f"sum_{index}", lane["base"] + lane["row"], ADDRESS_BITS)
            del lane["row"]
        stage.next(fields, lanes)
        for index, lane in enumerate(lanes):
            lane["value"] = stage.keep(f"value_{index}", Mux(
                lane["at"], (lane["base"] + lane["column"])[:ADDRESS_BITS], lane["value"]))
            del lane["base"], lane["column"]
        stage.next(fields, lanes)
        m.d.comb += self.o.valid.eq(stage.valid)
        m.d.comb += [self.o[name].eq(value) for name, value in fields.items()]
        for lane, found in zip(self.o.lanes, lanes, strict=True):
            m.d.comb += [lane[name].eq(value) for name, value in found.items()]
        return m

    def _places(self, m, walk):
        """What the walk may ask for; the positions of the vector that is asked for, and whether it
        has any: without one the indirect stream isn't asked for."""
        m.d.comb += [walk.room.eq(self.room), walk.spare.eq(self.spare)]
        if self.gather is None:
            m.d.comb += walk.there.eq((1 << self.streams) - 1)
            return None
        found = Signal(data.StructLayout({"there": 1, "lanes": places_layout(self.lanes)}))
        indirect = Signal()
        with m.If(walk.taken[self.gather]):
            m.d.sync += indirect.eq(self.indirect)
        waits = indirect & ~self.places.valid
        m.d.comb += [
            walk.there.eq(Cat(~waits if number == self.gather else 1
                              for number in range(self.streams))),
            found.there.eq(indirect & (walk.o.stream == self.gather)),
            found.lanes.eq(self.places.payload),
            self.places.ready.eq(found.there & walk.o.valid)]
        return found


def _placed(m, name, there, place, tap):
    """A position, if there is one, in place of a tap's."""
    found = Signal(signed(16), name=name)
    m.d.comb += found.eq(Mux(there, place, tap))
    return found


def _limited(value, size):
    """A signed row or column in 0 to size - 1, and whether it wasn't."""
    beyond = value >= size
    return (Mux(value < 0, 0, Mux(beyond, size - 1, value))[:16].as_signed(),
            (value < 0) | beyond)


class _Stages:
    """Registers of a pipeline that never waits, named by stage."""

    def __init__(self, m, valid):
        self.m, self.valid, self.number = m, valid, 3

    def keep(self, name, value, width=None):
        """A register of this stage."""
        shape = value.shape() if width is None else (
            signed(width) if value.shape().signed else width)
        held = Signal(shape, name=f"s{self.number}_{name}", reset_less=True)
        self.m.d.sync += held.eq(value)
        return held

    def next(self, fields, lanes):
        """To the following stage: values that are registers of an earlier one get another."""
        valid = Signal(name=f"s{self.number}_valid")
        self.m.d.sync += valid.eq(self.valid)
        self.valid = valid
        prefix = f"s{self.number}_"
        for number, group in enumerate([fields, *lanes]):
            for name, value in group.items():
                if not value.name.startswith(prefix):
                    suffix = "" if group is fields else f"_{number - 1}"
                    group[name] = self.keep(f"{name}{suffix}", value)
        self.number += 1
