"""Where clusters of cells go roughly: quadratic wire length, pulled apart where it is too full.

Nets become springs between their outermost pins and all others (bound to bound: Spindler et al.,
Kraftwerk2, 2008), so that the quadratic optimum is the one of half perimeters; bisection finds
places with room for everything, and springs to these, stronger from round to round, pull cells
there (Kim et al., SimPL, 2010).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Analytic", "Region", "spread"]

_RESIDUAL = 1e-8  # where conjugate gradients end
_LEAST = 1e-9  # a spring that holds everything where it is
_NEAR = 1.0  # tiles: springs grow no stronger when shorter than that


@dataclass(frozen=True)
class Region:
    """A rectangle of a device's logic, in its tiles counted from 0."""

    left: float
    right: float
    top: float
    bottom: float


class Analytic:
    """Positions of objects, of which the first ones move.

    Parameters
    ----------
    nets : sequence of sequence of int
        Objects at each net, each once, two at least.
    x, y : numpy.ndarray
        Positions in tiles; those of the movable objects are changed.
    movable : int
        Objects that move.

    Members
    -------
    weights : numpy.ndarray
        By net, what its wire counts: 1 at first.
    """

    def __init__(self, nets: Sequence[Sequence[int]], x: np.ndarray, y: np.ndarray,
                 movable: int) -> None:
        self.x, self.y, self._movable = x, y, movable
        self._pins = np.array([item for net in nets for item in net], int)
        self._sizes = np.array([len(net) for net in nets], int)
        self._nets = np.repeat(np.arange(len(nets)), self._sizes)
        self._first = np.cumsum(self._sizes) - self._sizes
        self.weights = np.ones(len(nets))

    def wire(self) -> int:
        """Half perimeters of all nets together, in tiles."""
        return sum(int((np.maximum.reduceat(pins, self._first)
                        - np.minimum.reduceat(pins, self._first)).sum())
                   for pins in (self.x[self._pins], self.y[self._pins]))

    def solve(self, at: np.ndarray, steps: int, targets: np.ndarray | None = None,
              pull: np.ndarray | None = None) -> None:
        """Move objects along one axis towards where springs hold each other, in place.

        Parameters
        ----------
        at : numpy.ndarray
            ``x`` or ``y``.
        steps : int
            Of conjugate gradients, at most.
        targets, pull : numpy.ndarray
            By movable object: where a spring of its own ends, and how strong it is.
        """
        count = self._movable
        one, other, strength = self._springs(at)
        sums: np.ndarray = (np.bincount(one, strength, len(at))
                            + np.bincount(other, strength, len(at)))[:count]
        right = np.zeros(len(at))
        for here, there in ((one, other), (other, one)):
            held = here >= count
            right += np.bincount(there[held], strength[held] * at[here[held]], len(at))
        right = right[:count]
        free = (one < count) & (other < count)
        one, other, strength = one[free], other[free], strength[free]
        if targets is not None and pull is not None:
            own = pull / np.maximum(np.abs(at[:count] - targets), _NEAR)
            sums, right = sums + own, right + own * targets
        # What is tied to nothing stays.
        sums = sums + _LEAST
        right = right + _LEAST * at[:count]

        def product(values: np.ndarray) -> np.ndarray:
            return (sums * values - np.bincount(one, strength * values[other], count)
                    - np.bincount(other, strength * values[one], count))

        at[:count] = _conjugate_gradients(product, sums, right, at[:count], steps)

    def _springs(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Both ends of each, and its strength."""
        pins = self._pins[np.lexsort((at[self._pins], self._nets))]
        last = self._first + self._sizes - 1
        low, high = pins[self._first], pins[last]
        inner = np.ones(len(pins), bool)
        inner[self._first] = inner[last] = False
        between, nets = pins[inner], self._nets[inner]
        one = np.concatenate((low, between, between))
        other = np.concatenate((high, low[nets], high[nets]))
        weights = 2 * self.weights / (self._sizes - 1)
        strength = np.concatenate((weights, weights[nets], weights[nets]))
        return one, other, strength / np.maximum(np.abs(at[one] - at[other]), _NEAR)


def spread(x: np.ndarray, y: np.ndarray, area: np.ndarray, region: Region, capacity: float,
           fill: float) -> tuple[np.ndarray, np.ndarray]:
    """Move objects as little as it takes for no part of a region to be too full.

    Parameters
    ----------
    x, y, area : numpy.ndarray
        Of the objects.
    region : Region
    capacity : float
        Area of a tile.
    fill : float
        What of it may be taken, if what there is allows that.
    """
    x, y = x.copy(), y.copy()
    parts = [(np.arange(len(x)), region)]
    while parts:
        items, part = parts.pop()
        width, height = part.right - part.left, part.bottom - part.top
        if len(items) == 0:
            continue
        if max(width, height) <= 1 or len(items) == 1:
            x[items] = np.clip(x[items], part.left, part.right)
            y[items] = np.clip(y[items], part.top, part.bottom)
            continue
        along = width >= height
        at, first, last = ((x, part.left, part.right) if along else (y, part.top, part.bottom))
        middle = (first + last) / 2 if last - first < 2 else float(round((first + last) / 2))
        items = items[np.argsort(at[items], kind="stable")]
        areas = np.cumsum(area[items])
        sides = np.array([middle - first, last - middle]) / (last - first)
        room = capacity * width * height * sides
        most = max(fill, min(1, 1.02 * areas[-1] / room.sum())) * room
        before = np.searchsorted(at[items], middle)
        wanted = areas[before - 1] if before else 0
        taken = min(max(wanted, areas[-1] - most[1]), most[0])
        cut = int(np.searchsorted(areas, taken + 1e-9, side="right"))
        moved = 0 < cut < len(items) and cut != before
        border = (at[items[cut - 1]] + at[items[cut]]) / 2 if moved else middle
        low, high = items[:cut], items[cut:]
        if len(low):
            at[low] = _stretched(at[low], min(first, at[low].min()), border, first, middle)
        if len(high):
            at[high] = _stretched(at[high], border, max(last, at[high].max()), middle, last)
        parts += zip((low, high), _halves(part, along, middle), strict=True)
    return x, y


def _halves(part: Region, along: bool, middle: float) -> tuple[Region, Region]:
    if along:
        return replace(part, right=middle), replace(part, left=middle)
    return replace(part, bottom=middle), replace(part, top=middle)


def _stretched(at: np.ndarray, low: float, high: float, first: float, last: float) -> np.ndarray:
    """From low to high they lie, from first to last they are to."""
    if high - low < 1e-9:
        return np.full_like(at, (first + last) / 2)
    return np.clip(first + (at - low) * (last - first) / (high - low), first, last)


def _conjugate_gradients(product: Callable[[np.ndarray], np.ndarray], diagonal: np.ndarray,
                         right: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """Solve a positive definite system."""
    found = start.copy()
    rest = right - product(found)
    scaled = rest / diagonal
    direction, norm = scaled.copy(), rest @ scaled
    enough = _RESIDUAL * norm
    for _ in range(steps):
        if norm <= enough:
            break
        image = product(direction)
        step = norm / (direction @ image)
        found += step * direction
        rest -= step * image
        scaled = rest / diagonal
        before, norm = norm, rest @ scaled
        direction = scaled + norm / before * direction
    return found
