"""FAST-9 corners on four bands of a picture at once.

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

from sw.drp.functions import maximum, minimum, where
from sw.drp.kernel import Kernel, kernel
from sw.drp.types import In, Out, i32, u8, u8x4

__all__ = ["HALO", "fast_bright", "fast_dark", "fast_pack", "fast_score", "fast_unpack",
           "maxima3_bands"]

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


KERNELS: tuple[Kernel, ...] = (fast_pack, fast_bright, fast_dark, fast_score, maxima3_bands,
                               fast_unpack)
