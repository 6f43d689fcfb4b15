"""The compiler's one operator: a window walked over tensors by the AI-MAC.

Convolution, depthwise and grouped convolution, fully connected, pooling, addition, padding,
concatenation and channel permutation are all lowered to it.
"""

from dataclasses import dataclass, field

import numpy as np

from golden.spec.isa import ArrayMode, PostMode

__all__ = ["Gather", "HostOp", "LayerTensor", "Post", "Taps", "WindowOp"]


@dataclass(frozen=True)
class Gather:
    """How words are gathered from an input of ``width`` x ``channels``: pixels per step, padding
    pixels on the left."""

    width: int
    channels: int
    stride: int
    pad_left: int


@dataclass
class LayerTensor:
    """A feature map as the chip sees it: height x width pixels of channels int8.

    Parameters
    ----------
    name : str
    height, width, channels : int
    scale, zero_point : float, int
        Its quantization.
    bytes_in_dram : bool
        True if DRAM must hold it as the model's own bytes (NHWC): network inputs and outputs,
        whatever a host operator touches, and both sides of a reshape that moves channels.
    alias : str or None
        The tensor whose DRAM bytes these are, for such a reshape.
    gather : Gather or None
        Set for the gathered form of a thin network input (``alias`` names the input): one word
        per output column, holding a kernel row of that column's window.
    """

    name: str
    height: int
    width: int
    channels: int
    scale: float
    zero_point: int
    bytes_in_dram: bool = False
    alias: str | None = None
    gather: Gather | None = None

    @property
    def bytes(self) -> int:
        """Size of the NHWC form."""
        return self.height * self.width * self.channels

    def groups(self, group: int) -> int:
        """Words per pixel."""
        return -(-self.channels // group)


@dataclass
class Taps:
    """The weights of one lane block, before packing.

    Parameters
    ----------
    where : (E, 4) int
        Source number, channel group, dy, dx of each entry.
    weights : (E, M, L) int8
    present : (E, M, L) bool
        Weights that exist in the model (structural holes, such as the off-diagonal of a depthwise
        convolution, are False): what ``--dense`` keeps even when it is zero.
    """

    where: np.ndarray
    weights: np.ndarray
    present: np.ndarray


@dataclass
class Post:
    """Post-processing of a WindowOp; arrays have one value per output channel.

    ``bias`` already holds the input zero point's share. ``table`` is the 512-entry table of
    PostMode.TABLE and PostMode.ADD.
    """

    bias: np.ndarray
    multiplier: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    zero: int
    least: int
    most: int
    mode: PostMode = PostMode.PLAIN
    table: np.ndarray | None = None
    add_multiplier: int = 0
    add_pre: int = 0
    add_post: int = 0
    add_zero: int = 0
    add_least: int = -128
    add_most: int = 127


@dataclass
class WindowOp:
    """One pass of the array over its sources.

    The output pixel (y, x) of the sub-rectangle at (out_y, out_x) of ``output`` reads input rows
    y * stride_y - pad_top + dy and columns x * stride_x - pad_left + dx.

    Parameters
    ----------
    macs : int
        Multiplications of the model's dense operator.
    """

    name: str
    operator: str
    sources: list[str]
    output: str
    height: int
    width: int
    stride_y: int
    stride_x: int
    pad_top: int
    pad_left: int
    blocks: list[Taps]
    post: Post
    macs: int
    array_mode: ArrayMode = ArrayMode.SUM
    pad_value: int = 0
    residual: str | None = None
    out_y: int = 0
    out_x: int = 0
    layer: int = 0
    kernel_height: int = field(init=False)
    kernel_width: int = field(init=False)

    def __post_init__(self) -> None:
        self.kernel_height = 1 + max((int(taps.where[:, 2].max(initial=0))
                                      for taps in self.blocks), default=0)
        self.kernel_width = 1 + max((int(taps.where[:, 3].max(initial=0))
                                     for taps in self.blocks), default=0)

    @property
    def reads(self) -> list[str]:
        """All tensors read."""
        return self.sources + ([self.residual] if self.residual else [])


@dataclass
class HostOp:
    """An operator left to the host, between chip steps; ``why`` says why."""

    name: str
    operator: str
    sources: list[str]
    output: str
    attrs: dict[str, object]
    why: str
    layer: int = 0

    @property
    def reads(self) -> list[str]:
        """All tensors read."""
        return self.sources
