"""Classical vision on pictures of bytes."""

# mypy: disable-error-code="valid-type"

from typing import Any

from sw.drp.functions import absdiff, maximum, minimum, rounding_shift_up, scan, where
from sw.drp.kernel import kernel
from sw.drp.types import In, Memory, Out, i16, i32, u8

__all__ = ["box3", "census3", "gaussian3", "gradient", "harris", "histogram",
           "integral_columns", "integral_rows", "low_byte", "maxima3", "median3", "orientations",
           "sad3", "sobel", "sobel_x", "stereo_sad", "threshold"]


def _smooth(values: Any) -> Any:
    """1 2 1 of a function of -1, 0, 1."""
    return values(-1) + 2 * values(0) + values(1)


@kernel
def box3(p: In(u8)) -> Out(u8):
    """Mean of 3 x 3, rounded to nearest."""
    def column(dx: int) -> Any:
        return p[-1, dx] + p[0, dx] + p[1, dx]

    sums = column(-1) + column(0) + column(1)
    return ((sums + 4) * 7282) >> 16  # floor of a ninth for all sums up to 9 * 255 + 4


@kernel
def gaussian3(p: In(u8)) -> Out(u8):
    """1 2 1 by 1 2 1, rounded to nearest, halves up."""
    return rounding_shift_up(_smooth(lambda dx: _smooth(lambda dy: p[dy, dx])), 4)


@kernel
def sobel_x(p: In(u8)) -> Out(i16):
    """Horizontal derivative."""
    return _smooth(lambda dy: p[dy, 1]) - _smooth(lambda dy: p[dy, -1])


@kernel
def sobel(p: In(u8)) -> Out(u8, saturate=True):
    """|horizontal| + |vertical| derivative, limited to 255."""
    gx = _smooth(lambda dy: p[dy, 1]) - _smooth(lambda dy: p[dy, -1])
    gy = _smooth(lambda dx: p[1, dx] - p[-1, dx])
    return abs(gx) + abs(gy)


@kernel
def gradient(p: In(u8)) -> Out(i32):
    """Square of the Sobel gradient's length."""
    gx = _smooth(lambda dy: p[dy, 1]) - _smooth(lambda dy: p[dy, -1])
    gy = _smooth(lambda dx: p[1, dx] - p[-1, dx])
    return gx * gx + gy * gy


@kernel
def median3(p: In(u8)) -> Out(u8):
    """Median of 3 x 3: columns are sorted, then their parts compared."""
    def middle(a: Any, b: Any, c: Any) -> Any:
        return maximum(minimum(a, b), minimum(maximum(a, b), c))

    def column(dx: int) -> tuple[Any, Any, Any]:
        a, b, c = p[-1, dx], p[0, dx], p[1, dx]
        low, high = minimum(a, b), maximum(a, b)
        return minimum(low, c), maximum(low, minimum(high, c)), maximum(high, c)

    lows, middles, highs = zip(column(-1), column(0), column(1), strict=True)
    return middle(maximum(maximum(lows[0], lows[1]), lows[2]), middle(*middles),
                  minimum(minimum(highs[0], highs[1]), highs[2]))


@kernel
def census3(p: In(u8)) -> Out(u8):
    """A bit for each neighbour brighter than the centre, row by row, the first at bit 0."""
    result: Any = 0
    places = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    for bit, (dy, dx) in enumerate(places):
        result = result + where(p[dy, dx] > p[0, 0], 1 << bit, 0)
    return result


@kernel
def sad3(left: In(u8), right: In(u8)) -> Out(i16):
    """Sum of absolute differences over 3 x 3 (grid of ``right``: the disparity)."""
    def column(dx: int) -> Any:
        return (absdiff(left[-1, dx], right[-1, dx]) + absdiff(left[0, dx], right[0, dx])
                + absdiff(left[1, dx], right[1, dx]))

    return column(-1) + column(0) + column(1)


@kernel
def threshold(p: In(u8), level: int = 128) -> Out(u8):
    """255 where brighter than a level."""
    return 255 if p > level else 0


@kernel
def harris(xx: In(i32), xy: In(i32), yy: In(i32), shift: int = 8) -> Out(i32):
    """Corner measure det - trace**2 / 16 of products summed by a box (scaled down by shift)."""
    a, b, c = xx >> shift, xy >> shift, yy >> shift
    trace = a + c
    return a * c - b * b - ((trace * trace) >> 4)


@kernel
def maxima3(p: In(i32)) -> Out(i32):
    """A score where no neighbour of 3 x 3 has a larger one, else 0."""
    def column(dx: int) -> Any:
        return maximum(maximum(p[-1, dx], p[0, dx]), p[1, dx])

    highest = maximum(maximum(column(-1), column(0)), column(1))
    return p if p >= highest else 0


@kernel
def histogram(p: In(u8), bins: Memory(256)) -> Out(i32, "i"):
    """How often each value occurs."""
    bins.add(p, 1)
    return bins


@kernel
def orientations(p: In(u8), bins: Memory(8)) -> Out(i32, "i"):
    """Sum of gradients (|horizontal| + |vertical|) by 8 directions, as descriptors of shapes use
    it; all over the picture."""
    gx = p[0, 1] - p[0, -1]
    gy = p[1, 0] - p[-1, 0]
    octant = where(gx < 0, 4, 0) + where(gy < 0, 2, 0) + where(abs(gx) < abs(gy), 1, 0)
    bins.add(octant, abs(gx) + abs(gy))
    return bins


@kernel
def integral_rows(p: In(u8)) -> Out(i32):
    """Running sum along each row."""
    return scan(lambda acc, x: acc + x, 0, p)


@kernel
def integral_columns(p: In(i32, "xy")) -> Out(i32, "xy"):
    """Running sum along each column: the array's first axis is the kernel's x."""
    return scan(lambda acc, x: acc + x, 0, p)


@kernel
def stereo_sad(left: In(u8), right: In(u8), best: In(i32, border="constant", fill=1 << 30),
               first: int = 0) -> Out(i32):
    """Disparities first and first + 1 (grid of ``right``: x0 = -first): the smallest of
    ``best`` and (sum of absolute differences over 3 x 3) * 256 + disparity."""
    def column(disparity: int, dx: int) -> Any:
        return sum(absdiff(left[dy, dx], right[dy, dx - disparity]) for dy in (-1, 0, 1))

    result = best.value
    for disparity in range(2):
        sums = column(disparity, -1) + column(disparity, 0) + column(disparity, 1)
        result = minimum(result, (sums << 8) + (first + disparity))
    return result


@kernel
def low_byte(p: In(i32)) -> Out(u8):
    """The lowest byte: disparities of ``stereo_sad``'s result."""
    return p
