"""TensorFlow Lite operators that take axes away: means, sums, largest values."""

from collections.abc import Callable

import numpy as np
import tflite

from golden.attributes import Attributes, Mean
from golden.extreme import ArgMax, ReduceMax
from golden.spec.numerics import ROUND_ONCE, quantize_multiplier
from sw.frontend.operands import Operands
from sw.frontend.scales import mean_scale

__all__ = ["CONVERTERS"]

Converted = tuple[Attributes, int | tuple[int, ...]]
_INDICES = ("INT32", "INT64")


def _axes(view: Operands) -> tuple[int, ...]:
    """Axes of the input, sorted."""
    rank = len(view.input().shape)
    given = view.constant(1, "axes", "INT32").ravel().tolist()
    axes = tuple(sorted({axis % rank for axis in given if -rank <= axis < rank}))
    if not axes or any(not -rank <= axis < rank for axis in given) or 0 in axes:
        raise view.fail(f"axes {given} must be in 1 to {rank - 1}: the batch stays")
    return axes


def _mean(view: Operands) -> Converted:
    data, output, axes = view.input(), view.output(), _axes(view)
    count = int(np.prod([data.shape[axis] for axis in axes]))
    scales = data.quant.scale, output.quant.scale
    scale = mean_scale(*scales, count)
    if view.operator.name == "SUM":
        if scales[0] == scales[1]:
            raise view.fail(f"input and output have the scale {scales[0]}, where LiteRT adds bytes "
                            "without their zero point; accepted are different scales")
        multiplier, pre, post = quantize_multiplier(scales[0] / scales[1])
        scale = multiplier, pre, post + ROUND_ONCE * (post > 0)
    return Mean(axes=axes, keep_dims=bool(view.options(tflite.ReducerOptions).KeepDims),
                input_zero=data.quant.zero_point, output_zero=output.quant.zero_point,
                scale=scale), 1


def _largest(view: Operands) -> Converted:
    view.same_quant(view.input(), view.output())
    return ReduceMax(axes=_axes(view),
                     keep_dims=bool(view.options(tflite.ReducerOptions).KeepDims)), 1


def _arg_max(view: Operands) -> Converted:
    rank, given = len(view.input().shape), view.constant(1, "axis", *_INDICES)
    axis = int(given.ravel()[0]) if given.size == 1 else rank
    output = view.model.tensors[view.operator.outputs[0]]
    if not -rank <= axis < rank or axis % rank == 0:
        raise view.fail(f"axis {given.tolist()} must be one of 1 to {rank - 1}: the batch stays")
    if output.type not in _INDICES or output.index not in view.model.outputs:
        raise view.fail(f"gives {output.label}; accepted is {' or '.join(_INDICES)}, and an output "
                        "of the network")
    return ArgMax(axis=axis % rank, output_type=output.type.lower()), 1


CONVERTERS: dict[str, Callable[[Operands], Converted]] = {
    "ARG_MAX": _arg_max,
    "MEAN": _mean,
    "REDUCE_MAX": _largest,
    "SUM": _mean,
}
