"""Operators that take axes away."""

import math

from golden.attributes import Mean
from golden.extreme import ArgMax, ReduceMax
from sw.drp.library import axes
from sw.drp.operators.site import Site, View
from sw.drp.streamed import Streamed
from sw.errors import InputError

__all__ = ["arg_max", "largest", "mean"]


def _around(site: Site, over: tuple[int, ...]) -> View:
    """The input as (before, along, behind) the axes that go."""
    first, last = min(over), max(over)
    between = [axis for axis in range(first, last) if axis not in over and site.shape[axis] > 1]
    if between:
        raise InputError(f"axes {over} of {site.shape} don't follow one another")
    return site.view(math.prod(site.shape[:first]), math.prod(site.shape[first:last + 1]),
                     math.prod(site.shape[last + 1:]))


def mean(site: Site, attrs: Mean) -> Streamed:
    """Mean over any axes that follow one another."""
    view = _around(site, attrs.axes)
    multiplier, pre, post = attrs.scale
    return site.call(axes.axis_mean, (view,), offset=-attrs.input_zero * view.shape[1],
                     multiplier=multiplier, pre=pre, post=post, zero=attrs.output_zero)


def largest(site: Site, attrs: ReduceMax) -> Streamed:
    """Largest value over any axes that follow one another."""
    return site.call(axes.axis_largest, (_around(site, attrs.axes),))


def arg_max(site: Site, attrs: ArgMax) -> Streamed:
    """Place of the largest value along an axis."""
    kernel = axes.axis_argmax_64 if attrs.output_type == "int64" else axes.axis_argmax
    return site.call(kernel, (_around(site, (attrs.axis,)),))
