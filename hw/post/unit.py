"""The post unit: from accumulators to output words in the scratchpad."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import PostMode
from golden.spec.layout import TABLE_ENTRIES
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
from hw.post.parameters import Parameters
from hw.post.requantizer import Requantizer
from hw.post.residual import ResidualReader
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
    follow each other at that pace, but after an ADD command LOOP cycles pass until the next one
    begins, and a lane block can't begin before its parameters are there. From a vector to its
    part of a word LATENCY cycles, in PostMode.ADD LOOP more.
    """

    LATENCY = Requantizer.LATENCY + Tables.LATENCY
    # A vector's second pass begins so long after its first one: in the cycle after a vector may
    # have begun, so that both share the pipeline.
    LOOP = LATENCY + 1
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
        # the way through the queue) can hold are still on their way.
        self.write_words = config.columns - (-(self.LATENCY + 4) // parts)
        self.residual_words = config.columns - (-(self.LATENCY + 4) // (self.PACE_ADD * parts))
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
        job, accept = self._accept(m, jobs, parameters, residuals, writer)
        self._compute(m, job, accept, parameters, tables, residuals, writer)
        return m

    def _take_commands(self, m, writer, residuals):
        """Copies of every command for its three users; returns that of the vectors."""
        command = self.command.p
        m.submodules.jobs = jobs = Queue(shape=post_command_layout(), depth=self.COMMANDS)
        m.submodules.writes = writes = Queue(shape=walk_layout(), depth=self.COMMANDS)
        m.submodules.reads = reads = Queue(shape=walk_layout(), depth=self.COMMANDS)
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
        for queue, kind in ((writes, "out"), (reads, "res")):
            for name, _ in walk_layout():
                source = f"{kind}_{name}" if f"{kind}_{name}" in command.shape().members else name
                m.d.comb += queue.i.p[name].eq(command[source])

        # In the queue, in the walker, being written, retiring.
        unretired = Signal(range(self.COMMANDS + 4))
        m.d.comb += self.busy.eq(unretired != 0)
        m.d.sync += unretired.eq(unretired + (self.command.valid & self.command.ready)
                                 - self.retire.valid)
        return jobs

    def _accept(self, m, jobs, parameters, residuals, writer):
        """When a vector is taken; returns the command at hand and the strobe."""
        columns, parts = self.config.columns, self.config.lanes // self.config.drain
        job = Signal(post_command_layout(), reset_less=True)
        active, inside = Signal(), Signal()  # inside: not a tile's first vector
        column, tile, block = Signal(range(columns)), Signal(24), Signal(11)
        part = parameters.part
        part_count = Signal.like(part)
        reserved = Signal(range(self.write_words + 1))  # words that have a place or will need it
        present = Signal(range(self.residual_words + 1))  # residual words no tile counts on
        odd, cooling = Signal(), Signal(range(self.LOOP))
        add = job.post_mode == PostMode.ADD
        accept, start = Signal(), Signal()
        tile_end, block_end, job_end = Signal(), Signal(), Signal()
        room = ((reserved <= self.write_words - columns)
                & (~add | (present >= columns)))
        m.d.comb += [
            part.eq(part_count),
            self.tile.ready.eq(active & parameters.valid & (inside | room) & ~(add & odd)),
            accept.eq(self.tile.valid & self.tile.ready),
            start.eq(accept & ~inside),
            tile_end.eq(accept & (part_count == parts - 1) & (column == 0)),
            block_end.eq(tile_end & (tile == 0)),
            job_end.eq(block_end & (block == 0)),
            parameters.drop.eq(block_end),
            # The constants of an ADD command are in use until its last second pass begins.
            jobs.o.ready.eq(Mux(active, job_end & ~add, cooling == 0)),
        ]
        m.d.sync += [
            odd.eq(~odd),
            reserved.eq(reserved + Mux(start, columns, 0) - writer.left),
            present.eq(present + residuals.arrived - Mux(start & add, columns, 0)),
        ]
        with m.If(accept & add):
            m.d.sync += cooling.eq(self.LOOP - 1)
        with m.Elif(cooling != 0):
            m.d.sync += cooling.eq(cooling - 1)
        with m.If(accept):
            m.d.sync += [part_count.eq(part_count + 1), inside.eq(~tile_end)]
            with m.If(part_count == parts - 1):
                m.d.sync += column.eq(Mux(tile_end, columns - 1, column - 1))
        with m.If(tile_end):
            m.d.sync += tile.eq(Mux(block_end, job.tiles - 1, tile - 1))
        with m.If(block_end):
            m.d.sync += block.eq(block - 1)
        with m.If(job_end):
            m.d.sync += active.eq(0)
        with m.If(jobs.o.ready):
            m.d.sync += [
                active.eq(jobs.o.valid),
                job.eq(jobs.o.payload),
                column.eq(columns - 1),
                tile.eq(jobs.o.p.tiles - 1),
                block.eq(jobs.o.p.blocks - 1),
            ]
        return job, accept

    def _compute(self, m, job, accept, parameters, tables, residuals, writer):
        """Requantizers, tables and the loop between them."""
        drain = self.config.drain
        scalars = {name: signed(8) for name in ("zero", "least", "most")}
        stages = [Signal(data.StructLayout({"valid": 1, "add": 1, "table": 1, "second": 1}
                                           | scalars), name=f"stage_{index}")
                  for index in range(self.LOOP + 1)]
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(stages)]

        def first_of_add(stage):
            return stage.valid & stage.add & ~stage.second

        again = Signal()
        m.d.comb += [
            again.eq(first_of_add(stages[self.LOOP])),
            stages[0].valid.eq(accept | again),
            stages[0].add.eq(job.post_mode == PostMode.ADD),
            stages[0].table.eq(job.post_mode == PostMode.TABLE),
            stages[0].second.eq(again),
        ]
        m.d.comb += [stages[0][name].eq(Mux(again, job[f"add_{name}"], job[name]))
                     for name in scalars]

        at_table, at_output = stages[Requantizer.LATENCY], stages[self.LATENCY]
        residual = self._residual_bytes(m, first_of_add(at_table), residuals)
        look_up_residual = first_of_add(stages[Requantizer.LATENCY + 1])
        outputs = []
        for lane in range(drain):
            requantizer = Requantizer()
            m.submodules[f"requantizer_{lane}"] = requantizer
            looked_up = Signal(signed(32), reset_less=True, name=f"looked_up_{lane}")
            own = parameters.lanes[lane]
            byte = requantizer.q
            m.d.sync += looked_up.eq(tables.data[lane])
            m.d.comb += [
                requantizer.x.eq(Mux(again, looked_up, self.tile.p[lane])),
                requantizer.y.eq(Mux(again, tables.data[lane], own.bias)),
                requantizer.multiplier.eq(Mux(again, job.add_multiplier, own.multiplier)),
                requantizer.pre.eq(Mux(again, job.add_pre, own.pre)),
                requantizer.post.eq(Mux(again, job.add_post, own.post)),
                requantizer.zero.eq(stages[Requantizer.ZERO_STAGE].zero),
                requantizer.least.eq(stages[Requantizer.CLAMP_STAGE].least),
                requantizer.most.eq(stages[Requantizer.CLAMP_STAGE].most),
                tables.addr[lane].eq(Mux(look_up_residual, residual[lane] | TABLE_ENTRIES // 2,
                                         byte.as_unsigned())),
            ]
            for cycle in range(Tables.LATENCY):
                later = Signal(8, reset_less=True, name=f"byte_{lane}_{cycle}")
                m.d.sync += later.eq(byte)
                byte = later
            outputs.append(Mux(at_output.table, tables.data[lane][:8], byte))
        self._words(m, at_output.valid & (~at_output.add | at_output.second), outputs, writer)

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

    def _words(self, m, valid, outputs, writer):
        """Join vectors of D bytes to words; the writer has a place for each."""
        parts = self.config.lanes // self.config.drain
        part = Signal(range(parts))
        vector = Cat(outputs)
        earlier = Signal((parts - 1) * len(vector), reset_less=True)
        word = Cat(earlier, vector)
        m.d.comb += [
            writer.word.payload.eq(word),
            writer.word.valid.eq(valid & (part == parts - 1)),
        ]
        with m.If(valid):
            m.d.sync += [part.eq(part + 1), earlier.eq(word[len(vector):])]
