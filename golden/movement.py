"""Operators that only move values: parts, repetitions and other orders of rows, columns, channels.

``golden.attributes`` has those that join and pad.
"""

from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["DepthToSpace", "SpaceToDepth", "Take"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Take(Attributes):
    """Along each axis some indices, in any order, also repeated.

    Slices, splits, crops, flips, channel shuffles, nearest-neighbour resizing, padding with what
    is there.

    Parameters
    ----------
    indices : tuple of (tuple of int or None)
        For each axis the input's index of each of the output's; None for all as they are. The
        batch stays.
    """

    indices: tuple[tuple[int, ...] | None, ...]

    def shape(self, *inputs: Shape) -> Shape:
        """As many as are taken along each axis."""
        (data,) = inputs
        if len(self.indices) != len(data) or self.indices[:1] != (None,):
            raise GraphError(f"{len(self.indices)} lists of indices, must be one for each of the "
                             f"{len(data)} axes, none for the batch")
        for axis, (chosen, size) in enumerate(zip(self.indices, data, strict=True)):
            if chosen is not None and not (chosen and 0 <= min(chosen) <= max(chosen) < size):
                raise GraphError(f"indices {chosen} of axis {axis} must be in 0 to {size - 1}")
        return tuple(size if chosen is None else len(chosen)
                     for chosen, size in zip(self.indices, data, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthToSpace(Attributes):
    """Blocks of pixels out of channels: those of pixel (py, px) of a block come one after another.

    Output (y block + py, x block + px, c) is input (y, x, (py block + px) C + c), C being the
    output's channels.
    """

    block: int

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y block, x block, C)."""
        (data,) = inputs
        if len(data) != 4 or self.block < 1 or data[3] % self.block ** 2:
            raise GraphError(f"input {data} must be (1, y, x, a multiple of {self.block ** 2})")
        return (data[0], data[1] * self.block, data[2] * self.block, data[3] // self.block ** 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpaceToDepth(Attributes):
    """The opposite of `DepthToSpace`."""

    block: int

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y / block, x / block, C block**2)."""
        (data,) = inputs
        if len(data) != 4 or self.block < 1 or data[1] % self.block or data[2] % self.block:
            raise GraphError(f"input {data} must be (1, y, x, C) of whole blocks of {self.block}")
        return (data[0], data[1] // self.block, data[2] // self.block, data[3] * self.block ** 2)
