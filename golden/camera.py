"""What a camera gives, as a network's input."""

from dataclasses import dataclass

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["CameraInput"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraInput(Attributes):
    """An NV12 frame, stretched to a network's int8 RGB input: pixels less 128.

    The frame is uint8 (3 h / 2, w): h rows of brightness, then h / 2 rows of colours, (u, v) in
    turn. Brightness is taken between pixels, in 16.16 fixed point with pixels' centres meeting and
    the frame continued by its edge; the colour is the nearest one's. BT.601, video levels.

    Parameters
    ----------
    height, width : int
        Of the result.
    """

    height: int
    width: int

    def shape(self, *inputs: Shape) -> Shape:
        """(1, height, width, 3)."""
        (frame,) = inputs
        if len(frame) != 2 or frame[0] % 3 or frame[0] < 3 or frame[1] % 2 or frame[1] < 2:
            raise GraphError(f"a frame has shape {frame}, must be (3 h / 2, w) of an even h and w")
        return (1, self.height, self.width, 3)

    def types(self) -> tuple[str, str]:
        """uint8 to int8."""
        return "uint8", "int8"
