"""Picture inputs: read, resize, order, normalize, quantize."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sw.errors import InputError, UsageError
from sw.inputs.spec import TensorSpec

__all__ = ["COLORS", "LAYOUTS", "RESIZES", "Pictures"]

LAYOUTS = ("NHWC", "NCHW")
COLORS = ("RGB", "BGR", "gray")
RESIZES = ("stretch", "crop", "pad")


@dataclass(frozen=True)
class Pictures:
    """How pictures become a network's input.

    The picture is turned upright (EXIF), made RGB or gray, and resized by Pillow's bilinear filter
    (which averages when it shrinks). Then real = (pixel - mean) / std, quantized with the input's
    scale and zero point. Without mean and std the pixel values 0 to 255 fill an 8-bit input's
    whole range (int8: pixel - 128), whatever its scale.

    Parameters
    ----------
    mean, std : tuple of float, optional
        In pixel values (0 to 255), one for all channels or one for each.
    layout : str, optional
        One of LAYOUTS; by default where the shape has 1 or 3 channels, NHWC if both fit.
    color : str, optional
        One of COLORS; by default gray for one channel and RGB for three.
    resize : str
        ``stretch`` to the input's height and width, ``crop`` the middle after filling it, or
        ``pad`` with black after fitting into it.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str | None = None
    color: str | None = None
    resize: str = "stretch"

    def read(self, path: Path, spec: TensorSpec) -> np.ndarray:
        """One sample from a picture file.

        Returns
        -------
        array of the input's shape and type

        Raises
        ------
        InputError
            If the file is no picture or the input takes none.
        """
        return self.convert(self.open(path), spec, str(path))

    def open(self, path: Path) -> Image.Image:
        """A picture file, upright.

        Raises
        ------
        InputError
            If the file is no picture of 8 bits a channel.
        """
        try:
            with Image.open(path) as opened:
                picture = ImageOps.exif_transpose(opened)
                picture.load()
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise InputError(f"{path}: not a picture that can be read; accepted are pictures and "
                             ".npy") from error
        except (OSError, SyntaxError, ValueError) as error:
            reason = getattr(error, "strerror", None) or f"damaged picture ({error})"
            raise InputError(f"{path}: {reason}") from error
        if picture.mode.startswith(("I", "F")):  # Pillow would make all above 255 white
            raise InputError(f"{path}: a picture of more than 8 bits a pixel (mode {picture.mode})"
                             "; accepted are 8 bits a channel, or .npy")
        return picture

    def size(self, spec: TensorSpec, origin: str) -> tuple[int, int]:
        """(height, width) of the pictures that an input takes.

        Raises
        ------
        InputError
            If it takes none; ``origin`` names the picture.
        """
        _, height, width, _ = self._geometry(spec, origin)
        return height, width

    def convert(self, picture: Image.Image, spec: TensorSpec, origin: str) -> np.ndarray:
        """One sample from a Pillow picture; ``origin`` names it in messages."""
        layout, height, width, channels = self._geometry(spec, origin)
        color = self.color or ("gray" if channels == 1 else "RGB")
        if (color == "gray") != (channels == 1):
            raise InputError(f"{origin}: color {color} does not fit the {channels} channels of "
                             f"input {spec}")
        picture = picture.convert("L" if color == "gray" else "RGB")
        pixels = np.asarray(self._resized(picture, height, width)).reshape(height, width, channels)
        if color == "BGR":
            pixels = pixels[:, :, ::-1]
        values = self._quantized(pixels, spec)
        if layout == "NCHW":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values).reshape(spec.shape)

    def _geometry(self, spec: TensorSpec, origin: str) -> tuple[str, int, int, int]:
        """(layout, height, width, channels) of the input."""
        shape = spec.shape[1:] if len(spec.shape) == 4 and spec.shape[0] == 1 else spec.shape
        if len(shape) == 3:
            sizes = {"NHWC": shape, "NCHW": (shape[1], shape[2], shape[0])}
            for layout in (self.layout,) if self.layout else LAYOUTS:
                height, width, channels = sizes[layout]
                if channels in (1, 3):
                    return layout, height, width, channels
        wanted = f" in layout {self.layout}" if self.layout else ""
        raise InputError(f"{origin}: input {spec} takes no pictures{wanted}, these need a batch "
                         f"of 1 and 1 or 3 channels; use .npy of {spec.dtype}")

    def _resized(self, picture: Image.Image, height: int, width: int) -> Image.Image:
        size, method = (width, height), Image.Resampling.BILINEAR
        if self.resize == "crop":
            return ImageOps.fit(picture, size, method)
        if self.resize == "pad":
            return ImageOps.pad(picture, size, method)
        return picture.resize(size, method)

    def _quantized(self, pixels: np.ndarray, spec: TensorSpec) -> np.ndarray:
        if self.mean is None and self.std is None and spec.dtype in (np.int8, np.uint8):
            return (pixels.astype(np.int16) + np.iinfo(spec.dtype).min).astype(spec.dtype)
        mean, std = self.mean or (0.0,), self.std or (1.0,)
        for option, values in (("--mean", mean), ("--std", std)):
            if len(values) not in (1, pixels.shape[2]):
                raise UsageError(f"{option} has {len(values)} values, accepted is 1 or one for "
                                 f"each of the {pixels.shape[2]} channels")
        if 0.0 in std:
            raise UsageError("--std is 0, accepted is anything else")
        real = ((pixels.astype(np.float32) - np.asarray(mean, np.float32))
                / np.asarray(std, np.float32))
        return spec.quantize(real)
