"""Signal-to-noise ratios of tensors, summed sample by sample."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_DECIBELS", "SignalToNoise"]

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
        if not self.noise:
            return MOST_DECIBELS
        if not self.signal:
            return -MOST_DECIBELS
        return max(min(10 * math.log10(self.signal / self.noise), MOST_DECIBELS), -MOST_DECIBELS)
