"""Which stream makes its next vector, and where in its loops that is."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.streams import TAPS
from hw.drp.descriptors import counts_layout

__all__ = ["Walk"]


class Walk(wiring.Component):
    """Round robin among streams; each goes through its loops and, innermost, its taps.

    Of several, one is chosen a cycle before it makes its vector. If it ends its descriptor in the
    cycle in which it is chosen once more, it makes none in the next one.

    Parameters
    ----------
    streams : int

    Members
    -------
    go : In(streams)
        These streams have another descriptor; held until ``taken``.
    new : In(streams)
        It is in the other bank.
    taken : Out(streams)
    room, spare : In(streams)
        For a vector of these, for another one as well. Of several streams one is chosen by them
        that makes its vector in the next cycle: what another one makes in this one must not
        change them.
    there : In(streams)
        These have what a vector is made of.
    o : Out(struct)
        ``valid``: there is one; ``stream``, ``bank``: whose; ``fresh``: in the first iteration;
        ``tap``; ``moves``: it is the iteration's last one, and loop ``level`` steps; ``final``:
        the last one.
    counts : In(counts_layout)
        Of ``o.stream`` and ``o.bank``.
    banks : Out(streams)
        Bank at work.
    busy : Out(streams)
    """

    def __init__(self, streams):
        self.streams = streams
        super().__init__({
            "go": In(streams), "new": In(streams), "taken": Out(streams), "room": In(streams),
            "spare": In(streams), "there": In(streams),
            "o": Out(data.StructLayout({
                "valid": 1, "stream": range(streams), "bank": 1, "fresh": 1, "tap": range(TAPS),
                "moves": 1, "level": range(LOOPS), "final": 1})),
            "counts": In(counts_layout()), "banks": Out(streams), "busy": Out(streams)})

    def elaborate(self, platform):
        m = Module()
        o, streams = self.o, self.streams
        fresh = Signal(streams)  # nothing of the loops' state has been kept
        ends = Signal()
        m.d.comb += o.fresh.eq(fresh.bit_select(o.stream, 1))
        if streams == 1:
            m.d.comb += [o.valid.eq(self.busy & self.there & self.room), o.bank.eq(self.banks)]
        else:
            self._choose(m, ends)

        # Whether a loop is in its last iteration is known before: much hangs on it.
        loop = data.StructLayout({"left": 16, "last": 1})
        layout = data.StructLayout({"loops": data.ArrayLayout(loop, LOOPS), "tap": range(TAPS)})
        m.submodules.kept = kept = memory.Memory(shape=layout, depth=streams, init=[])
        write, read = kept.write_port(), kept.read_port(domain="comb")
        left = [Signal(16, name=f"left_{level}") for level in range(LOOPS)]
        last = Signal(LOOPS)
        start = Signal()  # state is that of the first vector
        begun = Signal(streams)
        m.d.comb += [
            start.eq(~begun.bit_select(o.stream, 1)),
            read.addr.eq(o.stream), write.addr.eq(o.stream), write.en.eq(o.valid),
            o.tap.eq(Mux(start, 0, read.data.tap)), o.moves.eq(o.tap == self.counts.taps),
            o.final.eq(o.moves & last.all()), ends.eq(o.valid & o.final),
            write.data.tap.eq(Mux(o.moves, 0, o.tap + 1)),
        ]
        for level in range(LOOPS):
            first, before, after = (counts.loops[level] for counts in (
                self.counts, read.data, write.data))
            m.d.comb += [
                left[level].eq(Mux(start, first.count, before.left)),
                last[level].eq(Mux(start, first.single, before.last)),
                after.left.eq(left[level]), after.last.eq(last[level]),
            ]
            with m.If(o.moves & last[:level].all()):
                m.d.comb += [
                    after.left.eq(Mux(last[level], first.count, left[level] - 1)),
                    after.last.eq(Mux(last[level], first.single, left[level] == 2))]
        for level in reversed(range(LOOPS)):
            with m.If(~last[level]):
                m.d.comb += o.level.eq(level)
        for index in range(streams):
            mine = o.valid & (o.stream == index)
            m.d.comb += self.taken[index].eq(self.go[index] & (~self.busy[index] | (mine & ends)))
            with m.If(mine):
                m.d.sync += begun[index].eq(1)
                with m.If(o.moves):
                    m.d.sync += fresh[index].eq(0)
                with m.If(ends):
                    m.d.sync += self.busy[index].eq(0)
            with m.If(self.taken[index]):
                m.d.sync += [self.busy[index].eq(1), begun[index].eq(0), fresh[index].eq(1),
                             self.banks[index].eq(self.banks[index] ^ self.new[index])]
        return m

    def _choose(self, m, ends):
        """``o.stream``, its bank, and whether it makes a vector."""
        o, streams = self.o, self.streams
        chosen, ended, asks = Signal(), Signal(), Signal(streams)
        stream, bank = Signal(range(streams), init=streams - 1), Signal()
        before = Signal.like(stream)
        m.d.comb += [o.stream.eq(stream), o.bank.eq(bank),
                     o.valid.eq(chosen & self.there.bit_select(stream, 1)
                                & ~(ended & (stream == before)))]
        m.d.sync += [chosen.eq(asks.any()), ended.eq(ends), before.eq(stream)]
        for index in range(streams):
            again = chosen & (stream == index)
            m.d.comb += asks[index].eq(self.busy[index] & self.there[index] & Mux(
                again, self.spare[index], self.room[index]))
        # The first that asks after the last one chosen, else the first.
        for later in (False, True):
            for index in reversed(range(streams)):
                with m.If(asks[index] & ((stream < index) if later else 1)):
                    m.d.sync += [stream.eq(index), bank.eq(self.banks[index])]
