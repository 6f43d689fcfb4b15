"""Channels of other tensors in place of copies: splits, shuffles, concatenations, blocks.

A convolution's group list may point into several feature maps, and weights say which channels of a
group it reads. So what only chooses, orders or joins channels needs no copy if nothing but
convolutions reads it; blocks of pixels as channels need none either, since their rows are rows of
the window.
"""

from dataclasses import dataclass

import numpy as np

from golden.attributes import Concat, Conv2D
from golden.graph import Graph, Node
from golden.movement import SpaceToDepth, Take
from golden.spec.config import Config
from sw.compiler.taps import conv_taps, sparse_taps
from sw.compiler.window import LayerTensor, Taps

__all__ = ["ChannelView", "conv_view_taps", "copy_taps", "joined", "may_view", "takes_channels"]

_MOST_SOURCES = 4


@dataclass(frozen=True)
class ChannelView:
    """Where each channel is.

    Parameters
    ----------
    sources : tuple of LayerTensor
        Of one height and width.
    number, channel, row : ndarray of int, (channels,)
        Its source, the channel there, and the row of a block.
    step : int
        Rows of a block, which are one row of this.
    """

    sources: tuple[LayerTensor, ...]
    number: np.ndarray
    channel: np.ndarray
    row: np.ndarray
    step: int = 1

    @classmethod
    def whole(cls, tensor: LayerTensor) -> "ChannelView":
        """A feature map as it is."""
        each = np.arange(tensor.channels)
        return cls((tensor,), np.zeros_like(each), each, np.zeros_like(each))

    def chosen(self, channels: np.ndarray) -> "ChannelView":
        """Some of the channels, in any order."""
        return _used(self.sources, self.number[channels], self.channel[channels],
                     self.row[channels], self.step)


def _used(sources: tuple[LayerTensor, ...], number: np.ndarray, channel: np.ndarray,
          row: np.ndarray, step: int) -> ChannelView:
    used, number = np.unique(number, return_inverse=True)
    return ChannelView(tuple(sources[at] for at in used), number, channel, row, step)


def joined(views: list[ChannelView]) -> ChannelView:
    """The channels of all, one view after the other; blocks are of one row."""
    names = list(dict.fromkeys(source.name for view in views for source in view.sources))
    by_name = {source.name: source for view in views for source in view.sources}
    number = np.concatenate([
        np.array([names.index(source.name) for source in view.sources])[view.number]
        for view in views])
    channel = np.concatenate([view.channel for view in views])
    return ChannelView(tuple(by_name[name] for name in names), number, channel,
                       np.zeros_like(channel))


def takes_channels(graph: Graph, node: Node) -> bool:
    """Does a node only choose or join channels of feature maps?"""
    shape = graph.tensors[node.outputs[0]].shape
    if len(shape) != 4 or shape[0] != 1:
        return False
    if isinstance(node.attrs, Take):
        return node.attrs.indices[:3] == (None, None, None)
    return isinstance(node.attrs, Concat) and node.attrs.axis == 3


def _convolves(config: Config, node: Node, view: ChannelView) -> bool:
    """Is it a convolution without groups whose window fits the scratchpad with room to spare?"""
    attrs = node.attrs
    if not isinstance(attrs, Conv2D) or attrs.groups > 1:
        return False
    rows, columns = ((size - 1) * step + 1 for size, step in zip(attrs.window, attrs.dilation,
                                                                strict=True))
    groups = sum(source.groups(config.group) for source in view.sources)
    return 2 * rows * view.step * columns * groups <= config.words


def may_view(config: Config, graph: Graph, node: Node, view: ChannelView) -> bool:
    """Can all readers of a node's result read it where it is?"""
    name = node.outputs[0]
    users = graph.consumers(name)
    if name in graph.outputs or not users:
        return False
    if isinstance(node.attrs, SpaceToDepth):  # its rows are those of no other feature map
        return all(_convolves(config, reader, view) for user in users for reader in (
            graph.consumers(user.outputs[0]) if isinstance(user.attrs, Take) and takes_channels(
                graph, user) and user.outputs[0] not in graph.outputs else [user]))
    places = np.stack([view.number, view.channel, view.row])
    return (len(view.sources) <= _MOST_SOURCES
            # Narrow feature maps are better folded, which those of several can't be.
            and (len(view.sources) == 1 or all(source.channels >= config.lanes
                                               for source in view.sources))
            and np.unique(places, axis=1).shape == places.shape
            and all(_convolves(config, user, view) or takes_channels(graph, user)
                    for user in users))


def copy_taps(config: Config, view: ChannelView) -> list[Taps]:
    """What copies the channels."""
    kernel = np.zeros((len(view.channel), view.step, 1, 1), np.int8)
    kernel[np.arange(len(view.channel)), view.row] = 1
    return sparse_taps(config, kernel, view.number, view.channel)


def conv_view_taps(config: Config, kernel: np.ndarray, dilation: tuple[int, int],
                   view: ChannelView) -> list[Taps]:
    """Taps of a convolution without groups; kernel is (O, y, x, I)."""
    outputs, height, width, _ = kernel.shape
    found: list[list[Taps]] = []
    for number, source in enumerate(view.sources):
        for row in range(view.step):
            mine = np.flatnonzero((view.number == number) & (view.row == row))
            if not mine.size:
                continue
            spread = np.zeros((outputs, height, width, source.channels), kernel.dtype)
            spread[..., view.channel[mine]] = kernel[..., mine]
            there = np.zeros((1, 1, 1, source.channels), np.int8)
            there[..., view.channel[mine]] = 1
            (used,) = conv_taps(config, there, (1, 1))
            exists = used.present[:, :, :1] & (used.weights[:, :, :1] != 0)  # (groups, M, 1)
            live = np.tile(exists.any(axis=(1, 2)), height * width)
            parts = []
            for taps in conv_taps(config, spread, (dilation[0] * view.step, dilation[1])):
                present = taps.present & np.tile(exists, (height * width, 1, 1))
                where = taps.where + [number, 0, row, 0]
                parts.append(Taps(where[live], taps.weights[live], present[live]))
            found.append(parts)
    return [Taps(*(np.concatenate([getattr(taps, name) for taps in block])
                   for name in ("where", "weights", "present")))
            for block in zip(*found, strict=True)]
