"""What takes several kernels of the library."""

from typing import Any

import numpy as np

from golden.drp.stream import ONE
from golden.spec.layer_norm import LayerNorm8, inverse_roots
from sw.drp.domain import Grid
from sw.drp.library import corners, network, normalization, vision
from sw.drp.library.normalization import layer_norm_scalars
from sw.drp.pipeline import Pipeline, pipeline
from sw.errors import InputError

__all__ = ["PIPELINES", "describe", "fast9", "integral", "layer_norm", "match", "softmax", "stereo"]


@pipeline
def integral(engine: Any, picture: np.ndarray) -> np.ndarray:
    """Sums over all pixels above and to the left, int32, as OpenCV's without its first row and
    column."""
    return engine(vision.integral_columns, engine(vision.integral_rows, picture))


@pipeline
def fast9(engine: Any, picture: np.ndarray, threshold: int = 20) -> np.ndarray:
    """FAST-9 scores of a picture (rows a multiple of 4), 0 where there is no corner or a
    neighbour has as large a score."""
    height, width = picture.shape
    if height % 4:
        raise InputError(f"fast9 on {height} rows, accepted is a multiple of 4")
    rows, halo = height // 4, corners.HALO
    grids = {name: Grid(y0=(number * rows - halo) * ONE) for number, name in enumerate("abcd")}
    bands = engine(corners.fast_pack, *[picture] * 4, grids=grids,
                   sizes={"y": rows + 2 * halo, "x": width})
    bands = bands.view(np.uint8).reshape(rows + 2 * halo, width, 4)
    bright, dark = engine(corners.fast_bright, bands), engine(corners.fast_dark, bands)
    score = engine(corners.fast_score, bands, bright, dark, threshold=threshold)
    score = engine(corners.maxima3_bands, score)
    found = engine(corners.fast_unpack, score, sizes={"b": 4, "y": rows, "x": width},
                   grids={"p": Grid(y0=halo * ONE)})
    return found.reshape(height, width)


@pipeline
def stereo(engine: Any, left: np.ndarray, right: np.ndarray, disparities: int = 16) -> np.ndarray:
    """The disparity (of 0, 1, ...; an even number of them) with the smallest sum of absolute
    differences over 3 x 3, of equal ones the smallest."""
    if disparities % 2 or not 0 < disparities <= 256:
        raise InputError(f"stereo with {disparities} disparities, accepted are 2, 4, ... 256")
    height, width = left.shape
    best = np.zeros((1, 1), np.int32)
    for first in range(0, disparities, 2):
        # The first pass looks for its predecessor outside of an array.
        best = engine(vision.stereo_sad, left, right, best, first=first,
                      sizes={"y": height, "x": width}, grids={
                          "right": Grid(x0=-first * ONE),
                          "best": Grid(y0=-(height if first == 0 else 0) * ONE)})
    return engine(vision.low_byte, best)


@pipeline
def softmax(engine: Any, x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """TensorFlow Lite's softmax of int8 rows; table[difference + 255], an exponential of 31
    fraction bits, or -1 where it doesn't count."""
    most = engine(network.softmax_largest, x)
    inverse, shift = engine(network.softmax_inverse, engine(network.softmax_sum, x, most, table))
    return engine(network.softmax_scale, x, most, inverse, shift, table)


@pipeline
def layer_norm(engine: Any, x: np.ndarray, factors: LayerNorm8) -> np.ndarray:
    """Layer normalization of int8 rows."""
    inverse, scale = layer_norm_scalars(factors)
    row = engine(normalization.layer_norm_inverse, *engine(normalization.layer_norm_sums, x),
                 np.array(inverse_roots(), np.int32), **inverse)
    return engine(normalization.layer_norm_scale, x, row, np.array(factors.gain, np.int32),
                  np.array(factors.bias, np.int32), **scale)


@pipeline
def describe(engine: Any, picture: np.ndarray, points: np.ndarray, pattern: np.ndarray,
             rows: int = 64) -> np.ndarray:
    """BRIEF descriptors, int32(n, words), of points (row, column) in order of their rows, for tests
    int8(words, 32, 4); of ``rows`` rows of the picture at once, as all of it may not fit a
    scratchpad."""
    lines, reach = points[:, 0].astype(int), int(np.abs(pattern[..., ::2].astype(int)).max())
    if (np.diff(lines) < 0).any():
        raise InputError("describe takes points in order of their rows")
    tests = np.ascontiguousarray(pattern.swapaxes(0, 1))
    found = []
    for first in range(0, len(picture), rows):
        mine = points[np.searchsorted(lines, first):np.searchsorted(lines, first + rows)]
        if len(mine):
            top = max(first - reach, 0)
            found.append(engine(corners.brief, picture[top:first + rows + reach],
                                mine - np.array([top, 0], np.int16), tests))
    return np.concatenate(found or [np.zeros((0, len(pattern)), np.int32)])


@pipeline
def match(engine: Any, a: np.ndarray, b: np.ndarray, rows: int = 64) -> np.ndarray:
    """For each descriptor of a, int32(n, words): place of the nearest of b, its distance, and the
    distance of the second nearest, int32(n, 3); of ``rows`` descriptors at once."""
    a, b = (array.reshape(len(array), -1, 2) for array in (a, b))
    return np.concatenate([
        engine(corners.nearest_two, engine(corners.hamming, a[first:first + rows], b))
        for first in range(0, len(a), rows)])


PIPELINES: dict[str, Pipeline] = {item.name: item for item in (
    integral, fast9, stereo, describe, match, softmax, layer_norm)}
