"""A camera's frame to a network's input."""

from golden.camera import CameraInput
from sw.drp.domain import Grid
from sw.drp.library import LIBRARY
from sw.drp.operators.site import Site, View
from sw.drp.streamed import Streamed

__all__ = ["camera_input"]

_SHARES = (4,)  # of the scratchpad: the network needs the rest at the same time


def camera_input(site: Site, attrs: CameraInput) -> Streamed:
    """Brightness between pixels, colours of the nearest, in one kernel."""
    rows, columns = site.shape[0] * 2 // 3, site.shape[1]
    wanted = attrs.height, attrs.width
    bright = View(site.source, (rows, columns), "uint8")
    colours = View(site.source, (rows // 2, columns // 2, 2), "uint8", rows * columns)
    return site.call(
        LIBRARY["nv12_input"], (bright, colours), sizes={"y": attrs.height, "x": attrs.width},
        grids={"y": Grid.resize((rows, columns), wanted),
               "uv": Grid.resize((rows // 2, columns // 2), wanted)}, shares=_SHARES)
