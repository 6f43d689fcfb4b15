"""Linear interpolation."""

import numpy as np

from golden.resize import ResizeLinear
from sw.drp.domain import Grid
from sw.drp.library import axes
from sw.drp.operators.places import steps
from sw.drp.operators.site import Site, View
from sw.drp.streamed import Streamed
from sw.errors import InputError

__all__ = ["resize_linear"]


def resize_linear(site: Site, attrs: ResizeLinear) -> Streamed:
    """The four pixels around each output, weighed by tables of rows and columns."""
    _, height, width, channels = site.shape
    places, ways = [], []
    for what, at, parts, size in zip(("rows", "columns"), (attrs.rows, attrs.columns),
                                     attrs.parts, (height, width), strict=True):
        before, way = np.divmod(np.array(at), parts)
        found = steps(before, size, way == 0)
        if found is None:
            raise InputError(f"{what} that steps of one length don't meet")
        places.append(found)
        ways.append(way.astype(np.int16))
    (y0, dy), (x0, dx) = places
    tall, wide = attrs.parts
    multiplier, pre, post = attrs.scale
    return site.call(
        axes.resize_exact,
        (site.view(height, width, channels), View.constant(f"{site.result}@down", ways[0]),
         View.constant(f"{site.result}@across", ways[1])),
        sizes={"y": len(attrs.rows), "x": len(attrs.columns)}, grids={"x": Grid(y0, x0, dy, dx)},
        tall=tall, wide=wide, offset=-attrs.input_zero * tall * wide, multiplier=multiplier,
        pre=pre, post=post, zero=attrs.output_zero, least=attrs.least, most=attrs.most)
