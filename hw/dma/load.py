"""The load unit: DRAM to scratchpad, weight store and tables."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from golden.spec.isa import Opcode, Target
from golden.spec.layout import TABLE_ENTRIES
from golden.spec.registers import REGIONS, Cause
from hw.bus.axi import Response
from hw.dma.gather import Gather, gathered_layout
from hw.dma.runs import RunIssuer, run_fields_layout
from hw.haul import Haul
from hw.interfaces import (
    ERROR,
    REGION,
    RETIRE,
    RunRead,
    instruction_layout,
    table_write_layout,
    word_write_layout,
)
from hw.stream import HeadQueue, Queue

__all__ = ["LoadUnit"]

ENTRY_BITS = 32  # of a table


class LoadUnit(wiring.Component):
    """Executes LOADs in order; the next one's data is asked for while this one's comes in.

    Beats arrive in the order of their runs and belong to one of the sinks: the gather, the
    weight stream, the table or the DRP's images. The sink changes only when the one before has
    all it needs. An error stops the unit where it stands: what caused it is not passed on and
    nothing more is asked for. Read data already asked for fits into the read master, so the bus
    comes to rest.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of 512 bits)
        LOAD instructions.
    regions : In(array of REGION)
    read : Out(RunRead)
    words : Out(stream of word_write_layout)
        To the scratchpad.
    weights : Out(stream of one beat)
        To the weight store.
    refusal : In(ERROR)
        What the weight store finds wrong with the beat on offer; only its cause counts.
    table : Out(stream of table_write_layout)
    image : Out(stream of one beat)
    image_loaded, image_refused : In(1)
        Kernel images, of a chip with a DRP: nothing is on its way; what came is wrong.
    retire : Out(RETIRE)
        Two cycles after the sink took an instruction's last item, for a table one.
    error : Out(ERROR)
        For AXI errors the address is that of the run.
    busy : Out(1)

    Timing
    ------
    5 cycles from an instruction to its first run. A beat a cycle for weights and aligned words,
    an entry a cycle for tables. Between instructions the sinks pause for 2 cycles from words to
    words, not at all from weights to weights, for 2 from weights to a table, for 5 from words to
    weights, for PAUSE from weights to words. Reading goes on meanwhile, as far as there is room.
    """

    PAUSE = Gather.LATENCY + 2
    BEATS_AHEAD = 4  # between read master and sinks: neither waits for the other's answer
    WORDS_AHEAD = 4  # between gather and scratchpad, likewise
    RUNS_AHEAD = 16  # runs asked for whose last beat has not been used

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(unsigned(8 * isa.INSTRUCTION_BYTES))),
            "regions": In(data.ArrayLayout(REGION, REGIONS)),
            "read": Out(RunRead(config)),
            "words": Out(stream.Signature(word_write_layout(config))),
            "weights": Out(stream.Signature(unsigned(8 * config.group))),
            "refusal": In(ERROR),
            "table": Out(stream.Signature(table_write_layout())),
            **({"image": Out(stream.Signature(unsigned(8 * config.group))),
                "image_loaded": In(1), "image_refused": In(1)} if config.fabric else {}),
            "retire": Out(RETIRE),
            "error": Out(ERROR),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        load = Signal(instruction_layout(Opcode.LOAD), reset_less=True)
        load_valid, issued, handed = Signal(), Signal(), Signal()
        m.d.comb += self.i.ready.eq(~load_valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [load.eq(self.i.payload), load_valid.eq(1)]

        # Asking: every run goes to the read master and, with what an error needs, to a queue.
        m.submodules.issuer = issuer = RunIssuer(self.config)
        m.submodules.runs = runs = Queue(shape=data.StructLayout(
            {"addr": 32, "tag": 16, "final": 1}), depth=self.RUNS_AHEAD)
        m.d.comb += [issuer.i.p[name].eq(load[name]) for name, _ in run_fields_layout()]
        m.d.comb += [
            issuer.regions.eq(self.regions),
            issuer.i.valid.eq(load_valid & ~issued),
            issuer.stop.eq(self.error.valid),
            self.read.run.valid.eq(issuer.o.valid & runs.i.ready),
            self.read.run.p.addr.eq(issuer.o.p.addr),
            self.read.run.p.beats.eq(issuer.o.p.beats),
            issuer.o.ready.eq(self.read.run.ready & runs.i.ready),
            runs.i.valid.eq(issuer.o.valid & self.read.run.ready),
            runs.i.p.addr.eq(issuer.o.p.addr),
            runs.i.p.tag.eq(load.tag),
            runs.i.p.final.eq(issuer.o.p.final),
        ]

        # Handing over to a sink. `active`: instructions handed over and not retired.
        m.submodules.gather = gather = Gather(self.config)
        m.submodules.active = active = Queue(
            shape=data.StructLayout({"tag": 16, "post": isa.SEMAPHORES}), depth=2)
        sink = Signal(Target, reset_less=True)
        hand, done = Signal(), Signal()
        to_words = load.target == Target.SCRATCHPAD
        m.d.comb += [
            hand.eq(load_valid & ~handed & Mux(
                ~active.o.valid, gather.idle, (load.target == sink) & active.i.ready
                & ((to_words & gather.i.ready) | (load.target == Target.WEIGHTS)))),
            active.i.valid.eq(hand),
            active.i.p.tag.eq(load.tag),
            active.i.p.post.eq(load.post),
            active.o.ready.eq(done),
            gather.i.valid.eq(hand & to_words),
            gather.i.payload.eq(load),
            self.busy.eq(load_valid | active.o.valid),
        ]
        with m.If(hand):
            m.d.sync += [handed.eq(1), sink.eq(load.target)]
        with m.If(issuer.i.valid & issuer.i.ready):
            m.d.sync += issued.eq(1)
        with m.If(issued & handed & ~issuer.o.valid):  # its last run is on its way, with its tag
            m.d.sync += [load_valid.eq(0), issued.eq(0), handed.eq(0)]

        # Beats to their sink.
        # What says where they go, and which bank, in registers: half the chip waits for it.
        m.submodules.beats = beats = HeadQueue(
            shape=self.read.beat.payload.shape(), depth=self.BEATS_AHEAD, fields=("last", "resp"))
        m.submodules.words = words = HeadQueue(
            shape=gathered_layout(self.config), depth=self.WORDS_AHEAD,
            fields=("addr", "bad", "last"))
        m.submodules.haul = haul = Haul(data.StructLayout({
            "data": 8 * self.config.group, "last": 1}))
        wiring.connect(m, wiring.flipped(self.read.beat), beats.i)
        wiring.connect(m, gather.o, words.i)
        beat, word = beats.o, words.o
        failed, good, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            failed.eq(beat.valid & (beat.p.resp >= Response.SLVERR)),
            good.eq(beat.valid & ~failed),
            gather.beat.payload.eq(beat.p.data),
            haul.i.p.data.eq(beat.p.data),
            haul.i.p.last.eq(runs.o.p.final & beat.p.last),
            self.weights.payload.eq(haul.o.p.data),
            self.weights.valid.eq(haul.o.valid),
            haul.o.ready.eq(self.weights.ready),
            runs.o.ready.eq(beat.valid & beat.ready & beat.p.last),
            ends.eq(runs.o.ready & runs.o.p.final),  # the instruction's last beat goes
        ]
        # LOADs of weights whose beats are not all on their way: whether there are any, and two.
        wanted, both = Signal(), Signal()
        begins = Signal()
        m.d.comb += begins.eq(hand & (load.target == Target.WEIGHTS))
        with m.If(begins != (ends & (sink == Target.WEIGHTS))):
            m.d.sync += [wanted.eq(begins | both), both.eq(begins & wanted)]
        # The last item has gone where it belongs.
        written, parsed = Signal(), Signal()
        m.d.sync += [
            written.eq(self.words.valid & self.words.ready & word.p.last),
            parsed.eq(self.weights.valid & self.weights.ready & haul.o.p.last),
        ]
        bad_entry, entry = self._table(m, beat, good, sink, active, hand, load)
        bad_image = self._image(m, beat, good, sink, active, ends, done)
        with m.Switch(sink):
            with m.Case(Target.SCRATCHPAD):
                m.d.comb += [
                    gather.beat.valid.eq(good),
                    beat.ready.eq(gather.beat.ready & ~failed),
                    done.eq(written),
                ]
            with m.Case(Target.WEIGHTS):
                m.d.comb += [
                    haul.i.valid.eq(good & wanted),
                    beat.ready.eq(haul.i.ready & haul.i.valid),
                    done.eq(parsed),
                ]
            with m.Case(Target.TABLE):
                m.d.comb += done.eq(ends)
        bad_word = word.valid & word.p.bad & ~written
        m.d.comb += [
            self.words.valid.eq(word.valid & ~word.p.bad),
            self.words.p.addr.eq(word.p.addr),
            self.words.p.data.eq(word.p.data),
            word.ready.eq(self.words.ready & ~word.p.bad),
        ]
        m.d.sync += [self.retire.valid.eq(done), self.retire.post.eq(active.o.p.post)]

        # The first error in program order: what a run's region refuses waits for earlier LOADs.
        with m.If(~self.error.valid):
            with m.If(bad_word | bad_entry):
                m.d.sync += [
                    self.error.valid.eq(1),
                    self.error.cause.eq(Cause.ADDRESS),
                    self.error.tag.eq(active.o.p.tag),
                    self.error.address.eq(Mux(bad_word, word.p.addr, entry)),
                ]
            with m.Elif(self.refusal.valid | bad_image):
                m.d.sync += [
                    self.error.valid.eq(1),
                    self.error.cause.eq(Mux(bad_image, Cause.KERNEL_IMAGE, self.refusal.cause)),
                    self.error.tag.eq(active.o.p.tag),
                ]
            with m.Elif(failed):
                m.d.sync += [
                    self.error.valid.eq(1),
                    self.error.cause.eq(Mux(beat.p.resp == Response.SLVERR,
                                            Cause.READ_SLAVE_ERROR, Cause.READ_DECODE_ERROR)),
                    self.error.tag.eq(runs.o.p.tag),
                    self.error.address.eq(runs.o.p.addr),
                ]
            with m.Elif(issuer.bad & (active.level == handed)):
                m.d.sync += [
                    self.error.valid.eq(1),
                    self.error.cause.eq(Cause.REGION),
                    self.error.tag.eq(load.tag),
                    self.error.address.eq(issuer.address),
                ]
        return m

    def _table(self, m, beat, good, sink, active, hand, load):
        """Entries of a beat one after the other; returns (entry doesn't exist, entry)."""
        entries = 8 * self.config.group // ENTRY_BITS
        place = Signal(range(entries))
        entry = Signal(16, reset_less=True)
        offered, taken = Signal(), Signal()
        m.d.comb += [
            offered.eq(good & active.o.valid & (sink == Target.TABLE)),
            self.table.valid.eq(offered & (entry < TABLE_ENTRIES)),
            self.table.p.addr.eq(entry),
            self.table.p.data.eq(beat.p.data.word_select(place, ENTRY_BITS)),
            taken.eq(self.table.valid & self.table.ready),
        ]
        with m.If(sink == Target.TABLE):
            m.d.comb += beat.ready.eq(taken & (place == entries - 1))
        with m.If(hand):
            m.d.sync += [entry.eq(load.dst), place.eq(0)]
        with m.Elif(taken):
            m.d.sync += [entry.eq(entry + 1), place.eq(place + 1)]
        return offered & (entry >= TABLE_ENTRIES), entry

    def _image(self, m, beat, good, sink, active, ends, done):
        """Beats of kernel images; returns whether one is wrong."""
        if not self.config.fabric:
            return 0
        whole = Signal()  # all beats of the LOAD have gone
        mine = sink == Target.DRP
        m.d.comb += [
            self.image.valid.eq(good & active.o.valid & mine & ~whole),
            self.image.payload.eq(beat.p.data),
        ]
        with m.If(mine):
            m.d.comb += [beat.ready.eq(self.image.valid & self.image.ready),
                         done.eq(whole & self.image_loaded & ~self.image_refused)]
        with m.If(done):
            m.d.sync += whole.eq(0)
        with m.Elif(mine & ends):
            m.d.sync += whole.eq(1)
        return mine & self.image_refused & active.o.valid
