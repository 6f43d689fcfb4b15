"""Any function of one int8 tensor, value by value."""

from dataclasses import dataclass

import numpy as np

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["Lookup"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup(Attributes):
    """``table[x + 128]``: activations and whatever else takes values one by one.

    Parameters
    ----------
    table : ndarray of int8, shape (256,)
        Outputs for inputs -128 to 127.
    """

    table: np.ndarray

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        if self.table.shape != (256,) or self.table.dtype != np.int8:
            raise GraphError(f"table is {self.table.dtype}{self.table.shape}, must be int8(256,)")
        return data
