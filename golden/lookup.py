"""Any function of one tensor, value by value."""

from dataclasses import dataclass

import numpy as np

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["Lookup"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup(Attributes):
    """``table[x + 128]``: activations and whatever else takes values one by one.

    Parameters
    ----------
    table : ndarray of int8, shape (256,) or (512,)
        Outputs for inputs -128 to 127 of int8, or -256 to 255 of int16.
    """

    table: np.ndarray

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        if self.table.shape not in ((256,), (512,)) or self.table.dtype != np.int8:
            raise GraphError(f"table is {self.table.dtype}{self.table.shape}, must be int8(256,) "
                             "or int8(512,)")
        return data

    @property
    def wide(self) -> bool:
        """Whether the index has 9 bits."""
        return len(self.table) > 256

    def types(self) -> tuple[str, str]:
        """The index's type, and int8."""
        return "int16" if self.wide else "int8", "int8"
