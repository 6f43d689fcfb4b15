"""A layer's inputs as the rows that its weights multiply."""

import numpy as np
from numpy.typing import NDArray

from golden.attributes import Conv2D, FullyConnected, Weighted
from golden.ops.convolution import tap_views

__all__ = ["chosen_rows", "unfolded"]

_TOGETHER = 8  # samples unfolded at a time


def unfolded(x: NDArray, attrs: Weighted) -> NDArray:
    """Input values less their zero point, float32 [samples, output pixels, K].

    K counts kernel positions and input channels as the kernel's axes do.
    """
    zero = np.float32(attrs.input_zero)
    if isinstance(attrs, FullyConnected):
        return x.reshape(len(x), -1, attrs.kernel.shape[1]).astype(np.float32) - zero
    assert isinstance(attrs, Conv2D)
    views = tap_views(x, attrs, attrs.input_zero)
    rows = np.stack([view.reshape(len(x), -1, x.shape[3]) for view in views], axis=2)
    return rows.reshape(len(x), rows.shape[1], -1).astype(np.float32) - zero


def chosen_rows(inputs: NDArray, attrs: Weighted, limit: int, seed: int) -> NDArray:
    """At most about ``limit`` of the rows, [n, K]: as many of every sample, chosen at random.

    The same seed chooses the same rows for every input of that shape.
    """
    rng = np.random.default_rng(seed)
    share = max(limit // len(inputs), 1)
    found = []
    for start in range(0, len(inputs), _TOGETHER):
        for sample in unfolded(inputs[start:start + _TOGETHER], attrs):
            if len(sample) > share:
                sample = sample[np.sort(rng.choice(len(sample), share, replace=False))]
            found.append(sample)
    return np.concatenate(found)
