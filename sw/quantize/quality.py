"""Signal-to-noise ratios of tensors, summed sample by sample."""

import math

import numpy as np
from numpy.typing import NDArray

from sw.quantize.network import channel_axis

__all__ = ["MOST_DECIBELS", "ChannelRatio", "SignalToNoise"]

MOST_DECIBELS = 120.0  # equal, as far as float32 tells


class SignalToNoise:
    """Energy of what is wanted over that of the difference.

    Members
    -------
    signal, noise : float
    """

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def add(self, wanted: NDArray, given: NDArray) -> None:
        """Count a sample's values."""
        wanted = wanted.astype(np.float64)
        self.signal += float(np.square(wanted).sum())
        self.noise += float(np.square(wanted - given).sum())

    @property
    def decibels(self) -> float:
        """10 log10 of the ratio, between -120 and 120."""
        return _decibels(self.signal, self.noise)


class ChannelRatio:
    """Noise of each channel in parts of its variance, averaged over the channels.

    Energy alone would hide that small channels are lost beside large ones, which weights behind
    them enlarge again. A channel can't lose more than all.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((3, 1))  # of means of values, squares, squared differences
        self._count = 0

    def add(self, wanted: NDArray, given: NDArray) -> None:
        """Count a sample's values."""
        axis = channel_axis(wanted.ndim)
        wanted, given = (np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
                         for values in (wanted.astype(np.float64), given))
        self._sums = self._sums + np.stack((wanted.mean(1), np.square(wanted).mean(1),
                                            np.square(wanted - given).mean(1)))
        self._count += 1

    @property
    def decibels(self) -> float:
        """10 log10 of 1 over that average, between 0 and 120."""
        mean, square, noise = self._sums / max(self._count, 1)
        variance = square - np.square(mean)
        alive = variance > 1e-9 * square.max(initial=0)
        lost = np.minimum(noise[alive] / variance[alive], 1)
        return _decibels(1.0, float(lost.mean()) if lost.size else 0.0)


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return MOST_DECIBELS
    if not signal:
        return -MOST_DECIBELS
    return max(min(10 * math.log10(signal / noise), MOST_DECIBELS), -MOST_DECIBELS)
