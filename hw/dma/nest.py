"""Nested loops over scratchpad words."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa

__all__ = ["LEVELS", "WordNest", "counts_layout"]

_COUNTS = ("count0", "count1", "count2", "runs")
LEVELS = len(_COUNTS)


def counts_layout():
    """Iterations of the loops, the innermost first."""
    bits = {field.name: field.bits for field in isa.LOAD.fields}
    return data.StructLayout({name: bits[name] for name in _COUNTS})


class WordNest(wiring.Component):
    """Four nested loops; address = base + sum of index x step, modulo 2**16, by one adder.

    Members
    -------
    counts : In(counts_layout)
    steps : In(array of 16 bits)
        Words between neighbours of each loop; both must stay while the nest is used.
    base : In(16)
    start : In(1)
        Go to the first word.
    step : In(1)
        Go to the next one.
    addr : Out(16)
    ends : Out(4)
        Bit j: this is the last iteration of loops 0 to j.

    Timing
    ------
    ``addr`` and ``ends`` change in the cycle after ``start`` or ``step``.
    """

    def __init__(self):
        super().__init__({
            "counts": In(counts_layout()),
            "steps": In(data.ArrayLayout(unsigned(16), LEVELS)),
            "base": In(16),
            "start": In(1),
            "step": In(1),
            "addr": Out(16),
            "ends": Out(LEVELS),
        })

    def elaborate(self, platform):
        m = Module()
        # Iterations left, less two: the sign says that this is the last one, with no comparison.
        left, firsts = [], []  # and the address of the loop's current iteration
        for level, name in enumerate(_COUNTS):
            left.append(Signal(len(self.counts[name]) + 1, name=f"left_{name}", reset_less=True))
            firsts.append(Signal(16, name=f"first_{level}", reset_less=True))
        lasts = Cat(count[-1] for count in left)
        following = Signal(16)
        m.d.comb += [self.ends[j].eq(lasts[:j + 1].all()) for j in range(LEVELS)]
        m.d.comb += self.addr.eq(firsts[0])

        first, step = firsts[-1], self.steps[LEVELS - 1]
        for level in reversed(range(LEVELS - 1)):  # the innermost loop that doesn't end
            first = Mux(lasts[level], first, firsts[level])
            step = Mux(lasts[level], step, self.steps[level])
        m.d.comb += following.eq(first + step)

        for level, name in enumerate(_COUNTS):
            again = Signal(name=f"again_{name}")
            m.d.comb += again.eq(self.start | lasts[level])
            with m.If(self.start | (self.step & (self.ends[level - 1] if level else 1))):
                m.d.sync += [
                    left[level].eq(Mux(again, self.counts[name], left[level])
                                   - Mux(again, 2, 1)),
                    firsts[level].eq(Mux(self.start, self.base, following)),
                ]
        return m
