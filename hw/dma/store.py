"""The store unit: scratchpad and counters to DRAM."""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from golden.spec.isa import Opcode
from golden.spec.layout import LOG_BYTES
from golden.spec.registers import COUNTERS, REGIONS, Cause
from hw.bus.axi import AXI4, Response
from hw.dma.nest import LEVELS, WordNest, counts_layout
from hw.dma.pack import Pack, unpacked_layout
from hw.dma.runs import RunIssuer, run_fields_layout
from hw.dma.write_master import WriteMaster
from hw.interfaces import ERROR, REGION, RETIRE, WordRead, instruction_layout
from hw.stream import HeadQueue, Queue

__all__ = ["StoreUnit"]


class StoreUnit(wiring.Component):
    """Executes STOREs and LOGs in order; the next one's words are read while responses come in.

    A LOG is read from when nothing before it is left, so that its counters tell of all of that.
    An error stops the unit: no burst begins any more, those begun end.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of 512 bits)
        STORE and LOG instructions.
    regions : In(array of REGION)
    counters : In(array of 32 bits)
        In the order of golden.spec.registers.COUNTERS.
    read : Out(WordRead)
    aw, w, b : as in AXI4
    flush : In(1)
        Begin no burst; end those begun without strobes.
    quiet : Out(1)
        Nothing is outstanding and nothing is on offer.
    retire : Out(RETIRE)
        In the cycle after an instruction's last response.
    error : Out(ERROR)
        For AXI errors the address is that of the run.
    busy : Out(1)
    beat_written : Out(1)

    Timing
    ------
    LATENCY cycles from an instruction to its first word's address; a word a cycle and a beat a
    cycle. Reading pauses for PAUSE cycles between instructions. A burst leaves when it is whole.
    """

    LATENCY = 2
    PAUSE = 3
    WORDS_AHEAD = WordRead.LATENCY + 3  # in flight from the scratchpad, and waiting
    UNANSWERED = 4    # instructions taken and not retired

    def __init__(self, config):
        self.config = config
        bus = AXI4(config.group).members
        super().__init__({
            "i": In(stream.Signature(unsigned(8 * isa.INSTRUCTION_BYTES))),
            "regions": In(data.ArrayLayout(REGION, REGIONS)),
            "counters": In(data.ArrayLayout(32, len(COUNTERS))),
            "read": Out(WordRead(config)),
            "aw": bus["aw"],
            "w": bus["w"],
            "b": bus["b"],
            "flush": In(1),
            "quiet": Out(1),
            "retire": Out(RETIRE),
            "error": Out(ERROR),
            "busy": Out(1),
            "beat_written": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        store = Signal(instruction_layout(Opcode.STORE), reset_less=True)
        store_valid, issued, worded = Signal(), Signal(), Signal()
        log = Signal()
        m.submodules.pending = pending = Queue(
            shape=data.StructLayout({"tag": 16, "post": isa.SEMAPHORES}), depth=self.UNANSWERED)
        arriving = data.View(instruction_layout(Opcode.STORE), self.i.payload)
        alone = pending.level == 1  # everything before has been retired
        m.d.comb += [
            self.i.ready.eq(~store_valid & pending.i.ready),
            pending.i.valid.eq(self.i.valid & ~store_valid),
            pending.i.p.tag.eq(arriving.tag),
            pending.i.p.post.eq(arriving.post),
            self.busy.eq(pending.o.valid),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [store.eq(arriving), log.eq(arriving.opcode == Opcode.LOG),
                         store_valid.eq(1), issued.eq(0), worded.eq(0)]
        with m.Elif(issued & worded):
            m.d.sync += store_valid.eq(0)

        m.submodules.master = master = WriteMaster(self.config)
        for name in ("aw", "w", "b"):
            wiring.connect(m, getattr(master, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [
            master.flush.eq(self.flush),
            master.stop.eq(self.error.valid),
            self.quiet.eq(master.quiet),
            self.beat_written.eq(master.beat_written),
        ]

        # Runs. A LOG is one of a record.
        m.submodules.issuer = issuer = RunIssuer(self.config)
        record = {"run_bytes": LOG_BYTES, "runs": 1}
        m.d.comb += [issuer.i.p[name].eq(Mux(log, record[name], store[name])
                                         if name in record else store[name])
                     for name, _ in run_fields_layout()]
        m.d.comb += [
            issuer.regions.eq(self.regions),
            issuer.i.valid.eq(store_valid & ~issued),
            issuer.stop.eq(self.error.valid),
        ]
        wiring.connect(m, issuer.o, master.run)
        with m.If(issuer.i.valid & issuer.i.ready):
            m.d.sync += issued.eq(1)

        # Words.
        m.submodules.words = words = Queue(shape=unsigned(8 * self.config.group),
                                           depth=self.WORDS_AHEAD, registered=True)
        m.submodules.pack = pack = Pack(self.config)
        # What is known of a word, beside it: block RAM is slow, and it turns the word.
        known = data.StructLayout({name: field.shape for name, field
                                   in unpacked_layout(self.config) if name != "data"})
        m.submodules.about = about = HeadQueue(shape=known, depth=self.WORDS_AHEAD)
        m.d.comb += [
            pack.i.valid.eq(words.o.valid),
            words.o.ready.eq(pack.i.ready),
            about.i.valid.eq(words.i.valid & words.i.ready),
            about.o.ready.eq(words.o.valid & words.o.ready),
            pack.i.p.data.eq(words.o.payload),
        ]
        m.d.comb += [pack.i.p[name].eq(about.o.p[name]) for name, _ in known]
        wiring.connect(m, pack.o, master.beat)
        bad_word, word = self._words(m, store, store_valid & ~worded, worded, log, alone, words,
                                     about)

        # Endings.
        retires = master.done & ~self.error.valid
        m.d.comb += pending.o.ready.eq(retires)
        m.d.sync += [self.retire.valid.eq(retires), self.retire.post.eq(pending.o.p.post)]
        with m.If(~self.error.valid):
            with m.If(master.bad):
                m.d.sync += [
                    self.error.valid.eq(1),
                    self.error.cause.eq(Mux(master.cause == Response.SLVERR,
                                            Cause.WRITE_SLAVE_ERROR, Cause.WRITE_DECODE_ERROR)),
                    self.error.tag.eq(pending.o.p.tag),
                    self.error.address.eq(master.address),
                ]
            with m.Elif(alone & (issuer.bad | bad_word)):
                m.d.sync += [
                    self.error.valid.eq(1),
                    self.error.cause.eq(Mux(issuer.bad, Cause.REGION, Cause.ADDRESS)),
                    self.error.tag.eq(pending.o.p.tag),
                    self.error.address.eq(Mux(issuer.bad, issuer.address, word)),
                ]
        return m

    def _words(self, m, store, valid, worded, log, alone, words, about):
        """Feed ``words``, and what is known ``about`` them, from scratchpad or counters.

        Returns (address is bad, address).
        """
        config, group = self.config, self.config.group
        m.submodules.nest = nest = WordNest()
        m.d.comb += nest.base.eq(store.src)
        m.d.comb += [nest.counts[name].eq(store[name]) for name, _ in counts_layout()]
        m.d.comb += [nest.steps[j].eq(store[name]) for j, name in enumerate(
            ("src_step0", "src_step1", "src_step2", "src_run_step"))]

        address = self.read.addr
        # What is known of the words in flight, the one asked for last first.
        flight = [Signal(about.shape, name=f"flight_{stage}", reset_less=True)
                  for stage in range(WordRead.LATENCY)]
        owed = Signal(range(self.WORDS_AHEAD + 1))  # words in flight or waiting
        full = Signal()  # owed == WORDS_AHEAD
        asked, taken = Signal(), Signal()
        # Where in a beat the run begins, and the word.
        begin, offset = (Signal(range(group), name=name, reset_less=True)
                         for name in ("begin", "offset"))
        next_begin, size = Signal.like(begin), Signal(range(group + 1))
        snapshot = Signal(8 * LOG_BYTES, reset_less=True)
        left = Signal(range(LOG_BYTES // group), reset_less=True)
        bad = Signal()
        m.d.comb += [
            address.payload.eq(nest.addr),
            words.i.valid.eq(self.read.valid),
            words.i.payload.eq(self.read.data),
            taken.eq(words.o.valid & words.o.ready),
            next_begin.eq(begin + store.run_stride),
            size.eq(Mux(nest.ends[0], store.tail, group)),
        ]
        m.d.comb += about.i.payload.eq(flight[-1])
        m.d.sync += [then.eq(now) for now, then in pairwise(flight)]
        m.d.sync += [
            flight[0].bytes.eq(size),
            flight[0].last.eq(nest.ends[LEVELS - 2]),
            flight[0].offset.eq(offset),
        ]
        with m.If(asked != taken):
            m.d.sync += [owed.eq(owed + Mux(asked, 1, -1)),
                         full.eq(asked & (owed == self.WORDS_AHEAD - 1))]
        with m.FSM(name="words"):
            with m.State("IDLE"):
                m.d.sync += [begin.eq(store.address), offset.eq(store.address)]
                with m.If(valid):
                    m.next = "SNAPSHOT"
                    with m.If(~log):
                        m.d.comb += nest.start.eq(1)
                        m.next = "READ"
            with m.State("READ"):
                m.d.comb += [
                    bad.eq(nest.addr >= config.words),
                    address.valid.eq(~bad & ~full),
                    nest.step.eq(address.valid & address.ready),
                    asked.eq(nest.step),
                ]
                with m.If(nest.step):
                    m.d.sync += offset.eq(offset + size)
                with m.If(nest.step & nest.ends[LEVELS - 2]):
                    m.d.sync += [begin.eq(next_begin), offset.eq(next_begin)]
                with m.If(nest.step & nest.ends[LEVELS - 1]):
                    m.d.sync += worded.eq(1)
                    m.next = "IDLE"
            with m.State("SNAPSHOT"):
                m.d.sync += [
                    snapshot.eq(Cat(store.tag, Const(0, 16), self.counters)),
                    left.eq(LOG_BYTES // group - 1),
                ]
                with m.If(alone):
                    m.next = "LOG"
            with m.State("LOG"):
                m.d.comb += [
                    words.i.valid.eq(1),
                    words.i.payload.eq(snapshot),
                    about.i.p.bytes.eq(group),
                    about.i.p.last.eq(left == 0),
                    about.i.p.offset.eq(offset),
                ]
                with m.If(words.i.ready):
                    m.d.comb += asked.eq(1)
                    m.d.sync += [snapshot.eq(snapshot >> (8 * group)), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += worded.eq(1)
                        m.next = "IDLE"
        return bad, nest.addr
