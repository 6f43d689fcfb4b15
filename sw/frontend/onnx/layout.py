"""Orders of bytes: ONNX counts channels before rows, the chip wants them last.

Where the bytes of a tensor lie is an array of the shape in which the graph holds it, whose entries
are the positions in ONNX's order (C order of ONNX's shape). Transposing and reshaping in ONNX's
sense only relabels; bytes move where an operator needs another order.
"""

import math
from itertools import permutations

import numpy as np

__all__ = ["canonical", "canonical_axes", "movement", "plain", "transposed"]

MOST_VALUES = 1 << 27
MOST_AXES = 6  # of tensors that are transposed: all orders of more take too long to try


def plain(shape: tuple[int, ...]) -> np.ndarray:
    """ONNX's own order.

    Raises
    ------
    ValueError
        For more values than any network has that a chip of 32-bit addresses runs.
    """
    if math.prod(shape) > MOST_VALUES:
        raise ValueError(f"a tensor of shape {list(shape)}; accepted are up to {MOST_VALUES} "
                         "values")
    return np.arange(math.prod(shape)).reshape(shape)


def canonical_axes(rank: int) -> tuple[int, ...]:
    """ONNX's axes in the order of the chip's: channels last in feature maps."""
    return (0, 2, 3, 1) if rank == 4 else tuple(range(rank))


def canonical(shape: tuple[int, ...]) -> np.ndarray:
    """The chip's order: channels last in feature maps, others as in ONNX."""
    return plain(shape).transpose(canonical_axes(len(shape)))


def transposed(stored: np.ndarray, shape: tuple[int, ...], perm: tuple[int, ...]) -> np.ndarray:
    """Where the bytes of a tensor of ONNX's ``shape`` lie, seen after ONNX's Transpose."""
    before = plain(shape).transpose(perm).ravel()
    after = np.empty_like(before)
    after[before] = np.arange(before.size)
    return after[stored]


def movement(stored: np.ndarray, shape: tuple[int, ...],
             wanted: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...] | None] | None:
    """How bytes get from one order to another.

    Returns
    -------
    (shape, perm) or None
        Reshape to ``shape``, then transpose by ``perm`` (None: no need); None if no such pair
        does it.
    """
    flat = wanted.ravel()
    if np.array_equal(stored.ravel(), flat):
        return stored.shape, None
    for sizes in dict.fromkeys((stored.shape, shape)):
        if len(sizes) > MOST_AXES:
            continue
        here = stored.reshape(sizes)
        for perm in permutations(range(1, len(sizes))):
            moved = here.transpose(0, *perm)
            if np.array_equal(moved.ravel(), flat):
                return sizes, (0, *perm)
    return None
