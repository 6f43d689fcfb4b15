"""Operators of two computed tensors, value by value, in which axes of size 1 repeat."""

from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Scale, Shape

__all__ = ["Maximum", "Minimum", "Multiply"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Maximum(Attributes):
    """Larger of two tensors of one quantization, value by value; axes of size 1 repeat."""

    def shape(self, *inputs: Shape) -> Shape:
        """The inputs' common shape."""
        first, second = inputs
        if len(first) != len(second) or any(
                a != b and 1 not in (a, b) for a, b in zip(first, second, strict=True)):
            raise GraphError(f"shapes {first} and {second} differ in an axis in which neither is 1")
        return tuple(max(pair) for pair in zip(first, second, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class Minimum(Maximum):
    """Smaller of two tensors, as `Maximum`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Multiply(Maximum):
    """requantize((x - zero) * (y - zero)) + output_zero, clamped; axes of size 1 repeat.

    Parameters
    ----------
    input_zeros : tuple of int
        Zero points of the two inputs.
    scale : Scale
        Factor from the product to the output's steps.
    output_zero : int
    least, most : int
        Clamp of the output, within int8.
    """

    input_zeros: tuple[int, int]
    scale: Scale
    output_zero: int
    least: int = -128
    most: int = 127
