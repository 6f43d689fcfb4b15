"""The DRP: a tile with its streams, and what loads and watches it."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.controller import Cause
from golden.spec.drp.image import ITEM_ALIGN
from golden.spec.drp.streams import PLACES, STREAM
from hw.drp.descriptors import WORD
from hw.drp.generator import Generator, places_layout
from hw.drp.input_stream import InputStream
from hw.drp.loader import Loader
from hw.drp.output_stream import OutputStream
from hw.drp.shared_inputs import SharedInputs
from hw.drp.tile import Tile
from hw.drp.words import TileRead, word_write_layout
from hw.interfaces import record_layout
from hw.stream import Queue

__all__ = ["Unit", "run_layout"]


def run_layout(fabric):
    """A kernel: its first state; steps, and cycles without one, that are too many."""
    return data.StructLayout({"first": range(fabric.states), "limit": 32})


class Unit(wiring.Component):
    """Loads images and runs kernels.

    A kernel that is given while another one runs follows it without a pause: its input streams
    begin as soon as the ones before have ended. It must not read what the other one writes.

    Parameters
    ----------
    fabric : Fabric
    words : int
        Size of the scratchpad.

    Members
    -------
    image : In(stream of words of ITEM_ALIGN bytes)
    run : In(stream of run_layout)
        Uses the descriptors that were loaded last; waits while two kernels are under way.
    loaded : Out(1)
        Nothing of an image is on its way.
    read : Out(TileRead)
    write : Out(stream of word_write_layout)
    done : Out(1)
        A kernel has written everything. For one cycle.
    refused : Out(1)
        An image has a section for a space that there isn't. Stays so.
    cause : Out(Cause)
        Not NONE: the unit has stopped, until it is reset.
    suspect : Out(8)
        With ADDRESS and STREAM the stream, outputs after inputs.
    busy, step, waits_in, waits_out : Out(1)
        A kernel is under way, executes a step in this cycle, waits for an input, for an output.
    """

    KERNELS = 4  # of which not all is written

    def __init__(self, fabric, words):
        self.fabric, self.words = fabric, words
        super().__init__({
            "image": In(stream.Signature(8 * ITEM_ALIGN)),
            "run": In(stream.Signature(run_layout(fabric))), "loaded": Out(1),
            "read": Out(TileRead(fabric.word_bytes)),
            "write": Out(stream.Signature(word_write_layout(fabric.word_bytes))),
            "done": Out(1), "refused": Out(1), "cause": Out(Cause), "suspect": Out(8),
            "busy": Out(1), "step": Out(1), "waits_in": Out(1), "waits_out": Out(1)})

    def elaborate(self, platform):
        m = Module()
        fabric = self.fabric
        m.submodules.loader = loader = Loader(fabric)
        m.submodules.tile = tile = Tile(fabric)
        wiring.connect(m, wiring.flipped(self.image), loader.i)
        wiring.connect(m, loader.item, tile.load)
        count = fabric.inputs + fabric.outputs
        # Lanes are what area goes into: with one, all streams share what makes addresses.
        shared = fabric.lanes == 1
        ways = count if shared else 1
        if shared:
            m.submodules.inputs = inputs = SharedInputs(fabric, ways, self.words)
            units = [SimpleNamespace(**{name: getattr(inputs, name)[number]
                                        for name in ("asked", "room", "spare", "o", "bad")})
                     for number in range(fabric.inputs)]
            wiring.connect(m, inputs.read, wiring.flipped(self.read))
        else:
            units = [InputStream(fabric, ways, self.words) for _ in range(fabric.inputs)]
            for number, unit in enumerate(units):
                m.submodules[f"input_{number}"] = unit
        units += [OutputStream(fabric, ways, self.words) for _ in range(fabric.outputs)]
        for number, unit in enumerate(units[fabric.inputs:]):
            m.submodules[f"output_{number}"] = unit
        go, taken = Signal(count), Signal(count)
        pending = Signal()  # one was given, and its streams aren't the tile's yet
        # Positions that the tile pushed; whether the next descriptor that takes some is indirect.
        places = indirect = None
        gathers, next_gathers = Signal(), Signal()  # kernels push positions
        if fabric.gather is not None:
            m.submodules.places = places = Queue(shape=places_layout(fabric.lanes), depth=PLACES)
            indirect = self._indirect(m, loader)
        self._generate(m, loader, units, go, taken, inputs if shared else None, places,
                       indirect, pending)
        enabled = self._enabled(m, loader)
        wanted = loader.descriptor.p
        m.d.comb += [loader.descriptor.ready.eq(~go.bit_select(wanted.stream, 1)),
                     self.loaded.eq(~loader.busy & ~self.image.valid),
                     self.refused.eq(loader.bad)]

        # Kernels: given, begun, ended, written.
        stopped = Signal()
        following, limit, next_limit = Signal(count), Signal(32), Signal(32)
        starts = Signal()
        over = Signal(count, init=~0)  # by stream: the tile must not use it any more
        alive = Signal(range(3))  # begun and not ended
        m.submodules.kernels = kernels = Queue(shape=fabric.outputs, depth=self.KERNELS)
        accept = Signal()
        m.d.comb += [
            stopped.eq(self.cause != Cause.NONE),
            self.run.ready.eq(~pending & ~starts & ~go.any() & kernels.i.ready & ~stopped),
            accept.eq(self.run.valid & self.run.ready),
            kernels.i.valid.eq(accept), kernels.i.payload.eq(enabled[fabric.inputs:]),
            tile.start.valid.eq(starts), tile.stop.eq(stopped),
        ]
        first = Signal.like(tile.start.payload, reset_less=True)
        m.d.comb += tile.start.payload.eq(first)
        m.d.sync += go.eq((go & ~taken) | Mux(accept, enabled, 0))
        with m.If(tile.start.ready):
            m.d.sync += starts.eq(0)
        with m.If(accept):
            m.d.sync += [pending.eq(1), starts.eq(1), first.eq(self.run.p.first),
                         following.eq(enabled), next_limit.eq(self.run.p.limit)]
            if places is not None:
                m.d.sync += next_gathers.eq(indirect & enabled[fabric.gather])
        m.d.sync += alive.eq(alive + tile.begun - tile.ended)
        changes = Signal()  # from now on steps are of the kernel that follows
        m.d.comb += changes.eq(Mux(tile.begun, (alive == 0) | tile.ended,
                                   tile.ended & (alive == 2)))
        moved = self._connect(m, tile, units, over, places, gathers)
        with m.If(changes):
            m.d.sync += [over.eq(~following), pending.eq(0), limit.eq(next_limit),
                         gathers.eq(next_gathers)]
        with m.Else():
            m.d.sync += over.eq(over | moved)

        finished = Signal(fabric.outputs)
        written = [Signal(range(self.KERNELS + 1), name=f"written_{number}")
                   for number in range(fabric.outputs)]
        ended = Signal(range(self.KERNELS + 1))
        whole = [~kernels.o.payload[number] | (some != 0)
                 for number, some in enumerate(written)]
        m.d.comb += [
            finished.eq(Cat(unit.finished for unit in units[fabric.inputs:])),
            self.done.eq((ended != 0) & Cat(whole).all() & kernels.o.valid & ~stopped),
            kernels.o.ready.eq(self.done), self.busy.eq(kernels.level != 0),
            self.step.eq(tile.step), self.waits_in.eq(tile.waits_in),
            self.waits_out.eq(tile.waits_out),
        ]
        m.d.sync += ended.eq(ended + tile.ended - self.done)
        for number, some in enumerate(written):
            m.d.sync += some.eq(some + finished[number]
                                - (self.done & kernels.o.payload[number]))
        self._errors(m, tile, units, over, alive, limit, places, gathers)
        self._turns(m, "writes", self.write, [unit.write for unit in units[fabric.inputs:]])
        if not shared:
            readers = units[:fabric.inputs]
            self._turns(m, "reads", self.read.addr, [unit.read.addr for unit in readers])
            m.d.comb += [unit.read.data.eq(self.read.data) for unit in readers]
        return m

    def _enabled(self, m, loader):
        """The streams that kernels use, as was loaded last."""
        enabled = Signal.like(loader.used.streams)
        with m.If(loader.used.valid):
            m.d.sync += enabled.eq(loader.used.streams)
        return enabled

    def _indirect(self, m, loader):
        """Whether the descriptor of the input that may be indirect is, as was loaded last."""
        indirect, item = Signal(), loader.descriptor
        word, bit = divmod(record_layout(STREAM)["indirect"].offset, WORD)
        with m.If(item.valid & item.ready & (item.p.stream == self.fabric.gather)
                  & (item.p.index == word)):
            m.d.sync += indirect.eq(item.p.data[bit])
        return indirect

    def _generate(self, m, loader, units, go, taken, inputs, places, indirect, pending):
        """Addresses for all streams: of one each, or of one generator, to ``inputs`` all theirs."""
        item, shared = loader.descriptor, inputs is not None
        groups = [units] if shared else [[unit] for unit in units]
        for group, members in enumerate(groups):
            mine = slice(0, len(units)) if shared else slice(group, group + 1)
            gather = self.fabric.gather if shared else 0 if group == self.fabric.gather else None
            generator = Generator(len(members), self.fabric.lanes, gather)
            m.submodules[f"generator_{group}"] = generator
            here = 1 if shared else item.p.stream == group
            m.d.comb += [
                generator.write.en.eq(item.valid & item.ready & here),
                generator.write.stream.eq(item.p.stream if shared else 0),
                generator.write.index.eq(item.p.index), generator.write.data.eq(item.p.data),
                generator.go.eq(go[mine]), taken[mine].eq(generator.taken),
                generator.room.eq(Cat(unit.room for unit in members)),
                generator.spare.eq(Cat(unit.spare for unit in members))]
            if gather is not None:
                wiring.connect(m, places.o, generator.places)
                m.d.comb += generator.indirect.eq(indirect)
                # What waits may be the positions of the kernel before.
                with m.If(indirect & pending):
                    m.d.comb += generator.go[gather].eq(0)
            m.d.comb += Cat(unit.asked for unit in members).eq(generator.asked)
            if shared:
                m.d.comb += [inputs.i.eq(generator.o), inputs.i.valid.eq(
                    generator.o.valid & (generator.o.stream < self.fabric.inputs))]
                members = members[self.fabric.inputs:]
            for number, unit in enumerate(members, self.fabric.inputs if shared else 0):
                m.d.comb += [unit.i.eq(generator.o), unit.i.valid.eq(
                    generator.o.valid & (generator.o.stream == number))]

    def _connect(self, m, tile, units, over, places, gathers):
        """Streams to the tile while they are its; returns those whose last vector moves."""
        fabric = self.fabric
        moved = []
        for number, unit in enumerate(units):
            if number < fabric.inputs:
                port = tile.inputs[number]
                m.d.comb += [port.valid.eq(unit.o.valid & ~over[number]),
                             port.payload.eq(unit.o.p.vector),
                             unit.o.ready.eq(port.ready & ~over[number])]
                moved.append(unit.o.valid & unit.o.ready & unit.o.p.final)
            else:
                port = tile.outputs[number - fabric.inputs]
                mine = ~over[number]
                ready = unit.vector.ready & mine
                if places is not None and number == fabric.inputs + 1:
                    m.d.comb += [places.i.valid.eq(port.valid & gathers),
                                 places.i.payload.eq(port.payload)]
                    mine, ready = mine & ~gathers, Mux(gathers, places.i.ready, ready)
                m.d.comb += [unit.vector.valid.eq(port.valid & mine),
                             unit.vector.payload.eq(port.payload), port.ready.eq(ready)]
                moved.append(unit.vector.valid & unit.vector.ready & unit.final)
        return Cat(moved)

    def _errors(self, m, tile, units, over, alive, limit, places, gathers):
        """The first error stays."""
        fabric = self.fabric
        steps, still = Signal(32), Signal(32)
        m.d.sync += [steps.eq(Mux(tile.ended, 0, steps + tile.step)),
                     still.eq(Mux(tile.step | (alive == 0), 0, still + 1))]
        bad = Cat(unit.bad for unit in units)
        beyond = Signal(len(units))
        asked = [*tile.wants, *(port.valid for port in tile.outputs)]
        left = ~over
        if places is not None:
            asked[fabric.inputs + 1] &= ~gathers
            left = left | places.o.valid << fabric.gather
        m.d.comb += beyond.eq((Cat(asked) & over) | Mux(tile.ended, left, 0))
        with m.If(self.cause == Cause.NONE):
            with m.If(tile.cause != Cause.NONE):
                m.d.sync += self.cause.eq(tile.cause)
            with m.Elif(bad.any()):
                m.d.sync += [self.cause.eq(Cause.ADDRESS), self.suspect.eq(_lowest(bad))]
            with m.Elif(beyond.any()):
                m.d.sync += [self.cause.eq(Cause.STREAM), self.suspect.eq(_lowest(beyond))]
            with m.Elif((alive != 0) & ((steps > limit) | (still > limit))):
                m.d.sync += self.cause.eq(Cause.WATCHDOG)

    def _turns(self, m, name, port, clients):
        """A port for one item a cycle, of its clients in turn."""
        turn = Signal(range(len(clients)), name=f"{name}_turn")
        chosen, kept = (Signal(range(max(len(clients), 2)), name=f"{name}_{what}")
                        for what in ("chosen", "kept"))
        waits = Signal(name=f"{name}_wait")  # what is offered stays
        for index in reversed(range(len(clients))):
            with m.If(clients[index].valid):
                m.d.comb += chosen.eq(index)
        for index in reversed(range(len(clients))):
            with m.If(clients[index].valid & (turn <= index)):
                m.d.comb += chosen.eq(index)
        with m.If(waits):
            m.d.comb += chosen.eq(kept)
        m.d.sync += [waits.eq(port.valid & ~port.ready), kept.eq(chosen)]
        with m.If(port.valid & port.ready):
            m.d.sync += turn.eq(Mux(chosen == len(clients) - 1, 0, chosen + 1))
        with m.Switch(chosen):
            for index, client in enumerate(clients):
                with m.Case(index):
                    m.d.comb += [port.valid.eq(client.valid),
                                 port.payload.eq(client.payload),
                                 client.ready.eq(port.ready)]


def _lowest(bits):
    """Number of the lowest bit that is set."""
    found = 0
    for index in reversed(range(len(bits))):
        found = Mux(bits[index], index, found)
    return found
