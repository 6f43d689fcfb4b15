"""From a camera's format to a network's input."""

# mypy: disable-error-code="valid-type"

from typing import Any

from sw.drp.functions import maximum, rounding_shift_up, where
from sw.drp.kernel import Kernel, kernel
from sw.drp.types import In, Out, Table, i8, i8x4, u8, u8x4

__all__ = ["bayer_to_rgb", "bilinear", "flip_sign", "letterbox", "nearest", "nearest_channels",
           "normalize", "nv12_input", "nv12_to_rgb", "resize_gray", "rgb_to_gray",
           "swap_red_blue", "yuyv_to_rgb"]


def _video(y: Any, u: Any, v: Any, offset: int = 0) -> tuple[Any, Any, Any]:
    """Red, green, blue of BT.601 video levels, 20 fraction bits, as OpenCV rounds; plus offset."""
    bright = maximum(y - 16, 0) * 1220542 + (1 << 19) + (offset << 20)
    u, v = u - 128, v - 128
    return ((bright + v * 1673527) >> 20, (bright - v * 852492 - u * 409993) >> 20,
            (bright + u * 2116026) >> 20)


@kernel
def yuyv_to_rgb(p: In(u8, channels=4)) -> Out(u8, channels=6, saturate=True):
    """Two pixels (Y0 U Y1 V) to (R G B R G B)."""
    first, u, second, v = p
    return _video(first, u, v) + _video(second, u, v)


@kernel
def nv12_to_rgb(y: In(u8), uv: In(u8, channels=2, step="free")) -> Out(u8, channels=3,
                                                                     saturate=True):
    """Brightness, and colours at half resolution (grid: step one half), to RGB."""
    u, v = uv
    return _video(y, u, v)


@kernel
def bayer_to_rgb(p: In(u8), red_row: int = 0, red_column: int = 0) -> Out(u8, channels=3):
    """A sensor's mosaic to RGB, bilinear, as OpenCV rounds; red is where row and column are of
    the given parity. Outside, the picture is continued by its last pixels (OpenCV copies the
    row or column inside the frame)."""
    across = (p[0, -1] + p[0, 1] + 1) >> 1
    along = (p[-1, 0] + p[1, 0] + 1) >> 1
    corners = (p[-1, -1] + p[-1, 1] + p[1, -1] + p[1, 1] + 2) >> 2
    cross = (p[0, -1] + p[0, 1] + p[-1, 0] + p[1, 0] + 2) >> 2
    row, column = (p.row & 1) == red_row, (p.column & 1) == red_column
    red = where(row, where(column, p[0, 0], across), where(column, along, corners))
    blue = where(row, where(column, corners, along), where(column, across, p[0, 0]))
    return red, where(row == column, cross, p[0, 0]), blue


@kernel
def swap_red_blue(p: In(u8, channels=3)) -> Out(u8, channels=3):
    """RGB to BGR, or back."""
    red, green, blue = p
    return blue, green, red


@kernel
def flip_sign(p: In(u8x4, "x")) -> Out(i8x4, "x"):
    """uint8 to int8 of the same quantization, or back: less 128."""
    return p ^ 128


@kernel
def rgb_to_gray(p: In(u8, channels=3)) -> Out(u8):
    """BT.601 brightness, as OpenCV rounds."""
    red, green, blue = p
    return rounding_shift_up(red * 9798 + green * 19235 + blue * 3735, 15)


@kernel
def normalize(p: In(u8, "x"), scale: int = 128, offset: int = -128) -> Out(i8, "x",
                                                                         saturate=True):
    """Bytes to a network's int8: round(p * scale / 128) + offset."""
    return rounding_shift_up(p * scale, 7) + offset


@kernel
def nearest(p: In(u8, step="free")) -> Out(u8):
    """The pixel at each position (grid: any ratio)."""
    return p


@kernel
def nearest_channels(x: In(i8x4, "yxc", step="free")) -> Out(i8x4, "yxc"):
    """All channels of the pixel at each position (grid: any ratio)."""
    return x


def _between(a: Any, b: Any, fraction: Any) -> Any:
    """a to b; fraction has 16 bits."""
    return a + rounding_shift_up((b - a) * fraction, 16)


def _bilinear(p: Any, channel: tuple[int, ...] = ()) -> Any:
    """Between the four pixels around each position, within 1 of the exact value."""
    fx, fy = p.fraction_x, p.fraction_y
    upper = _between(p[(0, 0, *channel)], p[(0, 1, *channel)], fx)
    lower = _between(p[(1, 0, *channel)], p[(1, 1, *channel)], fx)
    return _between(upper, lower, fy)


@kernel
def resize_gray(p: In(u8, step="free")) -> Out(u8):
    """Bilinear, any ratio, one channel."""
    return _bilinear(p)


@kernel
def nv12_input(y: In(u8, step="free"), uv: In(u8, channels=2, step="free")) -> Out(
        i8, channels=3, saturate=True):
    """A camera's NV12 frame to a network's int8 RGB input of any size, in one pass: brightness
    between pixels, colours of the nearest."""
    u, v = uv
    return _video(_bilinear(y), u, v, offset=-128)


@kernel
def letterbox(p: In(u8, channels=3, step="free"),
              inside: In(u8, channels=3, border="constant", fill=-1, step="free"),
              red: Table(256), green: Table(256), blue: Table(256),
              fill: int = 114) -> Out(i8, channels=3, saturate=True):
    """An RGB picture to a network's int8 input in one pass: crop or letterbox (grid: where the
    picture lies; outside it is ``fill``), bilinear resize at any ratio, and each channel's table
    to normalize and quantize. ``inside`` is the picture again, its grid half a pixel on."""
    outside = inside.channel(0) < 0
    return tuple(table[where(outside, fill, _bilinear(p, (channel,)))]
                 for channel, table in enumerate((red, green, blue)))


def bilinear(channels: int) -> Kernel:
    """A kernel: bilinear, any ratio, of a picture with channels."""

    @kernel
    def resize(p: In(u8, channels=channels, step="free")) -> Out(u8, channels=channels):
        """Bilinear, any ratio."""
        return tuple(_bilinear(p, (channel,)) for channel in range(channels))

    resize.name = f"resize_{channels}"
    return resize
