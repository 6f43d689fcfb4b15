"""What values tensors take on calibration samples: histograms, filled sample by sample."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sw.errors import InputError
from sw.quantize.network import Network, channel_axis
from sw.quantize.session import Samples, Traced
from sw.words import counted

__all__ = ["BINS", "Histogram", "Survey"]

BINS = 2048


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often a tensor's values lie where.

    Parameters
    ----------
    low, high : float
        Least and largest value.
    counts : ndarray of int, (BINS,)
        Of equal parts of that range.
    weighted : ndarray of float, (BINS,)
        The same, each channel counted by its importance.
    whole : bool
        All values are integers.
    """

    low: float
    high: float
    counts: NDArray
    weighted: NDArray
    whole: bool = False

    @property
    def centers(self) -> NDArray:
        """The value in the middle of each part."""
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        return (edges[:-1] + edges[1:]) / 2


class Survey:
    """A first pass over the samples: ranges, and variances of sums.

    Parameters
    ----------
    network : Network
    names : sequence of str
        Tensors whose ranges are wanted.
    sums : sequence of str
        Tensors whose variances by channel are wanted.
    samples : sequence of mapping of str to ndarray
    progress : callable

    Members
    -------
    squares, variances : dict of str to ndarray
        Mean square, and variance, by channel.

    Raises
    ------
    InputError
        If a tensor is NaN or infinite on a sample, or the same number on all of them.
    """

    def __init__(self, network: Network, names: Sequence[str], sums: Sequence[str],
                 samples: Samples, progress: Callable[[str], None] = lambda _: None) -> None:
        self._network, self._names, self._samples = network, names, samples
        self._low = dict.fromkeys(names, np.inf)
        self._high = dict.fromkeys(names, -np.inf)
        self._whole = {name: True for name in names if name in network.inputs}
        moments = {name: (np.zeros(1), np.zeros(1)) for name in sums}
        sizes = {name: network.size(name) for name in (*names, *sums)}
        traced = Traced(network.model, [*sizes], sizes)
        for number, sample in enumerate(samples):
            progress(f"ranges, sample {number + 1} of {len(samples)}")
            for name, values in traced.run(sample):
                if name in self._low:
                    self._range(name, values, number)
                if name in moments:
                    first, second = _moments(values)
                    moments[name] = moments[name][0] + first, moments[name][1] + second
        for name in names:
            if self._low[name] == self._high[name]:
                raise InputError(f"{network.where(name)} is {self._low[name]:g} everywhere on all "
                                 f"{counted(len(samples), 'calibration sample')}, which tells "
                                 "nothing of its range; accepted are samples on which it varies")
        self.squares = {name: second / len(samples) for name, (_, second) in moments.items()}
        self.variances = {name: second / len(samples) - np.square(first / len(samples))
                          for name, (first, second) in moments.items()}

    def _range(self, name: str, values: NDArray, number: int) -> None:
        least, most = float(values.min()), float(values.max())
        if not (np.isfinite(least) and np.isfinite(most)):
            raise InputError(f"{self._network.where(name)} holds NaN or infinity on calibration "
                             f"sample {number + 1}; accepted are samples on which all values are "
                             "finite")
        self._low[name] = min(self._low[name], least)
        self._high[name] = max(self._high[name], most)
        if name in self._whole:
            self._whole[name] = self._whole[name] and not np.any(values % 1)

    def histograms(self, importance: Mapping[str, NDArray],
                   progress: Callable[[str], None] = lambda _: None) -> dict[str, Histogram]:
        """A second pass: how often values lie where.

        Parameters
        ----------
        importance : mapping of str to ndarray
            How much each channel of a tensor counts for ``weighted``.
        progress : callable
        """
        names = self._names
        counts = {name: np.zeros(BINS, np.int64) for name in names}
        weighted = {name: np.zeros(BINS) for name in names if name in importance}
        traced = Traced(self._network.model, names,
                        {name: self._network.size(name) for name in names})
        for number, sample in enumerate(self._samples):
            progress(f"histograms, sample {number + 1} of {len(self._samples)}")
            for name, values in traced.run(sample):
                low, width = self._low[name], self._high[name] - self._low[name]
                bins = ((values - np.float32(low)) * np.float32(BINS / width)).astype(np.int32)
                bins = np.minimum(bins, BINS - 1)
                if name not in weighted:
                    counts[name] += np.bincount(bins.ravel(), minlength=BINS)
                    continue
                axis = channel_axis(bins.ndim)
                rows = np.moveaxis(bins, axis, 0).reshape(bins.shape[axis], -1)
                for factor, row in zip(importance[name], rows, strict=True):
                    found = np.bincount(row, minlength=BINS)
                    counts[name] += found
                    weighted[name] += factor * found
        return {name: Histogram(self._low[name], self._high[name], counts[name],
                                weighted.get(name, counts[name]), self._whole.get(name, False))
                for name in names}


def _moments(values: NDArray) -> tuple[NDArray, NDArray]:
    """Means of the values and of their squares, by channel."""
    rank = values.ndim
    rest = tuple(at for at in range(rank) if at != channel_axis(rank))
    with np.errstate(all="ignore"):  # what isn't finite is refused where the ranges are taken
        return (values.mean(axis=rest, dtype=np.float64),
                np.square(values, dtype=np.float64).mean(axis=rest))
