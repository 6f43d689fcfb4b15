"""Softmax: four kernels that hand numbers of rows on."""

import math

import numpy as np

from golden.attributes import Softmax
from golden.ops.softmax import exponentials
from golden.softmax import QuantizedSoftmax
from golden.spec.softmax import Softmax8
from sw.drp.kernel import Kernel
from sw.drp.library import LIBRARY, axes
from sw.drp.operators.site import Site
from sw.drp.recipe import Held, Recipe, Stage

__all__ = ["quantized_softmax", "softmax"]

_ROWS = (LIBRARY["softmax_largest"], LIBRARY["softmax_sum"], LIBRARY["softmax_inverse"],
         LIBRARY["softmax_scale"])
_AXES = (axes.axis_largest, axes.axis_softmax_sum, axes.axis_softmax_inverse,
         axes.axis_softmax_scale)


def softmax(site: Site, attrs: Softmax) -> Recipe:
    """TensorFlow Lite's, over the last axis."""
    table = exponentials(attrs).astype(np.int32)
    return _recipe(site, len(site.shape) - 1, table, table, {}, {}, {})


def quantized_softmax(site: Site, attrs: QuantizedSoftmax) -> Recipe:
    """Over any axis, between any scales."""
    made = Softmax8(site.shape[attrs.axis], attrs.scale, attrs.output_scale, attrs.output_zero)
    return _recipe(site, attrs.axis, np.array(made.exponentials, np.int32),
                   np.array(made.scaled, np.int32), {"guard": made.guard},
                   {"longest": made.shift}, {"zero": attrs.output_zero})


def _recipe(site: Site, axis: int, exponentials: np.ndarray, scaled: np.ndarray,
            sums: dict[str, int], inverse: dict[str, int], scale: dict[str, int]) -> Recipe:
    """The kernels with their tables and scalars; of rows that lie in one piece if they do."""
    before, length, behind = (math.prod(part) for part in (
        site.shape[:axis], site.shape[axis:axis + 1], site.shape[axis + 1:]))
    kernels, wide, narrow = (_ROWS, (before, length), (before,)) if behind == 1 else (
        _AXES, (before, length, behind), (before, behind))
    source, result = site.source, site.result
    arrays = {source: Held(wide, "int8"), "largest": Held(narrow, "int8"),
              "sums": Held(narrow, "int32"), "inverse": Held(narrow, "int32"),
              "shift": Held(narrow, "int32"), result: Held(wide, "int8")}

    def stage(kernel: Kernel, inputs: tuple[str, ...], outputs: tuple[str, ...],
              scalars: dict[str, int], *tables: np.ndarray) -> Stage:
        return Stage(site.compiled(kernel, **scalars), inputs, outputs, tables)

    return Recipe(arrays, (
        stage(kernels[0], (source,), ("largest",), {}),
        stage(kernels[1], (source, "largest"), ("sums",), sums, exponentials),
        stage(kernels[2], ("sums",), ("inverse", "shift"), inverse),
        stage(kernels[3], (source, "largest", "inverse", "shift"), (result,), scale, scaled),
    ), (source,), (result,))
