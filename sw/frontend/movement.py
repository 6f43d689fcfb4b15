"""TensorFlow Lite operators that only move int8 values, and sizes of images."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tflite

from golden.attributes import Attributes, GraphError
from golden.edges import Transpose
from golden.movement import DepthToSpace, SpaceToDepth, Take
from golden.resize import ResizeLinear
from golden.spec.numerics import IDENTITY
from sw.frontend.operands import Operand, Operands

__all__ = ["CONVERTERS"]

Converted = tuple[Attributes, int | tuple[int, ...]]
Indices = tuple[tuple[int, ...] | None, ...]
_STEPS = 1 << 10


def _taken(view: Operands, shape: Sequence[int], chosen: Mapping[int, Sequence[int]]) -> Take:
    """Indices of some axes, all of the others; the batch stays whole."""
    indices = tuple(
        None if list(chosen.get(axis, range(size))) == list(range(size)) else tuple(chosen[axis])
        for axis, size in enumerate(shape))
    if not indices or indices[0] is not None:
        raise view.fail("takes parts of the batch, which is not supported")
    taken = Take(indices=indices)
    try:
        taken.shape(tuple(shape))
    except GraphError as error:
        raise view.fail(str(error)) from None
    return taken


def _axis(view: Operands, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise view.fail(f"axis {axis}, must be in {-rank} to {rank - 1}")
    return axis % rank


def _same_scale(view: Operands, position: int = 0) -> Operand:
    data = view.input(position)
    for output in view.outputs():
        view.same_quant(data, output)
    return data


def _transpose(view: Operands) -> Converted:
    data = _same_scale(view)
    order = tuple(view.constant(1, "order", "INT32").ravel().tolist())
    if sorted(order) != list(range(len(data.shape))) or order[:1] != (0,):
        raise view.fail(f"order {list(order)} must be 0 and the other axes of "
                        f"{list(data.shape)} in some order")
    return Transpose(perm=order), 1


def _slice(view: Operands) -> Converted:
    data = _same_scale(view)
    begin, size = (view.constant(at, what, "INT32", "INT64").ravel().tolist()
                   for at, what in ((1, "begin"), (2, "size")))
    if not len(begin) == len(size) == len(data.shape):
        raise view.fail(f"begin {begin} and size {size} do not fit shape {list(data.shape)}")
    return _taken(view, data.shape, {
        axis: range(first, whole if length < 0 else first + length)
        for axis, (first, length, whole) in enumerate(zip(begin, size, data.shape,
                                                          strict=True))}), 1


def _strided_slice(view: Operands) -> Converted:
    data, options = _same_scale(view), view.options(tflite.StridedSliceOptions)
    if options.EllipsisMask or options.NewAxisMask:
        raise view.fail("ellipsis and new axes are not supported")
    begin, end, strides = (view.constant(at, what, "INT32").ravel().tolist()
                           for at, what in ((1, "begin"), (2, "end"), (3, "strides")))
    if not len(begin) == len(end) == len(strides) <= len(data.shape) or 0 in strides:
        raise view.fail(f"begin {begin}, end {end} and strides {strides} do not fit shape "
                        f"{list(data.shape)}")
    chosen = {}
    for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << axis
        whole = range(data.shape[axis])
        if options.ShrinkAxisMask & bit:
            at = first + len(whole) * (first < 0)
            chosen[axis] = whole[at:at + 1]
        else:
            chosen[axis] = whole[None if options.BeginMask & bit else first:
                                 None if options.EndMask & bit else last:step]
    # Axes of one index that are then left out hold the same bytes.
    return _taken(view, data.shape, chosen), 1


def _split(view: Operands) -> list[Converted]:
    """SPLIT has its axis first, SPLIT_V last; the parts' sizes are those of the outputs."""
    source, at = (1, 0) if view.operator.name == "SPLIT" else (0, 2)
    data = _same_scale(view, source)
    axis = _axis(view, int(view.constant(at, "axis", "INT32").ravel()[0]), len(data.shape))
    parts: list[Converted] = []
    first = 0
    for output in view.outputs():
        end = first + output.shape[axis]
        parts.append((_taken(view, data.shape, {axis: range(first, end)}), (source,)))
        first = end
    if first != data.shape[axis]:
        raise view.fail(f"parts of {first} in all along axis {axis} of {list(data.shape)}")
    return parts


def _gather(view: Operands) -> Converted:
    data, options = _same_scale(view), view.options(tflite.GatherOptions)
    chosen = view.constant(1, "indices", "INT32", "INT64")
    if options.BatchDims or chosen.ndim != 1:
        raise view.fail(f"indices of shape {list(chosen.shape)} and {options.BatchDims} batch "
                        "dimensions, must be one row and 0")
    axis = _axis(view, options.Axis, len(data.shape))
    return _taken(view, data.shape, {axis: chosen.tolist()}), 1


def _mirror_pad(view: Operands) -> Converted:
    data = _same_scale(view)
    pads = view.constant(1, "pads", "INT32", "INT64")
    edge = int(view.options(tflite.MirrorPadOptions).Mode == tflite.MirrorPadMode.REFLECT)
    if pads.shape != (len(data.shape), 2) or any(
            not 0 <= pad <= size - edge for size, pair in zip(data.shape, pads.tolist(),
                                                              strict=True) for pad in pair):
        raise view.fail(f"pads {pads.tolist()} do not fit shape {list(data.shape)}")
    return _taken(view, data.shape, {
        axis: [*range(before - 1 + edge, edge - 1, -1), *range(size),
               *range(size - 1 - edge, size - 1 - edge - after, -1)]
        for axis, (size, (before, after)) in enumerate(zip(data.shape, pads.tolist(),
                                                           strict=True))}), 1


def _size(view: Operands, data: Operand) -> tuple[int, int]:
    """(height, width) asked for."""
    size = view.constant(1, "size", "INT32").ravel().tolist()
    if len(data.shape) != 4 or len(size) != 2 or min(size) < 1:
        raise view.fail(f"size {size} of an input of shape {list(data.shape)}, must be two of at "
                        "least 1 and [1, height, width, channels]")
    return size[0], size[1]


def _nearest(view: Operands) -> Converted:
    data, options = _same_scale(view), view.options(tflite.ResizeNearestNeighborOptions)
    chosen = {}
    for axis, wanted in enumerate(_size(view, data), start=1):
        size = data.shape[axis]
        chosen[axis] = [_nearest_index(at, size, wanted, options.AlignCorners,
                                       options.HalfPixelCenters) for at in range(wanted)]
    return _taken(view, data.shape, chosen), 1


def _nearest_index(at: int, size: int, wanted: int, corners: bool, centers: bool) -> int:
    """The pixel that is repeated, in float32 as LiteRT computes it."""
    corners = corners and wanted > 1
    step = np.float32(size - 1) / np.float32(wanted - 1) if corners \
        else np.float32(size) / np.float32(wanted)
    place = (np.float32(at) + np.float32(0.5 if centers else 0)) * step
    found = np.floor(place + np.float32(0.5)) if corners else np.floor(place)
    return max(min(int(found), size - 1), 0)


def _bilinear(view: Operands) -> Converted:
    if view.legacy:
        raise view.fail("of UINT8 tensors is computed in float; accepted are INT8 tensors")
    data, options = _same_scale(view), view.options(tflite.ResizeBilinearOptions)
    lines = [_places(size, wanted, options.AlignCorners, options.HalfPixelCenters)
             for size, wanted in zip(data.shape[1:3], _size(view, data), strict=True)]
    (rows, tall), (columns, wide) = lines
    multiplier, pre, _ = IDENTITY
    return ResizeLinear(rows=rows, columns=columns, parts=(tall, wide), input_zero=0,
                        scale=(multiplier, pre, (tall * wide).bit_length() - 1),
                        output_zero=0), 1


def _places(size: int, wanted: int, corners: bool, centers: bool) -> tuple[tuple[int, ...], int]:
    """(where each pixel lies, steps of one), as LiteRT computes it: in steps of 1/1024 pixel."""
    step = (_STEPS * size + wanted // 2) // wanted
    if corners and wanted > 1:
        step = (_STEPS * (size - 1) + (wanted - 1) // 2) // (wanted - 1)
    first = step // 2 - _STEPS // 2 if centers else 0
    found = np.clip(first + step * np.arange(wanted), 0, _STEPS * (size - 1))
    common = int(np.gcd.reduce(found, initial=_STEPS))
    return tuple((found // common).tolist()), _STEPS // common


def _depth_to_space(view: Operands) -> Converted:
    _same_scale(view)
    return DepthToSpace(block=view.options(tflite.DepthToSpaceOptions).BlockSize), 1


def _space_to_depth(view: Operands) -> Converted:
    _same_scale(view)
    return SpaceToDepth(block=view.options(tflite.SpaceToDepthOptions).BlockSize), 1


CONVERTERS: dict[str, Callable[[Operands], Converted | list[Converted]]] = {
    "DEPTH_TO_SPACE": _depth_to_space,
    "GATHER": _gather,
    "MIRROR_PAD": _mirror_pad,
    "RESIZE_BILINEAR": _bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _nearest,
    "SLICE": _slice,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}
