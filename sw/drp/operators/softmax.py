"""Softmax over the last axis."""

import math

import numpy as np

from golden.attributes import Softmax
from golden.ops.softmax import exponentials
from sw.drp.library import LIBRARY
from sw.drp.operators.site import Site
from sw.drp.recipe import Held, Recipe, Stage

__all__ = ["softmax"]


def softmax(site: Site, attrs: Softmax) -> Recipe:
    """TensorFlow Lite's: four kernels that hand rows' numbers on."""
    rows = math.prod(site.shape[:-1])
    wide, narrow = (rows, site.shape[-1]), (rows,)
    table = exponentials(attrs).astype(np.int32)
    source, result = site.source, site.result
    arrays = {source: Held(wide, "int8"), "largest": Held(narrow, "int8"),
              "sums": Held(narrow, "int32"), "inverse": Held(narrow, "int32"),
              "shift": Held(narrow, "int32"), result: Held(wide, "int8")}

    def stage(name: str, inputs: tuple[str, ...], outputs: tuple[str, ...],
              *tables: np.ndarray) -> Stage:
        return Stage(site.compiled(LIBRARY[name]), inputs, outputs, tables)

    return Recipe(arrays, (
        stage("softmax_largest", (source,), ("largest",)),
        stage("softmax_sum", (source, "largest"), ("sums",), table),
        stage("softmax_inverse", ("sums",), ("inverse", "shift")),
        stage("softmax_scale", (source, "largest", "inverse", "shift"), (result,), table),
    ), (source,), (result,))
