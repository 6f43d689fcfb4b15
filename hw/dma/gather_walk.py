"""Where each word of a LOAD lies among the beats of its run."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import Opcode
from hw.dma.nest import LEVELS, WordNest, counts_layout
from hw.interfaces import instruction_layout

__all__ = ["GatherWalk", "place_layout"]

BEATS_BITS = 24  # counts the beats of a run


def place_layout(config):
    """One word, or (``word`` = 0) beats to drop at a run's end.

    ``advance`` beats go by before it (``still``: none, ``single``: one). Then byte j of it is
    byte ``shift`` + j of the last of them and, if ``straddles``, the one that follows; or fill
    unless bit j of ``mask``.
    """
    return data.StructLayout({
        "word": 1, "advance": BEATS_BITS, "still": 1, "single": 1,
        "shift": range(config.group), "straddles": 1, "mask": config.group, "fill": 8,
        "addr": 16, "bad": 1, "last": 1})


class GatherWalk(wiring.Component):
    """Walks the three loops of every run and turns byte positions into beats and shifts.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of LOAD)
    o : Out(stream of place_layout)
        ``advance`` counts from before a run's first beat; at a run's end all its beats have gone
        by. ``bad``: the address is not in the scratchpad. ``last``: the instruction's last word.
    idle : Out(1)
        Nothing held.

    Timing
    ------
    LATENCY cycles from ``i`` to ``o``; a place a cycle; 2 cycles between instructions.
    """

    LATENCY = 5

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(instruction_layout(Opcode.LOAD))),
            "o": Out(stream.Signature(place_layout(config))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        group = self.config.group
        beat_bits = group.bit_length() - 1
        fields = Signal(instruction_layout(Opcode.LOAD), reset_less=True)
        # Widths at which no legal field value overflows.
        row_bits = 2 + max(24, len(fields.count1) + len(fields.step1))
        run_bits = 1 + max(row_bits, len(fields.count2) + len(fields.step2))

        # Stage 0: the loops. Positions count bytes from a row's or a run's first byte.
        m.submodules.nest = nest = WordNest()
        begun, walking = Signal(), Signal()
        moves = [Signal(name=f"s{n}_move") for n in range(3)]  # stage n hands on what it has
        pixel = Signal(signed(row_bits), reset_less=True)     # in the row, of the pixel
        position = Signal(signed(row_bits), reset_less=True)  # in the row, of the word
        row = Signal(run_bits, reset_less=True)  # in the run's beats, of the row, + one beat
        low = Signal(beat_bits, reset_less=True)  # the run's place in its first beat
        next_low = Signal(beat_bits)
        next_pixel = Signal(signed(row_bits))
        new_run = Signal()
        m.d.comb += [
            nest.base.eq(fields.dst),
            nest.start.eq(begun),
            nest.step.eq(moves[0]),
            self.i.ready.eq(~begun & ~walking),
            next_low.eq(Mux(begun, fields.address, low + fields.run_stride)),
            next_pixel.eq(Mux(nest.ends[1], fields.first, pixel + fields.step1)),
            new_run.eq(begun | (moves[0] & nest.ends[2])),
        ]
        m.d.comb += [nest.counts[name].eq(fields[name]) for name, _ in counts_layout()]
        m.d.comb += [nest.steps[j].eq(fields[name]) for j, name in enumerate(
            ("dst_step0", "dst_step1", "dst_step2", "dst_run_step"))]
        with m.If(self.i.ready):
            m.d.sync += [fields.eq(self.i.p), begun.eq(self.i.valid)]
        with m.If(begun):
            m.d.sync += [begun.eq(0), walking.eq(1),
                         position.eq(fields.first), pixel.eq(fields.first)]
        with m.Elif(moves[0]):
            with m.If(nest.ends[LEVELS - 1]):
                m.d.sync += walking.eq(0)
            with m.If(nest.ends[0]):
                m.d.sync += [position.eq(next_pixel), pixel.eq(next_pixel)]
            with m.Else():
                m.d.sync += position.eq(position + fields.step0)
        with m.If(new_run):
            m.d.sync += [low.eq(next_low), row.eq(next_low + group)]
        with m.Elif(moves[0] & nest.ends[1]):
            m.d.sync += row.eq(row + fields.step2)

        # What a word keeps from here on; the instruction's own fields may be the next one's.
        kept = data.StructLayout({
            "addr": 16, "ends": LEVELS, "first": 1, "fill": 8, "beats": BEATS_BITS,
            "skip": range(group)})  # first word of its run, beats of the run, fill on the left

        # Stage 1: position in the run's beats, data bytes of the row from here on.
        s1_valid = Signal()
        s1 = Signal(kept, reset_less=True)
        s1_place = Signal(run_bits, reset_less=True)
        s1_data = Signal(signed(row_bits + 1), reset_less=True)
        s1_limit = Signal(range(group + 1), reset_less=True)
        first = Signal()
        m.d.comb += moves[0].eq(walking & (~s1_valid | moves[1]))
        with m.If(new_run):
            m.d.sync += first.eq(1)
        with m.Elif(moves[0]):
            m.d.sync += first.eq(0)
        with m.If(~s1_valid | moves[1]):
            m.d.sync += [
                s1_valid.eq(walking),
                s1.addr.eq(nest.addr),
                s1.ends.eq(nest.ends),
                s1.first.eq(first),
                s1.fill.eq(fields.fill),
                s1.beats.eq((fields.run_bytes + low + group - 1) >> beat_bits),
                s1.skip.eq(Mux(position < 0, -position, 0)),
                s1_place.eq(row + position),
                s1_data.eq(fields.row_bytes - position),
                s1_limit.eq(Mux(nest.ends[0], fields.tail, group)),
            ]

        # Stage 2: beats that have gone by when the first byte's beat is there, bytes of data.
        s2_valid = Signal()
        s2 = Signal(kept, reset_less=True)
        s2_gone = Signal(BEATS_BITS, reset_less=True)
        s2_shift = Signal(range(group), reset_less=True)
        s2_bytes = Signal(range(group + 1), reset_less=True)
        s2_bad = Signal(reset_less=True)
        gone = Signal(run_bits - beat_bits)
        m.d.comb += [
            moves[1].eq(s1_valid & (~s2_valid | moves[2])),
            gone.eq(s1_place[beat_bits:]),
        ]
        with m.If(~s2_valid | moves[2]):
            m.d.sync += [
                s2_valid.eq(s1_valid),
                s2.eq(s1),
                s2_gone.eq(Mux(gone > s1.beats, s1.beats, gone)),
                s2_shift.eq(s1_place),
                s2_bytes.eq(Mux(s1_data < 0, 0, Mux(s1_data < s1_limit, s1_data, s1_limit))),
                s2_bad.eq(s1.addr >= self.config.words),
            ]

        # Stage 3: the difference to the word before; at a run's end also its unused beats.
        out = self.o.p
        dropping, left_over, downwards = Signal(), Signal(), Signal()
        before, have = Signal(BEATS_BITS, reset_less=True), Signal(BEATS_BITS)
        want, advance = Signal(BEATS_BITS), Signal(BEATS_BITS)
        free = ~self.o.valid | self.o.ready
        m.d.comb += [
            have.eq(Mux(s2.first & ~dropping, 0, before)),
            downwards.eq(s2_gone < have),  # not legal; must not upset the count of beats
            want.eq(Mux(dropping, s2.beats, Mux(downwards, have, s2_gone))),
            advance.eq(want - have),
            left_over.eq(s2.ends[LEVELS - 2] & (want != s2.beats)),
            moves[2].eq(s2_valid & free & ~left_over),
        ]
        with m.If(free):
            m.d.sync += [
                self.o.valid.eq(s2_valid),
                dropping.eq(s2_valid & left_over),
                out.word.eq(~dropping),
                out.advance.eq(advance),
                out.still.eq(advance == 0),
                out.single.eq(advance == 1),
                out.shift.eq(s2_shift),
                out.straddles.eq((s2_shift + s2_bytes > group) & (want != s2.beats)),
                out.mask.eq(_ones(s2_bytes, group) & ~_ones(s2.skip, group)),
                out.fill.eq(s2.fill),
                out.addr.eq(s2.addr),
                out.bad.eq(s2_bad),
                out.last.eq(s2.ends[LEVELS - 1]),
            ]
            with m.If(s2_valid):
                m.d.sync += before.eq(want)
        m.d.comb += self.idle.eq(~(begun | walking | s1_valid | s2_valid | self.o.valid))
        return m


def _ones(count, width):
    """A mask of ``count`` low ones out of ``width``."""
    return ((1 << count) - 1)[:width]
