"""The kernel language: plain Python is what it means, and refusals point at the user's line."""

import inspect

import numpy as np
import pytest

from golden.drp.arithmetic import evaluate
from golden.drp.stream import ONE
from golden.spec.drp.fabric import fabric
from golden.spec.drp.operations import Op
from sw.drp.compiler import compile_kernel
from sw.drp.domain import Grid
from sw.drp.errors import KernelError
from sw.drp.functions import (
    absdiff,
    clip,
    fold,
    maximum,
    rounding_shift,
    rounding_shift_up,
    scan,
    shift_right_logical,
    total,
    where,
)
from sw.drp.kernel import kernel
from sw.drp.mapper.search import MapError
from sw.drp.types import Gather, In, Memory, Out, Table, i8, i8x4, i16, i32, u8, u8x4
from sw.errors import InputError

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9), np.uint8)


def operations(traced):
    """Operations of a trace, with repetitions."""
    seen, stack = {}, [value for channels in traced.outputs for value in channels]
    while stack:
        top = stack.pop()
        if top.number not in seen:
            seen[top.number] = top
            stack += [*top.args, *([top.back] if top.back is not None else [])]
    return sorted(item.op.name for item in seen.values() if isinstance(item.op, Op))


def test_choices_on_data():
    @kernel
    def steps(p: In(u8)) -> Out(u8):
        """Chained comparison, and, or, not, if with assignments, ternary."""
        low = high = 0
        if 50 <= p < 100 or p == 200:
            low = 1
        elif not p > 20 and p != 7:
            low, high = 2, 3
        return low + (high if p > 10 else 4) * 8

    x = PICTURE.astype(int)
    first = ((x >= 50) & (x < 100)) | (x == 200)
    second = ~first & (x <= 20) & (x != 7)
    low, high = np.where(first, 1, np.where(second, 2, 0)), np.where(second, 3, 0)
    assert (steps(PICTURE) == low + np.where(x > 10, high, 4) * 8).all()
    assert steps.trace()


def test_plain_python_runs_while_compiling():
    weights = [1, 2, 1]

    @kernel
    def smooth(p: In(u8), bright: int = 0) -> Out(u8):
        """Loops, lists, closures and ifs on scalars."""
        found = sum(weight * p[0, n - 1] for n, weight in enumerate(weights))
        if bright:
            return (found >> 2) + bright
        return found >> 2

    wide = np.pad(PICTURE.astype(int), ((0, 0), (1, 1)), mode="edge")
    mean = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) >> 2
    assert (smooth(PICTURE) == mean).all()
    assert (smooth(PICTURE, bright=9) == (mean + 9) % 256).all()
    assert operations(smooth.trace()) == ["ADD", "ADD", "ADD", "SRA"]
    assert operations(smooth.trace(bright=1)) == ["ADD"] * 4 + ["SRA"]


@pytest.mark.parametrize(("function", "op"), [
    (rounding_shift, Op.SRA_AWAY), (rounding_shift_up, Op.SRA_UP), (shift_right_logical, Op.SRL)])
def test_shifts_look_at_five_bits(function, op):
    """On numbers as on the fabric."""
    rng = np.random.default_rng(3)
    value = rng.integers(-(1 << 31), (1 << 31) - 1, 200).astype(np.int32)
    by = rng.integers(0, 70, 200).astype(np.int32)
    wanted = evaluate(op, value.view(np.uint32), by.view(np.uint32), by.view(np.uint32))
    assert (function(value, by) == wanted.view(np.int32)).all()


def test_borders_steps_and_grids():
    @kernel
    def corner(p: In(u8, border="constant", fill=9)) -> Out(u8):
        """Up and to the left."""
        return p[-1, -2]

    wanted = np.full((6, 9), 9)
    wanted[1:, 2:] = PICTURE[:-1, :-2]
    assert (corner(PICTURE) == wanted).all()

    @kernel
    def half(p: In(u8, step=2)) -> Out(u8):
        """Every other pixel."""
        return p

    assert (half(PICTURE) == PICTURE[::2, ::2]).all()
    grid = Grid(y0=-ONE, dy=2 * ONE, dx=2 * ONE)
    moved = half(PICTURE, sizes={"y": 3, "x": 5}, grids={"p": grid})
    assert (moved == PICTURE[[0, 1, 3]][:, ::2]).all()


def test_reductions():
    @kernel
    def spread(x: In(i8, "nx")) -> Out(i32, "n"):
        """Largest less smallest, and a sum."""
        low, high = fold(lambda acc, v: (where(v < acc[0], v, acc[0]), maximum(acc[1], v)),
                         (127, -128), x)
        return (high - low) * 1000 + total(x)

    x = np.random.default_rng(1).integers(-128, 128, (5, 11), np.int8)
    wide = x.astype(int)
    assert (spread(x) == (wide.max(1) - wide.min(1)) * 1000 + wide.sum(1)).all()

    @kernel
    def running(x: In(u8)) -> Out(i32):
        """Largest so far."""
        return scan(maximum, 0, x)

    assert (running(PICTURE) == np.maximum.accumulate(PICTURE, axis=1)).all()


def test_packed_streams_compute_in_their_own_type():
    @kernel
    def blend(a: In(u8x4, "x"), b: In(u8x4, "x")) -> Out(u8x4, "x"):
        """Bytes wrap."""
        return absdiff(a, b) + a

    a, b = PICTURE.ravel()[:52], PICTURE.ravel()[2:54]
    wanted = (np.abs(a.astype(int) - b) + a) % 256
    assert (blend(a, b) == wanted).all()
    assert operations(blend.trace()) == ["ABSDIFFU", "ADD"]


def test_neighbours_along_the_packed_axis():
    @kernel
    def across(p: In(u8x4, border="constant", fill=7)) -> Out(u8x4):
        """To both sides, within a value and beyond."""
        return absdiff(p[0, -3], p[1, 2]) + p[0, 5]

    picture = np.pad(PICTURE, ((0, 0), (0, 3)))  # 12 columns
    wide = np.pad(picture.astype(int), ((0, 1), (3, 5)), constant_values=7)
    wanted = (abs(wide[:-1, :12] - wide[1:, 5:17]) + wide[:-1, 8:]) % 256
    assert (across(picture) == wanted).all()
    for name in ("base", "board"):
        assert (compile_kernel(across, fabric(name)).run(picture).outputs[0] == wanted).all()


def test_memories():
    @kernel
    def gradients(p: In(u8), q: In(u8, step=2), bins: Memory(16)) -> Out(i32, "i"):
        """Two additions, an index beyond the words, lanes past the end."""
        bins.add(p >> 3, where(p > 100, p[0, 1] - 5, 2))
        bins.add(q[1, 0])
        return bins

    q = np.random.default_rng(5).integers(0, 256, (12, 18), np.uint8)
    wide = np.pad(PICTURE.astype(int), ((0, 0), (0, 1)), mode="edge")
    wanted = np.bincount((PICTURE >> 3).ravel() % 16, np.where(
        PICTURE > 100, wide[:, 1:] - 5, 2).ravel(), 16) + np.bincount(
            q[1::2, ::2].ravel() % 16, minlength=16)
    assert (gradients(PICTURE, q) == wanted).all()
    for name in ("base", "board"):
        compiled = compile_kernel(gradients, fabric(name))
        assert (compiled.run(PICTURE, q).outputs[0] == wanted).all() and len(compiled.states) == 3
    tall = np.zeros((70_000, 1), np.uint8)
    with pytest.raises(InputError, match="axis y is 70000, accepted is 65535 for a kernel with a"):
        compiled.run(tall, np.zeros((140_000, 2), np.uint8))
    with pytest.raises(InputError, match="axis x is 32768, accepted is 32767 for a kernel with a"):
        compiled.run(np.zeros((1, 32768), np.uint8), np.zeros((2, 65536), np.uint8))
    narrow = np.array([[3]], np.uint8)
    found = compiled.run(narrow, np.zeros((2, 2), np.uint8)).outputs[0]
    assert (found == gradients(narrow, np.zeros((2, 2), np.uint8))).all()


def test_gathers():
    @kernel
    def swapped(p: Gather(i16, border="constant", fill=-9), at: In(i16, "nx", channels=2)) -> Out(
            i32, "n"):
        """Two elements for each position, one with its sides exchanged; reduced."""
        y, x = at
        return total(p.at(y, x) * 2 - p.at(x, y + 1))

    rng = np.random.default_rng(8)
    picture = rng.integers(-500, 500, (7, 9), np.int16)
    places = rng.integers(-2, 10, (5, 6, 2)).astype(np.int16)
    wide = np.full((14, 14), -9)
    wide[2:9, 2:11] = picture
    y, x = places[..., 0].astype(int) + 2, places[..., 1].astype(int) + 2
    wanted = (2 * wide[y, x] - wide[x, y + 1]).sum(1)
    assert (swapped(picture, places) == wanted).all()
    for name in ("base", "board"):
        compiled = compile_kernel(swapped, fabric(name))
        outcome = compiled.run(picture, places)
        assert (outcome.outputs[0] == wanted).all() and outcome.cycles >= outcome.steps
    with pytest.raises(MapError, match="2 arrays to push, the fabric has 1 such streams"):
        compile_kernel(swapped, fabric("tiny", outputs=1))
    with pytest.raises(InputError, match=r"p is int16\(63,\), accepted is int16 with axes 'yx'"):
        swapped(picture.ravel(), places)


def test_lanes_along_another_axis():
    @kernel
    def moved(p: In(i8x4, "yxb", border="constant")) -> Out(i8x4, "yxb", lanes="x"):
        """Neighbours of several lanes."""
        return maximum(maximum(p[0, -2], p[1, 1]), p[0, 3])

    x = np.random.default_rng(6).integers(-128, 128, (3, 9, 4), np.int8)
    wide = np.pad(x, ((0, 1), (2, 3), (0, 0)))
    wanted = np.maximum(np.maximum(wide[:-1, :9], wide[1:, 3:12]), wide[:-1, 5:])
    assert (moved(x) == wanted).all()
    assert (compile_kernel(moved, fabric("base")).run(x).outputs[0] == wanted).all()


@pytest.mark.parametrize(("body", "wanted"), [
    (lambda p: p + 0, []), (lambda p: p * 8 - p * 8, []),
    (lambda p: p * 2, ["ADD"]), (lambda p: p * 16, ["SLL"]), (lambda p: (p + 3) + 4, ["ADD"]),
    (lambda p: abs(p[0, 1] - p[0, 0]), ["ABSDIFF"]), (lambda p: p - -5, ["ADD"]),
    (lambda p: p + -p[0, 1], ["SUB"]), (lambda p: where(p > 3, p, 0), ["AND", "GT"]),
    (lambda p: where(p > 3, 0, p), ["AND", "LE"]),
    (lambda p: (p[0, 1] + p) * (p + p[0, 1]), ["ADD", "MUL"]),
    (lambda p: 5 - p, ["RSUB"]), (lambda p: where(5 > p, p[0, 1], p), ["LT", "SELECT"]),
    (lambda p: clip(p, 4, 9), ["MAX", "MIN"])])
def test_simplification(body, wanted):
    @kernel
    def simple(p: In(u8)) -> Out(i32):
        """The body, plus a pixel so that it isn't constant."""
        return body(p) + p[9, 9]

    ops = operations(simple.trace())
    ops.remove("ADD") if ops else None
    assert ops == wanted


def endless(p):
    return endless(p) + 1


def refused(function, *, trace=True, **scalars):
    """(text without the place, offset of the line from the kernel's first)."""
    lines, first = inspect.getsourcelines(function)
    with pytest.raises(KernelError) as caught:
        made = kernel(function)
        if trace:
            made.trace(**scalars)
    file, line, text = str(caught.value).split(":", 2)
    assert file == __file__
    assert len(lines) > int(line) - first >= 0
    return text.strip(), lines[int(line) - first].strip()


def test_refusals_point_at_the_line():
    def divides(p: In(u8)) -> Out(u8):
        q = p + 1
        return q // 3

    def loops(p: In(u8)) -> Out(u8):
        while p > 3:
            p = p - 1
        return p

    def returns(p: In(u8)) -> Out(u8):
        if p > 3:
            return 1
        return p

    def converts(p: In(u8)) -> Out(u8):
        return [1, 2, 3][p]

    def truth(p: In(u8)) -> Out(u8):
        return p * bool(p > 3)

    def counts(p: In(u8)) -> Out(u8):
        return (p > 3) + (p > 4)

    def large(p: In(u8)) -> Out(u8):
        return p + 5_000_000_000

    def real(p: In(u8)) -> Out(u8):
        return p * 0.5

    def far(p: In(u8)) -> Out(u8):
        return p[0, 500]

    def gathers(p: In(u8)) -> Out(u8):
        return p[0, p]

    def packed(p: In(u8x4)) -> Out(u8x4):
        return p * 3

    def half_assigned(p: In(u8)) -> Out(u8):
        if p > 3:
            q = 1
        return q

    def folds(p: In(u8)) -> Out(u8):
        return total(p)

    def channels(p: In(u8, channels=3)) -> Out(u8):
        return p + 1

    def indices(t: Table(16), p: In(u8x4, "x")) -> Out(u8x4, "x"):
        return t[p]

    def beside(p: In(u8x4)) -> Out(u8x4):
        return p[0, 1]

    def keeps(p: In(u8), m: Memory(16)) -> Out(i32, "i"):
        m.add(p > 3, 1)
        return m

    def boolean(p: In(u8), m: Memory(16)) -> Out(i32, "i"):
        m.add(p, p > 3)
        return m

    def reads(p: Gather(u8), q: In(u8)) -> Out(u8):
        return p[0, 1] + q

    def sliced(p: In(u8)) -> Out(u8):
        return p[0:2, 0]

    def least(p: In(u8)) -> Out(u8):
        return min(p, 3)

    def shifts(p: In(u8)) -> Out(u8):
        return p << 40

    def shifts_back(p: In(u8)) -> Out(u8):
        return p >> -1

    def long(p: In(u8)) -> Out(u8):
        for _ in range(100_000):
            p = p * 3 + 1
        return p

    def itself(p: In(u8)) -> Out(u8):
        return itself(p) + 1

    def ends(p: In(u8)) -> Out(u8):
        raise SystemExit

    other = kernel(truth)

    def calls(p: In(u8)) -> Out(u8):
        return other(p)

    for function, text, line in [
            (sliced, "a slice takes several neighbours at once; accepted is one, [dy, dx]",
             "return p[0:2, 0]"),
            (least, "minimum and maximum for min and max", "return min(p, 3)"),
            (shifts, "a shift by 40, accepted are 0 to 31", "return p << 40"),
            (shifts_back, "a shift by -1, accepted are 0 to 31", "return p >> -1"),
            (long, "long has more than 4,096 operations, accepted are no more", "p = p * 3 + 1"),
            (itself, "itself can't call itself", "return itself(p) + 1"),
            (ends, "SystemExit", "raise SystemExit"),
            (calls, "truth is a kernel, which a kernel can't call", "return other(p)"),
            (reads, "a Gather is read at positions from data", "return p[0, 1] + q"),
            (beside, "needs border='constant': a border is replicated in whole values",
             "return p[0, 1]"),
            (keeps, "a memory's index must be a 32-bit value from a stream", "m.add(p > 3, 1)"),
            (boolean, "operands are bool and int32; write where", "m.add(p, p > 3)"),
            (divides, "can't do floordiv; write x >> n", "return q // 3"),
            (loops, "a kernel can't have while; write for over a range, or fold", "while p > 3:"),
            (returns, "return inside an if on data; assign in both branches", "if p > 3:"),
            (converts, "can't be an index here; use a Table", "return [1, 2, 3][p]"),
            (truth, "write where(condition, a, b)", "return p * bool(p > 3)"),
            (counts, "a condition isn't a number; write where(condition, 1, 0)",
             "return (p > 3) + (p > 4)"),
            (large, "constant 5000000000 doesn't fit int32", "return p + 5_000_000_000"),
            (real, "float 0.5 can't be an operand; accepted are integers", "return p * 0.5"),
            (far, "[0, 500] is further than 127 away", "return p[0, 500]"),
            (gathers, "for positions from data take an indirect stream", "return p[0, p]"),
            (packed, "MUL works on 32-bit values only, not on uint8", "return p * 3"),
            (half_assigned, "q has no value where the condition doesn't hold", "q = 1"),
            (folds, "name fewer axes in Out, or write scan", "return total(p)"),
            (channels, "a stream of 3 channels; write p[dy, dx, channel]", "return p + 1"),
            (indices, "index must be a 32-bit value", "return t[p]")]:
        found = refused(function)
        assert text in found[0] and found[1] == line, found


def test_refused_signatures():
    def unknown(p: float) -> Out(u8):
        return p

    def nothing(p: In(u8)):
        return p

    def mixed(p: In(u8), q: In(u8x4)) -> Out(u8):
        return p

    def axes(p: In(u8, "yy")) -> Out(u8, "y"):
        return p

    def table(p: In(u8), t: Table(100)) -> Out(u8):
        return t[p]

    def constant(p: In(u8)) -> Out(u8):
        return 5

    def condition(p: In(u8)) -> Out(u8):
        return p > 5

    def several(p: In(u8)) -> Out(u8, channels=3):
        return p

    def dropped(p: In(u8), m: Memory(16)) -> Out(i32, "i"):
        m.add(p, 1)
        return p

    def unused(p: In(u8), m: Memory(16)) -> Out(i32, "i"):
        return m

    def axis(p: In(u8), m: Memory(16)) -> Out(i32):
        m.add(p)
        return m

    def small(p: In(u8), m: Memory(100)) -> Out(i32, "i"):
        m.add(p)
        return m

    def steps(p: In(u8x4, step=2, border="constant")) -> Out(u8x4):
        return p

    def lanes(p: In(u8)) -> Out(u8, lanes="z"):
        return p

    def two(p: Gather(u8), q: Gather(u8), r: In(u8)) -> Out(u8):
        return p.at(r, r) + q.at(r, r)

    def rows(p: In(u8)) -> Out(i32, "y"):
        return p

    def partly(p: In(u8)) -> Out(i32, "y"):
        return total(p) + p.column

    def apart(p: In(u8), q: In(u8, "zq")) -> Out(u8):
        return p + q

    def running(p: In(u8)) -> Out(i32, "y"):
        return scan(maximum, 0, p)

    def typed(p: In(int)) -> Out(u8):
        return p

    def gathered(p: In(u8), g: Gather("u8")) -> Out(u8):
        return g.at(p, p)

    def pair(p: In(u8)) -> Out(u8):
        return p, p

    def single(p: In(u8)) -> tuple[Out(u8), Out(u8)]:
        return p

    def idle(p: In(u8), q: In(u8)) -> Out(u8):
        return p

    for function, text in [
            (rows, "the result has axes 'y', and p goes along x too; write total"),
            (partly, "the result has axes 'y', and p goes along x too; write total"),
            (apart, "the result has axes 'yx', and q goes along z, q too; write total"),
            (running, "the result has axes 'y', and p goes along x too; write total"),
            (typed, "a stream of <class 'int'>, accepted are u8, i8, u16, i16, i32, u8x4"),
            (gathered, "a stream of 'u8', accepted are u8"),
            (pair, "the kernel returns 2 values, its annotation has 1 result"),
            (idle, "q is never used; leave it out of the parameters"),
            (single, "the kernel returns 1 values, its annotation has 2 results"),
            (two, "2 Gathers and 1 results, accepted is one Gather, then one result"),
            (dropped, "a kernel with a Memory returns it: return m"),
            (unused, "nothing is added to m; write m.add(index, amount)"),
            (axis, "has one result, with one axis that no stream has"),
            (small, "a memory of 100 words, accepted is a power of two"),
            (steps, "step=2 along the packed axis of u8x4; accepted is 1"),
            (lanes, "lanes 'z', accepted is one of the result's axes"),
            (unknown, "accepted are In(...), Gather(...), Table(...), Memory(...) and int"),
            (nothing, "the result must be annotated -> Out(...)"),
            (mixed, "packed streams (such as u8x4) and others don't mix"),
            (axes, "axes 'yy', accepted are different letters"),
            (table, "a table of 100 words, accepted is a power of two"),
            (constant, "the result is the constant 5"),
            (condition, "the result is a condition; write where(condition, 1, 0)"),
            (several, "an output of 3 channels must be a tuple")]:
        assert text in refused(function)[0]


def test_refused_data():
    @kernel
    def both(a: In(u8), b: In(u8), scale: int) -> Out(u8):
        """Two pictures."""
        return a + b * scale

    good = np.zeros((3, 4), np.uint8)
    for arrays, options, text in [
            ((good,), {"scale": 1}, "both takes 2 arrays (a, b), not 1"),
            ((good, good[:2]), {"scale": 1}, "axis y is 2 in b and 3 in a"),
            ((good, good.astype(np.int8)), {"scale": 1}, "b is int8(3, 4), accepted is uint8"),
            ((good, good[0]), {"scale": 1}, "b is uint8(4,), accepted is uint8 with axes 'yx'"),
            ((good, good), {}, "both needs scale"),
            ((good, good), {"scale": 1, "other": 2}, "both has no scalar other; it has scale"),
            ((good[:0], good[:0]), {"scale": 1}, "it has no elements")]:
        with pytest.raises(InputError) as caught:
            both(*arrays, **options)
        assert text in str(caught.value)


def test_functions_that_call_themselves():
    """With an end that is known while the kernel is compiled they work."""
    def power(p, n):
        return p if n == 0 else power(p, n - 1) * p

    @kernel
    def cubes(p: In(u8)) -> Out(i32):
        """p ** 3."""
        return power(p, 2)

    assert (cubes(PICTURE) == PICTURE.astype(int) ** 3).all() and cubes.trace()

    @kernel
    def never(p: In(u8)) -> Out(u8):
        """No end."""
        return endless(p)

    with pytest.raises(KernelError, match="a function calls itself without end; write for over"):
        never.trace()


def test_deep_kernels_are_traced():
    """Beyond Python's recursion."""
    @kernel
    def deep(p: In(u8), t: Table(16)) -> Out(i32):
        """A long chain, whose value's range is asked for."""
        q = p
        for _ in range(1500):
            q = q * 3 + p
        return t[q]

    assert len(operations(deep.trace())) == 3002
