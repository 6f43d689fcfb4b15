"""Transposed convolution."""

from dataclasses import dataclass

from golden.attributes import GraphError, Shape, Weighted

__all__ = ["TransposedConv2D"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TransposedConv2D(Weighted):
    """Each input pixel adds its value times the kernel to the output, ``stride`` pixels apart.

    Output pixel y gets input i times kernel row y + top - i stride, where there is one; columns
    alike. The kernel is (O, y, x, I / groups).

    Parameters
    ----------
    stride : tuple of int
        (y, x).
    pads : tuple of int
        Pixels cut off at (top, bottom, left, right); of bottom and right, below 0 they are added.
    groups : int
    """

    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y, x, O)."""
        (data,) = inputs
        outputs, *window, channels = self.kernel.shape
        if len(data) != 4 or data[0] != 1:
            raise GraphError(f"input {data} must be (1, y, x, channels)")
        if channels * self.groups != data[3] or outputs % self.groups:
            raise GraphError(f"kernel of {outputs}x{channels} channels in {self.groups} groups "
                             f"does not fit {data[3]} input channels")
        top, bottom, left, right = self.pads
        if min(self.stride) < 1 or min(top, left) < 0:
            raise GraphError(f"stride {self.stride} must be at least 1, pads {self.pads} at the "
                             "top and on the left at least 0")
        self.check_channels(outputs)
        height, width = ((size - 1) * step + extent - sum(cut) for size, step, extent, cut in zip(
            data[1:3], self.stride, window, ((top, bottom), (left, right)), strict=True))
        if min(height, width) < 1:
            raise GraphError(f"pads {self.pads} leave {height} x {width} pixels")
        return (1, height, width, outputs)
