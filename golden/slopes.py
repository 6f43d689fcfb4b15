"""Values below 0 times a slope."""

from dataclasses import dataclass

import numpy as np

from golden.attributes import LARGEST_WEIGHT, Attributes, GraphError, Scale, Shape

__all__ = ["PRelu"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PRelu(Attributes):
    """requantize(x - input_zero) where that is at least 0, else requantize(slope (x - input_zero)).

    Parameters
    ----------
    slopes : ndarray of int16, (channels,)
        Less their zero point.
    input_zero, output_zero : int
    above, below : Scale
        Factors of values, and of values times slopes, to the output's steps.
    """

    slopes: np.ndarray
    input_zero: int
    above: Scale
    below: Scale
    output_zero: int

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        if self.slopes.shape != data[-1:] or self.slopes.dtype != np.int16 \
                or np.abs(self.slopes).max(initial=0) > LARGEST_WEIGHT:
            raise GraphError(f"slopes are {self.slopes.dtype}{self.slopes.shape}, must be int16"
                             f"{data[-1:]} within ±{LARGEST_WEIGHT}")
        return data
