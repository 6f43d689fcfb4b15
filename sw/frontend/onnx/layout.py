"""Orders of bytes: ONNX counts channels before rows, the chip wants them last.

Where the bytes of a tensor lie is an array of the shape in which the graph holds it, whose entries
are the positions in ONNX's order (C order of ONNX's shape). Transposing and reshaping in ONNX's
sense only relabels; bytes move where an operator needs another order.
"""

import math
from itertools import permutations

import numpy as np

from golden.attributes import Attributes
from golden.edges import Transpose
from golden.movement import DepthToSpace, SpaceToDepth, Take
from golden.ops.movement import depth_to_space, space_to_depth, take

__all__ = ["canonical", "canonical_axes", "detour", "movement", "plain", "rearrangement",
           "transposed"]

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


def rearrangement(stored: np.ndarray, wanted: np.ndarray) -> list[Attributes] | None:
    """Operators of the chip that bring a feature map's values into another order, if they can.

    Channels are chosen alike in all pixels, before blocks of pixels are made of them, or after
    they are made of blocks.
    """
    if stored.ndim != 4 or wanted.ndim != 4:
        return None
    before, after = (max(a // b, 1) for a, b in ((stored.shape[1], wanted.shape[1]),
                                                 (wanted.shape[1], stored.shape[1])))
    if any(size * after != new * before for size, new in zip(stored.shape[1:3], wanted.shape[1:3],
                                                             strict=True)):
        return None
    found: list[Attributes] = []
    if before > 1:
        blocks = SpaceToDepth(block=before)
        stored, found = space_to_depth(stored, blocks), [blocks]
    order, first = np.argsort(stored[0, 0, 0]), wanted[0, :after, :after].ravel()
    if first.size != order.size:
        return None
    chosen = order[np.searchsorted(stored[0, 0, 0], first, sorter=order) % order.size]
    if not np.array_equal(chosen, np.arange(order.size)):
        channels = Take(indices=(None, None, None, tuple(chosen.tolist())))
        stored, found = take(stored, channels), [*found, channels]
    if after > 1:
        pixels = DepthToSpace(block=after)
        stored, found = depth_to_space(stored, pixels), [*found, pixels]
    return found if np.array_equal(stored, wanted) else None


def detour(stored: np.ndarray, wanted: np.ndarray) -> list[Attributes] | None:
    """As `rearrangement`, with channels brought last before it, first behind it, or both."""
    if stored.ndim != 4 or wanted.ndim != 4:
        return None
    last, first = (0, 2, 3, 1), (0, 3, 1, 2)
    for before, after in ((True, False), (False, True), (True, True)):
        steps = rearrangement(stored.transpose(last) if before else stored,
                              wanted.transpose(last) if after else wanted)
        if steps is not None:
            return [*[Transpose(perm=last)] * before, *steps, *[Transpose(perm=first)] * after]
    return None
