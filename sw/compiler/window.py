"""The compiler's one operator: a window walked over tensors by the AI-MAC.

Convolution, depthwise and grouped convolution, fully connected, pooling, addition, padding,
concatenation and channel permutation are all lowered to it.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from golden.spec.isa import ArrayMode, PostMode
from sw.drp.recipe import Recipe
from sw.drp.streamed import Streamed

__all__ = ["Gate", "Gather", "HostOp", "KernelOp", "LayerTensor", "Operator", "Post", "Taps",
           "WindowOp"]


@dataclass(frozen=True)
class Gather:
    """How words are gathered from an input of ``width`` x ``channels``: pixels per step, padding
    pixels on the left."""

    width: int
    channels: int
    stride: int
    pad_left: int


@dataclass(frozen=True)
class Gate:
    """Weights that are computed, one for each channel (`sw.compiler.gate`).

    Parameters
    ----------
    tensor : str
        Their values, a feature map of one pixel that is stored into the weight stream.
    beside : tuple of int
        Weights of each channel beside its value.
    beyond : tuple of int
        (dy, dx) of an entry that reads outside of the feature map.
    value : int
        What it reads there.
    again : int
        How often the values are weights of that.
    """

    tensor: str
    beside: tuple[int, ...]
    beyond: tuple[int, int]
    value: int
    again: int


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
        Set for the gathered form of a thin feature map in DRAM (``alias`` names it): one word
        per output column, holding a kernel row of that column's window.
    item : int
        Bytes of a value: 4 for real numbers, which only the host touches.
    values : bool
        It is stored into the weight stream of an operator with a gate.
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
    item: int = 1
    values: bool = False

    @property
    def bytes(self) -> int:
        """Size of the NHWC form."""
        return self.height * self.width * self.channels * self.item

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
    weights : (E, M, L) int8 or int16
        Within `golden.attributes.LARGEST_WEIGHT`.
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

    ``bias`` already holds the input zero point's share. ``table`` has the entries that are loaded:
    in PostMode.TABLE 256, those of q from 0 to 255, or 512; 512 in PostMode.ADD.
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

    def part(self, channels: slice) -> "Post":
        """The same for some of the output channels."""
        return dataclasses.replace(
            self, bias=self.bias[channels], multiplier=self.multiplier[channels],
            pre=self.pre[channels], post=self.post[channels])

    def repeated(self, times: int) -> "Post":
        """The same for as many pixels side by side."""
        return dataclasses.replace(
            self, bias=np.tile(self.bias, times), multiplier=np.tile(self.multiplier, times),
            pre=np.tile(self.pre, times), post=np.tile(self.post, times))


@dataclass
class WindowOp:
    """One pass of the array over its sources.

    The output pixel (y, x) of the sub-rectangle at (out_y, out_x) of ``output`` reads input rows
    y * stride_y - pad_top + dy and columns x * stride_x - pad_left + dx.

    Parameters
    ----------
    macs : int
        Multiplications of the model's dense operator.
    first_block : int
        Channel group of ``output`` that the first lane block writes.
    gate : Gate or None
        Set where weights are computed; ``blocks`` then only say what is read.
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
    first_block: int = 0
    layer: int = 0
    gate: Gate | None = None
    kernel_height: int = field(init=False)
    kernel_width: int = field(init=False)
    source_groups: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        where = np.concatenate([taps.where for taps in self.blocks])
        self.kernel_height = 1 + int(where[:, 2].max(initial=0))
        self.kernel_width = 1 + int(where[:, 3].max(initial=0))
        self.source_groups = [_span(self.blocks, n) for n in range(len(self.sources))]

    @property
    def reads(self) -> list[str]:
        """All tensors read."""
        return self.sources + ([self.residual] if self.residual else [])

    @property
    def writes(self) -> list[str]:
        """The tensor written."""
        return [self.output]

    @property
    def operands(self) -> list[str]:
        """All tensors read or written, each once."""
        return list(dict.fromkeys([*self.reads, self.output]))

    def groups(self, name: str, first: int = 0, end: int | None = None) -> tuple[int, int]:
        """Channel groups [first, end) of an operand that are read or written, at least one.

        ``first`` and ``end`` limit it to some of the lane blocks.
        """
        spans = []
        end = len(self.blocks) if end is None else end
        if name in (self.output, self.residual):
            spans.append((self.first_block + first, self.first_block + end))
        if name in self.sources:
            number = self.sources.index(name)
            whole = (first, end) == (0, len(self.blocks))
            spans.append(self.source_groups[number] if whole
                         else _span(self.blocks[first:end], number))
        return min(low for low, _ in spans), max(high for _, high in spans)

    def extent(self, tensor: LayerTensor, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of an operand that a tile of the output needs at most."""
        height, width = rows, columns
        if tensor.name in self.sources:
            height = (rows - 1) * self.stride_y + self.kernel_height
            width = (columns - 1) * self.stride_x + self.kernel_width
        if tensor.name in (self.output, self.residual):
            height, width = max(height, rows), max(width, columns)
        return min(height, tensor.height), min(width, tensor.width)

    def words(self, tensor: LayerTensor, rows: int, columns: int) -> int:
        """Scratchpad words of that much of an operand."""
        height, width = self.extent(tensor, rows, columns)
        first, end = self.groups(tensor.name)
        return height * width * (end - first)


def _span(blocks: list[Taps], source: int) -> tuple[int, int]:
    """Channel groups [first, end) of a source that lane blocks read, at least one."""
    used = np.concatenate([taps.where[taps.where[:, 0] == source, 1] for taps in blocks])
    return (int(used.min()), int(used.max()) + 1) if len(used) else (0, 1)


@dataclass
class KernelOp:
    """An operator of the DRP: its tensors' own bytes come from DRAM and go there.

    Parameters
    ----------
    recipe : Recipe or Streamed
        Its kernels; arrays are named as the tensors.
    beside : bool
        Nothing that follows reads what it writes: its strips run beside the array's work.
    """

    name: str
    operator: str
    sources: list[str]
    writes: list[str]
    recipe: Recipe | Streamed
    layer: int = 0
    beside: bool = False

    @property
    def reads(self) -> list[str]:
        """All tensors read."""
        return self.sources


@dataclass
class HostOp:
    """An operator left to the host, between chip steps.

    Parameters
    ----------
    attrs, blobs : dict
        As those of a program's ``HostStep``.
    why : str
        Why it is left.
    parts : sequence of (operator, name, why)
        What it consists of, if it is a section of the network.
    macs : int
        Its multiplications.
    """

    name: str
    operator: str
    sources: list[str]
    writes: list[str]
    attrs: dict[str, Any]
    blobs: dict[str, bytes]
    why: str
    layer: int = 0
    parts: Sequence[tuple[str, str, str]] = ()
    macs: int = 0

    @property
    def reads(self) -> list[str]:
        """All tensors read."""
        return self.sources


Operator: TypeAlias = WindowOp | KernelOp | HostOp
