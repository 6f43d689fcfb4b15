"""Operators of int8 networks along any of an array's axes, in golden's rounding.

Arrays are seen as (before, along, behind): axes y, x, c of the kernels.
"""

# mypy: disable-error-code="valid-type"

from typing import Any

from golden.spec.numerics import ROUND_ONCE
from sw.drp.functions import (
    clip,
    fold,
    maximum,
    multiply_high,
    rounding_shift,
    rounding_shift_up,
    shift_right_logical,
    total,
)
from sw.drp.kernel import Kernel, kernel
from sw.drp.library.network import (
    first_largest,
    softmax_reciprocal,
    softmax_result,
    softmax_term,
)
from sw.drp.types import In, Out, Table, i8, i8x4, i16, i32

__all__ = ["axis_argmax", "axis_argmax_64", "axis_largest", "axis_mean", "axis_softmax_inverse",
           "axis_softmax_scale", "axis_softmax_sum", "moved", "requantized", "resize_exact",
           "taken"]


def requantized(value: Any, multiplier: int, pre: int, post: int) -> Any:
    """``golden.spec.numerics.requantize`` of a kernel's int32."""
    value = value << pre
    product = multiply_high(value, multiplier)
    if post <= ROUND_ONCE:
        return rounding_shift(product, post)
    # The multiplication rounds up where the highest bit that it drops is 1.
    dropped = shift_right_logical(value * multiplier, 30) & 1
    return rounding_shift_up(product - dropped, post - ROUND_ONCE)


@kernel
def axis_mean(x: In(i8, "yxc"), offset: int = 0, multiplier: int = 1 << 30, pre: int = 0,
              post: int = ROUND_ONCE + 6, zero: int = 0) -> Out(i8, "yc", saturate=True):
    """Mean along x, requantized; ``offset`` is input zero point times count, negated."""
    return requantized(total(x) + offset, multiplier, pre, post) + zero


@kernel
def axis_largest(x: In(i8, "yxc")) -> Out(i8, "yc"):
    """Largest along x."""
    return fold(maximum, -128, x)


@kernel
def axis_argmax(x: In(i8, "yxc")) -> Out(i32, "yc"):
    """Place of the largest along x; of equal ones the first."""
    return first_largest(x)


@kernel
def axis_argmax_64(x: In(i8, "yxc")) -> Out(i32, "yc", channels=2):
    """The same as int64, of which the upper half is 0."""
    found = first_largest(x)
    return found, found >> 31


@kernel
def axis_softmax_sum(x: In(i8, "yxc"), most: In(i8, "yc"), table: Table(256),
                     guard: int = 12) -> Out(i32, "yc"):
    """As ``softmax_sum``, along x."""
    return total(softmax_term(table[x - most + 255], guard))


@kernel
def axis_softmax_inverse(sums: In(i32, "yc"),
                         longest: int = 35) -> tuple[Out(i32, "yc"), Out(i32, "yc")]:
    """As ``softmax_inverse``."""
    return softmax_reciprocal(sums, longest)


@kernel
def axis_softmax_scale(x: In(i8, "yxc"), most: In(i8, "yc"), inverse: In(i32, "yc"),
                       shift: In(i32, "yc"), table: Table(256),
                       zero: int = -128) -> Out(i8, "yxc", saturate=True):
    """As ``softmax_scale``, along x."""
    return softmax_result(table[x - most + 255], inverse, shift, zero)


def moved(order: tuple[int, ...], packed: bool) -> Kernel:
    """A kernel: axes in another order, four values at once if ``packed``.

    Parameters
    ----------
    order : tuple of int
        For each axis of the result that of the array; 1 to 4 of them.
    packed : bool
        The last axis stays, and is a multiple of 4.
    """
    result = "yabc"[:len(order)]
    given = "".join(result[order.index(axis)] for axis in range(len(order)))
    kind = i8x4 if packed else i8

    @kernel
    def move(x: In(kind, given)) -> Out(kind, result):
        """Axes in another order."""
        return x

    move.name = f"moved_{given}_{result}{'_packed' * packed}"
    return move


def taken(axes: str, packed: bool) -> Kernel:
    """A kernel: some rows y and columns x of an array (grid: any ratio), all along other axes.

    Parameters
    ----------
    axes : str
        Of the array, up to 4.
    packed : bool
        The last axis is neither y nor x, and a multiple of 4.
    """
    kind = i8x4 if packed else i8

    @kernel
    def take(x: In(kind, axes, step="free")) -> Out(kind, axes):
        """The value at each position."""
        return x

    take.name = f"taken_{axes}{'_packed' * packed}"
    return take


@kernel
def resize_exact(x: In(i8, "yxc", step="free"), down: In(i16, "y"), across: In(i16, "x"),
                 tall: int = 2, wide: int = 2, offset: int = 0, multiplier: int = 1 << 30,
                 pre: int = 0, post: int = ROUND_ONCE + 1, zero: int = 0, least: int = -128,
                 most: int = 127) -> Out(i8, "yxc"):
    """Linear interpolation in whole steps, requantized: ``down`` of ``tall`` steps to the pixel
    below, ``across`` of ``wide`` to the one at the right; ``offset`` is the input zero point times
    all steps, negated."""
    left = x[0, 0] * tall + (x[1, 0] - x[0, 0]) * down
    right = x[0, 1] * tall + (x[1, 1] - x[0, 1]) * down
    sums = left * wide + (right - left) * across + offset
    return clip(requantized(sums, multiplier, pre, post) + zero, least, most)
