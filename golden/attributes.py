"""What each operator of a graph is: one frozen attributes class per operator.

Every number is already an integer as the operator uses it: scales are (multiplier, pre, post) of
``golden.spec.numerics.requantize``, zero points are part of the operator, padding is explicit.
Attributes therefore say everything about an operator but its data.
"""

import math
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Add", "Attributes", "AveragePool", "Clamp", "Concat", "Conv2D", "DepthwiseConv2D",
    "FullyConnected", "GraphError", "LARGEST_WEIGHT", "MaxPool", "Mean", "Pad", "Quantize",
    "Reshape", "Scale", "Shape", "Softmax", "Weighted", "Window",
]

LARGEST_WEIGHT = 255  # magnitude of a uint8 less its zero point
Shape = tuple[int, ...]
Scale = tuple[int, int, int]  # multiplier, pre, post of golden.spec.numerics.requantize


class GraphError(ValueError):
    """A graph that contradicts itself; the text names the node or tensor."""


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise GraphError(text)


@dataclass(frozen=True, kw_only=True, eq=False)
class Attributes:
    """Base of all attributes; ``shape`` tells the output's shape for given input shapes."""

    def shape(self, *inputs: Shape) -> Shape:
        """Output shape.

        Raises
        ------
        GraphError
            If the inputs don't fit this operator.
        """
        raise NotImplementedError

    def types(self) -> tuple[str, str]:
        """(type of every input, type of the output)."""
        return "int8", "int8"


@dataclass(frozen=True, kw_only=True, eq=False)
class Window(Attributes):
    """Base of operators that slide a window over an NHWC tensor.

    Parameters
    ----------
    window, stride, dilation : tuple of int
        (y, x); dilation is the step between window positions, in pixels.
    pads : tuple of int
        Pixels added at (top, bottom, left, right).
    """

    window: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    def positions(self, inputs: Shape) -> Shape:
        """(N, output height, output width)."""
        _require(len(inputs) == 4, f"input has shape {inputs}, must be (1, y, x, channels)")
        _require(inputs[0] == 1, f"input has batch {inputs[0]}, must be 1")
        _require(min(self.window + self.stride + self.dilation) >= 1 and min(self.pads) >= 0,
                 f"window {self.window}, stride {self.stride}, dilation {self.dilation} must be at "
                 f"least 1 and pads {self.pads} at least 0")
        top, bottom, left, right = self.pads
        height = self._count(inputs[1] + top + bottom, 0)
        return (inputs[0], height, self._count(inputs[2] + left + right, 1))

    def _count(self, size: int, axis: int) -> int:
        extent = (self.window[axis] - 1) * self.dilation[axis] + 1
        _require(size >= extent, f"window of {extent} does not fit into {size} padded pixels")
        return (size - extent) // self.stride[axis] + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted(Attributes):
    """Base of operators with weights: requantize(sum + bias, per channel) + zero, clamped.

    Parameters
    ----------
    kernel : ndarray of int8 or int16
        Weights, less their zero point if there is one, so that 0 means zero; within
        ±``LARGEST_WEIGHT``.
    bias, multiplier, pre, post : ndarray of int32, shape (output channels,)
        Added to the sum of products; ``golden.spec.numerics.requantize``'s factors.
    input_zero : int
        Zero point of the input, taken off every input value (and read in the padding).
    output_zero : int
        Zero point of the output, added after requantizing.
    least, most : int
        Clamp of the output, within int8; within -256 to 255 for int16.
    output_type : str
        "int8", or "int16" for the index of a `Lookup` of 512 entries.
    """

    kernel: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    input_zero: int
    output_zero: int
    least: int = -128
    most: int = 127
    output_type: str = "int8"

    def types(self) -> tuple[str, str]:
        """int8, and as given."""
        return "int8", self.output_type

    def check_channels(self, channels: int) -> None:
        """One bias and one scale per output channel."""
        for name in ("bias", "multiplier", "pre", "post"):
            values = getattr(self, name)
            _require(values.shape == (channels,) and values.dtype == np.int32,
                     f"{name} is {values.dtype}{values.shape}, must be int32({channels},)")


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2D(Weighted, Window):
    """Convolution; kernel (O, y, x, I / groups)."""

    groups: int = 1

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y, x, O)."""
        (data,) = inputs
        outputs, *window, channels = self.kernel.shape
        position = self.positions(data)
        _require(tuple(window) == self.window, f"window {self.window} differs from the kernel's")
        _require(channels * self.groups == data[3] and outputs % self.groups == 0,
                 f"kernel of {outputs}x{channels} channels in {self.groups} groups does not fit "
                 f"{data[3]} input channels")
        self.check_channels(outputs)
        return (*position, outputs)


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthwiseConv2D(Weighted, Window):
    """Convolution of each channel on its own; kernel (1, y, x, C * channel_multiplier).

    Output channel ``c * channel_multiplier + m`` reads input channel c.
    """

    channel_multiplier: int = 1

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y, x, C * channel_multiplier)."""
        (data,) = inputs
        one, *window, channels = self.kernel.shape
        position = self.positions(data)
        _require(one == 1 and tuple(window) == self.window,
                 f"kernel {self.kernel.shape} must be (1, {self.window[0]}, {self.window[1]}, C)")
        _require(channels == data[3] * self.channel_multiplier,
                 f"kernel of {channels} channels, channel multiplier {self.channel_multiplier}, "
                 f"does not fit {data[3]} input channels")
        self.check_channels(channels)
        return (*position, channels)


@dataclass(frozen=True, kw_only=True, eq=False)
class FullyConnected(Weighted):
    """Matrix product; kernel (O, I). The input is taken as rows of I values.

    Parameters
    ----------
    keep_dims : bool
        Output has the input's leading dimensions; otherwise it is (rows, O).
    """

    keep_dims: bool = False

    def shape(self, *inputs: Shape) -> Shape:
        """(rows, O), or (..., O)."""
        (data,) = inputs
        outputs, depth = self.kernel.shape
        self.check_channels(outputs)
        _require(math.prod(data) % depth == 0, f"input {data} is not rows of {depth} values")
        if self.keep_dims:
            _require(data[-1] == depth, f"input {data} must end in {depth}")
            return (*data[:-1], outputs)
        return (math.prod(data) // depth, outputs)


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Attributes):
    """Sum, or difference, of two tensors of different scales, in TensorFlow Lite's form.

    Both inputs, less their zero points, shifted left by ``left_shift``, are requantized to a
    common scale; the sum is requantized to the output's.

    Parameters
    ----------
    input_zeros : tuple of int
        Zero points of the two inputs.
    input_scales : tuple of Scale
        Their factors to the common scale, at most 1/2.
    output_scale : Scale
        Factor from there to the output; below 1.
    minus : bool
        The second tensor is taken off.
    """

    left_shift: int = 20
    minus: bool = False
    input_zeros: tuple[int, int]
    input_scales: tuple[Scale, Scale]
    output_scale: Scale
    output_zero: int
    least: int = -128
    most: int = 127

    def shape(self, *inputs: Shape) -> Shape:
        """The inputs' common shape."""
        first, second = inputs
        _require(first == second, f"shapes {first} and {second} differ; broadcasting is not "
                                  "supported")
        return first


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(Window):
    """Largest value of each window, padding left out, clamped."""

    least: int = -128
    most: int = 127

    def shape(self, *inputs: Shape) -> Shape:
        """(1, y, x, C)."""
        (data,) = inputs
        pairs = ((self.pads[0], 0), (self.pads[1], 0), (self.pads[2], 1), (self.pads[3], 1))
        _require(all(pad < self.window[axis] for pad, axis in pairs),
                 f"pads {self.pads} leave windows of {self.window} empty")
        return (*self.positions(data), data[3])


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePool(MaxPool):
    """Mean of each window, padding left out, halves rounded away from ``origin``, clamped.

    Parameters
    ----------
    origin : int
        0, or -128 for values that are uint8 less 128.
    """

    origin: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Mean(Attributes):
    """Mean over axes: requantize(sum of (x - input_zero)) + output_zero, clamped to int8.

    The division by the number of values is part of ``scale``.
    """

    axes: tuple[int, ...]
    keep_dims: bool = False
    input_zero: int
    scale: Scale
    output_zero: int

    def shape(self, *inputs: Shape) -> Shape:
        """Input shape with the axes 1 or gone."""
        (data,) = inputs
        _require(bool(self.axes) and all(0 < axis < len(data) for axis in self.axes),
                 f"axes {self.axes} must be in 1 to {len(data) - 1}")
        sizes = [1 if axis in self.axes else size for axis, size in enumerate(data)]
        return tuple(size for axis, size in enumerate(sizes)
                     if self.keep_dims or axis not in self.axes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Clamp(Attributes):
    """requantize(x - input_zero) + output_zero, clamped: ReLU and its kin, requantization."""

    input_zero: int
    scale: Scale
    output_zero: int
    least: int = -128
    most: int = 127

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        return data


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(Attributes):
    """The same bytes in another shape."""

    to: Shape

    def shape(self, *inputs: Shape) -> Shape:
        """``to``."""
        (data,) = inputs
        _require(math.prod(data) == math.prod(self.to),
                 f"{data} and {self.to} hold different numbers of values")
        return self.to


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Attributes):
    """Softmax over the last axis, output scale 1/256 and zero point -128.

    Parameters
    ----------
    multiplier, pre : int
        Factor from a difference of inputs to its exponent with 26 fraction bits.
    least_difference : int
        Differences below give 0.
    """

    multiplier: int
    pre: int
    least_difference: int

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        # Sums of exponentials have 12 integer bits.
        _require(1 <= len(data) and data[-1] < 4096,
                 f"input {data} must end in at most 4095 values")
        return data


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantize(Attributes):
    """Requantization between 8-bit types: requantize(x - input_zero) + output_zero, limited.

    Parameters
    ----------
    input_type, output_type : str
        "int8" or "uint8".
    input_zero, output_zero : int
        Zero points, each within its type.
    scale : Scale
        Factor from the input's steps to the output's.
    """

    input_type: str
    output_type: str
    input_zero: int
    scale: Scale
    output_zero: int

    def shape(self, *inputs: Shape) -> Shape:
        """The input's."""
        (data,) = inputs
        return data

    def types(self) -> tuple[str, str]:
        """As given."""
        return self.input_type, self.output_type


@dataclass(frozen=True, kw_only=True, eq=False)
class Pad(Attributes):
    """``value`` added around the tensor; ``pads`` is (before, after) per axis."""

    pads: tuple[tuple[int, int], ...]
    value: int

    def shape(self, *inputs: Shape) -> Shape:
        """Sizes with their pads."""
        (data,) = inputs
        _require(len(self.pads) == len(data) and all(min(pair) >= 0 for pair in self.pads),
                 f"pads {self.pads} must be {len(data)} pairs of numbers of at least 0")
        _require(self.pads[0] == (0, 0), f"pads {self.pads} enlarge the batch")
        return tuple(size + sum(pair) for size, pair in zip(data, self.pads, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Attributes):
    """Tensors of one quantization, one after the other along ``axis``."""

    axis: int

    def shape(self, *inputs: Shape) -> Shape:
        """Sizes as the inputs', that of the axis their sum."""
        _require(0 < self.axis < len(inputs[0]), f"axis {self.axis} must be in 1 to "
                                                 f"{len(inputs[0]) - 1}")
        rest = {shape[:self.axis] + shape[self.axis + 1:] for shape in inputs}
        _require(len(rest) == 1, f"shapes {inputs} differ beyond axis {self.axis}")
        total = sum(shape[self.axis] for shape in inputs)
        return (*inputs[0][:self.axis], total, *inputs[0][self.axis + 1:])
