"""Operators that only move values."""

import math
from collections.abc import Sequence

from golden.attributes import Shape
from golden.edges import Transpose
from golden.movement import Take
from sw.drp.domain import Grid
from sw.drp.library import axes
from sw.drp.operators.places import steps
from sw.drp.operators.site import Site
from sw.drp.streamed import Streamed
from sw.errors import InputError

__all__ = ["take", "transpose"]

_AXES = 4  # of an array that streams walk through
_PACKED = 4  # values at once


def transpose(site: Site, attrs: Transpose) -> Streamed:
    """Axes in another order; those that stay together are one."""
    sizes, order = _joined(site.shape, attrs.perm)
    if len(order) > _AXES:
        raise InputError(f"{len(order)} axes of {site.shape} change places, accepted are {_AXES}")
    packed = order[-1] == len(order) - 1 and not sizes[-1] % _PACKED
    return site.call(axes.moved(order, packed), (site.view(*sizes),))


def _joined(shape: Shape, perm: Sequence[int]) -> tuple[Shape, tuple[int, ...]]:
    """(sizes, order) of as few axes."""
    groups: list[list[int]] = []
    for axis in perm:
        if shape[axis] == 1:
            continue
        behind = groups and all(size == 1 for size in shape[groups[-1][-1] + 1:axis])
        if behind and groups[-1][-1] < axis:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if not groups:
        return (1,), (0,)
    rising = sorted(groups)
    sizes = tuple(math.prod(shape[axis] for axis in group) for group in rising)
    return sizes, tuple(rising.index(group) for group in groups)


def take(site: Site, attrs: Take) -> Streamed:
    """Indices of up to two axes, if they are those of steps of one length, which may have a
    fraction; axes between which nothing is taken are one."""
    letters, sizes, wanted = "", list[int](), dict[str, int]()
    free, taken = iter("abcd"), iter("yx")
    places: dict[str, tuple[int, int]] = {}
    for axis, (size, chosen) in enumerate(zip(site.shape, attrs.indices, strict=True)):
        if chosen is None or chosen == tuple(range(size)):
            if size == 1:
                continue
            if letters and letters[-1] not in "yx":
                sizes[-1] *= size
                continue
            letters += next(free)
        else:
            letter = next(taken, None)
            if letter is None:
                raise InputError("indices along more than two axes")
            found = steps(chosen, size)
            if found is None:
                raise InputError(f"indices of axis {axis} that steps of one length don't meet")
            letters, places[letter], wanted[letter] = letters + letter, found, len(chosen)
        sizes.append(size)
    if not letters:
        letters, sizes = "a", [1]
    if len(letters) > _AXES:
        raise InputError(f"{len(letters)} axes, accepted are {_AXES}")
    y0, dy = places.get("y", (0, 1 << 16))
    x0, dx = places.get("x", (0, 1 << 16))
    packed = letters[-1] not in "yx" and not sizes[-1] % _PACKED
    return site.call(axes.taken(letters, packed), (site.view(*sizes),), sizes=wanted,
                     grids={"x": Grid(y0, x0, dy, dx)})
