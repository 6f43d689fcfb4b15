"""Geometry that convolutions and pools share."""

from dataclasses import dataclass

from sw.frontend.onnx.view import View

__all__ = ["PADDINGS", "Windows", "windows"]

PADDINGS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True)
class Windows:
    """Windows over a feature map, (y, x) each.

    Members
    -------
    window, stride, dilation : tuple of int
    pads : tuple of int
        (top, bottom, left, right), as far as windows reach.
    size : tuple of int
        Of the output.
    beyond : bool
        Windows reach beyond the padding that the file states (``ceil_mode``).
    """

    window: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    size: tuple[int, int]
    beyond: bool


def windows(view: View, shape: tuple[int, ...], window: tuple[int, ...]) -> Windows:
    """Windows of a node over its input of ONNX's ``shape``."""
    if len(shape) != 4:
        raise view.fail(f"input has shape {list(shape)}; accepted are feature maps of 4 axes "
                        "(batch, channels, rows, columns)")
    if shape[0] != 1:
        raise view.fail(f"input has batch {shape[0]}, must be 1")
    padding = view.attribute("auto_pad", "NOTSET")
    if padding not in PADDINGS:
        raise view.fail(f"auto_pad {padding}; accepted are {', '.join(PADDINGS)}")
    stated = view.attribute("kernel_shape", window)
    stride, dilation = view.attribute("strides", (1, 1)), view.attribute("dilations", (1, 1))
    given = view.attribute("pads", (0, 0, 0, 0))
    lengths = [len(values) for values in (window, stated, stride, dilation, given)]
    if lengths != [2, 2, 2, 2, 4] or stated != window:
        raise view.fail(f"kernel_shape {stated} (weights {window}), strides {stride}, dilations "
                        f"{dilation}, pads {given}; accepted are 2, 2, 2 and 4 numbers")
    if min(*window, *stride, *dilation) < 1 or min(given) < 0:
        raise view.fail(f"kernel_shape {window}, strides {stride} and dilations {dilation} must "
                        f"be at least 1, pads {given} at least 0")
    up = bool(view.attribute("ceil_mode", 0))
    pads, size, beyond = [], [], False
    for axis in range(2):
        extent = (window[axis] - 1) * dilation[axis] + 1
        length, step = shape[2 + axis], stride[axis]
        before, after = given[axis], given[2 + axis]
        if padding.startswith("SAME"):
            total = max((-(-length // step) - 1) * step + extent - length, 0)
            before = total // 2 if padding == "SAME_UPPER" else total - total // 2
            after = total - before
        elif padding == "VALID":
            before = after = 0
        room = length + before + after - extent
        if room < 0:
            raise view.fail(f"window of {extent} does not fit into {length} pixels with {before} "
                            f"and {after} of padding")
        count = (-(-room // step) if up else room // step) + 1
        if up and (count - 1) * step >= length + before:  # a window of padding only
            count -= 1
        reach = max((count - 1) * step + extent - length - before, 0)
        beyond |= reach > after
        size.append(count)
        pads += [before, reach]
    return Windows((window[0], window[1]), (stride[0], stride[1]), (dilation[0], dilation[1]),
                   (pads[0], pads[1], pads[2], pads[3]), (size[0], size[1]), beyond)
