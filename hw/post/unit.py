"""The post unit: from accumulators to output words in the scratchpad."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import PostMode
from hw.copies import copies
from hw.interfaces import (
    ERROR,
    RETIRE,
    WordRead,
    post_command_layout,
    table_write_layout,
    tile_vector_layout,
    word_write_layout,
)
from hw.post.addresses import walk_layout
from hw.post.counts import TileCounter, counts_layout
from hw.post.parameters import Parameters
from hw.post.requantizer import Requantizer
from hw.post.residual import ResidualReader, residual_layout
from hw.post.tables import Tables
from hw.post.writer import WordWriter
from hw.stream import Queue

__all__ = ["PostUnit"]


class PostUnit(wiring.Component):
    """Requantizes tiles, applies tables, adds residuals, writes words, retires instructions.

    Parameters
    ----------
    config : Config

    Members
    -------
    command : In(stream of post_command_layout)
    tile : In(stream of tile_vector_layout)
        For every tile of the command's lane blocks, Q x L/D vectors.
    parameters : In(stream of 8 M bits)
        PARAMETER_BEATS per lane block.
    table : In(stream of table_write_layout)
        Always ready.
    write : Out(stream of word_write_layout)
    residual : Out(WordRead)
    retire : Out(RETIRE)
    error : Out(ERROR)
        ADDRESS of an output or residual word beyond the scratchpad.
    busy : Out(1)
        A command has not retired.

    Timing
    ------
    Once the first vector of a tile is taken the others are taken whenever they are offered, one
    every cycle, or every second cycle in PostMode.ADD (``pace``). Tiles, lane blocks and commands
    follow each other at that pace, but after a command a cycle passes until the next one begins,
    LOOP more after an ADD command, and a lane block can't begin before its parameters are there.
    From a vector to its part of a word LATENCY cycles, in PostMode.ADD LOOP more.
    """

    PIPELINE = Requantizer.LATENCY + Tables.LATENCY
    LATENCY = 1 + PIPELINE  # a vector that was taken is registered first
    # A vector's second pass begins so long after its first one: in the cycle after a vector may
    # have begun, so that both share the pipeline.
    LOOP = PIPELINE + 1
    PACE_ADD = 2
    assert LOOP % PACE_ADD == 1
    COMMANDS = 2

    @staticmethod
    def pace(mode):
        """Cycles between two vectors of a tile in a PostMode."""
        return PostUnit.PACE_ADD if mode == PostMode.ADD else 1

    def __init__(self, config):
        self.config = config
        parts = config.lanes // config.drain
        # At the start of a tile there is room for it while as many words as the pipeline (and
        # the way through the queue, to and fro) can hold are still on their way.
        self.write_words = config.columns - (-(self.LATENCY + 1) // parts)
        self.residual_words = config.columns - (
            -(self.LATENCY + WordRead.LATENCY + 4) // (self.PACE_ADD * parts))
        super().__init__({
            "command": In(stream.Signature(post_command_layout())),
            "tile": In(stream.Signature(tile_vector_layout(config))),
            "parameters": In(stream.Signature(unsigned(8 * config.group))),
            "table": In(stream.Signature(table_write_layout())),
            "write": Out(stream.Signature(word_write_layout(config))),
            "residual": Out(WordRead(config)),
            "retire": Out(RETIRE),
            "error": Out(ERROR),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.parameters = parameters = Parameters(config)
        m.submodules.tables = tables = Tables(drain=config.drain)
        m.submodules.residuals = residuals = ResidualReader(config, depth=self.residual_words)
        m.submodules.writer = writer = WordWriter(config, depth=self.write_words)
        wiring.connect(m, wiring.flipped(self.parameters), parameters.beats)
        wiring.connect(m, wiring.flipped(self.table), tables.write)
        wiring.connect(m, residuals.read, wiring.flipped(self.residual))
        wiring.connect(m, writer.write, wiring.flipped(self.write))
        m.d.comb += [
            self.retire.eq(writer.retire),
            self.error.eq(Mux(writer.error.valid, writer.error, residuals.error)),
        ]
        jobs = self._take_commands(m, writer, residuals)
        job, entry, vector = self._accept(m, jobs, parameters, residuals, writer)
        self._compute(m, job, entry, vector, parameters, tables, residuals, writer)
        return m

    def _take_commands(self, m, writer, residuals):
        """Copies of every command for its three users; returns that of the vectors."""
        command = self.command.p
        m.submodules.jobs = jobs = Queue(shape=post_command_layout(), depth=self.COMMANDS)
        m.submodules.writes = writes = Queue(shape=walk_layout(), depth=self.COMMANDS)
        m.submodules.reads = reads = Queue(shape=residual_layout(), depth=self.COMMANDS)
        wiring.connect(m, writes.o, writer.walk)
        wiring.connect(m, reads.o, residuals.walk)
        m.d.comb += [
            self.command.ready.eq(jobs.i.ready & writes.i.ready & reads.i.ready),
            jobs.i.valid.eq(self.command.valid & self.command.ready),
            jobs.i.payload.eq(command),
            writes.i.valid.eq(self.command.valid & self.command.ready),
            reads.i.valid.eq(self.command.valid & self.command.ready
                             & (command.post_mode == PostMode.ADD)),
        ]
        for walk, kind in ((writes.i.p, "out"), (reads.i.p.walk, "res")):
            for name, _ in walk_layout():
                source = f"{kind}_{name}" if f"{kind}_{name}" in command.shape().members else name
                m.d.comb += walk[name].eq(command[source])
        m.d.comb += [reads.i.p.counts[name].eq(command[name]) for name, _ in counts_layout()]

        # In the queue, in the walker, being written, retiring.
        unretired = Signal(range(self.COMMANDS + 4))
        m.d.comb += self.busy.eq(unretired != 0)
        m.d.sync += unretired.eq(unretired + (self.command.valid & self.command.ready)
                                 - self.retire.valid)
        return jobs

    def _accept(self, m, jobs, parameters, residuals, writer):
        """When a vector is taken; returns its command, its flags and itself.

        They are there in the cycle after, so that nothing wide hangs on the decision.
        """
        columns, parts = self.config.columns, self.config.lanes // self.config.drain
        m.submodules.counter = counter = TileCounter(columns=columns)
        active, inside = Signal(), Signal()  # inside: not a tile's first vector
        may_start = Signal()
        add, odd = Signal(), Signal()
        part, last_part = Signal.like(parameters.part), Signal()
        # Words without a place, residual words no tile counts on; less a tile's.
        room = Signal(range(-columns, self.write_words), init=self.write_words - columns)
        present = Signal(range(-columns, self.residual_words), init=-columns)
        accept, start, job_end = Signal(), Signal(), Signal()
        m.d.comb += [
            self.tile.ready.eq(~(add & odd) & (inside | may_start)),
            accept.eq(self.tile.valid & self.tile.ready),
            start.eq(accept & ~inside),
            last_part.eq(part == parts - 1),
            job_end.eq(accept & last_part & counter.last),
            parameters.part.eq(part),
            parameters.drop.eq(accept & last_part & counter.block_end),
            counter.counts.tiles.eq(jobs.o.p.tiles),
            counter.counts.blocks.eq(jobs.o.p.blocks),
            counter.load.eq(jobs.o.ready),
            counter.step.eq(accept & last_part),
        ]
        # Whether a tile may start is known a cycle ahead. One that starts now takes places from the
        # next vector only if that is another tile's; after a command a cycle is lost.
        less = start if columns * parts == 1 else 0
        m.d.sync += may_start.eq(
            active & (room + writer.left - less >= 0) & (~add | (present - less >= 0))
            & ~(accept & last_part & counter.last)
            & (parameters.whole | (parameters.valid & ~parameters.drop)))
        m.d.sync += [
            odd.eq(~odd),
            room.eq(room + writer.left - Mux(start, columns, 0)),
            present.eq(present + residuals.arrived - Mux(start & add, columns, 0)),
        ]
        with m.If(accept):
            m.d.sync += [part.eq(part + 1), inside.eq(~(last_part & counter.tile_end))]

        # The constants of an ADD command are in use until its last second pass begins.
        cooling = Signal(range(self.LOOP))
        m.d.comb += jobs.o.ready.eq(Mux(active, job_end & ~add, cooling == 0))
        with m.If(accept & add):
            m.d.sync += cooling.eq(self.LOOP - 1)
        with m.Elif(cooling != 0):
            m.d.sync += cooling.eq(cooling - 1)
        with m.If(job_end):
            m.d.sync += active.eq(0)
        with m.If(jobs.o.ready):
            m.d.sync += [active.eq(jobs.o.valid), add.eq(jobs.o.p.post_mode == PostMode.ADD)]

        offered = Signal(post_command_layout(), reset_less=True)
        job = Signal(post_command_layout(), reset_less=True)
        renew = Signal()
        m.d.sync += [offered.eq(jobs.o.payload), renew.eq(jobs.o.ready)]
        with m.If(renew):
            m.d.sync += job.eq(offered)

        entry = Signal(data.StructLayout({"valid": 1, "block_end": 1, "last": 1}))
        vector = Signal.like(self.tile.payload, reset_less=True)
        m.d.sync += [
            entry.valid.eq(accept),
            entry.block_end.eq(counter.block_end),
            entry.last.eq(counter.last),
            vector.eq(self.tile.payload),
        ]
        return job, entry, vector

    def _compute(self, m, job, entry, vector, parameters, tables, residuals, writer):
        """Requantizers, tables and the loop between them."""
        drain = self.config.drain
        flags = dict.fromkeys(("valid", "add", "table", "second", "block_end", "last"), 1)
        scalars = {name: job[name].shape() for name in ("zero", "least", "most")}
        stages = [Signal(data.StructLayout(flags | scalars), name=f"stage_{index}")
                  for index in range(self.LOOP + 1)]
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(stages)]

        def first_of_add(stage):
            return stage.valid & stage.add & ~stage.second

        again = Signal()
        m.d.comb += [
            again.eq(first_of_add(stages[self.LOOP])),
            stages[0].valid.eq(entry.valid | again),
            stages[0].add.eq(job.post_mode == PostMode.ADD),
            stages[0].table.eq(job.post_mode == PostMode.TABLE),
            stages[0].second.eq(again),
        ]
        m.d.comb += [stages[0][name].eq(Mux(again, stages[self.LOOP][name], entry[name]))
                     for name in ("block_end", "last")]
        m.d.comb += [stages[0][name].eq(Mux(again, job[f"add_{name}"], job[name]))
                     for name in scalars]

        at_table, at_output = stages[Requantizer.LATENCY], stages[self.PIPELINE]
        residual = self._residual_bytes(m, first_of_add(at_table), residuals)
        look_ups = copies(m, first_of_add(at_table), "look_up", count=4)
        # As ``again``.
        turns = copies(m, first_of_add(stages[self.LOOP - 1]), "turn", count=4)
        outputs = []
        for lane in range(drain):
            requantizer = Requantizer()
            m.submodules[f"requantizer_{lane}"] = requantizer
            looked_up = Signal(signed(32), reset_less=True, name=f"looked_up_{lane}")
            turn, look_up = turns[lane % len(turns)], look_ups[lane % len(look_ups)]
            own = parameters.lanes[lane]
            q = requantizer.q.as_unsigned()
            byte = q[:8]
            m.d.sync += looked_up.eq(tables.data[lane])
            m.d.comb += [
                requantizer.x.eq(Mux(turn, looked_up, vector[lane])),
                requantizer.y.eq(Mux(turn, tables.data[lane], own.bias)),
                requantizer.multiplier.eq(Mux(turn, job.add_multiplier, own.multiplier)),
                requantizer.pre.eq(Mux(turn, job.add_pre, own.pre)),
                requantizer.post.eq(Mux(turn, job.add_post, own.post)),
                requantizer.zero.eq(stages[Requantizer.SCALARS_STAGE].zero),
                requantizer.least.eq(stages[Requantizer.SCALARS_STAGE].least),
                requantizer.most.eq(stages[Requantizer.SCALARS_STAGE].most),
                # Entries of the upper half: the residual's, and a wide q's.
                tables.addr[lane].eq(Cat(Mux(look_up, residual[lane], byte),
                                         look_up | (q[8] & at_table.table))),
            ]
            for cycle in range(Tables.LATENCY):
                later = Signal(8, reset_less=True, name=f"byte_{lane}_{cycle}")
                m.d.sync += later.eq(byte)
                byte = later
            outputs.append(Mux(at_output.table, tables.data[lane][:8], byte))
        self._words(m, at_output, outputs, writer)

    def _residual_bytes(self, m, step, residuals):
        """The residual bytes of the vector for which ``step`` was given in the cycle before."""
        drain = self.config.drain
        parts = self.config.lanes // drain
        part = Signal(range(parts))
        taken = Signal(data.ArrayLayout(8, drain), reset_less=True)
        m.d.comb += residuals.word.ready.eq(step & (part == parts - 1))
        with m.If(step):
            m.d.sync += [
                part.eq(part + 1),
                taken.eq(residuals.word.payload.word_select(part, 8 * drain)),
            ]
        return taken

    def _words(self, m, stage, outputs, writer):
        """Join vectors of D bytes to words; the writer has a place for each."""
        parts = self.config.lanes // self.config.drain
        part = Signal(range(parts))
        vector = Cat(outputs)
        earlier = Signal((parts - 1) * len(vector), reset_less=True)
        word = Cat(earlier, vector)
        valid = stage.valid & (~stage.add | stage.second)
        m.d.comb += [
            writer.word.p.data.eq(word),
            writer.word.p.block_end.eq(stage.block_end),
            writer.word.p.last.eq(stage.last),
            writer.word.valid.eq(valid & (part == parts - 1)),
        ]
        with m.If(valid):
            m.d.sync += [part.eq(part + 1), earlier.eq(word[len(vector):])]
