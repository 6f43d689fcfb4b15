"""What kernels may call: the same functions on numpy arrays (reference) and on traced values."""

from collections.abc import Callable
from typing import Any

import numpy as np

from golden.ops import requantize as golden
from golden.spec.drp.operations import Op
from sw.drp.expression import Expression, Tracer
from sw.drp.reduction import Reduction
from sw.drp.window import Window

__all__ = ["absdiff", "clip", "fold", "largest", "leading_zeros", "maximum", "minimum",
           "multiply_high", "rounding_shift", "rounding_shift_up", "scan", "shift_right_logical",
           "smallest", "total", "where"]


def _plain(value: Any) -> Any:
    """A window alone means its value here."""
    return value.value if isinstance(value, Window) else value


def _tracer(*values: Any) -> Tracer | None:
    return next((value.tracer for value in values if isinstance(value, Expression)), None)


def _apply(op: Op, array: Callable[..., Any], *given: Any) -> Any:
    values = [_plain(value) for value in given]
    tracer = _tracer(*values)
    return tracer.binary(op, *values) if tracer else array(*values)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b."""
    condition, a, b = _plain(condition), _plain(a), _plain(b)
    tracer = _tracer(condition, a, b)
    if tracer:
        return tracer.where(condition, a, b)
    kind = next((x.dtype for x in (a, b) if isinstance(x, np.ndarray)), np.dtype(np.int32))
    return np.where(condition, a, b).astype(kind)


def minimum(a: Any, b: Any) -> Any:
    """The smaller."""
    return _apply(Op.MIN, np.minimum, a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger."""
    return _apply(Op.MAX, np.maximum, a, b)


def clip(value: Any, least: Any, most: Any) -> Any:
    """Limited to [least, most]."""
    return minimum(maximum(value, least), most)


def absdiff(a: Any, b: Any) -> Any:
    """|a - b|."""
    return _apply(Op.ABSDIFF, lambda x, y: np.maximum(x, y) - np.minimum(x, y), a, b)


def multiply_high(a: Any, b: Any) -> Any:
    """round(a * b / 2**31), ties up, of int32 (TensorFlow Lite's)."""
    return _apply(Op.MULH, lambda x, y: np.minimum(golden.rounding_doubling_high_multiply(
        x, y), (1 << 31) - 1).astype(np.int32), a, b)


def rounding_shift(a: Any, by: Any) -> Any:
    """round(a / 2**(by & 31)), ties away from zero, of int32 (TensorFlow Lite's)."""
    return _apply(Op.SRA_AWAY, lambda x, y: golden.rounding_divide_by_pot(
        np.asarray(x).astype(np.int64), np.asarray(y) & 31).astype(np.int32), a, by)


def rounding_shift_up(a: Any, by: Any) -> Any:
    """round(a / 2**(by & 31)), ties up, of int32."""
    return _apply(Op.SRA_UP, lambda x, y: golden.rounding_divide_by_pot(
        np.asarray(x).astype(np.int64), np.asarray(y) & 31, True).astype(np.int32), a, by)


def shift_right_logical(a: Any, by: Any) -> Any:
    """a >> (by & 31) of int32 as an unsigned number."""
    return _apply(Op.SRL, lambda x, y: (np.asarray(x).view(np.uint32) >> (np.asarray(
        y).astype(np.uint32) & 31)).view(np.int32), a, by)


def leading_zeros(a: Any) -> Any:
    """Zeros above the highest one of int32 as an unsigned number; 32 for 0."""
    value = _plain(a)
    tracer = _tracer(value)
    if tracer:
        return tracer.make(Op.CLZ, value)
    return (32 - np.frexp(value.view(np.uint32).astype(np.float64))[1]).astype(np.int32)


def fold(function: Callable[[Any, Any], Any], first: Any, value: Any) -> Any:
    """Reduce over the axes the result lacks: acc = function(acc, value), from ``first``.

    Parameters
    ----------
    function : callable
        (accumulator, value) -> accumulator. Both may be tuples.
    first : int or tuple of int
    value : stream, value or tuple of them
    """
    return Reduction.find(value).fold(function, first, _plains(value))


def scan(function: Callable[[Any, Any], Any], first: Any, value: Any) -> Any:
    """As ``fold`` along x, which is kept: the accumulator at every position."""
    return Reduction.find(value).scan(function, first, _plains(value))


def _plains(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, tuple) else _plain(value)


def total(value: Any) -> Any:
    """Sum over the axes the result lacks."""
    return fold(lambda acc, x: acc + x, 0, value)


def largest(value: Any) -> Any:
    """Maximum over the axes the result lacks."""
    return fold(maximum, -(1 << 31), value)


def smallest(value: Any) -> Any:
    """Minimum over the axes the result lacks."""
    return fold(minimum, (1 << 31) - 1, value)
