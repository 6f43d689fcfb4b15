"""Random kernels through the whole compiler: function = simulated tile, at odd sizes."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden.spec.drp.fabric import fabric
from sw.drp import functions as f
from sw.drp.compiler import compile_kernel
from sw.drp.kernel import kernel
from sw.drp.types import In, Out, Table, i8, i8x4, i16, i32, u8

TYPES = {"u8": u8, "i8": i8, "i16": i16}
BINARY = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a & b, lambda a, b: a ^ b,
          f.minimum, f.maximum, f.absdiff, lambda a, b: f.where(a > b, a, b + 1),
          lambda a, b: f.where(a == b, 7, a)]
WIDE = [lambda a, b: a * b, lambda a, b: f.multiply_high(a << 20, b), lambda a, b: a >> (b & 7),
        lambda a, b: f.rounding_shift(a, 3) + b, lambda a, b: f.leading_zeros(a) - b]
CONSTANTS = st.integers(-100, 100)


@st.composite
def programs(draw, extra):
    """Taps, then operations on (earlier value or constant) pairs: [(function, left, right)]."""
    taps = draw(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1,
                         max_size=4, unique=True))
    steps = []
    for count in range(len(taps), len(taps) + draw(st.integers(1, 6))):
        left = draw(st.integers(0, count - 1))
        right = draw(st.one_of(st.integers(0, count - 1).map(lambda n: ("value", n)),
                               CONSTANTS.map(lambda n: ("constant", n))))
        steps.append((draw(st.sampled_from(BINARY + extra)), left, right))
    return taps, steps


def compute(values, steps):
    values = list(values)
    for function, left, (what, right) in steps:
        values.append(function(values[left], values[right] if what == "value" else right))
    return values[-1]


SETTINGS = settings(max_examples=10, deadline=None, derandomize=True,
                    suppress_health_check=[HealthCheck.too_slow])


def check(made, shape, arrays):
    compiled = compile_kernel(made, fabric(shape))
    for given_arrays in arrays:
        found = compiled.run(*given_arrays).outputs[0]
        assert (found == made(*given_arrays)).all()


@SETTINGS
@given(program=programs(WIDE), name=st.sampled_from(sorted(TYPES)), data=st.data())
def test_windows(program, name, data):
    """Neighbours read anew or reused, one lane or four, strides, borders."""
    taps, steps = program
    kind = TYPES[name]
    stride, border = data.draw(st.sampled_from([1, 1, 2])), data.draw(
        st.sampled_from(["replicate", "constant"]))

    @kernel
    def made(p: In(kind, border=border, fill=-3, step=stride)) -> Out(i32):
        """Random; a pixel is added so that it isn't constant."""
        return compute([p[dy, dx] for dy, dx in taps], steps) + p

    limits = np.iinfo(kind.memory)
    rng = np.random.default_rng(len(steps))
    arrays = [(rng.integers(limits.min, limits.max, size, kind.memory, endpoint=True),)
              for size in ((1, 1), (4, 11))]
    check(made, data.draw(st.sampled_from(["base", "board"])), arrays)


@SETTINGS
@given(program=programs([]), reduce=st.sampled_from([f.total, f.largest, f.smallest]))
def test_reductions_and_tables(program, reduce):
    _, steps = program

    @kernel
    def made(x: In(i8, "nx"), y: In(i8, "nx"), t: Table(64)) -> Out(i32, "n"):
        """Random, looked up, reduced."""
        value = compute([x.value, y.value, x + y, x.column, x - 5][:5], [
            (function, min(left, 4), right if right[0] == "constant" else ("value", right[1] % 5))
            for function, left, right in steps])
        return reduce(t[value] + x)

    rng = np.random.default_rng(len(steps))
    table = rng.integers(-(1 << 20), 1 << 20, 64, np.int32)
    arrays = [(*rng.integers(-128, 128, (2, *size), np.int8), table)
              for size in ((1, 1), (5, 7))]
    check(made, "base", arrays)


@SETTINGS
@given(program=programs([]), channels=st.sampled_from([16, 32]))
def test_packed(program, channels):
    """Four bytes at once, neighbours along y and x."""
    taps, steps = program

    @kernel
    def made(p: In(i8x4, "yxc")) -> Out(i8x4, "yxc"):
        """Random."""
        return compute([p[dy, dx] for dy, dx in taps], steps) + p

    rng = np.random.default_rng(len(steps))
    arrays = [(rng.integers(-128, 128, (*size, channels), np.int8),) for size in ((1, 1), (3, 5))]
    check(made, "base", arrays)
