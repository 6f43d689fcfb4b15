"""Layer normalization over the last axes: three kernels that hand numbers of rows on."""

import math

import numpy as np

from golden.layer_norm import QuantizedLayerNorm
from golden.spec.layer_norm import inverse_roots
from sw.drp.library import LIBRARY
from sw.drp.library.normalization import layer_norm_scalars
from sw.drp.operators.site import Site
from sw.drp.recipe import Held, Recipe, Stage

__all__ = ["layer_norm"]


def layer_norm(site: Site, attrs: QuantizedLayerNorm) -> Recipe:
    """Gains and biases come with the rows; the table is of roots."""
    factors = attrs.factors
    count, rows = factors.count, math.prod(site.shape) // factors.count
    inverse, scale = layer_norm_scalars(factors)
    source, result = site.source, site.result
    constants = {"gain": np.array(factors.gain, np.int32),
                 "bias": np.array(factors.bias, np.int32)}
    arrays = {source: Held((rows, count), "int8"), "sums": Held((rows,), "int32"),
              "squares": Held((rows,), "int32"), "row": Held((rows, 2), "int32"),
              **{name: Held((count,), "int32") for name in constants},
              result: Held((rows, count), "int8")}

    def stage(name: str, inputs: tuple[str, ...], outputs: tuple[str, ...],
              scalars: dict[str, int], *tables: np.ndarray) -> Stage:
        return Stage(site.compiled(LIBRARY[name], **scalars), inputs, outputs, tables)

    return Recipe(arrays, (
        stage("layer_norm_sums", (source,), ("sums", "squares"), {}),
        stage("layer_norm_inverse", ("sums", "squares"), ("row",), inverse,
              np.array(inverse_roots(), np.int32)),
        stage("layer_norm_scale", (source, "row", "gain", "bias"), (result,), scale),
    ), (source,), (result,), constants)
