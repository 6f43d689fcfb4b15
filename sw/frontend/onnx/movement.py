"""Operators that only relabel: bytes move where a later operator needs another order."""

import math
from collections.abc import Callable

import numpy as np

from golden.graph import Quant
from sw.frontend.onnx.layout import plain, transposed
from sw.frontend.onnx.values import Codes, Constant, Integers, Placed, Real, Value
from sw.frontend.onnx.view import View

__all__ = ["depth_to_space", "flatten", "identity", "reshape", "space_to_depth", "squeeze",
           "transpose", "unsqueeze"]

Shape = tuple[int, ...]


def _relabelled(view: View, shape: Shape, relabel: Callable[[Placed], Placed],
                rows: np.ndarray | slice = slice(None)) -> Value:
    source = view.value(0)
    if isinstance(source, Integers):
        integers = source
        return Integers(shape, integers.unsigned, lambda bounds: relabel(integers.place(bounds))
                        if integers.alone else view.bounded(
                            relabel(integers.place()),
                            view.build.quant(integers.place().tensor) or Quant(1.0, 0), bounds),
                        view.alone)
    real = view.real(0)
    floating, average = real.floating, real.average

    def moved() -> Placed:
        assert floating is not None
        placed = relabel(floating())
        if placed.stored.shape != shape or not np.array_equal(placed.stored, plain(shape)):
            raise view.fail("moves float values, which nothing quantizes")
        return placed

    return Real(shape, real.own, lambda quant, bounds: relabel(real.place(quant, bounds)),
                None if floating is None else moved, average and average.chosen(rows))


def _reshaped(view: View, shape: Shape) -> Value:
    if min(shape, default=1) < 1 or math.prod(shape) != math.prod(view.value(0).shape):
        raise view.wrong(f"{list(view.value(0).shape)} to {list(shape)}: different numbers of "
                         "values")
    return _relabelled(view, shape, lambda placed: placed)


def reshape(view: View) -> Value:
    """Reshape.

    Constant shapes.

    Runs nowhere: weights behind it are reordered, or bytes are as they are; see Transpose.
    """
    given = view.value(0).shape
    wanted = view.numbers("shape", 1)
    if wanted is None:
        raise view.fail("has no shape to give")
    zero_copies = not view.attribute("allowzero", 0)
    if any(size == 0 and zero_copies and axis >= len(given) for axis, size in enumerate(wanted)):
        raise view.fail(f"shape {list(wanted)} copies an axis that {list(given)} does not have")
    sizes = [given[axis] if size == 0 and zero_copies else size
             for axis, size in enumerate(wanted)]
    if sizes.count(-1) > 1:
        raise view.fail(f"shape {list(wanted)} leaves more than one size open")
    if -1 in sizes:
        rest = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = math.prod(given) // max(rest, 1)
    return _reshaped(view, tuple(sizes))


def flatten(view: View) -> Value:
    """Flatten.

    Any axis.

    Runs nowhere: weights behind it are reordered, or bytes are as they are.
    """
    given = view.value(0).shape
    axis = int(view.attribute("axis", 1))
    if not -len(given) <= axis <= len(given):
        raise view.fail(f"axis {axis} of {len(given)} axes")
    axis += len(given) if axis < 0 else 0
    return _reshaped(view, (math.prod(given[:axis]), math.prod(given[axis:])))


def squeeze(view: View) -> Value:
    """Squeeze.

    Constant axes.

    Runs nowhere.
    """
    given, axes = view.value(0).shape, view.numbers("axes", 1)
    chosen = {axis for axis, size in enumerate(given) if size == 1} if axes is None else {
        axis % len(given) for axis in axes}
    if any(given[axis] != 1 for axis in chosen):
        raise view.fail(f"axes {axes} of {list(given)} are not all 1")
    return _reshaped(view, tuple(size for axis, size in enumerate(given) if axis not in chosen))


def unsqueeze(view: View) -> Value:
    """Unsqueeze.

    Constant axes.

    Runs nowhere.
    """
    given, axes = view.value(0).shape, view.numbers("axes", 1) or ()
    rank = len(given) + len(axes)
    places, rest = {axis % rank for axis in axes}, iter(given)
    return _reshaped(view, tuple(1 if axis in places else next(rest) for axis in range(rank)))


def transpose(view: View) -> Value:
    """Transpose.

    Any, as long as what comes of it and of Reshapes is channels in another order (channel
    shuffle), blocks of pixels made of channels or channels of blocks, or one transposition.

    Runs nowhere where it only undoes the difference between ONNX's and the chip's order; on
    the chip where channels or blocks move; other transpositions on the DRP.
    """
    source = view.value(0)
    rank = len(source.shape)
    perm = tuple(view.attribute("perm", tuple(reversed(range(rank)))))
    if sorted(perm) != list(range(rank)):
        raise view.fail(f"perm {perm} of {rank} axes")
    if isinstance(source, Constant):
        codes = source.codes and Codes(source.codes.values.transpose(perm), source.codes.scales,
                                       perm.index(source.codes.axis))
        return Constant(source.data.transpose(perm), codes, source.origin and source.origin.moved(
            lambda data: data.transpose(perm)))
    given = source.shape
    return _relabelled(
        view, tuple(given[axis] for axis in perm),
        lambda placed: Placed(placed.tensor, transposed(placed.stored, given, perm)),
        plain(given).transpose(perm).ravel())


def depth_to_space(view: View) -> Value:
    """DepthToSpace.

    Modes DCR and CRD; the same as Reshape, Transpose, Reshape (pixel shuffle).

    Runs on the chip: copies.
    """
    block, (batch, channels, height, width) = _blocks(view)
    if channels % block ** 2:
        raise view.fail(f"blocks of {block} x {block} of {channels} channels")
    channels //= block ** 2
    if view.attribute("mode", "DCR") == "DCR":
        given, perm = (batch, block, block, channels, height, width), (0, 3, 4, 1, 5, 2)
    else:
        given, perm = (batch, channels, block, block, height, width), (0, 1, 4, 2, 5, 3)
    return _reordered(view, given, perm, (batch, channels, height * block, width * block))


def space_to_depth(view: View) -> Value:
    """SpaceToDepth.

    Also as Reshape, Transpose, Reshape.

    Runs on the chip: a copy.
    """
    block, (batch, channels, height, width) = _blocks(view)
    if height % block or width % block:
        raise view.fail(f"blocks of {block} x {block} of {height} x {width} pixels")
    given = (batch, channels, height // block, block, width // block, block)
    return _reordered(view, given, (0, 3, 5, 1, 2, 4),
                      (batch, channels * block ** 2, height // block, width // block))


def _blocks(view: View) -> tuple[int, Shape]:
    """(block's size, input's shape)."""
    shape, block = view.value(0).shape, int(view.attribute("blocksize", 0))
    if len(shape) != 4 or block < 1:
        raise view.fail(f"blocks of {block}, input of shape {list(shape)}; accepted are blocks of "
                        "at least 1 and 4 axes")
    return block, shape


def _reordered(view: View, given: Shape, perm: tuple[int, ...], shape: Shape) -> Value:
    """Reshaped to ``given``, transposed, and reshaped to ``shape``."""
    return _relabelled(view, shape,
                       lambda placed: Placed(placed.tensor, transposed(placed.stored, given, perm)),
                       plain(given).transpose(perm).ravel())


def identity(view: View) -> Value:
    """Identity, and Dropout when it is not training.

    Without a mask.

    Runs nowhere.
    """
    if view.op == "Dropout" and len(view.node.output) > 1 and view.node.output[1]:
        raise view.fail("gives its mask too, which is not supported")
    return view.value(0)
