"""Bilinear interpolation."""

from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["ResizeBilinear"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResizeBilinear(Attributes):
    """Bilinear interpolation to ``size`` (y, x), positions in steps of 1/1024 pixel.

    Parameters
    ----------
    size : tuple of int
    corners : bool
        The outermost pixels' centers stay where they are; with a single pixel out, no effect.
    centers : bool
        Pixels are squares: the outermost edges stay where they are.
    """

    size: tuple[int, int]
    corners: bool = False
    centers: bool = False

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y, x, C)."""
        (data,) = inputs
        if len(data) != 4 or min(self.size) < 1:
            raise GraphError(f"input {data} must be (1, y, x, C), size {self.size} at least 1")
        return (data[0], *self.size, data[3])
