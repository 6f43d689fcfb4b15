"""Which weights of a layer go, and what the others become so that its sums change least.

The optimal brain surgeon's way: with the second moments H of a layer's inputs, other weights can
make up for each that goes. Block by block, those that cost least go (their square over the inverse
of H), and every weight's error, of going or of rounding to int8, is handed on to those that come
after it. Then single weights, and pairs of one that goes and one that comes back, are changed as
long as the error falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Problem", "saliency"]

_Limits = tuple[int, int]
_INT8: _Limits = (-127, 127)  # of symmetric weights
_SWAPS = 2  # for each block, row and pass
_PASSES = 12
_LEAST_GAIN = 1e-3  # share of the error that a pass must take off for another


@dataclass(frozen=True, eq=False)
class Problem:
    """One layer's weights, and what is known of its inputs.

    Parameters
    ----------
    kernel : ndarray [O, K] of int8 or int16
        As it is; what is 0 stays so.
    target : ndarray [O, K] of float
        Weights that would be best if none had to go and none be rounded.
    moments : ndarray [K, K] of float
        Second moments of the inputs, positive definite.
    blocks : sequence of slice
        Of K, in order.
    """

    kernel: NDArray
    target: NDArray
    moments: NDArray
    blocks: Sequence[slice]

    @property
    def limits(self) -> _Limits:
        """(least, most) of new weights; wider ones, which have a zero point, keep their span."""
        if self.kernel.dtype == np.int8:
            return _INT8
        return int(self.kernel.min()), int(self.kernel.max())

    def error(self, kernel: NDArray) -> NDArray:
        """Squared error of each row's sums, [O]."""
        off = kernel - self.target
        return np.asarray(np.einsum("ij,ij->i", off @ self.moments, off))

    def by_magnitude(self, rows: NDArray) -> NDArray:
        """The largest weights, unchanged: what every other way is held against.

        Parameters
        ----------
        rows : ndarray [O, blocks] of int
            Most weights of each row in each block.
        """
        kept = np.zeros(self.kernel.shape)
        for number, block in enumerate(self.blocks):
            part = self.kernel[:, block].astype(float)
            kept[:, block] = np.where(_best(np.abs(part), part != 0, rows[:, number]), part, 0)
        return kept

    def solve(self, rows: NDArray) -> NDArray:
        """New int8 weights, as floats, of an error never above that of `by_magnitude`."""
        plain = self.by_magnitude(rows)
        swept = self._sweep(rows)
        better = self.error(swept) < self.error(plain)
        return self._descend(np.where(better[:, None], swept, plain), rows)

    def _sweep(self, rows: NDArray) -> NDArray:
        """Choose and round, block after block, each error handed on."""
        factor = np.linalg.cholesky(np.linalg.inv(self.moments)).T
        left, found = self.target.copy(), np.zeros(self.target.shape)
        for number, block in enumerate(self.blocks):
            own = factor[block, block]
            part, alive = left[:, block], self.kernel[:, block] != 0
            keep = _best((part / np.diag(own)) ** 2, alive, rows[:, number])
            errors = np.zeros(part.shape)
            for at in range(part.shape[1]):
                value = np.where(keep[:, at], _rounded(part[:, at], self.limits), 0)
                found[:, block.start + at] = value
                errors[:, at] = (part[:, at] - value) / own[at, at]
                part[:, at + 1:] -= errors[:, at, None] * own[at, at + 1:]
            left[:, block.stop:] -= errors @ factor[block, block.stop:]
        return found

    def _descend(self, start: NDArray, rows: NDArray) -> NDArray:
        """Change weights of the start while the error falls."""
        kernel = start.copy()
        slope = (kernel - self.target) @ self.moments
        before = float(self.error(kernel).sum())
        for _ in range(_PASSES):
            for number, block in enumerate(self.blocks):
                part, own = kernel[:, block].copy(), self.moments[block, block]
                alive = self.kernel[:, block] != 0
                if not alive.any():
                    continue
                local = slope[:, block].copy()
                for _ in range(_SWAPS):
                    if not _swap(part, local, own, alive, self.limits):
                        break
                _adjust(part, local, own, alive, rows[:, number], self.limits)
                change = part - kernel[:, block]
                if change.any():
                    kernel[:, block] = part
                    slope += change @ self.moments[block]
            after = float(self.error(kernel).sum())
            if after > before * (1 - _LEAST_GAIN):
                break
            before = after
        return kernel


def saliency(kernel: NDArray, moments: NDArray) -> NDArray:
    """What each weight is worth, [O, K], where many go together.

    The geometric mean of the error of the sums when it goes and no other weight changes, and when
    all others make up for it: alone, either is far off where inputs resemble each other.
    """
    alone, made_up = np.diag(moments), 1 / np.diag(np.linalg.inv(moments))
    return np.asarray(kernel.astype(float) ** 2 * np.sqrt(alone * made_up))


def _rounded(values: NDArray, limits: _Limits) -> NDArray:
    return np.clip(np.rint(values), *limits)


def _best(scores: NDArray, alive: NDArray, count: NDArray) -> NDArray:
    """Mask of the ``count[o]`` best of each row, of those alive."""
    order = np.argsort(-np.where(alive, scores, -np.inf), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(scores.shape[1])[None], axis=1)
    return alive & (rank < count[:, None])


def _swap(part: NDArray, slope: NDArray, moments: NDArray, alive: NDArray,
          limits: _Limits) -> bool:
    """In every row that gains by it, the best pair: one weight goes, another comes; in place.

    Parameters
    ----------
    part, slope : ndarray [O, m]
        Weights of a block, and the moments' product with their errors.
    moments : ndarray [m, m]
    alive : ndarray [O, m] of bool

    Returns
    -------
    bool
        Whether any row did.
    """
    own = np.diag(moments)
    ahead = slope[:, None, :] - part[:, :, None] * moments  # where each of them has gone
    new = _rounded(-ahead / own, limits)
    gain = (part * part * own - 2 * part * slope)[:, :, None] + 2 * new * ahead + new * new * own
    pair = (part != 0)[:, :, None] & (alive & (part == 0))[:, None, :] & (new != 0)
    gain = np.where(pair, gain, 0).reshape(len(part), -1)
    best = gain.argmin(axis=1)
    row = np.flatnonzero(gain[np.arange(len(part)), best] < -1e-9)
    gone, come = np.divmod(best[row], part.shape[1])
    change = np.zeros(part.shape)
    change[row, gone] = -part[row, gone]
    change[row, come] = new[row, gone, come]
    part += change
    slope += change @ moments
    return bool(len(row))


def _adjust(part: NDArray, slope: NDArray, moments: NDArray, alive: NDArray,
            count: NDArray, limits: _Limits) -> None:
    """Each weight to its best value for the others, new ones where there is room; in place."""
    free = count - (part != 0).sum(axis=1)
    for at in range(part.shape[1]):
        there = part[:, at] != 0
        may = alive[:, at] & (there | (free > 0))
        best = _rounded(part[:, at] - slope[:, at] / moments[at, at], limits)
        value = np.where(may, best, part[:, at])
        free -= (value != 0).astype(int) - there
        change = value - part[:, at]
        part[:, at] = value
        slope += change[:, None] * moments[at]
