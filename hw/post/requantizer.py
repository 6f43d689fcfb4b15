"""One lane of post-processing arithmetic: add, scale, round, add the zero point, clamp."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.numerics import ROUND_ONCE

__all__ = ["Requantizer"]

# A product of 32 x 31 bits is made of four that fit a block of 18 x 18 signed.
LOW_BITS = 17
FRACTION_BITS = 31
# Wide enough that limiting to it before the zero point is added changes no clamped byte.
LIMITED = signed(10)


class Requantizer(wiring.Component):
    """q = clamp(requantize(wrap32(x + y), multiplier, pre, post) + zero, least, most).

    ``requantize``, ``wrap32`` and ``clamp`` are those of golden.spec.numerics.

    Members
    -------
    x, y : In(signed 32)
    multiplier : In(31)
    pre : In(5)
    post : In(6)
        May have ROUND_ONCE.
    zero, least, most : In(signed 8)
        ``zero`` ZERO_STAGE and the others CLAMP_STAGE cycles after the x that they belong to.
    q : Out(signed 8)

    Timing
    ------
    One value a cycle, LATENCY cycles later. No enable: what is in the pipeline moves on.
    """

    ZERO_STAGE = 8
    CLAMP_STAGE = 9
    LATENCY = 10

    def __init__(self):
        super().__init__({
            "x": In(signed(32)), "y": In(signed(32)),
            "multiplier": In(31), "pre": In(5), "post": In(range(2 * ROUND_ONCE)),
            "zero": In(signed(8)), "least": In(signed(8)), "most": In(signed(8)),
            "q": Out(signed(8)),
        })

    def elaborate(self, platform):
        m = Module()

        def register(shape, value, *, cycles=1, name):
            for cycle in range(cycles):
                following = Signal(shape, reset_less=True, name=f"{name}_{cycle}")
                m.d.sync += following.eq(value)
                value = following
            return value

        s1_x = register(signed(32), self.x, name="x")
        s1_y = register(signed(32), self.y, name="y")
        s2_pre = register(5, self.pre, cycles=2, name="pre")
        s2_sum = register(signed(32), s1_x + s1_y, name="sum")

        s3_a = register(signed(32), s2_sum << s2_pre, name="a")
        s3_b = register(31, self.multiplier, cycles=3, name="b")
        s4_post = register(self.post.shape(), self.post, cycles=4, name="post")
        s4_once = (s4_post & ROUND_ONCE).any()
        s6_high = self._multiply(m, s3_a, s3_b, ~s4_once, register)

        # Half away from zero: add half less one, and one more unless negative; shift. With
        # ROUND_ONCE half up: add the one more in any case.
        s5_once = register(1, s4_once, name="once")
        s6_once = register(1, s5_once, name="once6")
        s5_post = register(range(ROUND_ONCE), s4_post, name="post5")
        s6_post = register(range(ROUND_ONCE), s5_post, name="post6")
        s6_below_half = register(30, Cat(s5_post > bit + 1 for bit in range(30)), name="half")
        s6_more = (s6_once | (s6_high >= 0)) & (s6_post != 0)
        s7_nudged = register(signed(33), (Cat(1, s6_high).as_signed()
                                          + Cat(s6_more, s6_below_half, 0).as_signed()) >> 1,
                             name="nudged")
        s7_post = register(range(ROUND_ONCE), s6_post, name="post7")
        s8_rounded = register(signed(33), s7_nudged >> s7_post, name="rounded")

        fits = s8_rounded[LIMITED.width - 1:]
        limited = Signal(LIMITED)
        m.d.comb += limited.eq(Mux(
            fits.all() | ~fits.any(), s8_rounded,
            Cat((~s8_rounded[-1]).replicate(LIMITED.width - 1), s8_rounded[-1])))
        s9_moved = register(signed(LIMITED.width + 1), limited + self.zero, name="moved")
        below_most = Mux(s9_moved > self.most, self.most, s9_moved)
        s10_q = register(signed(8), Mux(below_most < self.least, self.least, below_most),
                         name="q")
        m.d.comb += self.q.eq(s10_q)
        return m

    def _multiply(self, m, a, b, rounds, register):
        """a b / 2**31, rounded (ties up) or else floored, three cycles later.

        ``rounds`` comes one cycle later than a and b.
        """
        a_low, a_high = a[:LOW_BITS], a[LOW_BITS:].as_signed()
        b_low, b_high = b[:LOW_BITS], b[LOW_BITS:]
        low_low = register(2 * LOW_BITS, a_low * b_low, name="low_low")
        low_high = register(31, a_low * b_high, name="low_high")
        high_low = register(signed(33), a_high * b_low, name="high_low")
        high_high = register(signed(30), a_high * b_high, name="high_high")

        half = rounds << (FRACTION_BITS - 1)
        outer = register(signed(64), Cat(low_low, high_high).as_signed() + half, name="outer")
        inner = register(signed(34), low_high + high_low, name="inner")
        return register(signed(32), ((outer >> LOW_BITS) + inner) >> (FRACTION_BITS - LOW_BITS),
                        name="high")
