"""Weights on chip: parsed from their stream, kept in rings, replayed tile by tile."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import layout
from hw.interfaces import ERROR, entry_layout, row_layout, weight_command
from hw.mem.ring import Ring
from hw.mem.weight_parser import WeightParser
from hw.stream import Queue

__all__ = ["WeightStore"]


class WeightStore(wiring.Component):
    """Group lists, weight rows and parameters of the lane blocks to come.

    Parameters
    ----------
    config : Config

    Members
    -------
    beats : In(stream of 8 M bits)
        The weight stream of golden.spec.layout.
    command : In(stream of weight_command)
        Once per MAC instruction; ``tiles`` and ``blocks`` are at least 1.
    entries : Out(stream of entry_layout)
    rows : Out(stream of row_layout)
        For each lane block of the command its entries and its rows, ``tiles`` times.
    parameters : Out(stream of 8 M bits)
        For each lane block its PARAMETER_BEATS payload beats, once.
    error : Out(ERROR)
        That of WeightParser.

    Timing
    ------
    One beat in, one entry, one row and one parameter beat out a cycle, without gaps between
    tiles, lane blocks and commands (a lane block without rows costs the rows one cycle). The
    three outputs don't wait for each other; each may be COMMANDS commands ahead of the last.
    """

    COMMANDS = 3

    def __init__(self, config):
        self.config = config
        beat = unsigned(8 * config.group)
        super().__init__({
            "beats": In(stream.Signature(beat)),
            "command": In(stream.Signature(weight_command(config))),
            "entries": Out(stream.Signature(entry_layout(config))),
            "rows": Out(stream.Signature(row_layout(config))),
            "parameters": Out(stream.Signature(beat)),
            "error": Out(ERROR),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.parser = parser = WeightParser(config)
        wiring.connect(m, wiring.flipped(self.beats), parser.beats)
        m.d.comb += self.error.eq(parser.error)

        command = self.command.p
        sides = {}
        for name, depth, head in (("entries", config.list_entries, parser.blocks.p.entries),
                                  ("rows", config.weight_rows, parser.blocks.p.rows)):
            # The array adds an entry's offset to addresses, far from here.
            ring = _BlockRing(shape=getattr(parser, name).payload.shape(), depth=depth,
                              length_bits=len(head), config=config, head=name == "entries")
            m.submodules[name] = sides[name] = ring
            wiring.connect(m, getattr(parser, name), ring.write)
            port = getattr(self, name)
            m.d.comb += [
                ring.length.payload.eq(head),
                ring.command.payload.eq(command),
                port.valid.eq(ring.o.valid),
                ring.o.ready.eq(port.ready),
            ]
        rows, entries = sides["rows"], sides["entries"]
        m.d.comb += self.rows.payload.eq(rows.o.p.item)
        for field in ("n", "dy", "dx", "offset"):
            m.d.comb += self.entries.p[field].eq(entries.o.p.item[field])
        m.d.comb += self.entries.p.last.eq(entries.o.p.last)

        beats_bits = (layout.PARAMETER_BEATS << len(command.blocks)).bit_length()
        m.submodules.parameters = parameters = Ring(
            shape=self.parameters.payload.shape(), depth=config.parameter_beats,
            length_bits=beats_bits, passes_bits=1)
        m.submodules.parameter_plans = plans = Queue(
            shape=parameters.plan.payload.shape(), depth=self.COMMANDS)
        wiring.connect(m, parser.parameters, parameters.write)
        wiring.connect(m, plans.o, parameters.plan)
        m.d.comb += [
            # Shifted and added, lest the constant factor takes a multiplier.
            plans.i.p.length.eq(sum(command.blocks << bit for bit in range(beats_bits)
                                    if layout.PARAMETER_BEATS >> bit & 1)),
            plans.i.p.passes.eq(1),
            plans.i.p.keep.eq(command.keep),
            plans.i.p.final.eq(1),
            self.parameters.valid.eq(parameters.o.valid),
            self.parameters.payload.eq(parameters.o.p.item),
            parameters.o.ready.eq(self.parameters.ready),
        ]
        self._fork(m, self.command, [rows.command, entries.command, plans.i])
        self._fork(m, parser.blocks, [rows.length, entries.length])
        return m

    def _fork(self, m, source, sinks):
        """Give to all at once; the sinks' ``ready`` must not depend on ``valid``."""
        for sink in sinks:
            others = [other.ready for other in sinks if other is not sink]
            valid = source.valid
            for ready in others:
                valid = valid & ready
            m.d.comb += sink.valid.eq(valid)
        ready = 1
        for sink in sinks:
            ready = ready & sink.ready
        m.d.comb += source.ready.eq(ready)


class _BlockRing(wiring.Component):
    """A ring of items and one of how many belong to each lane block, driven by MAC commands."""

    def __init__(self, *, shape, depth, length_bits, config, head):
        self.depth, self.config, self.head = depth, config, head
        self.length_bits, self.shape = length_bits, shape
        command = weight_command(config)
        super().__init__({
            "length": In(stream.Signature(unsigned(length_bits))),
            "write": In(stream.Signature(shape)),
            "command": In(stream.Signature(command)),
            "o": Out(stream.Signature(data.StructLayout({"item": shape, "last": 1}))),
        })

    def elaborate(self, platform):
        m = Module()
        command = self.command.p
        tiles = len(command.tiles)
        m.submodules.items = items = Ring(shape=self.shape, depth=self.depth,
                                          length_bits=self.length_bits, passes_bits=tiles,
                                          head=self.head)
        m.submodules.lengths = lengths = Ring(
            shape=unsigned(self.length_bits), depth=self.config.lane_blocks,
            length_bits=len(command.blocks), passes_bits=1)
        depth = WeightStore.COMMANDS
        m.submodules.blocks = blocks = Queue(shape=lengths.plan.payload.shape(), depth=depth)
        m.submodules.passes = passes = Queue(
            shape=data.StructLayout({"tiles": tiles, "keep": 1}), depth=depth)
        m.submodules.plans = plans = Queue(shape=items.plan.payload.shape(), depth=2)
        wiring.connect(m, wiring.flipped(self.write), items.write)
        wiring.connect(m, wiring.flipped(self.length), lengths.write)
        wiring.connect(m, blocks.o, lengths.plan)
        wiring.connect(m, plans.o, items.plan)
        wiring.connect(m, items.o, wiring.flipped(self.o))

        room = blocks.i.ready & passes.i.ready
        m.d.comb += [
            self.command.ready.eq(room),
            blocks.i.valid.eq(self.command.valid & room),
            blocks.i.p.length.eq(command.blocks),
            blocks.i.p.passes.eq(1),
            blocks.i.p.keep.eq(command.keep),
            blocks.i.p.final.eq(1),
            passes.i.valid.eq(self.command.valid & room),
            passes.i.p.tiles.eq(command.tiles),
            passes.i.p.keep.eq(command.keep),
            # A lane block's length meets its command's passes.
            plans.i.valid.eq(lengths.o.valid & passes.o.valid),
            lengths.o.ready.eq(plans.i.ready & passes.o.valid),
            passes.o.ready.eq(plans.i.ready & lengths.o.valid & lengths.o.p.last),
            plans.i.p.length.eq(lengths.o.p.item),
            plans.i.p.passes.eq(passes.o.p.tiles),
            plans.i.p.keep.eq(passes.o.p.keep),
            plans.i.p.final.eq(lengths.o.p.last),
        ]
        return m
