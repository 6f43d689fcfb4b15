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

    Of several, one is chosen a cycle before it makes its vector, which it doesn't if its
    descriptor was at its end by then.

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
        For a vector of these, for another one as well, whatever is made in this cycle.
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
        able, ends = Signal(streams), Signal()
        m.d.comb += [able.eq(self.busy & self.there),
                     o.bank.eq(self.banks.bit_select(o.stream, 1)),
                     o.fresh.eq(fresh.bit_select(o.stream, 1))]
        if streams == 1:
            m.d.comb += o.valid.eq(able & self.room)
        else:
            chosen = self._chosen(m, able)
            m.d.comb += o.valid.eq(chosen & able.bit_select(o.stream, 1))

        layout = data.StructLayout({"left": data.ArrayLayout(16, LOOPS), "tap": range(TAPS)})
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
            count, inner = self.counts.counts[level], last[:level].all()
            m.d.comb += [
                left[level].eq(Mux(start, count, read.data.left[level])),
                last[level].eq(left[level] == 1),
                write.data.left[level].eq(Mux(
                    o.moves & inner, Mux(last[level], count, left[level] - 1), left[level])),
            ]
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

    def _chosen(self, m, able):
        """``o.stream``; returns whether it was chosen the cycle before."""
        chosen, stream = Signal(), Signal(range(self.streams), init=self.streams - 1)
        asks = Signal(self.streams)
        m.d.comb += self.o.stream.eq(stream)
        m.d.sync += chosen.eq(asks.any())
        for index in range(self.streams):
            now = chosen & (stream == index)
            m.d.comb += asks[index].eq(able[index] & Mux(now, self.spare[index], self.room[index]))
        # The first that asks after the last one chosen, else the first.
        for index in reversed(range(self.streams)):
            with m.If(asks[index]):
                m.d.sync += stream.eq(index)
        for index in reversed(range(self.streams)):
            with m.If(asks[index] & (stream < index)):
                m.d.sync += stream.eq(index)
        return chosen
