"""Layer normalization between any scales."""

import math
from dataclasses import dataclass
from functools import cached_property

from golden.attributes import Attributes, GraphError, Shape
from golden.spec.layer_norm import LayerNorm8

__all__ = ["QuantizedLayerNorm"]


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLayerNorm(Attributes):
    """Layer normalization of int8 over the last axes as ``golden.spec.layer_norm`` says.

    Parameters
    ----------
    gain, bias : tuple of float
        One for each value of those axes.
    scale, epsilon, output_scale : float
    output_zero : int
    """

    gain: tuple[float, ...]
    bias: tuple[float, ...]
    scale: float
    epsilon: float
    output_scale: float
    output_zero: int

    @cached_property
    def factors(self) -> LayerNorm8:
        """The integers of it."""
        return LayerNorm8(self.scale, self.epsilon, self.gain, self.bias, self.output_scale,
                          self.output_zero)

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        sizes = [math.prod(data[axis:]) for axis in range(1, len(data))]
        if len(self.gain) not in sizes or len(self.gain) != len(self.bias):
            raise GraphError(f"{len(self.gain)} gains and {len(self.bias)} biases must be as many "
                             f"as the last axes of {data} have values")
        numbers = self.scale, self.epsilon, self.output_scale, *self.gain, *self.bias
        if not (all(map(math.isfinite, numbers)) and min(self.scale, self.output_scale) > 0
                and self.epsilon >= 0 and -128 <= self.output_zero <= 127):
            raise GraphError(f"scales {self.scale} and {self.output_scale} must be above 0, "
                             f"epsilon {self.epsilon} at least 0, zero {self.output_zero} in -128 "
                             "to 127, gains and biases finite")
        try:
            self.factors  # noqa: B018
        except ValueError as error:
            raise GraphError(str(error)) from error
        return data
