"""Operators that only move values, and reductions."""

from collections.abc import Callable

import numpy as np
import tflite

from sw.frontend.floats.activations import finish
from sw.frontend.floats.network import Step

__all__ = ["TRANSLATORS"]

_NCHW = (0, 3, 1, 2)
_AXIS_MOVED = (0, 2, 3, 1)  # where an axis of NHWC is in NCHW


def _reshape(step: Step) -> None:
    step.emit("Reshape", [step.value(), step.constant(np.array(step.result, np.int64), "shape")])


def _transpose(step: Step) -> None:
    step.emit("Transpose", [step.value()], perm=step.numbers(1, "order").ravel().tolist())


def _pad(step: Step) -> None:
    pairs, given = step.numbers(1, "pads"), step.index(0) in step.net.model.inputs
    # A picture that is padded is meant for convolutions.
    moved = step.moved() or (given and len(step.shape()) == 4)
    if pairs.shape != (len(step.shape()), 2):
        raise step.fail(f"pads have shape {list(pairs.shape)}, must be [{len(step.shape())}, 2]")
    pairs = pairs[list(_NCHW)] if moved else pairs
    inputs = [step.value(0, moved), step.constant(pairs.T.ravel().astype(np.int64), "pads")]
    mode = "constant"
    if step.operator.name == "PADV2":
        inputs.append(step.constant(step.real(2, "pad value").reshape(()), "value"))
    elif step.operator.name == "MIRROR_PAD":
        if step.options(tflite.MirrorPadOptions).Mode != tflite.MirrorPadMode.REFLECT:
            raise step.fail("mode SYMMETRIC; accepted is REFLECT")
        mode = "reflect"
    step.emit("Pad", inputs, moved, mode=mode)


def _concatenation(step: Step) -> None:
    options, count = step.options(tflite.ConcatenationOptions), len(step.operator.inputs)
    rank = len(step.result)
    axis = options.Axis % rank
    moved = rank == 4 and any(step.moved(at) for at in range(count))
    finish(step, "Concat", [step.value(at, moved) for at in range(count)],
           options.FusedActivationFunction, moved, axis=_AXIS_MOVED[axis] if moved else axis)


def _mean(op: str) -> Callable[[Step], None]:
    def translate(step: Step) -> None:
        rank = len(step.shape())
        axes = [int(axis) % rank for axis in step.numbers(1, "axes").ravel()]
        keep = bool(step.options(tflite.ReducerOptions).KeepDims)
        moved = step.moved() and rank == 4 and (keep or set(axes) == {1, 2})
        inputs = [step.value(0, moved)]
        axes = [_AXIS_MOVED[axis] for axis in axes] if moved else axes
        still = moved and keep
        if op == "ReduceSum":  # from opset 13 on its axes are an input
            inputs.append(step.constant(np.array(axes, np.int64), "axes"))
            step.emit(op, inputs, still, keepdims=int(keep))
        else:
            step.emit(op, inputs, still, axes=axes, keepdims=int(keep))

    return translate


def _sliced(step: Step, starts: list[int], ends: list[int], steps: list[int],
            source: str, emit: Callable[..., object]) -> None:
    inputs = [source]
    for what, numbers in (("starts", starts), ("ends", ends), ("axes", list(range(len(starts)))),
                          ("steps", steps)):
        inputs.append(step.constant(np.array(numbers, np.int64), what))
    emit("Slice", inputs)


def _slice(step: Step) -> None:
    shape = step.shape()
    begin, size = (step.numbers(at, what).ravel().tolist()
                   for at, what in ((1, "begin"), (2, "size")))
    ends = [whole if length < 0 else first + length
            for first, length, whole in zip(begin, size, shape, strict=True)]
    _sliced(step, begin, ends, [1] * len(shape), step.value(), step.emit)


def _strided_slice(step: Step) -> None:
    options, shape = step.options(tflite.StridedSliceOptions), step.shape()
    if options.EllipsisMask or options.NewAxisMask:
        raise step.fail("ellipsis and new axes are not supported")
    begin, end, strides = (step.numbers(at, what).ravel().tolist()
                           for at, what in ((1, "begin"), (2, "end"), (3, "strides")))
    if not len(begin) == len(end) == len(strides) <= len(shape) or 0 in strides:
        raise step.fail(f"begin {begin}, end {end} and strides {strides} do not fit shape "
                        f"{list(shape)}")
    starts, ends = [], []
    for axis, by in enumerate(strides):
        bit, most = 1 << axis, shape[axis]
        starts.append((0 if by > 0 else most - 1) if options.BeginMask & bit else begin[axis])
        ends.append((most if by > 0 else -most - 1) if options.EndMask & bit else end[axis])
        if options.ShrinkAxisMask & bit:
            ends[-1] = starts[-1] + 1 or most
    if not options.ShrinkAxisMask:
        _sliced(step, starts, ends, strides, step.value(), step.emit)
        return
    _sliced(step, starts, ends, strides, step.value(),
            lambda op, inputs: step.inner(op, inputs, "part"))
    name = f"{step.net.names[step.operator.outputs[0]]}/part"
    step.emit("Reshape", [name, step.constant(np.array(step.result, np.int64), "shape")])


def _split(step: Step) -> None:
    """SPLIT has its axis first, SPLIT_V last."""
    source, axis_at = (1, 0) if step.operator.name == "SPLIT" else (0, 2)
    rank = len(step.shape(source))
    axis = int(step.numbers(axis_at, "axis").ravel()[0]) % rank
    moved = rank == 4 and step.moved(source)
    at = 0
    for number, output in enumerate(step.operator.outputs):
        size = step.net.shape(output)[axis]
        where = _AXIS_MOVED[axis] if moved else axis
        inputs = [step.value(source, moved)] + [
            step.constant(np.array([value], np.int64), f"{what}{number}")
            for what, value in (("start", at), ("end", at + size), ("axis", where))]
        step.emit("Slice", inputs, moved, output=number)
        at += size


def _pack(step: Step) -> None:
    axis = step.options(tflite.PackOptions).Axis % len(step.result)
    inputs = [step.inner("Unsqueeze", [step.value(at), step.constant(
        np.array([axis], np.int64), "axis")], f"part{at}")
        for at in range(len(step.operator.inputs))]
    step.emit("Concat", inputs, axis=axis)


def _unpack(step: Step) -> None:
    axis = step.options(tflite.UnpackOptions).Axis % len(step.shape())
    for number in range(len(step.operator.outputs)):
        step.emit("Gather", [step.value(), step.constant(np.array(number, np.int64),
                                                         f"number{number}")],
                  output=number, axis=axis)


def _gather(step: Step) -> None:
    options = step.options(tflite.GatherOptions)
    if options.BatchDims:
        raise step.fail(f"batch dimensions {options.BatchDims}, must be 0")
    step.emit("Gather", [step.value(), step.value(1)], axis=options.Axis % len(step.shape()))


TRANSLATORS: dict[str, Callable[[Step], None]] = {
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _reshape,
    "GATHER": _gather,
    "MEAN": _mean("ReduceMean"),
    "MIRROR_PAD": _pad,
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad,
    "REDUCE_MAX": _mean("ReduceMax"),
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _mean("ReduceSum"),
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
