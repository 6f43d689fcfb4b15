"""TensorFlow Lite's sparse encoding of constants, read and decoded.

A tensor of n axes, some of them cut into blocks, is a tree with a level for each axis and each
block axis, in an order of its own. A level is dense (all positions of each node above) or
compressed (node p has the positions ``indices[segments[p]:segments[p + 1]]``). The values are
those of the leaves.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

__all__ = ["Level", "Sparsity", "densify", "read_sparsity"]

_VECTORS = {1: tflite.Int32Vector, 2: tflite.Uint16Vector, 3: tflite.Uint8Vector}


@dataclass(frozen=True, eq=False)
class Level:
    """A level of the tree: dense with ``size`` positions a node, or segments and indices."""

    size: int
    segments: NDArray | None = None
    indices: NDArray | None = None


@dataclass(frozen=True, eq=False)
class Sparsity:
    """The encoding of one tensor.

    Parameters
    ----------
    order : tuple of int
        The axis of each level; n and above are block axes.
    blocks : tuple of int
        The axis that each block axis is part of.
    levels : tuple of Level
    """

    order: tuple[int, ...]
    blocks: tuple[int, ...]
    levels: tuple[Level, ...]


def read_sparsity(table: Any, count: Callable[[int, str], int]) -> Sparsity:
    """The encoding that a ``SparsityParameters`` table states.

    Parameters
    ----------
    table : tflite.SparsityParameters
    count : callable
        Checks a vector's length and returns it.
    """
    def numbers(kind: int, union: Any) -> NDArray:
        if kind not in _VECTORS or union is None:
            raise ValueError(f"sparse indices of type {kind}")
        vector = _VECTORS[kind]()
        vector.Init(union.Bytes, union.Pos)
        if not count(vector.ValuesLength(), "sparse indices"):
            return np.zeros(0, np.int64)
        return vector.ValuesAsNumpy().astype(np.int64)

    levels = []
    for at in range(count(table.DimMetadataLength(), "sparse axes")):
        level = table.DimMetadata(at)
        if level.Format() == tflite.DimensionType.DENSE:
            levels.append(Level(level.DenseSize()))
        else:
            levels.append(Level(0, numbers(level.ArraySegmentsType(), level.ArraySegments()),
                                numbers(level.ArrayIndicesType(), level.ArrayIndices())))
    order = [table.TraversalOrder(at)
             for at in range(count(table.TraversalOrderLength(), "sparse axes"))]
    blocks = [table.BlockMap(at) for at in range(count(table.BlockMapLength(), "block axes"))]
    return Sparsity(tuple(order), tuple(blocks), tuple(levels))


def densify(values: NDArray, shape: tuple[int, ...], sparsity: Sparsity) -> NDArray:
    """The dense tensor; what is not encoded is zero.

    Raises
    ------
    ValueError
        If encoding, values and shape contradict each other.
    """
    axes, levels = len(shape), sparsity.levels
    if sorted(sparsity.order) != list(range(len(levels))) \
            or len(levels) != axes + len(sparsity.blocks) \
            or not all(0 <= axis < axes for axis in sparsity.blocks):
        raise ValueError(f"sparse encoding of {len(levels)} levels in order {sparsity.order} with "
                         f"blocks {sparsity.blocks} does not fit {axes} axes")
    places: dict[int, NDArray] = {}
    nodes = 1
    for axis, level in zip(sparsity.order, levels, strict=True):
        if level.segments is None or level.indices is None:
            if not 1 <= level.size <= math.prod(shape):
                raise ValueError(f"sparse encoding has a dense level of {level.size}")
            parents = np.repeat(np.arange(nodes), level.size)
            found = np.tile(np.arange(level.size), nodes)
        else:
            sizes = np.diff(level.segments)
            if len(sizes) != nodes or (sizes < 0).any() or level.segments[0] != 0 \
                    or level.segments[-1] != len(level.indices):
                raise ValueError(f"sparse encoding has segments that do not fit {nodes} nodes and "
                                 f"{len(level.indices)} indices")
            parents, found = np.repeat(np.arange(nodes), sizes), level.indices
        places = {key: place[parents] for key, place in places.items()} | {axis: found}
        nodes = len(found)
        if nodes > math.prod(shape):
            raise ValueError(f"sparse encoding has {nodes} values for shape {list(shape)}")
    if nodes != len(values):
        raise ValueError(f"sparse encoding has {nodes} places for {len(values)} values")
    for number, axis in enumerate(sparsity.blocks):
        size = next(level.size for at, level in zip(sparsity.order, levels, strict=True)
                    if at == axes + number)
        places[axis] = places[axis] * size + places[axes + number]
    where = tuple(places[axis] for axis in range(axes))
    if any(len(place) and not 0 <= place.min() <= place.max() < size
           for place, size in zip(where, shape, strict=True)):
        raise ValueError(f"sparse encoding has indices beyond shape {list(shape)}")
    dense = np.zeros(shape, values.dtype)
    dense[where] = values
    return dense
