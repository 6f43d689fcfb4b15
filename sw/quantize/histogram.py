"""What values tensors take on calibration samples: histograms, filled sample by sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sw.errors import InputError
from sw.quantize.network import Network
from sw.quantize.session import Samples, Traced

__all__ = ["BINS", "Histogram", "observe"]

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
    whole : bool
        All values are integers.
    """

    low: float
    high: float
    counts: NDArray
    whole: bool = False

    @property
    def centers(self) -> NDArray:
        """The value in the middle of each part."""
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        return (edges[:-1] + edges[1:]) / 2


def observe(network: Network, names: Sequence[str], samples: Samples,
            progress: Callable[[str], None] = lambda _: None) -> dict[str, Histogram]:
    """Histograms of tensors over samples, in two passes: the ranges, then the counts.

    Activations of one sample at most are held.

    Raises
    ------
    InputError
        If a tensor is NaN or infinite on a sample, or the same number on all of them.
    """
    traced = Traced(network.model, names, {name: network.size(name) for name in names})
    low = dict.fromkeys(names, np.inf)
    high = dict.fromkeys(names, -np.inf)
    whole = dict.fromkeys(network.inputs, True)
    for number, sample in enumerate(samples):
        progress(f"ranges, sample {number + 1} of {len(samples)}")
        for name, values in traced.run(sample):
            least, most = float(values.min()), float(values.max())
            if not (np.isfinite(least) and np.isfinite(most)):
                raise InputError(f"{network.where(name)} holds NaN or infinity on calibration "
                                 f"sample {number + 1}; accepted are samples on which all values "
                                 "are finite")
            low[name], high[name] = min(low[name], least), max(high[name], most)
            if name in whole:
                whole[name] = whole[name] and not np.any(values % 1)
    for name in names:
        if low[name] == high[name]:
            raise InputError(f"{network.where(name)} is {low[name]:g} everywhere on all "
                             f"{len(samples)} calibration samples, which tells nothing of its "
                             "range; accepted are samples on which it varies")
    counts = {name: np.zeros(BINS, np.int64) for name in names}
    for number, sample in enumerate(samples):
        progress(f"histograms, sample {number + 1} of {len(samples)}")
        for name, values in traced.run(sample):
            bins = ((values.ravel() - np.float32(low[name]))
                    * np.float32(BINS / (high[name] - low[name]))).astype(np.int32)
            counts[name] += np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS)
    return {name: Histogram(low[name], high[name], counts[name], whole.get(name, False))
            for name in names}
