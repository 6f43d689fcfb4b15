"""Where a kernel's results lie: the sizes of its axes, and each input's positions along y and x."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from golden.drp.stream import ONE
from sw.drp.types import In, Out
from sw.errors import InputError

__all__ = ["Domain", "Grid"]


@dataclass(frozen=True)
class Grid:
    """Positions of an input for results (y, x): y0 + y dy, x0 + x dx, in 16.16 fixed point."""

    y0: int = 0
    x0: int = 0
    dy: int = ONE
    dx: int = ONE

    @classmethod
    def resize(cls, given: tuple[int, int], wanted: tuple[int, int], *,
               centers: bool = True) -> "Grid":
        """Of a picture (height, width) stretched to another size.

        Parameters
        ----------
        given, wanted : (int, int)
        centers : bool
            Pixels' centres meet (OpenCV, most frameworks), else their upper left corners. Steps
            of the latter round up, so that whole rows and columns are met exactly (sizes up to
            256; beyond, a nearest neighbour may be the next one).
        """
        steps = [round(ONE * size / new) if centers else -(-ONE * size // new)
                 for size, new in zip(given, wanted, strict=True)]
        starts = [(step - ONE) // 2 if centers else 0 for step in steps]
        return cls(*starts, *steps)


@dataclass(frozen=True)
class Domain:
    """Sizes by axis, results' axes first; grids by input.

    Parameters
    ----------
    sizes : dict of int
    kept : int
        How many of the axes results have.
    grids : tuple of Grid
    inputs : tuple of dict
        By input: sizes of its own axes.
    """

    sizes: dict[str, int]
    kept: int
    grids: tuple[Grid, ...]
    inputs: tuple[dict[str, int], ...]

    @classmethod
    def of(cls, specs: Sequence[In], outs: Sequence[Out], names: Sequence[str],
           arrays: Sequence[np.ndarray], sizes: Mapping[str, int],
           grids: Mapping[str, Grid]) -> "Domain":
        """The domain of arrays.

        Raises
        ------
        InputError
            Naming the array that doesn't fit.
        """
        axes = outs[0].axes
        for spec in specs:
            axes += "".join(axis for axis in spec.axes if axis not in axes)
        found: dict[str, tuple[int, str]] = {}
        placed = []
        for spec, name, array in zip(specs, names, arrays, strict=True):
            dims = len(spec.axes) + (spec.channels > 1)
            if array.ndim != dims or array.dtype != np.dtype(spec.type.memory):
                raise InputError(
                    f"{name} is {array.dtype}{array.shape}, accepted is {spec.type.memory} with "
                    f"axes {spec.axes!r}"
                    + (f" and {spec.channels} channels" if spec.channels > 1 else ""))
            if 0 in array.shape:
                raise InputError(f"{name} is {array.dtype}{array.shape}; it has no elements")
            if spec.channels > 1 and array.shape[-1] != spec.channels:
                raise InputError(f"{name} has {array.shape[-1]} channels, accepted are "
                                 f"{spec.channels}")
            if spec.step == "free" and name not in grids:
                raise InputError(f"{name} has a free step; give grids={{{name!r}: Grid(...)}}")
            step = ONE if spec.step == "free" else int(spec.step) * ONE
            grid = grids.get(name, Grid(dy=step, dx=step))
            if spec.step != "free" and (grid.dy, grid.dx) != (step, step):
                raise InputError(f"{name} has a step of {spec.step}; its grid has another")
            placed.append(grid)
            for axis, size in zip(spec.axes, array.shape, strict=False):
                if axis in "yx":
                    if spec.step == "free" or (name in grids and axis in sizes):
                        continue
                    size = -(-size // int(spec.step))
                if axis in found and found[axis][0] != size and axis not in sizes:
                    raise InputError(f"axis {axis} is {size} in {name} and {found[axis][0]} in "
                                     f"{found[axis][1]}")
                found.setdefault(axis, (size, name))
        for axis in axes:
            if axis not in sizes and axis not in found:
                raise InputError(f"nothing says how long axis {axis} is; give "
                                 f"sizes={{{axis!r}: ...}}")
        whole = {axis: int(sizes[axis]) if axis in sizes else found[axis][0] for axis in axes}
        return cls(whole, len(outs[0].axes), tuple(placed), tuple(
            dict(zip(spec.axes, array.shape, strict=False))
            for spec, array in zip(specs, arrays, strict=True)))

    @property
    def axes(self) -> str:
        """All axes, results' first."""
        return "".join(self.sizes)

    @property
    def reduced(self) -> str:
        """The axes results lack."""
        return self.axes[self.kept:]

    def positions(self, port: int, axis: str) -> np.ndarray:
        """Positions of an input along y or x, 16.16."""
        grid = self.grids[port]
        start, step = (grid.y0, grid.dy) if axis == "y" else (grid.x0, grid.dx)
        return start + np.arange(self.sizes.get(axis, 1), dtype=np.int64) * step
