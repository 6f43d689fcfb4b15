"""FAST-9 corners on four bands of a picture at once; binary descriptors and their distances.

A picture of H rows is cut into four bands; a byte of each makes one packed value, so an
iteration takes 16 pixels and every neighbour is a whole value away. Bands overlap by ``HALO``
rows on both sides.

The score is OpenCV's (``TYPE_9_16``): the largest t for which 9 contiguous pixels of the ring of
16 are all brighter than the centre by more than t, or all darker, if that is at least the
threshold; else 0. OpenCV finds no corners in the outermost 3 rows and columns; here the picture is
continued by its last pixels, so results nearer than 4 pixels to its frame are no corners.
"""

# mypy: disable-error-code="valid-type"

from collections.abc import Callable
from typing import Any

from sw.drp.functions import fold, maximum, minimum, shift_right_logical, total, where
from sw.drp.kernel import Kernel, kernel
from sw.drp.types import Gather, In, Out, i8, i16, i32, u8, u8x4

__all__ = ["HALO", "KERNELS", "brief", "fast_bright", "fast_dark", "fast_pack", "fast_score",
           "fast_unpack", "hamming", "maxima3_bands", "nearest_two"]

HALO = 4
# (dy, dx), clockwise.
RING = ((-3, 0), (-3, 1), (-2, 2), (-1, 3), (0, 3), (1, 3), (2, 2), (3, 1), (3, 0), (3, -1),
        (2, -2), (1, -3), (0, -3), (-1, -3), (-2, -2), (-3, -1))


@kernel
def fast_pack(a: In(u8), b: In(u8), c: In(u8), d: In(u8)) -> Out(i32):
    """FAST, 1 of 6: four bands (grids: where each begins) to packed bytes."""
    return a | (b << 8) | (c << 16) | (d << 24)


def _arcs(p: Any, near: Callable[..., Any], far: Callable[..., Any]) -> Any:
    """``far`` of ``near`` of each 9 contiguous pixels of the ring. Two arcs that begin next to
    each other share 8 pixels, and 8 are twice 4."""
    ring = [p[place] for place in RING]
    two = [near(ring[n], ring[(n + 1) % 16]) for n in range(1, 17, 2)]
    four = [near(two[n], two[(n + 1) % 8]) for n in range(8)]
    found = []
    for n in range(8):
        eight = near(four[n], four[(n + 2) % 8])
        found.append(near(eight, far(ring[2 * n], ring[(2 * n + 9) % 16])))
    while len(found) > 1:
        found = [far(found[n], found[n + 1]) for n in range(0, len(found), 2)]
    return found[0]


@kernel
def fast_bright(p: In(u8x4, "yxb", border="constant")) -> Out(u8x4, "yxb", lanes="x"):
    """FAST, 2 of 6: the brightest level above which there is an arc of 9."""
    return _arcs(p, minimum, maximum)


@kernel
def fast_dark(p: In(u8x4, "yxb", border="constant")) -> Out(u8x4, "yxb", lanes="x"):
    """FAST, 3 of 6: the darkest level below which there is an arc of 9."""
    return _arcs(p, maximum, minimum)


@kernel
def fast_score(p: In(u8x4, "yxb"), bright: In(u8x4, "yxb"), dark: In(u8x4, "yxb"),
               threshold: int = 20) -> Out(u8x4, "yxb", lanes="x"):
    """FAST, 4 of 6: how far the better arc differs from the centre, less 1; 0 for no corner."""
    most = maximum(maximum(p, bright) - p, p - minimum(p, dark))
    return where(most > threshold, most - 1, 0)


@kernel
def maxima3_bands(p: In(u8x4, "yxb", border="constant")) -> Out(u8x4, "yxb", lanes="x"):
    """FAST, 5 of 6: scores larger than those of all 8 neighbours, else 0."""
    def column(dx: int) -> Any:
        return maximum(maximum(p[-1, dx], p[0, dx]), p[1, dx])

    others = maximum(maximum(column(-1), column(1)), maximum(p[-1, 0], p[1, 0]))
    return where(p > others, p, 0)


@kernel
def fast_unpack(p: In(u8, "yxb")) -> Out(u8, "byx"):
    """FAST, 6 of 6: bands one below the other (grid of p: HALO rows down)."""
    return p




@kernel
def brief(picture: Gather(u8), points: In(i16, "n", channels=2),
          pattern: In(i8, "tw", channels=4)) -> Out(i32, "nw"):
    """BRIEF descriptors at (row, column): a bit for each test (ay, ax, by, bx) of the pattern,
    whether the picture is darker at the first place than at the second; the first at a word's
    highest bit. Tests of several words lie side by side, as lanes read them in one word."""
    y, x = points
    first_y, first_x, second_y, second_x = pattern
    first = picture.at(y + first_y, x + first_x)
    second = picture.at(y + second_y, x + second_x)
    return fold(lambda bits, bit: (bits + bits) + bit, 0, where(first < second, 1, 0))


@kernel
def hamming(a: In(i32, "nh", channels=2), b: In(i32, "mh", channels=2)) -> Out(i16, "nm"):
    """How many bits differ between every descriptor of a and every one of b, 64 bits at a time."""
    low, high = (p ^ q for p, q in zip(a, b, strict=True))

    def fours(word: Any) -> Any:
        """Bits set in each 4."""
        twos = word - (shift_right_logical(word, 1) & 0x55555555)
        return (twos & 0x33333333) + (shift_right_logical(twos, 2) & 0x33333333)

    # At most 12 in each 4 bits.
    counts = fours(low ^ high) + 2 * fours(low & high)
    counts = (counts & 0x0F0F0F0F) + (shift_right_logical(counts, 4) & 0x0F0F0F0F)
    return total(shift_right_logical(counts * 0x01010101, 24))


@kernel
def nearest_two(distances: In(i16, "nx")) -> Out(i32, "n", channels=3):
    """Place and value of each row's smallest, and its second smallest value."""
    def better(best: tuple[Any, ...], new: tuple[Any, Any]) -> tuple[Any, ...]:
        place, value, second = best
        place = where(new[0] < value, new[1], place)
        return place, minimum(value, new[0]), minimum(second, maximum(value, new[0]))

    most = (1 << 15) - 1
    return fold(better, (0, most, most), (distances.value, distances.column))


KERNELS: tuple[Kernel, ...] = (fast_pack, fast_bright, fast_dark, fast_score, maxima3_bands,
                               fast_unpack, brief, hamming, nearest_two)
