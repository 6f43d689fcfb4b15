"""Parts of tensors and repetitions in them: indices along each axis, known at import."""

from collections.abc import Sequence

import numpy as np

from golden.attributes import LARGEST_WEIGHT
from golden.graph import Quant
from golden.movement import Take
from golden.resize import ResizeLinear
from sw.frontend.onnx.folding import run_alone
from sw.frontend.onnx.layout import canonical, canonical_axes, plain
from sw.frontend.onnx.scales import scale_of
from sw.frontend.onnx.values import Bounds, Constant, Integers, Placed, Real, Value
from sw.frontend.onnx.view import View

__all__ = ["gather", "resize", "slice_", "split", "taken"]

_NEAR = 1e-4  # pixels: float32's error in a place, and far below a step of a result
Indices = Sequence[np.ndarray | None]  # for each of ONNX's axes; None for all


def taken(view: View, source: Real | Integers, indices: Indices,
          shape: tuple[int, ...] | None = None) -> Value:
    """Some indices along each axis; ``shape`` leaves axes out of which one index is taken."""
    whole = [item is None or np.array_equal(item, np.arange(size))
             for item, size in zip(indices, source.shape, strict=True)]
    if not whole[0]:
        raise view.fail(f"takes parts of axis 0, the batch, which is {source.shape[0]} and stays")
    found = tuple(size if item is None else len(item)
                  for item, size in zip(indices, source.shape, strict=True))
    if 0 in found:
        raise view.fail(f"takes nothing of {list(source.shape)}; accepted is at least one index "
                        "of each axis")
    if all(whole) and shape is None:
        return source
    lists = [None if item is None or all_ else tuple(int(index) for index in item)
             for item, all_ in zip(indices, whole, strict=True)]
    attrs = Take(indices=tuple(lists[axis] for axis in canonical_axes(len(found))))

    def moved(placed: Placed, quant: Quant | None) -> Placed:
        ordered = view.arranged(placed, source.shape, canonical(source.shape))
        return view.emit(attrs, [ordered], canonical(found), quant)

    if isinstance(source, Integers):
        def integers() -> tuple[Placed, Quant]:
            placed = source.place()
            quant = view.build.quant(placed.tensor) or Quant(1.0, 0)
            return moved(placed, quant), quant

        return Integers(shape or found, source.unsigned,
                        lambda bounds: view.bounded(*integers(), bounds), view.alone)
    rows = plain(source.shape)[np.ix_(*(np.arange(size) if item is None else item for item, size in
                                        zip(indices, source.shape, strict=True)))].ravel()
    # Clamps stay behind: other parts of the same tensor have others.
    return Real(shape or found, source.own, lambda quant, bounds: view.bounded(
        moved(source.place(quant), quant), quant, bounds),
        average=source.average and source.average.chosen(rows))


def _source(view: View) -> Real | Integers:
    value = view.value(0)
    return value if isinstance(value, Integers) else view.real(0)


def _axis(view: View, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise view.fail(f"axis {axis} of {rank} axes")
    return axis % rank


def slice_(view: View) -> Value:
    """Slice with constant starts, ends and steps.

    Any axis but the batch, steps below 0 too.

    Runs on the chip, as Gather.
    """
    source = _source(view)
    rank = len(source.shape)
    starts, ends = view.numbers("starts", 1) or (), view.numbers("ends", 2) or ()
    axes = view.numbers("axes", 3) or tuple(range(len(starts)))
    steps = view.numbers("steps", 4) or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise view.fail(f"starts {starts}, ends {ends}, axes {axes}, steps {steps}; accepted are "
                        "as many of each, steps other than 0")
    indices: list[np.ndarray | None] = [None] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        at = _axis(view, axis, rank)
        indices[at] = np.arange(*slice(start, end, step).indices(source.shape[at]))
    return taken(view, source, indices)


def split(view: View) -> list[Value]:
    """Split.

    Any axis but the batch.

    Runs on the chip, as Gather.
    """
    source = _source(view)
    axis = _axis(view, int(view.attribute("axis", 0)), len(source.shape))
    size, count = source.shape[axis], len(view.node.output)
    each = -(-size // count)
    sizes = view.numbers("split", 1) or tuple(
        min(each, size - each * part) for part in range(count))
    if len(sizes) != count or sum(sizes) != size or min(sizes) < 1:
        raise view.fail(f"parts of {sizes} for {count} outputs of {size}; accepted are parts of "
                        "at least 1 that add up")
    ends = np.cumsum(sizes)
    return [taken(view, source, [np.arange(end - part, end) if at == axis else None
                                 for at in range(len(source.shape))])
            for part, end in zip(sizes, ends, strict=True)]


def gather(view: View) -> Value:
    """Gather with constant indices, a number or a list of them.

    Any axis but the batch.

    Runs on the chip: copies; on the DRP where they would be more than 64 rectangles and the
    indices of up to two axes are those of steps of one length, else on the host.
    """
    source, chosen = _source(view), view.constant(1, "indices").data
    rank = len(source.shape)
    axis = _axis(view, int(view.attribute("axis", 0)), rank)
    size = source.shape[axis]
    if chosen.ndim > 1 or not chosen.size or not (
            -size <= chosen.min() and chosen.max() < size):
        ends = f" from {chosen.min()} to {chosen.max()}" if chosen.size else ""
        raise view.fail(f"indices of shape {list(chosen.shape)}{ends} along axis {axis} of "
                        f"{list(source.shape)}; accepted are one or a list, each of -{size} to "
                        f"{size - 1}")
    indices: list[np.ndarray | None] = [None] * rank
    indices[axis] = np.atleast_1d(chosen) % size
    left = tuple(one for at, one in enumerate(source.shape) if at != axis)
    return taken(view, source, indices, None if chosen.ndim else left)


def resize(view: View) -> Value:
    """Resize: the definition, applied to the numbers of pixels, tells where each output lies.

    Modes nearest and linear, constant scales or sizes, every coordinate_transformation_mode but
    tf_crop_and_resize; linear: of rows and columns of feature maps, without antialias, where
    outputs lie at whole parts of a pixel (of which 255 make a weight).

    Runs on the chip: nearest as Gather, by whole factors two or more rows at a time; linear as a
    few convolutions, on the DRP where they would be more than 64 or weights exceed 255.
    """
    mode = view.attribute("mode", "nearest")
    policy = view.attribute("keep_aspect_ratio_policy", "stretch")
    place = view.attribute("coordinate_transformation_mode", "")
    if mode not in ("nearest", "linear") or policy != "stretch" or place == "tf_crop_and_resize":
        raise view.fail(f"mode {mode}, keep_aspect_ratio_policy {policy}, "
                        f"coordinate_transformation_mode {place}; accepted are nearest and linear, "
                        "stretch, and any but tf_crop_and_resize")
    if mode == "linear":
        return _interpolated(view)
    source = _source(view)
    return taken(view, source, [None if line is None else line.astype(int)
                                for line in _lines(view, source.shape)])


def _lines(view: View, shape: tuple[int, ...]) -> list[np.ndarray | None]:
    """For each axis the index, or the place between two, of each output; None for all."""
    rank = len(shape)
    axes = tuple(_axis(view, int(axis), rank) for axis in view.attribute("axes", range(rank)))
    given = [view.constant(at, "sizes").data if view.has(at) else None
             for at in range(1, len(view.node.input))]
    found: list[np.ndarray | None] = [None] * rank
    for number, axis in enumerate(axes):
        # Axis by axis, the scale or size of each.
        # As the last of four, which ONNX Runtime interpolates. An input may be there and empty.
        own = [None if data is None else Constant(data[:0] if not data.size else np.append(
            np.ones(3, data.dtype), data[number])) for data in given]
        line = Constant(np.arange(shape[axis], dtype=np.float32).reshape(1, 1, 1, -1))
        # ONNX's evaluator takes scale times size for the new size, and rounds in float64.
        found[axis] = run_alone(view, [line, *own], ("axes", "keep_aspect_ratio_policy")).ravel()
    return found


def _interpolated(view: View) -> Real:
    """Linear interpolation of rows and columns."""
    source, own = view.real(0), view.own(0)
    if view.attribute("antialias", 0):
        raise view.fail("antialias 1; accepted is 0")
    lines = _lines(view, source.shape)
    if len(source.shape) != 4 or any(
            line is not None and not np.array_equal(line, np.arange(size))
            for line, size in zip(lines[:2], source.shape, strict=False)):
        raise view.fail(f"interpolates other axes of {list(source.shape)} than rows and columns of "
                        "a feature map")
    (rows, tall), (columns, wide) = (
        _places(view, np.arange(size) if line is None else line)
        for line, size in zip(lines[2:], source.shape[2:], strict=True))
    shape = (*source.shape[:2], len(rows), len(columns))

    def make(quant: Quant, bounds: Bounds) -> Placed:
        attrs = ResizeLinear(
            rows=rows, columns=columns, parts=(tall, wide), input_zero=own.zero_point,
            scale=scale_of(own.scale / (tall * wide) / quant.scale),
            output_zero=quant.zero_point, least=bounds[0], most=bounds[1])
        return view.emit(attrs, [view.feature_map(source, own)], canonical(shape), quant)

    return Real(shape, None, make)


def _places(view: View, line: np.ndarray) -> tuple[tuple[int, ...], int]:
    """(where outputs lie, in steps; steps of a pixel): the fewest that meet all of them."""
    for parts in range(1, LARGEST_WEIGHT + 1):
        places = np.rint(line * parts)
        if np.abs(places / parts - line).max() < _NEAR:
            return tuple(places.astype(int).tolist()), parts
    raise view.fail(f"interpolates at places ({', '.join(f'{at:g}' for at in line[:4])} ...) that "
                    f"are no whole parts of a pixel; accepted are up to {LARGEST_WEIGHT} parts")
