"""Pools and means."""

from collections.abc import Callable

import numpy as np

from golden.attributes import AveragePool, DepthwiseConv2D, MaxPool, Mean
from golden.graph import Quant
from sw.frontend.onnx.layout import canonical, canonical_axes, plain
from sw.frontend.onnx.scales import scale_of, scales_of
from sw.frontend.onnx.values import Average, Bounds, Integers, Placed, Real, Value
from sw.frontend.onnx.view import View
from sw.frontend.onnx.windows import Windows, windows

__all__ = ["average_pool", "global_average_pool", "largest", "max_pool", "mean_over",
           "reduce_mean"]


def max_pool(view: View) -> Value:
    """MaxPool of reals or of integers.

    pads, dilations, ceil_mode, auto_pad, as long as less than a window is added; no indices.

    Runs on the chip.
    """
    if len(view.node.output) > 1 and view.node.output[1]:
        raise view.fail("gives indices too, which is not supported")
    source = view.value(0)
    source = source if isinstance(source, Integers) else view.real(0)
    at = windows(view, source.shape, tuple(view.attribute("kernel_shape", ())))
    if any(pad >= at.window[number // 2] for number, pad in enumerate(at.pads)):
        raise view.fail(f"pads {at.pads} must be smaller than the window {at.window}")
    shape = (*source.shape[:2], *at.size)

    def pooled(placed: Placed, quant: Quant | None, bounds: Bounds) -> Placed:
        attrs = MaxPool(window=at.window, stride=at.stride, dilation=at.dilation, pads=at.pads,
                        least=bounds[0], most=bounds[1])
        ordered = view.arranged(placed, source.shape, canonical(source.shape))
        return view.emit(attrs, [ordered], canonical(shape), quant)

    if isinstance(source, Integers):
        return Integers(shape, source.unsigned, lambda bounds: pooled(
            source.place(), view.build.quant(source.place().tensor), bounds), view.alone)
    return Real(shape, source.own,
                lambda quant, bounds: pooled(source.place(quant), quant, bounds))


def average_pool(view: View) -> Value:
    """AveragePool: one rounding, to the output's quantization.

    pads with and without count_include_pad, ceil_mode unless windows reach beyond pads that
    count, auto_pad; dilations without padding, or with padding that counts.

    Runs on the chip.
    """
    source = view.real(0)
    at = windows(view, source.shape, tuple(view.attribute("kernel_shape", ())))
    counted = bool(view.attribute("count_include_pad", 0))
    if at.dilation != (1, 1) and any(at.pads) and not counted:
        raise view.fail(f"dilations {at.dilation} with pads {at.pads} that don't count; accepted "
                        "is one of the two")
    if counted and at.beyond:
        raise view.fail("ceil_mode 1 with count_include_pad 1 and windows beyond the padding; "
                        "accepted is one of the two")
    if not any(at.pads) and at.window == source.shape[2:]:
        return mean_over(view, source, view.own(0), (2, 3), True)
    shape = (*source.shape[:2], *at.size)
    own = view.own(0)
    if not any(at.pads):
        extent = [(size - 1) * step + 1 for size, step in zip(at.window, at.dilation, strict=True)]
        views = np.lib.stride_tricks.sliding_window_view(plain(source.shape), (1, 1, *extent))[
            :, :, ::at.stride[0], ::at.stride[1], :, :, ::at.dilation[0], ::at.dilation[1]]
        return Real(shape, own, _whole(view, source, own, at, shape), average=_average(
            source, views.reshape(-1, at.window[0] * at.window[1])))
    make = (_whole if counted else _partial)(view, source, own, at, shape)
    return Real(shape, own, make, average=Average(source, None))


def _whole(view: View, source: Real, own: Quant, at: Windows,
           shape: tuple[int, ...]) -> Callable[[Quant, Bounds], Placed]:
    """All windows count alike: a convolution of each channel with ones."""
    def make(quant: Quant, bounds: Bounds) -> Placed:
        channels, count = shape[1], at.window[0] * at.window[1]
        multiplier, pre, post = scales_of(np.full(channels, own.scale / count / quant.scale))
        attrs = DepthwiseConv2D(
            kernel=np.ones((1, *at.window, channels), np.int8), bias=np.zeros(channels, np.int32),
            multiplier=multiplier, pre=pre, post=post, input_zero=own.zero_point,
            output_zero=quant.zero_point, least=bounds[0], most=bounds[1], window=at.window,
            stride=at.stride, dilation=at.dilation, pads=at.pads)
        return view.emit(attrs, [view.feature_map(source, own)], canonical(shape), quant)

    return make


def _partial(view: View, source: Real, own: Quant, at: Windows,
             shape: tuple[int, ...]) -> Callable[[Quant, Bounds], Placed]:
    """Windows at the border count less: averages in the input's steps, then rescaled."""
    if any(pad >= at.window[number // 2] for number, pad in enumerate(at.pads)):
        raise view.fail(f"pads {at.pads} must be smaller than the window {at.window}")

    def make(quant: Quant, bounds: Bounds) -> Placed:
        if quant.scale < own.scale:
            raise view.fail(f"pads {at.pads} that don't count, and an output scale {quant.scale} "
                            f"finer than the input's {own.scale}, would round to more than 1; "
                            "accepted is a scale not finer, or count_include_pad 1")
        same = quant == own
        attrs = AveragePool(window=at.window, stride=at.stride, pads=at.pads,
                            least=bounds[0] if same else -128, most=bounds[1] if same else 127)
        placed = view.emit(attrs, [view.feature_map(source, own)], canonical(shape), own)
        return placed if same else view.build.clamped(view.name, placed, own, quant, bounds)

    return make


def _average(source: Real, members: np.ndarray) -> Average:
    """Means of values; of means where those are means already."""
    return Average(source, members) if source.average is None else source.average.of(members)


def _covers(average: Average, shape: tuple[int, ...]) -> bool:
    """Averages by window of a feature map, each value of which counts once."""
    given = average.source.shape
    if average.members is None or len(shape) != 4 or given[:2] != shape[:2]:
        return False
    every = np.sort(average.members.reshape(shape[1], -1))
    return np.array_equal(every, plain(given).reshape(shape[1], -1))


def mean_over(view: View, source: Real, own: Quant, axes: tuple[int, ...], keep: bool,
              sums: bool = False) -> Real:
    """Mean, or sum, over axes of ONNX's."""
    rank = len(source.shape)
    given, axes = axes, tuple(sorted({axis % rank for axis in axes}))
    if not axes or 0 in axes or any(not -rank <= axis < rank for axis in given):
        raise view.fail(f"axes {given} must be in 1 to {rank - 1}: the batch can't be averaged")
    if axes == (2, 3) and not sums and source.average is not None and _covers(
            source.average, source.shape):
        source = source.average.source  # a mean of means of all values
    order = canonical_axes(rank)
    kept = [axis for axis in range(rank) if axis not in axes]
    shape = tuple(source.shape[axis] for axis in kept)
    stored = np.arange(int(np.prod(shape))).reshape(shape).transpose(
        [kept.index(axis) for axis in order if axis in kept])
    if keep:
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
        stored = stored.reshape([shape[axis] for axis in order])
    count = int(np.prod([source.shape[axis] for axis in axes]))

    def make(quant: Quant, bounds: Bounds) -> Placed:
        attrs = Mean(axes=tuple(sorted(order.index(axis) for axis in axes)), keep_dims=keep,
                     input_zero=own.zero_point, output_zero=quant.zero_point,
                     scale=scale_of(own.scale / (1 if sums else count) / quant.scale))
        placed = view.emit(attrs, [view.feature_map(source, own)], stored, quant)
        return view.bounded(placed, quant, bounds)

    if sums:
        return Real(shape, None, make)
    members = plain(source.shape).transpose(*kept, *axes).reshape(-1, count)
    return Real(shape, own, make, average=_average(source, members))


def global_average_pool(view: View) -> Value:
    """GlobalAveragePool.

    Feature maps of 4 axes.

    Runs on the chip.
    """
    source = view.real(0)
    if len(source.shape) != 4:
        raise view.fail(f"input has shape {list(source.shape)}, must have 4 axes")
    return mean_over(view, source, view.own(0), (2, 3), True)


def _axes(view: View, rank: int) -> tuple[int, ...]:
    """Axes of a reduction; none if it does nothing."""
    axes = view.numbers("axes", 1)
    if axes or (axes is not None and view.attribute("noop_with_empty_axes", 0)):
        return axes
    return () if view.attribute("noop_with_empty_axes", 0) else tuple(range(rank))


def reduce_mean(view: View) -> Value:
    """ReduceMean and ReduceSum.

    Any axes but the batch.

    Runs on the chip over rows and columns; on the DRP over other axes that follow one another,
    else on the host.
    """
    source = view.real(0)
    axes = _axes(view, len(source.shape))
    return mean_over(view, source, view.own(0), axes, bool(view.attribute("keepdims", 1)),
                     view.op == "ReduceSum") if axes else source


def largest(view: View) -> Value:
    """GlobalMaxPool and ReduceMax.

    Over rows and columns, both, of feature maps of 4 axes.

    Runs on the chip.
    """
    source, rank = view.real(0), 4
    axes = (2, 3) if view.op == "GlobalMaxPool" else _axes(view, len(source.shape))
    if len(source.shape) != rank or {axis % rank for axis in axes} != {2, 3}:
        raise view.fail(f"axes {axes} of {list(source.shape)}; accepted are rows and columns of "
                        "feature maps of 4 axes")
    shape = (*source.shape[:2], 1, 1)

    def make(quant: Quant, bounds: Bounds) -> Placed:
        ordered = view.arranged(source.place(quant), source.shape, canonical(source.shape))
        attrs = MaxPool(window=(source.shape[2], source.shape[3]), least=bounds[0], most=bounds[1])
        return view.emit(attrs, [ordered], canonical(shape), quant)

    return Real(shape if view.attribute("keepdims", 1) else shape[:2], source.own, make)
