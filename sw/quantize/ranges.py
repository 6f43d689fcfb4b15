"""From a histogram to the range that 256 codes cover, or 512, by four methods."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sw.quantize.histogram import Histogram

__all__ = ["FINE", "METHODS", "Function", "Quant", "Range", "chosen_range", "loss_behind",
           "quant_of"]

METHODS = ("minmax", "percentile", "mse", "entropy")
PERCENTILE = 99.99  # of the values lie below the upper end, and as many above the lower
_SHRINK = 0.955 ** np.arange(64)  # parts of the full range that are tried, down to 5 %
_ROUNDS = 2
BITS, FINE = 8, 9  # the second is that of the finest index of a table
LEAST, MOST = -128, 127
Function = Callable[[NDArray], NDArray]
# Of ranges, lower and upper ends; or of scales and zero points.
Cost = Callable[[NDArray, NDArray], NDArray]


@dataclass(frozen=True)
class Range:
    """Real numbers that the codes cover, 0 among them."""

    low: float
    high: float

    def joined(self, other: "Range") -> "Range":
        """What covers both."""
        return Range(min(self.low, other.low), max(self.high, other.high))

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class Quant:
    """real = scale (code - zero), codes within ``ends``; the scale is a float32."""

    scale: float
    zero: int
    bits: int = BITS

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the largest code."""
        return _ends(self.bits)


def _ends(bits: int) -> tuple[int, int]:
    return -1 << bits - 1, (1 << bits - 1) - 1


def quant_of(covered: Range, bits: int = BITS) -> Quant:
    """Scale and zero point of a range."""
    scale, zero = _parameters(np.array([covered.low]), np.array([covered.high]), bits)
    return Quant(float(np.float32(scale[0])), int(zero[0]), bits)


def _parameters(low: NDArray, high: NDArray, bits: int = BITS) -> tuple[NDArray, NDArray]:
    """Scales and zero points of ranges that hold 0."""
    least, most = _ends(bits)
    scale = np.maximum((high - low) / (most - least), np.finfo(np.float32).tiny)
    return scale, np.clip(np.rint(least - low / scale), least, most)


def chosen_range(histogram: Histogram, method: str, function: Function | None = None,
                 bits: int = BITS) -> Range:
    """The range for a tensor.

    Parameters
    ----------
    histogram : Histogram
    method : str
        One of METHODS.
    function : callable, optional
        What a table makes of the tensor: all methods but ``minmax`` then choose by the squared
        error of its result. Before a SiLU, values below -6 or so all give nearly 0, and codes for
        them would be wasted.
    bits : int
        Of the codes; others than 8 only with a function.
    """
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if histogram.whole and high - low <= MOST - LEAST:
        return Range(low, low + (MOST - LEAST))  # every integer is a code
    if method == "minmax":
        return Range(low, high)
    if function is not None:
        return _searched(low, high, _squared_error(histogram, function, bits))
    if method == "percentile":
        share = np.cumsum(histogram.counts) / histogram.counts.sum()
        centers, rest = histogram.centers, 1 - PERCENTILE / 100
        first, last = int(np.searchsorted(share, rest)), int(np.searchsorted(share, 1 - rest))
        return Range(min(float(centers[first]), 0.0),
                     max(float(centers[min(last, len(centers) - 1)]), 0.0))
    cost = _divergence(histogram) if method == "entropy" else _squared_error(histogram, None)
    return _searched(low, high, cost)


def _searched(low: float, high: float, cost: Cost) -> Range:
    """The cheapest range: both ends moved inwards together, then one after the other."""
    together = cost(low * _SHRINK, high * _SHRINK)
    best = int(together.argmin())
    lower, upper = low * _SHRINK[best], high * _SHRINK[best]
    for _ in range(_ROUNDS):
        if high > 0:
            ends = high * _SHRINK
            upper = float(ends[cost(np.full_like(ends, lower), ends).argmin()])
        if low < 0:
            ends = low * _SHRINK
            lower = float(ends[cost(ends, np.full_like(ends, upper)).argmin()])
    return Range(float(lower), float(upper))


def loss_behind(histogram: Histogram, function: Function, quant: Quant) -> float:
    """Mean squared error of a function's result where only its argument is rounded."""
    scale, zero = np.array([quant.scale]), np.array([quant.zero])
    return float(_rounding_error(histogram, function, quant.bits)(scale, zero)[0]
                 / histogram.weighted.sum())


def _squared_error(histogram: Histogram, function: Function | None, bits: int = BITS) -> Cost:
    """Of the tensor's values, or of what a table makes of them."""
    error = _rounding_error(histogram, function, bits)
    return lambda low, high: error(*_parameters(low, high, bits))


def _rounding_error(histogram: Histogram, function: Function | None, bits: int) -> Cost:
    """The same by scales and zero points."""
    least, most = _ends(bits)
    used = histogram.weighted > 0
    values, counts = histogram.centers[used], histogram.weighted[used]
    wanted = values if function is None else function(values).astype(np.float64)

    def cost(scale: NDArray, zero: NDArray) -> NDArray:
        scale, zero = scale[:, None], zero[:, None]
        codes = np.clip(np.rint(values / scale) + zero, least, most)
        if function is None:
            given = (codes - zero) * scale
        else:
            table = function((np.arange(least, most + 1) - zero) * scale)
            given = np.take_along_axis(table, (codes - least).astype(np.intp), axis=1)
        return np.square(given - wanted) @ counts

    return cost


def _divergence(histogram: Histogram) -> Cost:
    """Kullback-Leibler divergence of what the codes can tell from the clipped distribution."""
    centers, counts = histogram.centers, histogram.counts.astype(np.float64)
    # The zeros behind a Relu are a peak of no width; the codes hold 0 exactly.
    counts[np.abs(centers).argmin()] = 0

    def one(low: float, high: float) -> float:
        scale, zero = (item[0] for item in _parameters(np.array([low]), np.array([high])))
        clipped = np.clip(centers, low, high)
        inside = (centers >= low) & (centers <= high)
        codes = (np.clip(np.rint(clipped / scale) + zero, LEAST, MOST) - LEAST).astype(np.intp)
        # The values beyond an end count at that end in the one, and are unknown to the other.
        given = np.where(inside, counts, 0.0)
        if not given.any():
            return np.inf
        first, last = np.flatnonzero(inside)[[0, -1]]
        true = given.copy()
        true[first] += counts[:first].sum()
        true[last] += counts[last + 1:].sum()
        present = (true > 0) & inside
        mass = np.bincount(codes, given, minlength=256)
        places = np.bincount(codes, present, minlength=256)
        spread = np.divide(mass, places, out=np.zeros(256), where=places > 0)[codes]
        spread = np.maximum(spread, 1e-9)[present]
        true = true[present]
        return float((true / true.sum() * np.log(true / true.sum() / (spread / spread.sum())))
                     .sum())

    def cost(low: NDArray, high: NDArray) -> NDArray:
        return np.array([one(*ends) for ends in zip(low, high, strict=True)])

    return cost
