"""Largest values."""

import numpy as np

from golden.extreme import ArgMax, ReduceMax

__all__ = ["arg_max", "reduce_max"]


def reduce_max(x: np.ndarray, attrs: ReduceMax) -> np.ndarray:
    """Largest value over axes."""
    return x.max(axis=attrs.axes, keepdims=attrs.keep_dims)


def arg_max(x: np.ndarray, attrs: ArgMax) -> np.ndarray:
    """Index of the largest value along an axis."""
    return x.argmax(axis=attrs.axis).astype(attrs.output_type)
