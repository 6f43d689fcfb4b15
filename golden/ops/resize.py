"""Linear interpolation."""

import numpy as np

from golden.ops.requantize import finish, requantize
from golden.resize import ResizeLinear

__all__ = ["resize_linear"]


def resize_linear(x: np.ndarray, attrs: ResizeLinear) -> np.ndarray:
    """Linear interpolation of int8 [N, y, x, C]."""
    total = x.astype(np.int32) - np.int32(attrs.input_zero)
    for axis, (places, parts) in enumerate(zip((attrs.rows, attrs.columns), attrs.parts,
                                               strict=True), start=1):
        before, way = np.divmod(np.array(places), parts)
        after = np.minimum(before + 1, x.shape[axis] - 1)  # without any weight at the end
        way = way.astype(np.int32).reshape(-1, *(1,) * (3 - axis))
        total = total.take(before, axis) * (parts - way) + total.take(after, axis) * way
    return finish(requantize(total, *attrs.scale), attrs.output_zero, attrs.least, attrs.most)
