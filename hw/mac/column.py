"""One column of the array: L multiply-accumulators for one output pixel."""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hw.mac.layouts import TOKEN_FLAGS, slots, token_layout
from hw.mac.multiplier import Multiplier
from hw.wide_mux import wide_mux

__all__ = ["Column", "sums_layout", "word_layout"]

# In ArrayMode.MAX words come inverted, and the least byte so far is kept as its distance from the
# greatest byte there is: its bits inverted, but for the top one; 0 in accumulators that were
# cleared. Distance and byte make 127 if the byte is that least one, 128 or more if it is greater.
_DISTANCE_BITS = 10  # of such a sum, signed


def sums_layout(config):
    """A finished set of accumulators; with ``max`` only their low bytes count, top bit inverted.

    The bytes are the greatest ones of the words before those were inverted.
    """
    return data.StructLayout({
        "max": 1, "acc": data.ArrayLayout(signed(32), config.lanes)})


def word_layout(config):
    """A word as a column keeps it: every byte is ``pad`` or, if not ``padded``, that of ``word``,
    inverted with ``inverted``."""
    return data.StructLayout({"word": 8 * config.group, "padded": 1, "pad": 8, "inverted": 1})


class Column(wiring.Component):
    """L lanes that add up products, and the word they pick their operands from.

    Parameters
    ----------
    config : Config
    lut : bool
        Multipliers from LUTs, not DSP blocks.

    Members
    -------
    i : In(token_layout)
    o : Out(token_layout)
        The same one cycle later, for the next column.
    en, slot : In
    word : In(word_layout)
        Writes a word; for tokens with ``max`` it must be ``inverted``, and so must be ``pad``.
    sums : Out(sums_layout)
    loaded : Out(1)
        ``sums`` are new in this cycle: LATENCY + 1 cycles after ``last`` at ``i``. They stay
        until the next ones are loaded.
    """

    LATENCY = 4

    def __init__(self, config, *, lut):
        self.config, self.lut = config, lut
        super().__init__({
            "i": In(token_layout(config)),
            "o": Out(token_layout(config)),
            "en": In(1),
            "slot": In(range(slots(config))),
            "word": In(word_layout(config)),
            "sums": Out(sums_layout(config)),
            "loaded": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        # A slot is written before it is read, and again after that.
        m.submodules.words = words = memory.Memory(
            shape=word_layout(self.config), depth=slots(self.config), init=[],
            attrs={"no_rw_check": 1, "ram_style": "block"})
        write, read = words.write_port(), words.read_port()
        m.d.comb += [write.en.eq(self.en), write.addr.eq(self.slot), write.data.eq(self.word),
                     read.en.eq(self.i.next.pop), read.addr.eq(self.i.next.slot)]
        kept, size = read.data, 8 * self.config.group
        popped = Mux(kept.padded, kept.pad.replicate(self.config.group),
                     kept.word ^ kept.inverted.replicate(size))
        word = Signal(size, reset_less=True)
        with m.If(self.i.flags.pop):
            m.d.sync += word.eq(popped)

        s0 = Signal(token_layout(self.config), reset_less=True)
        flags = [Signal(TOKEN_FLAGS, name=f"s{stage}_flags") for stage in range(self.LATENCY)]
        m.d.sync += [s0.eq(self.i), flags[0].eq(self.i.flags)]
        m.d.comb += [self.o.eq(s0), self.o.flags.eq(flags[0])]
        for now, then in pairwise(flags):
            m.d.sync += then.eq(now)
        end = flags[-1]
        m.d.sync += self.loaded.eq(end.last)
        sums = Signal(sums_layout(self.config), reset_less=True)
        m.d.comb += self.sums.eq(sums)
        with m.If(end.last):
            m.d.sync += sums.max.eq(end.max)
        # As end.last, and set by a reset: a tile that a soft reset ends must not leave its sums to
        # the next, and accumulators with a reset of their own would need logic before theirs.
        clear = Signal(init=1)
        m.d.sync += clear.eq(flags[-2].last)
        for lane in range(self.config.lanes):
            self._lane(m, lane, word, s0, end, clear, sums.acc[lane])
        return m

    def _lane(self, m, lane, word, s0, end, clear, kept):
        """Pick, multiply, accumulate; a register after each, and one on the way to the DSP."""
        s1_byte = Signal(8, name=f"s1_byte_{lane}", reset_less=True)
        s1_value = Signal(signed(8), name=f"s1_value_{lane}", reset_less=True)
        s3_product = Signal(signed(16), name=f"s3_product_{lane}", reset_less=True)
        m.submodules[f"multiplier_{lane}"] = multiplier = Multiplier(lut=self.lut)
        picked = wide_mux(m, lane, [word.word_select(byte, 8) for byte in range(self.config.group)],
                          s0.index[lane])
        m.d.sync += [
            s1_byte.eq(picked),
            s1_value.eq(s0.value[lane]),
            s3_product.eq(multiplier.o),
        ]
        # Stage 2 is the multiplier's register.
        m.d.comb += [multiplier.a.eq(s1_byte), multiplier.b.eq(s1_value)]

        acc = Signal(signed(32), name=f"acc_{lane}", reset_less=True)
        total = Signal(signed(32), name=f"total_{lane}")
        low = total[:_DISTANCE_BITS]
        less = low[-1] | ~(low[7:-1].any())  # low < 128
        distance = Cat(~s3_product[:7], s3_product[7], Const(0, _DISTANCE_BITS - 8))
        following = Cat(Mux(end.max, distance, low), total[_DISTANCE_BITS:])
        m.d.comb += total.eq(acc + s3_product)
        with m.If(clear):
            m.d.sync += [acc.eq(0), kept.eq(total)]
        with m.Elif(end.add & (~end.max | less)):
            m.d.sync += acc.eq(following)
