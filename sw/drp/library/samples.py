"""Inputs to try library kernels with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from golden.drp.stream import ONE
from golden.spec.layer_norm import LayerNorm8, inverse_roots
from sw.drp.domain import Grid
from sw.drp.kernel import Kernel
from sw.drp.library.network import add_table, rescale_table
from sw.drp.library.normalization import layer_norm_sums

__all__ = ["Call", "pipeline_sample", "sample"]


@dataclass(frozen=True)
class Call:
    """Arguments of a kernel.

    Parameters
    ----------
    arrays : tuple of ndarray
        Streams' arrays and tables' contents, in the order of the parameters.
    sizes, grids : dict, optional
        As ``Kernel.__call__`` takes them.
    """

    arrays: tuple[np.ndarray, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    grids: Mapping[str, Grid] = field(default_factory=dict)


def sample(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    """A call of a kernel on random data.

    Parameters
    ----------
    kernel : Kernel
    rng : Generator
    height, width : int
        Of pictures; other kernels take sizes near them.
    """
    special = _SPECIAL.get(kernel.name)
    if special is not None:
        return special(kernel, rng, height, width)
    return Call(_arrays(kernel, rng, height, width))


def _arrays(kernel: Kernel, rng: np.random.Generator, height: int,
            width: int) -> tuple[np.ndarray, ...]:
    """Random bytes for every stream."""
    sizes = {"y": height, "n": height, "m": height, "x": width, "c": 16, "b": 4, "d": 2, "h": 4}
    found = []
    for spec in kernel.streams.values():
        parts = {spec.axes[-1]: spec.type.parts}
        shape = tuple(-(-sizes.get(axis, 4) // parts.get(axis, 1)) * parts.get(axis, 1)
                      for axis in spec.axes)
        shape += (spec.channels,) if spec.channels > 1 else ()
        limits = np.iinfo(spec.type.memory)
        least, most = max(limits.min, -(1 << 20)), min(limits.max, (1 << 20) - 1)
        found.append(rng.integers(least, most, shape, spec.type.memory, endpoint=True))
    return tuple(found)


def _pool(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    """Windows inside the picture."""
    window, stride = (int(text) for text in kernel.name.rsplit("x", 1)[1].split("s"))
    height, width = max(height, window), max(width, window)
    sizes = {"y": (height - window) // stride + 1, "x": (width - window) // stride + 1}
    unmoved = Grid(dy=stride * ONE, dx=stride * ONE)
    return Call(_arrays(kernel, rng, height, width), sizes, {"x": unmoved})


def _add(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    tables = (add_table(3, (1518500250, 0, 1), 20), add_table(-7, (1 << 30, 0, 0), 20))
    return Call(_arrays(kernel, rng, 1, height * width) + tables)


def _function(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    table = rng.integers(-128, 127, 256, np.int32, endpoint=True)
    return Call((*_arrays(kernel, rng, 1, height * width), table))


def _concat(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    split = kernel.scalars["split"]
    assert split is not None
    first, second = (_arrays(kernel, rng, height, size)[0] for size in (split, width))
    tables = (rescale_table((1518500250, 0, 1), 3, -4), rescale_table((1 << 30, 0, 0), -7, -4))
    return Call((first, second, *tables), {"x": split + width},
                {"a": Grid(), "b": Grid(x0=-split * ONE)})


def _letterbox(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    del kernel
    size = 2 * height, 2 * width
    picture = rng.integers(0, 255, (*size, 3), np.uint8, endpoint=True)
    tables = tuple(np.sort(rng.integers(-128, 127, 256, np.int32)) for _ in range(3))
    inner = max(1, height * 3 // 4), width
    grid = Grid.resize(size, inner)
    grid = replace(grid, y0=grid.y0 - (height - inner[0]) // 2 * grid.dy)
    return Call((picture, picture, *tables), {"y": height, "x": width}, {
        "p": grid, "inside": replace(grid, y0=grid.y0 + ONE // 2, x0=grid.x0 + ONE // 2)})


def _statistics(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    x = rng.integers(-128, 127, (height * width, 192), np.int8, endpoint=True)
    x[0] = 5
    x = x >> rng.integers(0, 8, (height * width, 1), np.int8)
    return Call((*layer_norm_sums(x), np.array(inverse_roots(), np.int32)))


def _brief(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    picture = rng.integers(0, 255, (height + 32, width + 32), np.uint8, endpoint=True)
    points = rng.integers(0, (height + 32, width + 32), (height, 2), np.int16)
    return Call((picture, points, rng.integers(-15, 15, (32, 8, 4), np.int8, endpoint=True)))


def _resize(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    wanted = max(1, height * 2 // 3), max(1, width * 5 // 4)
    return Call(_arrays(kernel, rng, height, width), {"y": wanted[0], "x": wanted[1]},
                {next(iter(kernel.streams)): Grid.resize((height, width), wanted)})


def _nv12(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    bright = _arrays(kernel, rng, height, width)[0]
    colour = _arrays(kernel, rng, (height + 1) // 2, (width + 1) // 2)[1]
    return Call((bright, colour), {}, {"uv": Grid(dy=ONE // 2, dx=ONE // 2)})


def _nv12_input(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    call = _nv12(kernel, rng, height, width)
    wanted = max(1, height // 2), max(1, width // 3)
    bright, colour = (Grid.resize(array.shape[:2], wanted) for array in call.arrays)
    return Call(call.arrays, {"y": wanted[0], "x": wanted[1]}, {"y": bright, "uv": colour})


def _exponentials(rng: np.random.Generator) -> np.ndarray:
    table = np.sort(rng.integers(0, (1 << 31) - 1, 256, np.int32))
    table[:40] = -1
    return table


def _softmax(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    x, most, *rest = _arrays(kernel, rng, height, width)
    most = x.max(axis=1)
    if rest:
        rest[1] = (rest[1] & 15) + 16
    return Call((x, most, *rest, _exponentials(rng)))


def _sums(kernel: Kernel, rng: np.random.Generator, height: int, width: int) -> Call:
    return Call((rng.integers(1 << 19, (1 << 31) - 1, height * width, np.int32),))


_SPECIAL: dict[str, Callable[[Kernel, np.random.Generator, int, int], Call]] = {
    "quantized_add": _add, "max_pool_3x3s2": _pool, "max_pool_2x2s2": _pool,
    "average_pool_2x2s2": _pool, "average_pool_3x3s1": _pool, "nearest": _resize,
    "nearest_channels": _resize,
    "lookup": _function, "concat": _concat, "letterbox": _letterbox,
    "layer_norm_inverse": _statistics, "brief": _brief,
    "resize_gray": _resize, "resize_3": _resize, "nv12_to_rgb": _nv12,
    "nv12_input": _nv12_input, "softmax_sum": _softmax,
    "softmax_scale": _softmax, "softmax_inverse": _sums,
}


def pipeline_sample(name: str, rng: np.random.Generator, height: int,
                    width: int) -> tuple[Any, ...]:
    """Arguments of a pipeline on random data."""
    picture = rng.integers(0, 255, (height, width), np.uint8, endpoint=True)
    rows = (picture.astype(np.int32) - 128).astype(np.int8)
    if name == "fast9":
        blocks = rng.integers(0, 245, (height // 8 + 1, width // 8 + 1), np.uint8)
        return (np.kron(blocks, np.ones((8, 8), np.uint8))[:height, :width] + picture // 32,)
    if name == "stereo":
        return picture, np.roll(picture, -5, axis=1)
    if name == "describe":
        points = rng.integers(0, (height, width), (height, 2), np.int16)
        return (picture, points[np.argsort(points[:, 0], kind="stable")],
                rng.integers(-15, 15, (8, 32, 4), np.int8, endpoint=True))
    if name == "match":
        return tuple(rng.integers(-(1 << 31), (1 << 31) - 1, (height, 8), np.int32)
                     for _ in range(2))
    if name == "softmax":
        return rows, _exponentials(rng)
    if name == "layer_norm":
        return rows, LayerNorm8(0.05, 1e-5, rng.normal(1, 0.5, width).tolist(),
                                rng.normal(0, 0.5, width).tolist(), 0.03, 0)
    return (picture,)
