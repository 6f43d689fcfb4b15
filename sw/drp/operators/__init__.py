"""Operators of networks as kernels: one table of who makes which."""

from collections.abc import Callable
from typing import Any

from golden.attributes import Attributes, Mean, Softmax
from golden.camera import CameraInput
from golden.edges import Transpose
from golden.extreme import ArgMax, ReduceMax
from golden.layer_norm import QuantizedLayerNorm
from golden.movement import Take
from golden.resize import ResizeLinear
from golden.softmax import QuantizedSoftmax
from sw.drp.errors import KernelError
from sw.drp.mapper.search import MapError
from sw.drp.operators.camera import camera_input
from sw.drp.operators.layer_norm import layer_norm
from sw.drp.operators.movement import take, transpose
from sw.drp.operators.reductions import arg_max, largest, mean
from sw.drp.operators.resize import resize_linear
from sw.drp.operators.site import Site
from sw.drp.operators.softmax import quantized_softmax, softmax
from sw.drp.recipe import Recipe
from sw.drp.streamed import Streamed
from sw.errors import InputError

__all__ = ["KERNELS", "Site", "placed"]

# Of a site and the operator's attributes; each raises InputError for what it can't do.
KERNELS: dict[type[Attributes], Callable[[Site, Any], Recipe | Streamed]] = {
    ArgMax: arg_max, CameraInput: camera_input, Mean: mean, QuantizedLayerNorm: layer_norm,
    QuantizedSoftmax: quantized_softmax, ReduceMax: largest, ResizeLinear: resize_linear,
    Softmax: softmax, Take: take, Transpose: transpose,
}


def placed(site: Site, attrs: Attributes) -> Recipe | Streamed:
    """An operator's kernels, with bytes as golden's.

    Parameters
    ----------
    site : Site
    attrs : Attributes
        One of `KERNELS`.

    Raises
    ------
    InputError
        Why the DRP can't do it.
    """
    try:
        call = KERNELS[type(attrs)](site, attrs)
        call.check(site.config)
    except (MapError, KernelError) as error:
        raise InputError(str(error)) from error
    words = call.words(site.config)
    if words > site.config.words:
        raise InputError(f"its arrays take {words} words, the scratchpad has {site.config.words}")
    return call
