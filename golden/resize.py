"""Linear interpolation."""

from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Scale, Shape

__all__ = ["ResizeLinear"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResizeLinear(Attributes):
    """Values between pixels: requantize(sum of weight * (x - input_zero)) + output_zero, clamped.

    Output (y, x) lies at ``rows[y]`` and ``columns[x]``, in steps of which ``parts`` are one pixel
    of the input. A pixel's weight is the area that lies between output and the pixel across, in
    steps; the division by all steps of a pixel is part of ``scale``.

    Parameters
    ----------
    rows, columns : tuple of int
        From 0, the center of the first pixel, to that of the last one.
    parts : tuple of int
        (y, x).
    input_zero, output_zero : int
    scale : Scale
    least, most : int
        Clamp of the output, within int8.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    parts: tuple[int, int]
    input_zero: int
    scale: Scale
    output_zero: int
    least: int = -128
    most: int = 127

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y, x, C)."""
        (data,) = inputs
        if len(data) != 4 or min(self.parts) < 1:
            raise GraphError(f"input {data} must be (1, y, x, C), parts {self.parts} at least 1")
        for what, places, parts, size in zip(("rows", "columns"), (self.rows, self.columns),
                                             self.parts, data[1:3], strict=True):
            if not places or min(places) < 0 or max(places) > (size - 1) * parts:
                raise GraphError(f"{what} {places} must be in 0 to {(size - 1) * parts}")
        return (data[0], len(self.rows), len(self.columns), data[3])
