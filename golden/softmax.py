"""Softmax between any scales."""

import math
from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Shape
from golden.spec.softmax import LEAST_SCALE, LONGEST

__all__ = ["QuantizedSoftmax"]


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedSoftmax(Attributes):
    """Softmax of int8 over one axis as ``golden.spec.softmax`` says; scales are float32."""

    axis: int
    scale: float
    output_scale: float
    output_zero: int

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        if not 0 < self.axis < len(data):
            raise GraphError(f"axis {self.axis} must be in 1 to {len(data) - 1}")
        if data[self.axis] > LONGEST:
            raise GraphError(f"axis {self.axis} of {data} must be of at most {LONGEST} values")
        if not (math.isfinite(self.scale) and self.scale > 0
                and math.isfinite(self.output_scale) and self.output_scale >= LEAST_SCALE
                and -128 <= self.output_zero <= 127):
            raise GraphError(f"scales {self.scale} and {self.output_scale} must be above 0 and at "
                             f"least {LEAST_SCALE}, zero {self.output_zero} in -128 to 127")
        return data
