"""Operators of networks as kernels."""

import math

import numpy as np

from golden.attributes import Softmax
from golden.camera import CameraInput
from golden.ops.softmax import exponentials
from golden.spec.config import Config
from golden.spec.drp.fabric import Fabric
from sw.drp.cache import default_cache
from sw.drp.compiler import compile_kernel
from sw.drp.domain import Grid
from sw.drp.library import LIBRARY
from sw.drp.recipe import Held, Recipe, Stage
from sw.drp.streamed import Streamed

__all__ = ["camera_call", "softmax_recipe"]

_CAMERA_SHARE = 4  # of the scratchpad that a camera's strips take: one part


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


def camera_call(config: Config, attrs: CameraInput, shape: tuple[int, int], source: str,
                result: str) -> Streamed:
    """A camera's frame to a network's input.

    Parameters
    ----------
    config : Config
        With a DRP.
    attrs : CameraInput
    shape : (int, int)
        Of the frame.
    source, result : str
        Names of the tensors.

    Raises
    ------
    MapError, InputError
        If the fabric can't do it, or a row doesn't fit.
    """
    assert config.fabric
    rows, columns = shape[0] * 2 // 3, shape[1]
    kernel = LIBRARY["nv12_input"]
    wanted = attrs.height, attrs.width
    bright, colours = (rows, columns), (rows // 2, columns // 2, 2)
    domain = kernel.domain(
        {"y": np.broadcast_to(np.uint8(0), bright), "uv": np.broadcast_to(np.uint8(0), colours)},
        {"y": attrs.height, "x": attrs.width},
        {"y": Grid.resize(bright, wanted), "uv": Grid.resize((rows // 2, columns // 2), wanted)})
    call = Streamed(compile_kernel(kernel, config.fabric, cache=default_cache()), domain,
                    ((source, 0), (source, rows * columns)), ((result, 0),), (),
                    config.words // _CAMERA_SHARE)
    call.strips(config)
    return call
