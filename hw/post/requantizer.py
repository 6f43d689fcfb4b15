"""One lane of post-processing arithmetic: add, scale, round, add the zero point, clamp."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec.isa import MAC
from golden.spec.numerics import ROUND_ONCE
from hw.copies import copies

__all__ = ["Requantizer"]

SCALAR = signed(MAC.field("zero").bits)

# A product of 32 x 31 bits is made of four that fit a block of 18 x 18 signed.
LOW_BITS = 17
FRACTION_BITS = 31
# What is left of a shifted value: limits less a zero point are in its range, so that a value
# beyond it is beyond them.
LIMITED = signed(SCALAR.width + 1)


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
    zero, least, most : In(signed 9)
        SCALARS_STAGE cycles after the x that they belong to.
    q : Out(signed 9)

    Timing
    ------
    One value a cycle, LATENCY cycles later. No enable: what is in the pipeline moves on.
    """

    SCALARS_STAGE = 9
    LATENCY = 12

    def __init__(self):
        super().__init__({
            "x": In(signed(32)), "y": In(signed(32)),
            "multiplier": In(31), "pre": In(5), "post": In(range(2 * ROUND_ONCE)),
            "zero": In(SCALAR), "least": In(SCALAR), "most": In(SCALAR),
            "q": Out(SCALAR),
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

        s3_part = register(signed(32), s2_sum << (s2_pre & 24), name="part")
        s3_pre = register(3, s2_pre, name="pre3")
        s4_a = register(signed(32), s3_part << s3_pre, name="a")
        s4_b = register(31, self.multiplier, cycles=4, name="b")
        s8_product = self._multiply(m, s4_a, s4_b, register)
        s7_post = register(self.post.shape(), self.post, cycles=7, name="post")

        # The shift leaves the product's integer and, as its bit 0, the first bit of the fraction.
        # An integer that is negative goes up if that bit is set and a bit below it; one that is
        # not goes up if that bit is set or all bits below it. That rounds twice, the product with
        # ties up and its integer with ties away from zero. Rounded once, and without a shift, only
        # that bit counts. ``low`` says that a bit below it differs from those of a number just
        # below the tie, ``far`` that one above LIMITED differs from the sign.
        s8_shift = register(range(ROUND_ONCE), s7_post, name="shift")
        s8_plain = register(1, (s7_post & ROUND_ONCE).any() | ~(s7_post % ROUND_ONCE).any(),
                            name="plain")
        width = 1 + LIMITED.width
        value, low, far = self._shift(s8_product, s8_product[-1], s8_shift, (4, 3), width)
        s9_value = register(len(value), value, name="value9")
        s9_sign = register(1, s8_product[-1], name="sign9")
        s9_low = register(1, s8_plain | low, name="low9")
        s9_far = register(1, far, name="far9")
        s9_shift = register(3, s8_shift, name="shift9")
        value, low, far = self._shift(s9_value, s9_sign, s9_shift, (2, 1, 0), width)
        s10_value = register(width, value, name="value10")
        s10_sign = register(1, s9_sign, name="sign10")
        s10_low = register(1, s9_low | low, name="low10")
        s10_far = register(1, s9_far | far, name="far10")

        # Limits less the zero point, negative so that a sum's sign is a comparison.
        s10_zero = register(SCALAR, self.zero, name="zero")
        s10_least = register(LIMITED, self.zero - self.least, name="less_least")
        s10_most = register(LIMITED, self.zero - self.most - 1, name="less_most")
        s11_least = register(SCALAR, self.least, cycles=2, name="least")
        s11_most = register(SCALAR, register(
            SCALAR, Mux(self.least > self.most, self.least, self.most), name="most10"),
            name="most11")

        s10_up = Signal()
        m.d.comb += s10_up.eq(Mux(s10_sign, s10_value[0] & s10_low, s10_value[0] | ~s10_low))

        def rounded_plus(value):
            return (Cat(1, s10_value[1:]).as_signed() + Cat(s10_up, value).as_signed()) >> 1

        s11_moved = register(SCALAR, rounded_plus(s10_zero), name="moved")
        s11_below = register(1, rounded_plus(s10_least) < 0, name="below")
        s11_above = register(1, rounded_plus(s10_most) >= 0, name="above")
        s11_far = register(1, s10_far | (s10_value[-1] != s10_sign), name="far11")
        s11_sign = register(1, s10_sign, name="sign11")
        below = Mux(s11_far, s11_sign, s11_below)
        above = Mux(s11_far, ~s11_sign, s11_above)
        s12_q = register(SCALAR, Mux(below, s11_least, Mux(above, s11_most, s11_moved)),
                         name="q")
        m.d.comb += self.q.eq(s12_q)
        return m

    def _multiply(self, m, a, b, register):
        """floor(a b / 2**30), four cycles later."""
        a_low, a_high = a[:LOW_BITS], a[LOW_BITS:].as_signed()
        b_low, b_high = b[:LOW_BITS], b[LOW_BITS:]

        # The way to a multiplier is long: each has operands of its own, next to it.
        a_low, a_high = copies(m, a_low, "a_low"), copies(m, a_high, "a_high")
        b_low, b_high = copies(m, b_low, "b_low"), copies(m, b_high, "b_high")
        low_low = register(2 * LOW_BITS, a_low[0] * b_low[0], name="low_low")
        low_high = register(31, a_low[1] * b_high[0], name="low_high")
        high_low = register(signed(33), a_high[0] * b_low[1], name="high_low")
        high_high = register(signed(30), a_high[1] * b_high[1], name="high_high")

        outer = register(signed(30 + LOW_BITS), Cat(low_low[LOW_BITS:], high_high), name="outer")
        inner = register(signed(34), low_high + high_low, name="inner")
        return register(signed(33), (outer + inner) >> (FRACTION_BITS - 1 - LOW_BITS),
                        name="product")

    def _shift(self, value, sign, shift, bits, width):
        """Shift right by some bits of ``shift``, so that the others can still leave ``width`` bits.

        Also returned: if a bit that was shifted out was the sign, and if one that is above those
        that are left was not.
        """
        low = far = 0
        for bit in bits:
            step, left = 1 << bit, width + (1 << bit) - 1
            low |= shift[bit] & (value[:step] ^ ~sign.replicate(step)).any()
            far |= ~shift[bit] & (value[left:] ^ sign.replicate(len(value) - left)).any()
            value = Mux(shift[bit], Cat(value[step:], sign.replicate(step)), value)[:left]
        return value, low, far
