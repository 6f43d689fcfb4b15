"""Operators of networks as kernels."""

import math

import numpy as np

from golden.attributes import Softmax
from golden.ops.softmax import exponentials
from golden.spec.drp.fabric import Fabric
from sw.drp.cache import default_cache
from sw.drp.compiler import compile_kernel
from sw.drp.library import LIBRARY
from sw.drp.recipe import Held, Recipe, Stage

__all__ = ["softmax_recipe"]


def softmax_recipe(fabric: Fabric, attrs: Softmax, shape: tuple[int, ...], source: str,
                   result: str) -> Recipe:
    """Softmax over the last axis of an int8 tensor.

    Parameters
    ----------
    fabric : Fabric
    attrs : Softmax
    shape : tuple of int
    source, result : str
        Names of the tensors.

    Raises
    ------
    MapError
        If the fabric can't do it.
    """
    rows = math.prod(shape[:-1])
    wide, narrow = (rows, shape[-1]), (rows,)
    table = exponentials(attrs).astype(np.int32)
    arrays = {source: Held(wide, "int8"), "largest": Held(narrow, "int8"),
              "sums": Held(narrow, "int32"), "inverse": Held(narrow, "int32"),
              "shift": Held(narrow, "int32"), result: Held(wide, "int8")}

    def stage(name: str, inputs: tuple[str, ...], outputs: tuple[str, ...],
              *tables: np.ndarray) -> Stage:
        return Stage(compile_kernel(LIBRARY[name], fabric, cache=default_cache()), inputs,
                     outputs, tables)

    return Recipe(arrays, (
        stage("softmax_largest", (source,), ("largest",)),
        stage("softmax_sum", (source, "largest"), ("sums",), table),
        stage("softmax_inverse", ("sums",), ("inverse", "shift")),
        stage("softmax_scale", (source, "largest", "inverse", "shift"), (result,), table),
    ), (source,), (result,))
