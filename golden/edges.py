"""Operators at a network's edges, where real numbers come in and go out: the host runs them.

Attributes as those of ``golden.attributes``, which holds the operators between the edges.
"""

import math
from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["DequantizeLinear", "FloatSoftmax", "QuantizeLinear", "Transpose"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Linear(Attributes):
    """real = scale * (q - zero); scale is a float32, zero within int8."""

    scale: float
    zero: int

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        if not (math.isfinite(self.scale) and self.scale > 0 and -128 <= self.zero <= 127):
            raise GraphError(f"scale {self.scale} must be above 0 and zero {self.zero} in -128 to "
                             "127")
        return data


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizeLinear(_Linear):
    """float32 to int8: x / scale, halves to even or ``away`` from zero, plus zero, clamped."""

    least: int = -128
    most: int = 127
    away: bool = False

    def types(self) -> tuple[str, str]:
        """From float32 to int8."""
        return "float32", "int8"


@dataclass(frozen=True, kw_only=True, eq=False)
class DequantizeLinear(_Linear):
    """int8 to float32: (q - zero) * scale."""

    def types(self) -> tuple[str, str]:
        """From int8 to float32."""
        return "int8", "float32"


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatSoftmax(Attributes):
    """Softmax of float32 over one axis; sums are float32."""

    axis: int

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        if not 0 <= self.axis < len(data):
            raise GraphError(f"axis {self.axis} must be in 0 to {len(data) - 1}")
        return data

    def types(self) -> tuple[str, str]:
        """float32 stays."""
        return "float32", "float32"


@dataclass(frozen=True, kw_only=True, eq=False)
class Transpose(Attributes):
    """Axis k of the output is axis ``perm[k]`` of the input; the batch stays first."""

    perm: tuple[int, ...]

    def shape(self, *inputs: Shape) -> Shape:
        """The input's sizes in another order."""
        (data,) = inputs
        if sorted(self.perm) != list(range(len(data))) or self.perm[:1] != (0,):
            raise GraphError(f"perm {self.perm} must be 0 and the other axes of {data} in some "
                             "order")
        return tuple(data[axis] for axis in self.perm)
