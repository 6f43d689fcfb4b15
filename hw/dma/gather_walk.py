"""Where each word of a LOAD lies among the beats of its run."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import Opcode
from hw.dma.nest import LEVELS, WordNest, counts_layout
from hw.interfaces import instruction_layout

__all__ = ["GatherWalk", "place_layout"]

# Positions are exact below 2**FAR_BITS and stay beyond once they are: no run has that many bytes,
# so what lies there is fill.
FAR_BITS = 25


def place_layout(config):
    """One word, or (``word`` = 0) beats to drop at a run's end.

    ``advance`` beats go by before it (``still``: none). Then byte j of it is byte ``shift`` + j
    of the last of them and, if ``straddles``, the one that follows; or fill unless bit j of
    ``mask``.
    """
    return data.StructLayout({
        "word": 1, "advance": FAR_BITS + 1 - config.group.bit_length(), "still": 1,
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
        beats_bits = FAR_BITS - beat_bits  # count the beats of a run
        fields = Signal(instruction_layout(Opcode.LOAD), reset_less=True)

        # Stage 0: the loops. Positions count bytes from a row's or a run's first byte.
        m.submodules.nest = nest = WordNest()
        begun, walking = Signal(), Signal()
        move = Signal()  # to the next word
        # In the row, of the pixel and of the word; from one beat before it, so never negative.
        pixel = Signal(FAR_BITS + 1, reset_less=True)
        position = Signal(FAR_BITS + 1, reset_less=True)
        row = Signal(FAR_BITS + 1, reset_less=True)  # in the run's beats, of the row
        low = Signal(beat_bits, reset_less=True)  # the run's place in its first beat
        first, next_pixel = Signal.like(pixel), Signal.like(pixel)
        next_low = Signal(beat_bits)
        new_run = Signal()
        m.d.comb += [
            nest.base.eq(fields.dst),
            nest.start.eq(begun),
            nest.step.eq(move),
            self.i.ready.eq(~begun & ~walking),
            first.eq((fields.first + group)[:len(fields.first)]),
            next_low.eq(Mux(begun, fields.address, low + fields.run_stride)),
            next_pixel.eq(Mux(nest.ends[1], first, _further(pixel, fields.step1))),
            new_run.eq(begun | (move & nest.ends[2])),
        ]
        m.d.comb += [nest.counts[name].eq(fields[name]) for name, _ in counts_layout()]
        m.d.comb += [nest.steps[j].eq(fields[name]) for j, name in enumerate(
            ("dst_step0", "dst_step1", "dst_step2", "dst_run_step"))]
        with m.If(self.i.ready):
            m.d.sync += [fields.eq(self.i.p), begun.eq(self.i.valid)]
        with m.If(begun):
            m.d.sync += [begun.eq(0), walking.eq(1), position.eq(first), pixel.eq(first)]
        with m.Elif(move):
            with m.If(nest.ends[LEVELS - 1]):
                m.d.sync += walking.eq(0)
            with m.If(nest.ends[0]):
                m.d.sync += [position.eq(next_pixel), pixel.eq(next_pixel)]
            with m.Else():
                m.d.sync += position.eq(_further(position, fields.step0))
        with m.If(new_run):
            m.d.sync += [low.eq(next_low), row.eq(next_low)]
        with m.Elif(move & nest.ends[1]):
            m.d.sync += row.eq(_further(row, fields.step2))

        # What a word keeps from here on; the instruction's own fields may be the next one's.
        kept = data.StructLayout({
            "addr": 16, "run_ends": 1, "last": 1, "fill": 8, "beats": beats_bits,
            "skip": range(group)})  # beats of the run, fill on the left

        # Stage 1: position in the run's beats, data bytes of the row from one beat further on.
        s1_valid = Signal()
        s1 = Signal(kept, reset_less=True)
        s1_place = Signal(FAR_BITS + 2, reset_less=True)
        s1_data = Signal(signed(FAR_BITS + 2), reset_less=True)
        s1_limit = Signal(range(group + 1), reset_less=True)
        s1_free = Signal()
        m.d.comb += move.eq(walking & s1_free)
        with m.If(s1_free):
            m.d.sync += [
                s1_valid.eq(walking),
                s1.addr.eq(nest.addr),
                s1.run_ends.eq(nest.ends[LEVELS - 2]),
                s1.last.eq(nest.ends[LEVELS - 1]),
                s1.fill.eq(fields.fill),
                s1.beats.eq((fields.run_bytes + low + group - 1) >> beat_bits),
                s1.skip.eq(Mux(position[beat_bits:].any(), 0, -position[:beat_bits])),
                s1_place.eq(row + position),
                s1_data.eq(fields.row_bytes - position),
                s1_limit.eq(Mux(nest.ends[0], fields.tail, group)),
            ]

        # Stage 2: beats that have gone by when the first byte's beat is there, unless all of the
        # run's have; bytes of data.
        s2_valid = Signal()
        s2 = Signal(kept, reset_less=True)
        s2_gone = Signal(beats_bits, reset_less=True)
        s2_short = Signal(reset_less=True)  # not all of the run's have
        s2_rest = Signal()  # which are to be dropped behind this word
        s2_shift = Signal(range(group), reset_less=True)
        s2_bytes = Signal(range(group + 1), reset_less=True)
        short, s2_free = Signal(), Signal()
        some = s1_data[:beat_bits]
        m.d.comb += [
            s1_free.eq(~s1_valid | s2_free),
            short.eq(s1_place[beat_bits:] < s1.beats),
        ]
        with m.If(s2_free):
            m.d.sync += [
                s2_valid.eq(s1_valid),
                s2.eq(s1),
                s2_gone.eq(s1_place[beat_bits:]),
                s2_short.eq(short),
                s2_rest.eq(s1_valid & short & s1.run_ends),
                s2_shift.eq(s1_place),
                s2_bytes.eq(Mux(
                    s1_data >= 0, s1_limit,
                    Mux(s1_data[beat_bits:].all(), Mux(some < s1_limit, some, s1_limit), 0))),
            ]

        # Stage 3: what the word before had; at a run's end also the run's unused beats.
        out = self.o.p
        s3_gone, s3_had = (Signal(beats_bits, name=f"s3_{name}", reset_less=True)
                           for name in ("gone", "had"))
        before, gone = Signal(beats_bits), Signal(beats_bits)
        dropping, further, all_gone = Signal(), Signal(), Signal()
        free = ~self.o.valid | self.o.ready
        m.d.comb += [
            gone.eq(Mux(s2_short, s2_gone, s2.beats)),
            further.eq(gone > before),  # less is not legal; must not upset the count of beats
            s2_free.eq(~s2_valid | (free & ~s2_rest)),
        ]
        with m.If(free):
            m.d.sync += [
                self.o.valid.eq(s2_valid),
                dropping.eq(s2_rest),
                s3_gone.eq(gone),
                s3_had.eq(before),
                out.word.eq(~dropping),
                out.still.eq(~further),
                out.shift.eq(s2_shift),
                out.straddles.eq((s2_shift + s2_bytes > group) & s2_short & ~all_gone),
                out.mask.eq(_ones(s2_bytes, group) & ~_ones(s2.skip, group)),
                out.fill.eq(s2.fill),
                out.addr.eq(s2.addr),
                out.bad.eq(s2.addr >= self.config.words),
                out.last.eq(s2.last),
            ]
            with m.If(s2_rest):
                m.d.sync += [s2_rest.eq(0), s2_short.eq(0)]
            with m.If(s2_free & s2.run_ends):
                m.d.sync += [before.eq(0), all_gone.eq(0)]
            with m.Elif(s2_valid):
                m.d.sync += all_gone.eq(all_gone | ~s2_short)
                with m.If(further):
                    m.d.sync += before.eq(gone)
        m.d.comb += [
            out.advance.eq(s3_gone - s3_had),
            self.idle.eq(~(begun | walking | s1_valid | s2_valid | self.o.valid)),
        ]
        return m


def _further(position, step):
    """A position and a step after it, of the same bits; the highest one stays set."""
    following = position[:-1] + step
    return Cat(following[:FAR_BITS], position[-1] | following[FAR_BITS:].any())


def _ones(count, width):
    """A mask of ``count`` low ones out of ``width``."""
    return ((1 << count) - 1)[:width]
