"""Weights as the chip's blocks: L output channels x M input channels at one kernel position."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.attributes import Conv2D, FullyConnected, Weighted
from golden.spec.config import Config

__all__ = ["DEPTHWISE", "EXCLUDED", "Pattern", "prunable", "unprunable"]

# Why a layer isn't pruned.
DEPTHWISE = ("it is depthwise: a block is one row for all its channels, and its drain is longer "
             "than its rows")
EXCLUDED = "it is excluded"
_GROUPED = "it is grouped: rows of a block belong to different inputs"


def prunable(attrs: object) -> bool:
    """Can blocks of this operator have fewer rows than channels? (Not so for depthwise.)"""
    return isinstance(attrs, Conv2D | FullyConnected)


def unprunable(attrs: Weighted) -> str:
    """Why training and surgery leave this operator's weights alone; empty if they don't."""
    if not prunable(attrs):
        return DEPTHWISE
    return _GROUPED if isinstance(attrs, Conv2D) and attrs.groups > 1 else ""


@dataclass(frozen=True)
class Pattern:
    """How a kernel falls into blocks.

    The layer of a thin network input has whole kernel rows as a group, as the chip gathers them.

    Parameters
    ----------
    shape : tuple of int
        The kernel, (outputs, positions..., inputs).
    lanes, group : int
        L and M.
    """

    shape: tuple[int, ...]
    lanes: int
    group: int

    @classmethod
    def of(cls, config: Config, attrs: Weighted) -> "Pattern":
        """That of a convolution or fully connected layer on a chip."""
        return cls(attrs.kernel.shape, config.lanes, config.group)

    @property
    def width(self) -> int:
        """Weights of one output channel that share a row of groups."""
        row = int(np.prod(self.shape[2:])) if len(self.shape) == 4 else 0
        return row if 0 < row <= self.group else self.shape[-1]

    @property
    def blocks(self) -> tuple[int, int]:
        """(lane blocks, blocks of each)."""
        rows = int(np.prod(self.shape[1:])) // self.width
        return -(-self.shape[0] // self.lanes), rows * -(-self.width // self.group)

    def split(self, values: NDArray, fill: float = 0) -> NDArray:
        """Values of the kernel's shape as [lane blocks, blocks, lanes, M]; what is no weight
        has ``fill``."""
        outputs = self.shape[0]
        rows = np.reshape(values, (outputs, -1, self.width))
        padded = np.pad(rows, ((0, -outputs % self.lanes), (0, 0), (0, -self.width % self.group)),
                        constant_values=fill)
        apart = padded.reshape(-1, self.lanes, self.blocks[1], self.group)
        return apart.transpose(0, 2, 1, 3)

    def join(self, blocks: NDArray) -> NDArray:
        """The opposite of `split`."""
        rows = int(np.prod(self.shape[1:])) // self.width
        padded = blocks.transpose(0, 2, 1, 3).reshape(-1, rows, -(-self.width // self.group)
                                                      * self.group)
        return padded[:self.shape[0], :, :self.width].reshape(self.shape)

    def counts(self, mask: NDArray) -> NDArray:
        """N of every block, [lane blocks, blocks]: the most weights that a lane keeps."""
        return self.split(mask != 0).sum(axis=3).max(axis=2)

    def keep(self, scores: NDArray, counts: NDArray | int) -> NDArray:
        """Mask of the ``counts`` best weights of every lane in every block.

        Parameters
        ----------
        scores : ndarray of the kernel's shape
            Importance; ties go to the lower channel.
        counts : int or ndarray [lane blocks, blocks]
        """
        apart = self.split(np.asarray(scores, float), fill=-np.inf)
        order = np.argsort(-apart, axis=3, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(self.group), axis=3)
        limit = np.broadcast_to(counts, self.blocks)[:, :, None, None]
        return self.join(rank < limit)
