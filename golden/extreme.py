"""Largest values along axes, and where they are."""

from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["ArgMax", "ReduceMax"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReduceMax(Attributes):
    """Largest value over axes."""

    axes: tuple[int, ...]
    keep_dims: bool = False

    def shape(self, *inputs: Shape) -> Shape:
        """Input shape with the axes 1 or gone."""
        (data,) = inputs
        if not self.axes or not all(0 < axis < len(data) for axis in self.axes):
            raise GraphError(f"axes {self.axes} must be in 1 to {len(data) - 1}")
        sizes = [1 if axis in self.axes else size for axis, size in enumerate(data)]
        return tuple(size for axis, size in enumerate(sizes)
                     if self.keep_dims or axis not in self.axes)


@dataclass(frozen=True, kw_only=True, eq=False)
class ArgMax(Attributes):
    """Index of the largest value along an axis, which goes; the first one of equals.

    Parameters
    ----------
    axis : int
    output_type : str
        "int32" or "int64".
    """

    axis: int
    output_type: str

    def shape(self, *inputs: Shape) -> Shape:
        """Input shape without the axis."""
        (data,) = inputs
        if not 0 < self.axis < len(data):
            raise GraphError(f"axis {self.axis} must be in 1 to {len(data) - 1}")
        return data[:self.axis] + data[self.axis + 1:]

    def types(self) -> tuple[str, str]:
        """int8, and the indices' type."""
        return "int8", self.output_type
