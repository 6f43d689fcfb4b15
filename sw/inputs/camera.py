"""Pictures as a camera gives them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sw.errors import UsageError

__all__ = ["FORMATS", "Camera"]

FORMATS = ("nv12",)


@dataclass(frozen=True)
class Camera:
    """A camera's frames.

    Parameters
    ----------
    height, width : int
        Even, from 2 on.
    """

    height: int = 480
    width: int = 640

    @classmethod
    def parse(cls, text: str) -> "Camera":
        """From ``nv12`` or ``nv12:WIDTHxHEIGHT``.

        Raises
        ------
        UsageError
        """
        name, colon, size = text.partition(":")
        if name not in FORMATS:
            raise UsageError(f"--camera {text}: no format {name!r}; formats are "
                             f"{', '.join(FORMATS)}")
        if not colon:
            return cls()
        try:
            width, height = (int(part) for part in size.split("x"))
        except ValueError:
            width = height = 0
        if min(width, height) < 2 or width % 2 or height % 2 or max(width, height) > 4096:
            raise UsageError(f"--camera {text}: accepted is {name}:WIDTHxHEIGHT, both even and 2 "
                             "to 4096")
        return cls(height, width)

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame."""
        return self.height * 3 // 2, self.width

    def frame(self, picture: Image.Image) -> np.ndarray:
        """NV12 of a picture stretched to the camera's size: uint8 (3 h / 2, w).

        BT.601, video levels (16 to 235, 16 to 240); a colour is the mean of four pixels.
        """
        size = self.width, self.height
        whole = picture.convert("RGB").resize(size, Image.Resampling.BILINEAR).convert("YCbCr")
        levels = np.asarray(whole, np.float64)
        bright = 16 + levels[..., 0] * 219 / 255
        colours = 128 + (levels[..., 1:] - 128) * 224 / 255
        colours = colours.reshape(self.height // 2, 2, self.width // 2, 2, 2).mean(axis=(1, 3))
        return np.concatenate([np.rint(bright), np.rint(colours).reshape(
            self.height // 2, self.width)]).astype(np.uint8)
